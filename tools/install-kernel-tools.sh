#!/bin/sh
# Installs what `make test-kernels` needs and this machine lacks: an emulator
# and a busybox that runs where there are no libraries.
set -eu
cd "$(dirname "$0")"

busybox=busybox
! ldd "$(command -v busybox)" >/dev/null 2>&1 || busybox=busybox-without-libraries
./install-packages.sh qemu-system-x86_64=qemu-system-x86 $busybox=busybox-static
