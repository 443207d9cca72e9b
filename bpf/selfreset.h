// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A socket that was closed with bytes still to send dies when more data comes
 * in, and the kernel has it die as if the peer had reset it: tcp_reset, with
 * ECONNRESET, out of FIN_WAIT1. What sets the two apart comes next, in the same
 * context: this host answers data with a reset, and a reset with nothing.
 */
#ifndef TCPSTUCK_SELFRESET_H
#define TCPSTUCK_SELFRESET_H

#include "loss.h"

/* The last socket of this CPU that a reset may have killed only by name. */
struct dying {
	__u64 cookie; /* 0: none */
	__u64 told;   /* a record was sent of it */
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

static __always_inline void expect_answer(struct sock *sk, const struct loss_of *l, bool told)
{
	struct dying *d;
	__u32 key = 0;

	d = bpf_map_lookup_elem(&dying, &key);
	if (!d)
		return;
	d->cookie = bpf_get_socket_cookie(sk);
	d->told = told;
	d->loss = *l;
}

/* Optional: without it, data after close reads as a reset by the peer. */
SEC("tp_btf/tcp_send_reset")
int send_reset(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct reading *r;
	struct dying *d;
	__u32 key = 0;

	if (!sk || sk->__sk_common.skc_state != TCP_CLOSE)
		return 0;
	d = bpf_map_lookup_elem(&dying, &key);
	if (!d || !d->cookie || d->cookie != bpf_get_socket_cookie(sk))
		return 0;
	d->cookie = 0;
	lose(LOSS_RESET_BY_PEER, &d->loss, -1);
	lose(LOSS_DATA_AFTER_CLOSE, &d->loss, 1);
	if (!d->told)
		return 0;
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		count(COUNT_LOST_RING);
		return 0;
	}
	__builtin_memset(r, 0, sizeof(*r));
	r->cookie = bpf_get_socket_cookie(sk);
	r->kind = READING_ANSWERED;
	r->loss = LOSS_DATA_AFTER_CLOSE;
	bpf_ringbuf_submit(r, 0);
	return 0;
}

#endif
