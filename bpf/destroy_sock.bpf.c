// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcp_destroy_sock, optional: the last look at a socket. It says how a socket ended
 * if set_state did not see the end.
 */
#include "lib/end.h"

static __always_inline void report_end(struct sock *sk, struct episode *e)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct reading r;

	if (!tp)
		return;
	if (!infer_end(&r, sk, tp, e)) {
		count(COUNT_UNSEEN);
		return;
	}
	read_end(&r, sk, tp, e);
	if (bpf_ringbuf_output(&records, &r, sizeof(r), 0)) {
		count(COUNT_LOST_RING);
		return;
	}
	e->ended = 1;
}

static __noinline int look_back(struct sock *sk)
{
	struct episode *e = episode_of(sk);

	if (!e)
		return 0;
	if (e->known && !e->closed && sk->__sk_common.skc_state == TCP_CLOSE)
		report_end(sk, e);
	if (e->unstored)
		forget(sk, e);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int destroy_sock(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];

	return may_have_episode(sk) ? look_back(sk) : 0;
}
