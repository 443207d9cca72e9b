#!/usr/bin/env bash
# Runs every fuzz target of the module in turn, each for the time given.
# Usage: tools/fuzz.sh FUZZTIME    (as go test -fuzztime: 30s, 1000x)
set -euo pipefail
cd "$(dirname "$0")/.."

count=0
while IFS=: read -r file target; do
	echo "== ./$(dirname "$file") $target"
	go test -buildvcs=false "./$(dirname "$file")" -run "^$target\$" -fuzz "^$target\$" -fuzztime "$1" | grep -v '^fuzz: elapsed: .*gathering\|^PASS$'
	count=$((count + 1))
done < <(git grep --untracked -oE '^func Fuzz[A-Za-z0-9]+' -- '*_test.go' | sed 's/func //' | sort)
echo "$count fuzz targets, $1 each: nothing found"
