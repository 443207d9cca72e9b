#!/bin/sh
# Lists, one a line, what tcpstuck's programs could leave behind on this
# machine: network namespaces, BPF objects, processes, run folders, and sockets
# without an owner that keep the namespace of a test alive.
set -eu
cd "$(dirname "$0")/.."

for path in /run/netns/* /run/tcpstuck* /tmp/tcpstuck* /sys/fs/bpf/*tcpstuck*; do
	[ ! -e "$path" ] || echo "file $path"
done
for dir in /proc/[0-9]*; do
	name=$(cat "$dir/comm" 2>/dev/null) || continue
	pid=${dir#/proc/}
	case $(readlink "$dir/exe" 2>/dev/null || true) in
	"$PWD"/bin/* | *.test | *.test\ *) echo "process $pid $name" ;;
	esac
	# A BPF program or link lives as long as a descriptor or a pin holds it.
	if grep -qsE '^(prog_type|link_type|map_type):' "$dir"/fdinfo/*; then
		echo "bpf $pid $name"
	fi
done
# Of all namespaces. A cluster that was just taken down leaves some for a
# minute. One line for each thousand: those of before that end meanwhile, as
# others do, make no new line.
awk '$1 == "TCP:" { for (n = 1000; n <= $5; n += 1000) print "sockets without an owner: " n " or more" }' /proc/net/sockstat
