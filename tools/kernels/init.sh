#!/bin/sh
# The guest's first process: a system as bare as it can be. What the jobs print
# goes to the second serial line, so that the kernel's own words stay out of it.
export PATH=/bin HOME=/tmp CI=true
/bin/busybox mkdir -p /proc /sys /dev /tmp /run
/bin/busybox --install -s /bin 2>/dev/null
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
ln -s /proc/self/fd /dev/fd
while read -r module; do
	insmod "/modules/$module"
done </modules/order
ip link set lo up
stty -F /dev/ttyS1 raw
cd /tmp
sh /jobs >/dev/ttyS1 2>&1 </dev/null
poweroff -f
