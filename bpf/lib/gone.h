// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Idle sockets give no sign: no timer runs, no tracepoint fires. User space puts
 * the peers that are gone into `gone`. The file scan makes an episode for each idle
 * socket that still points at one.
 */
#ifndef TCPSTUCK_GONE_H
#define TCPSTUCK_GONE_H

#include "reading.h"

/* A connection as its socket sees it. If everything but the remote address is zero,
 * it is every connection to that address. IPv4 is in the first four bytes, also for
 * IPv4-mapped sockets.
 */
struct gone_key {
	__u8 local[16];
	__u8 remote[16];
	__u16 local_port;
	__u16 remote_port;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, struct gone_key);
	__type(value, __u8);
} gone SEC(".maps");

/* How many entries `gone` has: most file scans look nothing up. */
__u32 gone_peers;

static __always_inline void unmap(__u8 *addr, __u16 family)
{
	__u32 *w = (__u32 *)addr;

	if (family != AF_INET6 || w[0] || w[1] || w[2] != __builtin_bswap32(0x0000ffff))
		return;
	w[0] = w[3];
	w[2] = 0;
	w[3] = 0;
}

static __always_inline bool peer_gone(const struct sock *sk, const struct tcp_sock *tp)
{
	__u16 family = sk->__sk_common.skc_family;
	struct gone_key key = {};
	__u8 local[ADDRESS];

	if (!gone_peers)
		return false;
	read_addresses(local, key.remote, sk);
	unmap(key.remote, family);
	if (bpf_map_lookup_elem(&gone, &key))
		return true;
	__builtin_memcpy(key.local, local, sizeof(key.local));
	unmap(key.local, family);
	key.local_port = local_port(tp);
	key.remote_port = remote_port(sk);
	return bpf_map_lookup_elem(&gone, &key);
}

#endif
