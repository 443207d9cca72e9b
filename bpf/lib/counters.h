// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the programs count. Each CPU counts for itself; user space adds up. */
#ifndef TCPSTUCK_COUNTERS_H
#define TCPSTUCK_COUNTERS_H

#include "kernel.h"
#include "records.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(enum counter what)
{
	__u32 key = what;
	__u64 *n = bpf_map_lookup_elem(&counters, &key);

	if (n)
		(*n)++;
}

#endif
