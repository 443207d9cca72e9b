// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a TCP socket's own fields say about its progress. */
#ifndef TCPSTUCK_TCP_H
#define TCPSTUCK_TCP_H

#include "kernel.h"
#include "standing.h"

static __always_inline bool is_mptcp(const struct tcp_sock *tp)
{
	const struct tcp_sock___mptcp *m = (const void *)tp;

	return bpf_core_field_exists(m->is_mptcp) && m->is_mptcp;
}

/* Something is outstanding, and a retransmission timer has run out on it at least
 * once, or the window or this host holds it back (persist timer). A healthy sender
 * sometimes shows the persist timer for one probe, but no back-off.
 */
static __always_inline bool stalled(const struct tcp_sock *tp)
{
	const struct inet_connection_sock *icsk = (const void *)tp;

	if (tp->packets_out)
		return icsk->icsk_retransmits ||
		       (tp->snd_wnd == 0 && BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state) == TCP_CA_Loss);
	return icsk->icsk_pending == ICSK_TIME_PROBE0 && (icsk->icsk_backoff || icsk->icsk_probes_out);
}

/* What decides whether an episode continues; a timeout needs no more. */
static __always_inline void read_progress(struct standing *s, const struct tcp_sock *tp)
{
	s->snd_una = tp->snd_una;
	s->segs_in = tp->segs_in;
	s->outstanding = tp->write_seq != tp->snd_una;
}

/* The first probe may be under way. An answer sets the count back (tcp_ack). */
#define UNANSWERED_PROBES 2

static __always_inline bool keepalive_fails(const struct sock *sk, const struct tcp_sock *tp)
{
	const struct inet_connection_sock *icsk = (const void *)tp;

	return icsk->icsk_probes_out >= UNANSWERED_PROBES && sk->__sk_common.skc_flags & (1UL << SOCK_KEEPOPEN);
}

static __always_inline void read_standing(struct standing *s, const struct sock *sk, const struct tcp_sock *tp)
{
	__u8 state = sk->__sk_common.skc_state;
	bool established = state == TCP_ESTABLISHED;

	read_progress(s, tp);
	s->stalled = stalled(tp);
	s->idle = established && !s->outstanding && tp->snd_wnd && !(sk->sk_shutdown & RCV_SHUTDOWN);
	s->unanswered = s->idle && keepalive_fails(sk, tp);
	s->open = established || state == TCP_FIN_WAIT1;
}

#endif
