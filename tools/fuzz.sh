#!/usr/bin/env bash
# Runs every fuzz target of the module in turn, each for the executions given.
# A time is possible, too. But Go may then fail a target that found nothing, with
# "context deadline exceeded": a worker sees the end before its coordinator.
# Usage: tools/fuzz.sh FUZZTIME    (as go test -fuzztime: 1000x, 30s)
set -euo pipefail
cd "$(dirname "$0")/.."

count=0
while IFS=: read -r file target; do
	echo "== ./$(dirname "$file") $target"
	go test -buildvcs=false "./$(dirname "$file")" -run "^$target\$" -fuzz "^$target\$" -fuzztime "$1" | grep -v '^fuzz: elapsed: .*gathering\|^PASS$'
	count=$((count + 1))
done < <(git grep --untracked -oE '^func Fuzz[A-Za-z0-9]+' -- '*_test.go' | sed 's/func //' | sort)
echo "$count fuzz targets, $1 each: nothing found"
