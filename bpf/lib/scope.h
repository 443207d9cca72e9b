// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which network namespaces are watched. */
#ifndef TCPSTUCK_SCOPE_H
#define TCPSTUCK_SCOPE_H

#include "cpu.h"

/* Those that do not fit into struct cpu. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32); /* inode */
	__type(value, __u8);
} scope SEC(".maps");

static __noinline int scope_goes_on_with(__u32 inum)
{
	return this_cpu()->scope_goes_on && bpf_map_lookup_elem(&scope, &inum);
}

static __always_inline bool scope_has(const struct cpu *here, const struct net *net)
{
	__u32 inum;

	if (!here->scope[0])
		return true;
	inum = net->ns.inum;
#pragma unroll
	for (int i = 0; i < FEW_NAMESPACES; i++)
		if (inum == here->scope[i])
			return true;
	return scope_goes_on_with(inum);
}

static __always_inline bool in_scope(const struct sock *sk)
{
	return scope_has(this_cpu(), sk->__sk_common.skc_net.net);
}

#endif
