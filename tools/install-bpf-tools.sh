#!/bin/sh
# Installs what `make generate` needs and this machine lacks: clang, llvm-strip
# and libbpf's headers, from the distribution.
set -eu

missing=
command -v clang-19 >/dev/null || missing="$missing clang-19"
command -v llvm-strip-19 >/dev/null || missing="$missing llvm-19"
[ -e /usr/include/bpf/bpf_helpers.h ] || missing="$missing libbpf-dev"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "missing:$missing (install them, or run this as root on Debian or Ubuntu)" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# shellcheck disable=SC2086 # a list of packages
apt-get -qq install -y --no-install-recommends $missing
