// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the agent is compared with: a program that hands every retransmission
 * to user space, in a record as long as the agent's, with the ring buffer's
 * default wake-up; one that does nothing, for the cost of being called; and a
 * witness of what any program is shown.
 */
#include "kernel.h"
#include "records.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

#define STORM_BLOCK 1 /* stormBlock of bench.go: the Services that stick all at once */

__u64 lost; /* records that found no room; nearly exact */

/* The network namespaces whose sockets count; the machine has others. */
__u32 node_netns;
__u32 backends_netns;

SEC("tp_btf/tcp_retransmit_skb")
int record_each(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	__u32 netns = sk->__sk_common.skc_net.net->ns.inum;
	struct reading *r;

	if (netns != node_netns && netns != backends_netns)
		return 0;
	r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	r->cookie = bpf_get_socket_cookie(sk);
	r->now_ns = bpf_ktime_get_ns();
	r->netns = netns;
	r->family = sk->__sk_common.skc_family;
	r->state = sk->__sk_common.skc_state;
	r->local_port = sk->__sk_common.skc_num;
	r->remote_port = __builtin_bswap16(sk->__sk_common.skc_dport);
	*(__u32 *)r->local = sk->__sk_common.skc_rcv_saddr;
	*(__u32 *)r->remote = sk->__sk_common.skc_daddr;
	bpf_ringbuf_submit(r, 0);
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int empty(__u64 *ctx)
{
	return 0;
}

/* The same on the tracepoint of every system call (calling.go). */
SEC("tp_btf/sys_enter")
int idle_call(__u64 *ctx)
{
	return 0;
}

struct connection {
	__u32 address; /* the peer's, in network order */
	__u32 port;    /* the local one */
};

/* Of each flow that sticks alone, the first timeout that was shown: 1, unless
 * no program ran when that one came.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct connection);
	__type(value, __u32);
} first_timeouts SEC(".maps");

__u64 timeouts_shown;

SEC("tp_btf/tcp_retransmit_skb")
int witness(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	const struct inet_connection_sock *icsk = (void *)bpf_skc_to_tcp_sock(sk);
	struct connection c = {};
	__u32 timeouts;

	if (!icsk || !icsk->icsk_retransmits || sk->__sk_common.skc_net.net->ns.inum != node_netns)
		return 0;
	__sync_fetch_and_add(&timeouts_shown, 1);
	c.address = sk->__sk_common.skc_daddr;
	c.port = sk->__sk_common.skc_num;
	if (((__u8 *)&c.address)[2] == STORM_BLOCK)
		return 0;
	timeouts = icsk->icsk_retransmits;
	bpf_map_update_elem(&first_timeouts, &c, &timeouts, BPF_NOEXIST);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
