// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where episodes are kept. Each lives in its socket's own storage, and the kernel
 * frees it with the socket.
 */
#ifndef TCPSTUCK_EPISODES_H
#define TCPSTUCK_EPISODES_H

#include "counters.h"
#include "unstored.h"

/* Counts the file scans. A socket's owner is the process of the first descriptor that
 * the current scan finds.
 */
__u32 file_scan;

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct episode);
} episodes SEC(".maps");

/* A single load shows that a socket has no episode. Most sockets never have one. */
static __always_inline bool may_have_episode(const struct sock *sk)
{
	return sk->sk_bpf_storage || any_unstored;
}

static __always_inline struct episode *episode_of(struct sock *sk)
{
	struct episode *e = NULL;

	if (sk->sk_bpf_storage)
		e = bpf_sk_storage_get(&episodes, sk, 0, 0);
	if (e || !any_unstored)
		return e;
	return unstored_episode(sk);
}

static __always_inline struct episode *new_episode(struct sock *sk)
{
	struct episode *e = bpf_sk_storage_get(&episodes, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (e) {
		e->cookie = bpf_get_socket_cookie(sk);
		return e;
	}
	take_place(sk);
	e = unstored_episode(sk);
	if (!e)
		count(COUNT_LOST_STORAGE);
	return e;
}

static __always_inline void forget(struct sock *sk, const struct episode *e)
{
	if (e->unstored)
		give_place_back(sk);
	else
		bpf_sk_storage_delete(&episodes, sk);
}

#endif
