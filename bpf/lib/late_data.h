// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Data that comes in after a close. It kills a socket that still has bytes to send,
 * and the socket then dies as if the peer had reset it: tcp_reset, with ECONNRESET,
 * out of FIN_WAIT1. The difference comes next, in the same context: this host answers
 * data with a reset, and a reset with nothing.
 */
#ifndef TCPSTUCK_LATE_DATA_H
#define TCPSTUCK_LATE_DATA_H

#include "loss.h"

/* The last socket of this CPU that died as by a reset, perhaps without one. */
struct dying {
	__u64 cookie;   /* 0: none */
	__u64 reported; /* a record was sent of it */
	struct loss_of loss;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dying);
} dying SEC(".maps");

static __always_inline bool perhaps_late_data(const struct sock *sk, const struct loss_of *l, int oldstate)
{
	return l->reason == LOSS_RESET_BY_PEER && oldstate == TCP_FIN_WAIT1 && (sk->sk_shutdown & RCV_SHUTDOWN);
}

static __always_inline void expect_answer(struct sock *sk, const struct loss_of *l, bool reported)
{
	struct dying *d;
	__u32 key = 0;

	d = bpf_map_lookup_elem(&dying, &key);
	if (!d)
		return;
	d->cookie = bpf_get_socket_cookie(sk);
	d->reported = reported;
	d->loss = *l;
}

#endif
