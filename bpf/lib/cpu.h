// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What each CPU has for itself: which network namespaces are watched, and what it has
 * counted. A healthy retransmission needs no other data than the first cache line.
 */
#ifndef TCPSTUCK_CPU_H
#define TCPSTUCK_CPU_H

#include "kernel.h"
#include "records.h"

#define CPUS 128 /* a larger machine has several in one place */
#define FEW_NAMESPACES 4

struct cpu {
	__u32 scope[FEW_NAMESPACES]; /* inodes; none: all are watched */
	__u32 scope_goes_on;         /* there are more, in the map `scope` */
	__u32 pad;
	__u64 counted[COUNTERS]; /* those of healthy retransmissions first */
	__u64 rest[3];
} __attribute__((aligned(64)));

struct cpu cpus[CPUS]; /* the scope is set before the programs are loaded */

static __always_inline struct cpu *this_cpu(void)
{
	return &cpus[bpf_get_smp_processor_id() % CPUS];
}

#endif
