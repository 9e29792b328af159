#!/usr/bin/env bash
# Measures each floor beside its yardstick, in one run, and prints them. The figures of a busy machine mean little: read
# the ratios, and BENCHMARKS.md for what was recorded. TIDEMARK_BENCH_EVENTS sets the size of the full run's archive.
set -eu
go=${GO:-go}
echo "machine: $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)"
# DuckDB, the yardstick of the full run, lives in a virtual environment beside the build cache.
if [ -z "${TIDEMARK_DUCKDB_PYTHON:-}" ] && command -v python3 >/dev/null; then
  venv=${XDG_CACHE_HOME:-$HOME/.cache}/tidemark/duckdb
  if [ -x "$venv/bin/python" ] || python3 -m venv "$venv"; then
    "$venv/bin/pip" install -q -r testdata/duckdb/requirements.txt && export TIDEMARK_DUCKDB_PYTHON="$venv/bin/python"
  fi
fi
echo "== full run of both views, from Parquet to run files, beside the bare scan and DuckDB (floors: 1 M events/s; 5 x DuckDB; a sixth of the scan)"
"$go" test ./cmd/tidemark -run '^$' -bench 'FullRun' -benchtime 3x -timeout 30m | grep Benchmark
echo "== a run over 1 % after a full run over the rest (floor: 3 % of its CPU, from 10 M events on), and its share of compaction (floor: 1.5/32)"
"$go" test ./cmd/tidemark -run '^$' -bench 'Runs$' -benchtime 1x -timeout 30m | grep Benchmark
echo "== decode and fold of both views on one core, beside decode alone (floor: 400k events/s, 0 allocations)"
"$go" test ./speed/fold -run '^$' -bench 'DecodeAndFold' -cpu 1 -timeout 30m | grep Benchmark
echo "== raw fetch and decode of record batches"
"$go" test ./shared/kafkalog -run '^$' -bench 'Fetch' -cpu 1 -timeout 30m | grep Benchmark
echo "== freshness from produce to an HTTP answer, 5k events/s, linger 10 ms (floor: p99 < 100 ms)"
"$go" test ./cmd/tidemark -run '^$' -bench 'Freshness' -benchtime 1x -timeout 30m | grep Benchmark
echo "== lookups of one key at 2k/s (floor: p99 < 5 ms)"
"$go" test ./cmd/tidemark -run '^$' -bench 'Lookup' -benchtime 1x -timeout 30m | grep Benchmark
echo "== roles as processes on a real Kafka and a real Redis: freshness beside a bare client (floors: p50 < 20 ms, p99 the client's + 25 ms), takeover (3 s), memory (460 MB; 64 MB)"
"$go" test ./cmd/tidemark -run '^$' -bench 'Platform(Freshness|Takeover|Memory)' -benchtime 1x -timeout 60m | grep -E 'Benchmark|SKIP|bench_.*go:'
echo "== micro-batch beside stream: flushes that wait for each other 60 s, 1 s, 50 ms and not at all"
"$go" test ./cmd/tidemark -run '^$' -bench 'PlatformLinger' -benchtime 1x -timeout 60m | grep -E 'Benchmark|SKIP|bench_.*go:'
echo "== speed into Redis, saturated, beside the same calls from a loop (floor: ratio 0.5, 60k events/s); cpu is this process and Redis"
"$go" test ./cmd/tidemark -run '^$' -bench 'SpeedRedis' -benchtime 1x -timeout 30m | grep Benchmark
echo "== lookups from Redis beside a plain client's HVALS (floors: one key p99 < 5 ms at 2k/s, ratio 0.12; 100 keys of 4 kB p99 < 20 ms at 50/s, ratio 0.10, with eight features 0.18)"
"$go" test ./cmd/tidemark -run '^$' -bench 'RedisLookup' -benchtime 1x -timeout 30m | grep Benchmark
