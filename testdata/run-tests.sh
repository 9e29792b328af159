#!/usr/bin/env bash
# Runs every test this machine can run, then says what was left out, why, and the command that adds it.
# TIDEMARK_REQUIRE=redis,… makes a missing server a failure instead of a skip.
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT

"$GO" test $RACE -timeout 20m -v "$@" >"$log" 2>&1
status=$?

# Packages' verdicts and everything about a failure; the passing tests' names are noise.
grep -E '^(ok|FAIL|panic:|---\ FAIL|\?)|^\s+--- FAIL|DATA RACE' "$log" | grep -v 'no test files'
if [ "$status" -ne 0 ]; then
  echo "--- output of what failed"
  awk '/^=== RUN/{buf=""} {buf=buf $0 "\n"} /--- FAIL|^panic:|^FAIL|DATA RACE|build failed|cannot|undefined|\.go:[0-9]+:[0-9]+:/{printf "%s", buf; buf=""}' "$log" | tail -n 400
fi

passed=$(grep -cE '^\s*--- PASS' "$log")
failed=$(grep -cE '^\s*--- FAIL' "$log")
skipped=$(grep -cE '^\s*--- SKIP' "$log")
if [ "$skipped" -gt 0 ]; then
  echo
  echo "Left out here:"
  awk '/--- SKIP/{name=$3; getline; sub(/^ +/, ""); print "  " name ": " $0}' "$log" | sort | uniq
fi
if [ -z "$RACE" ]; then
  echo "  the race detector: no C compiler found; add it with: apt-get install gcc"
fi
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
