// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How many records are sent of sockets that were no suspects. Owners share the
 * node's number. Each may use a part of what is left: an owner that is alone gets
 * enough for a deployment that dies at once, and the greediest leaves most of it.
 */
#ifndef TCPSTUCK_SHARE_H
#define TCPSTUCK_SHARE_H

#include "counters.h"
#include "owner.h"

/* The sockets of one deployment die within a short time: the window is longer than
 * that.
 */
#define LOSS_WINDOW_NS 10000000000ULL

#define LOSS_OWNERS 1024

/* Set before the programs are loaded: what a single owner gets. */
volatile const __u32 loss_records_per_window;

struct window {
	__u64 number;
	__u32 used;
	__u32 pad;
};

struct window loss_window; /* of the node */

/* An owner that is pushed out starts with a new window; the node's window holds. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LOSS_OWNERS);
	__type(key, struct owner);
	__type(value, struct window);
} loss_windows SEC(".maps");

/* turn brings a window up to date. */
static __always_inline struct window *turn(struct window *w, __u64 number)
{
	if (w && w->number != number) {
		w->number = number;
		w->used = 0;
	}
	return w;
}

static __always_inline struct window *window_of(const struct owner *owner, __u64 number)
{
	struct window *w = bpf_map_lookup_elem(&loss_windows, owner);
	struct window fresh = { .number = number };

	if (w)
		return turn(w, number);
	bpf_map_update_elem(&loss_windows, owner, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&loss_windows, owner);
}

/* fits: an owner without a place in the map has only the node's window. */
static __always_inline bool fits(const struct window *w, __s64 left, int share)
{
	return !w || (__s64)w->used * share < left;
}

static __always_inline void use(struct window *w)
{
	if (w)
		__sync_fetch_and_add(&w->used, 1);
}

/* within_limit reports whether another record of sk's owner fits into this
 * window. Two CPUs may both take the last place.
 */
static __always_inline bool within_limit(const struct sock *sk)
{
	struct owner owner = { .cgroup = cgroup_of(sk) };
	__u64 number = bpf_ktime_get_ns() / LOSS_WINDOW_NS;
	struct window *cgroup = NULL, *own;
	__s64 left;

	if (owner.cgroup > ROOT_CGROUP)
		cgroup = window_of(&owner, number);
	owner.netns = sk->__sk_common.skc_net.net->ns.inum;
	own = window_of(&owner, number);
	left = (__s64)loss_records_per_window * (SHARE_OF_NAMESPACE + 1) - turn(&loss_window, number)->used;
	if (left <= 0 || !fits(own, left, SHARE_OF_NAMESPACE) || !fits(cgroup, left, SHARE_OF_CGROUP)) {
		count(COUNT_LIMITED);
		return false;
	}
	use(own);
	use(cgroup);
	use(&loss_window);
	return true;
}

#endif
