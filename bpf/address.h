// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Whose address a socket uses. With IP_FREEBIND or IPV6_FREEBIND, for which
 * nobody needs a capability, a socket may be bound to any address in the world.
 * It can connect from there, but gets no answer: a socket that is past SYN_SENT
 * got one, and one that was not bound has its address from the kernel.
 */
#ifndef TCPSTUCK_ADDRESS_H
#define TCPSTUCK_ADDRESS_H

#include "kernel.h"

/* What is beyond these is not looked at, and counts as foreign. A pod has two
 * or three devices with two or three addresses each.
 */
#define DEVICES 16
#define DEVICE_ADDRESSES 8

static __always_inline bool device_has4(const struct net_device *dev, __be32 want)
{
	const struct in_ifaddr *a;

	BPF_CORE_READ_INTO(&a, dev, ip_ptr, ifa_list);
	for (int i = 0; i < DEVICE_ADDRESSES && a; i++) {
		if (BPF_CORE_READ(a, ifa_local) == want)
			return true;
		a = BPF_CORE_READ(a, ifa_next);
	}
	return false;
}

static __always_inline bool device_has6(const struct net_device *dev, const struct in6_addr *want)
{
	const struct inet6_dev *in6 = BPF_CORE_READ(dev, ip6_ptr);
	const struct list_head *head, *at;
	const __u64 *w = (const void *)want;
	__u64 got[2];

	if (!in6)
		return false;
	head = &in6->addr_list;
	at = BPF_CORE_READ(head, next);
	for (int i = 0; i < DEVICE_ADDRESSES && at && at != head; i++) {
		const struct inet6_ifaddr *a = (const void *)at - bpf_core_field_offset(struct inet6_ifaddr, if_list);

		bpf_core_read(got, sizeof(got), &a->addr);
		if (got[0] == w[0] && got[1] == w[1])
			return true;
		at = BPF_CORE_READ(at, next);
	}
	return false;
}

static __noinline bool namespace_has(const struct net *net, bool v6, struct in6_addr *want)
{
	const struct list_head *head = &net->dev_base_head;
	const struct list_head *at = BPF_CORE_READ(head, next);

	for (int i = 0; i < DEVICES && at && at != head; i++) {
		const struct net_device *dev = (const void *)at - bpf_core_field_offset(struct net_device, dev_list);

		if (v6 ? device_has6(dev, want) : device_has4(dev, *(__be32 *)want))
			return true;
		at = BPF_CORE_READ(at, next);
	}
	return false;
}

/* Nobody may ever have answered it: it connects, or has given up. */
static __always_inline bool unanswered(const struct sock *sk)
{
	__u8 state = sk->__sk_common.skc_state;

	return state == TCP_SYN_SENT || state == TCP_CLOSE;
}

/* Meant for a socket that is unanswered. */
static __always_inline bool is_foreign(const struct sock *sk)
{
	const struct sock_common *c = &sk->__sk_common;
	struct in6_addr local = {};
	__u32 *w = (__u32 *)&local;
	bool v6 = c->skc_family == AF_INET6;

	if (!(BPF_CORE_READ_BITFIELD(sk, sk_userlocks) & SOCK_BINDADDR_LOCK))
		return false;
	if (v6)
		bpf_probe_read_kernel(&local, sizeof(local), &c->skc_v6_rcv_saddr);
	else
		w[0] = c->skc_rcv_saddr;
	if (v6 && !w[0] && !w[1] && w[2] == __builtin_bswap32(0x0000ffff)) {
		v6 = false;
		w[0] = w[3];
	}
	return !namespace_has(c->skc_net.net, v6, &local);
}

#endif
