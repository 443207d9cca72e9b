#!/bin/sh
# Writes the C code as .clang-format has it; --check fails where it is not so.
set -eu
cd "$(dirname "$0")/.."

tools/install-packages.sh clang-format-19=clang-format-19
if [ "${1-}" = --check ]; then
	set -- --dry-run --Werror
else
	set -- -i
fi
git ls-files -z -- '*.c' '*.h' | xargs -0 clang-format-19 "$@"
