// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* kfree_skb, optional, an object of its own: why this node's kernel dropped segments of
 * suspects. While nothing is suspected, `armed` is 0 and a drop costs a load. User space
 * watches a suspect's segments as its socket sends them and as conntrack translates them,
 * in both directions.
 */
#include "lib/kernel.h"
#include "lib/segment.h"

#define WATCHED_FLOWS 1024
#define FORMS 4 /* of a flow's segments: two directions, two translations */
#define KINDS 4 /* of drops that are kept apart for one flow */

struct watch {
	__u64 flow;
	__u32 una;
	__u32 span;    /* what follows una may have been sent */
	__u32 answers; /* these are the peer's segments: their acknowledgement is compared */
	__u32 pad;
};

struct drop {
	__u64 location;
	__u64 last_ns; /* CLOCK_MONOTONIC */
	__u32 reason;
	__u32 count;
	__u32 answers;
	char place[36]; /* the function, as far as it fits */
};

struct drops {
	struct drop kinds[KINDS];
	__u64 others;
};

__u32 armed;

/* Set before the program is loaded: whether only the namespaces in `here` are this node's. */
volatile const __u32 scoped;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u8);
} here SEC(".maps");

/* A segment on its way out has no device yet, and one that was passed on has no socket. */
static __always_inline bool is_here(const struct sk_buff *skb)
{
	const struct net_device *dev = skb->dev;
	const struct sock *sk = skb->sk;
	__u32 netns = 0;

	if (!scoped)
		return true;
	if (dev)
		netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	else if (sk)
		netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	return bpf_map_lookup_elem(&here, &netns);
}

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WATCHED_FLOWS *FORMS);
	__type(key, struct segment);
	__type(value, struct watch);
} watched SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WATCHED_FLOWS);
	__type(key, __u64);
	__type(value, struct drops);
} dropped SEC(".maps");

/* The first of its kind. Two CPUs may both take a place; then one kind has two. */
static __always_inline void begin_kind(struct drop *d, __u64 location, __u32 reason, __u32 answers)
{
	static const char symbol[] = "%ps";

	d->location = location;
	d->reason = reason;
	d->answers = answers;
	bpf_snprintf(d->place, sizeof(d->place), symbol, &location, sizeof(location));
	d->count = 1;
}

static __always_inline void add(struct drops *all, __u64 location, __u32 reason, __u32 answers)
{
#pragma unroll
	for (int i = 0; i < KINDS; i++) {
		struct drop *d = &all->kinds[i];

		if (d->count && (d->location != location || d->reason != reason || d->answers != answers))
			continue;
		if (d->count)
			__sync_fetch_and_add(&d->count, 1);
		else
			begin_kind(d, location, reason, answers);
		d->last_ns = bpf_ktime_get_ns();
		return;
	}
	__sync_fetch_and_add(&all->others, 1);
}

SEC("tp_btf/kfree_skb")
int drop(__u64 *ctx)
{
	const struct sk_buff *skb = (const void *)ctx[0];
	struct positions at = {};
	struct segment s = {};
	const struct watch *w;
	struct drops *all;
	__u64 flow;

	if (!armed || !read_segment(skb, &s, &at))
		return 0;
	w = bpf_map_lookup_elem(&watched, &s);
	if (!w || (w->answers ? at.ack : at.seq) - w->una > w->span || !is_here(skb))
		return 0;
	flow = w->flow;
	all = bpf_map_lookup_elem(&dropped, &flow);
	if (all)
		add(all, ctx[1], ctx[2], w->answers);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const struct segment *btf_segment __attribute__((unused));
const struct watch *btf_watch __attribute__((unused));
const struct drops *btf_drops __attribute__((unused));
