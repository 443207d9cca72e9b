// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Sockets without room for storage: their options used up net.core.optmem_max. Any user can
 * have thousands of them, so owners share the places. The file scan shows these sockets; no
 * snapshot does.
 */
#ifndef TCPSTUCK_UNSTORED_H
#define TCPSTUCK_UNSTORED_H

#include "owner.h"
#include "standing.h"

#define UNSTORED 4096

/* Set before the programs are loaded: how many places there are, at most UNSTORED. */
volatile const __u32 unstored_places;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, UNSTORED);
	__type(key, __u64); /* socket cookie */
	__type(value, struct episode);
} unstored SEC(".maps");

/* How many places each owner has. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * UNSTORED);
	__type(key, struct owner);
	__type(value, __s64);
} unstored_of SEC(".maps");

__s64 unstored_all;

/* Whether `unstored` was ever used: sockets that close look nothing up. */
__u8 any_unstored;

static __always_inline struct episode *unstored_episode(struct sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);

	return bpf_map_lookup_elem(&unstored, &cookie);
}

static __always_inline bool has_place(const struct owner *owner, int share)
{
	const __s64 *used = bpf_map_lookup_elem(&unstored_of, owner);

	return !used || *used * share < (__s64)unstored_places - unstored_all;
}

/* Before 5.18, arm64 compiles no atomic operation that returns a value. */
static __always_inline void add_places(const struct owner *owner, __s64 n)
{
	__s64 *used = bpf_map_lookup_elem(&unstored_of, owner);

	if (!used) {
		if (n > 0)
			bpf_map_update_elem(&unstored_of, owner, &n, BPF_NOEXIST);
		return;
	}
	__sync_fetch_and_add(used, n);
	if (*used <= 0)
		bpf_map_delete_elem(&unstored_of, owner);
}

static __always_inline void count_unstored(struct owner *owner, __u32 netns, __s64 n)
{
	__sync_fetch_and_add(&unstored_all, n);
	add_places(owner, n);
	owner->netns = netns;
	add_places(owner, n);
}

/* Two CPUs may both take the last place. */
static __noinline int take_place(struct sock *sk)
{
	struct owner owner = { .cgroup = cgroup_of(sk) };
	__u32 netns = sk->__sk_common.skc_net.net->ns.inum;
	struct episode none = { .unstored = 1 };
	__u64 cookie = bpf_get_socket_cookie(sk);

	any_unstored = 1;
	if (owner.cgroup > ROOT_CGROUP && !has_place(&owner, SHARE_OF_CGROUP))
		return 0;
	owner.netns = netns;
	if (!has_place(&owner, SHARE_OF_NAMESPACE))
		return 0;
	owner.netns = 0;
	if (!bpf_map_update_elem(&unstored, &cookie, &none, BPF_NOEXIST))
		count_unstored(&owner, netns, 1);
	return 0;
}

static __noinline int give_place_back(struct sock *sk)
{
	struct owner owner = { .cgroup = cgroup_of(sk) };
	__u64 cookie = bpf_get_socket_cookie(sk);

	if (!bpf_map_delete_elem(&unstored, &cookie))
		count_unstored(&owner, sk->__sk_common.skc_net.net->ns.inum, -1);
	return 0;
}

#endif
