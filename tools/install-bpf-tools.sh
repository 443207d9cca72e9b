#!/bin/sh
# Installs what the kernel side needs and this machine lacks, from the distribution:
# clang, llvm-strip and libbpf's headers for `make generate`, clang-format for
# `make lint`.
set -eu

missing=
command -v clang-19 >/dev/null || missing="$missing clang-19"
command -v llvm-strip-19 >/dev/null || missing="$missing llvm-19"
command -v clang-format-19 >/dev/null || missing="$missing clang-format-19"
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
