#!/bin/sh
# Fails unless every generated file is in git's index just as it is on disk.
set -eu
cd "$(dirname "$0")/.."

stale=$(git diff --name-only -- '*_bpfel*')
unknown=$(git ls-files --others -- '*_bpfel*')
[ -n "$stale$unknown" ] || exit 0

[ -z "$stale" ] || echo "not current: $stale" >&2
[ -z "$unknown" ] || echo "not in git: $unknown" >&2
echo "run make generate, and commit what comes out" >&2
exit 1
