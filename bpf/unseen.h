// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Ends that set_state was not shown. Seen on 6.18, of one death in some
 * hundreds on a busy machine: now and then no program runs in an interrupt, of
 * whatever tracepoint and agent, the kernel counts no recursion miss, and all
 * sockets die unseen whose timers run out in it. What such a socket leaves
 * still says how it ended: the snapshot reads it while its owner holds it,
 * destroy_sock when it goes.
 */
#ifndef TCPSTUCK_UNSEEN_H
#define TCPSTUCK_UNSEEN_H

#include "loss.h"

/* The kernel gave it up: since its last timeout or reading no segment came in, not
 * even a reset, or since its peer was gone only probes went out, and the timer that
 * was armed then has run out. A dead socket's timer keeps the time that it was armed
 * for.
 */
static __always_inline bool gave_up(struct reading *r, const struct sock *sk, const struct tcp_sock *tp, const struct episode *e)
{
	const struct inet_connection_sock *icsk = (const void *)tp;
	__u64 now = bpf_jiffies64();

	if (e->reset || e->snd_una != tp->snd_una || e->segs_in != tp->segs_in)
		return false;
	read_timers(r, sk, tp);
	if (e->timeouts)
		return (__s64)(now - r->timer_jiffies) >= 0;
	return e->idle && icsk->icsk_probes_out && (__s64)(now - r->keepalive_jiffies) >= 0;
}

/* make_up finds out how a socket ended that went to CLOSE unseen, and counts
 * what died with it. It reports whether that is known now. Its owner's next call
 * takes the error away; the errno of a time-out stays (sk_err_soft). Who throws
 * a connection away (linger 0, connect to AF_UNSPEC) has its socket as new.
 */
static __always_inline bool make_up(struct reading *r, struct sock *sk, struct tcp_sock *tp, struct episode *e)
{
	struct loss_of l = {};

	if (sk->sk_shutdown != SHUTDOWN_MASK)
		return false;
	e->err = sk->sk_err;
	if (!e->err && e->reset)
		e->err = ECONNRESET;
	if (!e->err && gave_up(r, sk, tp, e))
		e->err = sk->sk_err_soft ? sk->sk_err_soft : ETIMEDOUT;
	if (!e->err)
		return false;
	e->closed = 1;
	count(COUNT_UNSEEN);
	measure(&l, sk, tp, e->state, e->err);
	return true;
}

static __always_inline void last_look(struct sock *sk, struct episode *e)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct reading r;

	if (!tp)
		return;
	if (!make_up(&r, sk, tp, e)) {
		count(COUNT_UNSEEN);
		return;
	}
	read_socket(&r, sk, tp, e, READING_ENDED);
	r.state = e->state;
	r.err = e->err;
	if (bpf_ringbuf_output(&records, &r, sizeof(r), 0)) {
		count(COUNT_LOST_RING);
		return;
	}
	e->ended = 1;
}

/* Optional: the last look at a socket. */
SEC("tp_btf/tcp_destroy_sock")
int destroy_sock(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct episode *e = episode_of(sk);

	if (!e)
		return 0;
	if (e->known && !e->closed && sk->__sk_common.skc_state == TCP_CLOSE)
		last_look(sk, e);
	if (e->unstored)
		forget(sk, e);
	return 0;
}

#endif
