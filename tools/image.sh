#!/usr/bin/env bash
# Builds the images with buildah, from scratch, and writes an archive of each
# into bin/image: tools/image.sh TAG ARCHITECTURE...
set -euo pipefail
cd "$(dirname "$0")/.."
tools/install-packages.sh buildah=buildah setcap=libcap2-bin

tag=$1
shift
capabilities=$(sed -n 's/^capability /cap_/p' deploy/privileges.txt | paste -sd, | tr '[:upper:]' '[:lower:]')
work=$(mktemp -d /tmp/tcpstuck-image.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir -p bin/image

# Storage of its own: nothing is left behind in the machine's.
buildah() { command buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }

# program ARCHITECTURE IMAGE PROGRAM...: builds programs for an image.
programs() {
	local arch=$1 dir=$work/$2-$1/usr/bin
	shift 2
	GOOS=linux GOARCH=$arch make --no-print-directory BIN="$dir" "${@/#/$dir/}"
}

# image ARCHITECTURE IMAGE
image() {
	local name=localhost/$2:$tag archive=bin/image/$2-$1.tar
	buildah build --quiet --isolation chroot --format docker --layers=false --timestamp 0 --platform "linux/$1" \
		--file "deploy/image/$2.Containerfile" --tag "$name" "$work/$2-$1" >/dev/null
	rm -f "$archive"
	buildah push --quiet "$name" "docker-archive:$archive:$name"
	echo "$archive: $name for $1"
}

for arch; do
	programs "$arch" tcpstuck tcpstuck-agent tcpstuck
	setcap "$capabilities=p" "$work/tcpstuck-$arch/usr/bin/tcpstuck-agent"
	install -d -m 0755 -o 65534 -g 65534 "$work/tcpstuck-$arch/run/tcpstuck"
	image "$arch" tcpstuck
	programs "$arch" tcpstuck-echo echo
	image "$arch" tcpstuck-echo
done
