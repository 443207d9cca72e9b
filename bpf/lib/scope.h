// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which network namespaces are watched. */
#ifndef TCPSTUCK_SCOPE_H
#define TCPSTUCK_SCOPE_H

#include "kernel.h"

/* Set before the programs are loaded: only the namespaces in `scope`, not all. */
volatile const __u8 scoped;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32); /* inode */
	__type(value, __u8);
} scope SEC(".maps");

static __always_inline bool scope_has(const struct net *net)
{
	__u32 inum = net->ns.inum;

	return bpf_map_lookup_elem(&scope, &inum);
}

static __always_inline bool in_scope(const struct sock *sk)
{
	if (!scoped)
		return true;
	return scope_has(sk->__sk_common.skc_net.net);
}

#endif
