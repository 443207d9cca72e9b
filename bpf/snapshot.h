// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* iter/bpf_sk_storage_map: every suspect of every network namespace in one
 * read, and the ends for which the ring buffer had no room, while their owner
 * holds them. Nothing is deleted here: that would make the walk skip others.
 */
#include "idle.h"

SEC("iter/bpf_sk_storage_map")
int snapshot(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct episode *e = ctx->value;
	struct sock *sk = ctx->sk;
	struct tcp_sock *tp;
	struct reading r;
	enum reading_kind kind;

	if (!sk || !e)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	if (sk->__sk_common.skc_state == TCP_CLOSE) {
		if (!e->known || !e->closed || e->ended)
			return 0;
		kind = READING_ENDED;
		e->ended = 1;
	} else if ((e->timeouts && e->snd_una == tp->snd_una && stalled(tp)) || still_idle(sk, tp, e)) {
		kind = READING_SUSPECT;
		e->known = 1;
		e->told = 1;
	} else {
		if (!e->known)
			return 0;
		kind = READING_RECOVERED;
		if (!e->recovered_ns)
			e->recovered_ns = bpf_ktime_get_ns();
	}
	read_socket(&r, sk, tp, e, kind);
	if (kind == READING_ENDED) {
		r.state = e->state;
		r.err = e->err;
	}
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}
