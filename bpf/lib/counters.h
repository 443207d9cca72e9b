// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the programs count. Each CPU counts for itself; user space adds up. */
#ifndef TCPSTUCK_COUNTERS_H
#define TCPSTUCK_COUNTERS_H

#include "cpu.h"

static __always_inline void count_on(struct cpu *here, enum counter what)
{
	__sync_fetch_and_add(&here->counted[what], 1);
}

static __always_inline void count(enum counter what)
{
	count_on(this_cpu(), what);
}

#endif
