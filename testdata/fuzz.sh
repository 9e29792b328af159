#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME (default 30s) each and stops at the first failure.
set -eu
go=${GO:-go}
grep -rl --include='*_test.go' '^func Fuzz' . | sort | while read -r file; do
  sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file" | while read -r target; do
    echo "== $target in $(dirname "$file")"
    "$go" test "$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" -fuzzminimizetime 20x </dev/null
  done
done
