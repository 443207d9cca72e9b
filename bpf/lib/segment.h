// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a segment's headers say, wherever in the kernel it is. */
#ifndef TCPSTUCK_SEGMENT_H
#define TCPSTUCK_SEGMENT_H

#include "kernel.h"

/* Ports are in network order, IPv4 addresses in the first four bytes. */
struct segment {
	__u8 src[16];
	__u8 dst[16];
	__be16 src_port;
	__be16 dst_port;
};

struct positions {
	__u32 seq;
	__u32 ack;
};

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define NO_HEADER 0xffff

struct ip_header {
	__u8 version_ihl;
	__u8 tos;
	__be16 length, id, fragment;
	__u8 ttl, protocol;
	__be16 check;
	__u8 src[4], dst[4];
};

struct ip6_header {
	__be32 flow;
	__be16 length;
	__u8 next, hop_limit;
	__u8 src[16], dst[16];
};

struct tcp_header {
	__be16 src_port, dst_port;
	__be32 seq, ack;
};

/* Returns where the TCP header is; NULL: nowhere. */
static __always_inline const void *read_ip4(const void *at, struct segment *s)
{
	struct ip_header h;

	if (bpf_probe_read_kernel(&h, sizeof(h), at))
		return NULL;
	if (h.version_ihl >> 4 != 4 || h.protocol != IPPROTO_TCP || h.fragment & __builtin_bswap16(0x1fff))
		return NULL;
	__builtin_memcpy(s->src, h.src, sizeof(h.src));
	__builtin_memcpy(s->dst, h.dst, sizeof(h.dst));
	return at + (h.version_ihl & 15) * 4;
}

static __always_inline const void *read_ip6(const void *at, struct segment *s)
{
	struct ip6_header h;

	if (bpf_probe_read_kernel(&h, sizeof(h), at) || h.next != IPPROTO_TCP)
		return NULL;
	__builtin_memcpy(s->src, h.src, sizeof(h.src));
	__builtin_memcpy(s->dst, h.dst, sizeof(h.dst));
	return at + sizeof(h);
}

static __always_inline bool read_segment(const struct sk_buff *skb, struct segment *s, struct positions *p)
{
	__u16 protocol = __builtin_bswap16(skb->protocol);
	struct tcp_header h;
	const void *at;

	if (skb->network_header == NO_HEADER)
		return false;
	at = skb->head + skb->network_header;
	if (protocol == ETH_P_IP)
		at = read_ip4(at, s);
	else if (protocol == ETH_P_IPV6)
		at = read_ip6(at, s);
	else
		return false;
	if (!at || bpf_probe_read_kernel(&h, sizeof(h), at))
		return false;
	s->src_port = h.src_port;
	s->dst_port = h.dst_port;
	p->seq = __builtin_bswap32(h.seq);
	p->ack = __builtin_bswap32(h.ack);
	return true;
}

#endif
