// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The owner of a socket: a cgroup and a network namespace. Owners share what the kernel
 * side has room for. A container cannot make cgroups beside its own. Sockets of the root
 * cgroup differ only by their network namespace.
 */
#ifndef TCPSTUCK_OWNER_H
#define TCPSTUCK_OWNER_H

#include "kernel.h"

/* The root of the cgroups. It has the processes that were put into no other
 * cgroup, and all processes if only cgroups of version 1 are used.
 */
#define ROOT_CGROUP 1

/* A network namespace of a cgroup may use a quarter of what is left. If it is alone, that
 * is a fifth of everything. A cgroup with many namespaces may use as much as is left: half.
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
