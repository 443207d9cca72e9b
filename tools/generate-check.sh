#!/bin/sh
# Fails unless every generated file is in git's index just as it is on disk, and
# comes out the same on every architecture.
set -eu
cd "$(dirname "$0")/.."

own=$(for source in bpf/tcpstuck.bpf.c bpf/drops.bpf.c bpf/histories.bpf.c tools/storm/bpf/comparator.c; do
	clang-19 -M -target bpfel -Ibpf/lib "$source"
done | grep -o '/[^ ]*-linux-gnu/[^ ]*' || true)
if [ -n "$own" ]; then
	echo "headers of one architecture: $own" >&2
	exit 1
fi

stale=$(git diff --name-only -- '*_bpfel*')
unknown=$(git ls-files --others -- '*_bpfel*')
[ -n "$stale$unknown" ] || exit 0

[ -z "$stale" ] || echo "not current: $stale" >&2
[ -z "$unknown" ] || echo "not in git: $unknown" >&2
echo "run make generate, and commit what comes out" >&2
exit 1
