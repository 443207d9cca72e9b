// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the programs count. Each CPU counts for itself; user space adds up. */
#ifndef TCPSTUCK_COUNTERS_H
#define TCPSTUCK_COUNTERS_H

#include "kernel.h"
#include "records.h"

struct counts {
	__u64 of[COUNTERS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} counters SEC(".maps");

/* The counters of this CPU. There are always some; the verifier does not know. */
static __always_inline struct counts *counts_here(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&counters, &key);
}

static __always_inline void count(enum counter what)
{
	struct counts *here = counts_here();

	if (here)
		here->of[what]++;
}

#endif
