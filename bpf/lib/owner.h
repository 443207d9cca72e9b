// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Whose a socket is, as far as the kernel side has to know: room is shared by owners. A
 * container cannot make cgroups beside its own. Network namespaces distinguish what has
 * no cgroup of its own.
 */
#ifndef TCPSTUCK_OWNER_H
#define TCPSTUCK_OWNER_H

#include "kernel.h"

/* The root of the cgroups. It has the processes that were put into no other
 * cgroup, and all processes if only cgroups of version 1 are used.
 */
#define ROOT_CGROUP 1

/* One network namespace of one cgroup may use a quarter of what is left, so a
 * fifth of everything; a cgroup with many namespaces as much as is left, so half.
 */
#define SHARE_OF_NAMESPACE 4
#define SHARE_OF_CGROUP 1

struct owner {
	__u64 cgroup;
	__u32 netns; /* 0: any */
	__u32 pad;
};

static __always_inline __u64 cgroup_of(const struct sock *sk)
{
	const struct sock___cgroup *c = (const void *)sk;

	if (!bpf_core_field_exists(c->sk_cgrp_data.cgroup))
		return ROOT_CGROUP;
	return BPF_CORE_READ(c, sk_cgrp_data.cgroup, kn, id);
}

#endif
