#!/bin/sh
# Installs Debian packages whose programs this machine lacks:
# install-packages.sh PROGRAM=PACKAGE...
set -eu

missing=
for pair; do
	command -v "${pair%%=*}" >/dev/null || missing="$missing ${pair#*=}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "missing:$missing (install them, or run this as root on Debian or Ubuntu)" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 # and start no service
apt-get -qq update
# shellcheck disable=SC2086 # a list of packages
apt-get -qq install -y --no-install-recommends $missing
