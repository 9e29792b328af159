#!/usr/bin/env bash
# Runs every test this machine can run, then says what was left out, why, and the command that adds it. The packages run
# with the race detector; the process tests, which start real servers and real tidemarks, run as users build it, and so
# does the simulation, whose worlds have no goroutines, and the million writes, whose rate is the point; then the crash
# points, in a binary of their own, and a part of what make processes does with it. Then every fuzz target
# runs for FUZZTIME (default 2s; 0 = only its seeds, which are unit tests), and last a third of the mutants, chosen by MUTANTS
# (default today's date; 0 = none).
# TIDEMARK_REQUIRE=redis,… makes a missing server a failure instead of a skip.
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT

packages=$("$GO" list "$@") || exit 1
unraced='/cmd/tidemark$|/testdata/simulation$|/testdata/writes$'
processes=$(grep -E "$unraced" <<<"$packages" || true)
"$GO" test $RACE -timeout 30m -v $(grep -vE "$unraced" <<<"$packages") >"$log" 2>&1
status=$?
if [ -n "$processes" ]; then
  "$GO" test -timeout 30m -v $processes >>"$log" 2>&1 || status=1
fi
# A binary of its own, in which a process dies at every named place.
"$GO" test -tags crashpoints -timeout 30m -parallel 4 -v -run '^TestCrashPoints$' ./cmd/tidemark >>"$log" 2>&1 || status=1
"$GO" test -tags crashpoints -timeout 30m -v -run '^TestProcesses$' ./cmd/tidemark >>"$log" 2>&1 || status=1
fuzzed=
if [ "${FUZZTIME:-2s}" != 0 ]; then
  fuzzed=$(FUZZTIME="${FUZZTIME:-2s}" ./testdata/fuzz.sh 2>&1) && fuzzed=${fuzzed##*$'\n'} || status=1
fi
mutants=
seed=${MUTANTS:-$(date -u +%F)}
if [ "$seed" != 0 ]; then
  mutants=$("$GO" run ./testdata/mutants -share 3 -seed "$seed" -clean=false 2>&1) || status=1
fi

# Packages' verdicts and everything about a failure; the passing tests' names are noise.
grep -E '^(ok|FAIL|panic:|--- FAIL)|^\s+--- FAIL|DATA RACE' "$log"
if [ "$status" -ne 0 ]; then
  echo "--- output of what failed"
  awk '/^=== RUN/{buf=""} {buf=buf $0 "\n"} /--- FAIL|^panic:|^FAIL|DATA RACE|build failed|\.go:[0-9]+:[0-9]+:/{printf "%s", buf; buf=""}' "$log" | tail -n 400
fi
[ -z "$fuzzed" ] || echo "$fuzzed"
[ -z "$mutants" ] || echo "$mutants"

passed=$(grep -cE '^\s*--- PASS' "$log")
failed=$(grep -cE '^\s*--- FAIL' "$log")
skipped=$(grep -cE '^\s*--- SKIP' "$log")
if [ "$skipped" -gt 0 ] || [ -z "$RACE" ]; then
  echo
  echo "Left out here:"
  awk '/^=== RUN/{why=""} /_test\.go:[0-9]+:/{why=$0; sub(/^ +/, "", why)} /--- SKIP/{getline nextline; print "  " $3 ": " (nextline ~ /_test\.go|\.go:/ ? nextline : why)}' "$log" | sed 's/:  */: /' | sort -u
fi
if [ -z "$RACE" ]; then
  echo "  the race detector: no C compiler found; add it with: apt-get install gcc"
fi
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
