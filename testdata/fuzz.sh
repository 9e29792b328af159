#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME (default 30s) each, one at a time, and says how many executions there
# were in all. What a target fails on is kept in its package's testdata/fuzz, where it is a unit test from then on; the
# other targets still run. FUZZTARGETS, a regular expression, chooses targets. FUZZBULK=D, a duration, mutates each target's
# seeds at random for so long each instead, at the speed of the code itself (package testdata/fuzzing).
set -u
go=${GO:-go}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
total=0 targets=0 failed=0

# Writes "folder target" lines.
all() {
  grep -rl --include='*_test.go' --exclude-dir=fuzzing '^func Fuzz' . | sort | while read -r file; do
    sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file" | sed "s|^|$(dirname "$file") |"
  done | grep -E "${FUZZTARGETS:-.}"
}

fuzz() { # folder target: the executions into $execs
  if [ -n "${FUZZBULK:-}" ]; then
    TIDEMARK_FUZZ_BULK=$FUZZBULK "$go" test "$1" -run "^$2\$" -count=1 -timeout 0 -v </dev/null >"$out" 2>&1
    status=$?
    execs=$(sed -n 's/.*executions: \([0-9]*\).*/\1/p' "$out" | tail -n 1)
    return
  fi
  "$go" test "$1" -run '^$' -fuzz "^$2\$" -fuzztime "${FUZZTIME:-30s}" -fuzzminimizetime 20x -parallel 1 </dev/null >"$out" 2>&1
  status=$?
  execs=$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$out" | tail -n 1)
}

while read -r folder target; do
  fuzz "$folder" "$target"
  # The engine may report its own deadline as a failure when time is up: then nothing failed, and it runs again. On a busy machine
  # that is no rare thing.
  for _ in 1 2 3 4 5; do
    if [ "$status" -eq 0 ] || ! grep -q 'context deadline exceeded' "$out" || grep -q 'Failing input' "$out"; then
      break
    fi
    fuzz "$folder" "$target"
  done
  if [ "$status" -ne 0 ]; then
    failed=$((failed + 1))
    cat "$out"
  fi
  targets=$((targets + 1))
  total=$((total + ${execs:-0}))
  echo "$folder $target: ${execs:-0} executions"
done < <(all)
echo "fuzzed $targets targets, $total executions, $failed failed"
[ "$failed" -eq 0 ] && [ "$targets" -gt 0 ]
