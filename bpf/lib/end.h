// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Ends that set_state did not see. Seen on 6.18, for one death in some hundreds
 * on a busy machine: now and then the kernel runs no program in an interrupt, on any
 * tracepoint, and counts no recursion miss. No program sees the sockets that time out
 * in that interrupt. Their members still say how they ended. The snapshot reads them
 * while the owner holds the socket, and destroy_sock when the socket goes.
 */
#ifndef TCPSTUCK_END_H
#define TCPSTUCK_END_H

#include "loss.h"

/* The kernel aborted it. Since its last timeout or reading no segment came in, not
 * even a reset, or since its peer was gone only probes went out; and the armed timer
 * has run out. A dead socket's timer keeps the time for which it was armed.
 */
static __always_inline bool aborted(struct reading *r, const struct sock *sk, const struct tcp_sock *tp,
				    const struct episode *e)
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

/* Finds out how a socket ended that went to CLOSE unseen, counts the bytes that died
 * with it, and reports whether the end is known now. Its owner's next call takes the
 * error away; the errno of a time-out stays (sk_err_soft). If the owner throws the
 * connection away (linger 0, connect to AF_UNSPEC), the socket looks new.
 */
static __always_inline bool infer_end(struct reading *r, struct sock *sk, struct tcp_sock *tp, struct episode *e)
{
	struct loss_of l = {};

	if (sk->sk_shutdown != SHUTDOWN_MASK)
		return false;
	e->err = sk->sk_err;
	if (!e->err && e->reset)
		e->err = ECONNRESET;
	if (!e->err && aborted(r, sk, tp, e))
		e->err = sk->sk_err_soft ? sk->sk_err_soft : ETIMEDOUT;
	if (!e->err)
		return false;
	e->closed = 1;
	count(COUNT_UNSEEN);
	measure(&l, sk, tp, e->state, e->err);
	return true;
}

/* Reads a socket in CLOSE. How it ended is known. */
static __always_inline void read_end(struct reading *r, struct sock *sk, struct tcp_sock *tp, struct episode *e)
{
	read_socket(r, sk, tp, e, READING_ENDED);
	r->state = e->state;
	r->err = e->err;
}

#endif
