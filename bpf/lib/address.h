// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Whether a socket's address is its namespace's own. IP_FREEBIND and IPV6_FREEBIND
 * need no capability, and bind a socket to any address in the world. It can connect
 * from there, but gets no answer. A socket past SYN_SENT got one, and a socket that
 * was not bound has its address from the kernel.
 */
#ifndef TCPSTUCK_ADDRESS_H
#define TCPSTUCK_ADDRESS_H

#include "kernel.h"

/* How many devices and addresses are looked at, one in a step; those beyond are not
 * found. A pod has two or three devices with two or three addresses each. One loop
 * over both is short for the verifier; one inside the other is not.
 */
#define STEPS 16

/* The verifier checks a function that is not static once, for all its callers. */
__noinline int namespace_has4(__u64 net, __u32 want)
{
	const struct list_head *head = &((const struct net *)net)->dev_base_head;
	const struct list_head *at = head;
	const struct in_ifaddr *a = NULL;

	for (int i = 0; i < STEPS; i++) {
		const struct net_device *dev;

		if (a) {
			if (BPF_CORE_READ(a, ifa_local) == want)
				return 1;
			a = BPF_CORE_READ(a, ifa_next);
			continue;
		}
		at = BPF_CORE_READ(at, next);
		if (!at || at == head)
			return 0;
		dev = (const void *)at - bpf_core_field_offset(struct net_device, dev_list);
		BPF_CORE_READ_INTO(&a, dev, ip_ptr, ifa_list);
	}
	return 0;
}

__noinline int namespace_has6(__u64 net, __u64 first, __u64 second)
{
	const struct list_head *devices = &((const struct net *)net)->dev_base_head;
	const struct list_head *at = devices;
	const struct list_head *head = NULL, *next = NULL; /* of the addresses of one device */
	__u64 got[2];

	for (int i = 0; i < STEPS; i++) {
		const struct net_device *dev;
		const struct inet6_dev *in6;

		if (next && next != head) {
			const struct inet6_ifaddr *a =
				(const void *)next - bpf_core_field_offset(struct inet6_ifaddr, if_list);

			bpf_core_read(got, sizeof(got), &a->addr);
			if (got[0] == first && got[1] == second)
				return 1;
			next = BPF_CORE_READ(next, next);
			continue;
		}
		at = BPF_CORE_READ(at, next);
		if (!at || at == devices)
			return 0;
		dev = (const void *)at - bpf_core_field_offset(struct net_device, dev_list);
		in6 = BPF_CORE_READ(dev, ip6_ptr);
		next = NULL;
		if (!in6)
			continue;
		head = &in6->addr_list;
		next = BPF_CORE_READ(head, next);
	}
	return 0;
}

/* Its owner chose its address; any other is the kernel's choice. */
static __always_inline bool is_bound(const struct sock *sk)
{
	return BPF_CORE_READ_BITFIELD(sk, sk_userlocks) & SOCK_BINDADDR_LOCK;
}

/* Whether a bound socket's namespace has its address. The walk is long for the
 * verifier, so only one program makes it: the file scan.
 */
static __always_inline bool is_at_home(const struct sock *sk)
{
	const struct sock_common *c = &sk->__sk_common;
	__u64 local[2], net;
	__u32 *w = (__u32 *)local;

	bpf_core_read(&net, sizeof(net), &c->skc_net.net); /* a number, not a pointer */
	if (c->skc_family != AF_INET6)
		return namespace_has4(net, c->skc_rcv_saddr);
	bpf_probe_read_kernel(local, sizeof(local), &c->skc_v6_rcv_saddr);
	if (!local[0] && w[2] == __builtin_bswap32(0x0000ffff))
		return namespace_has4(net, w[3]);
	return namespace_has6(net, local[0], local[1]);
}

#endif
