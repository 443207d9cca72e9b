// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* When a socket's timers run out, and where in the timer wheel they wait. */
#ifndef TCPSTUCK_TIMERS_H
#define TCPSTUCK_TIMERS_H

#include "kernel.h"
#include "records.h"

/* TIMER_ARRAYSHIFT and LVL_BITS of kernel/time/timer.c. */
static __always_inline __u8 wheel_level(__u32 timer_flags)
{
	return timer_flags >> (22 + 6);
}

static __always_inline void read_retransmission_timer(struct reading *r, const struct tcp_sock *tp)
{
	const struct inet_connection_sock___timeout *until_6_15 = (const void *)tp;
	const struct inet_connection_sock *icsk = (const void *)tp;
	const struct sock___timer *moved = (const void *)tp;

	if (bpf_core_field_exists(moved->tcp_retransmit_timer)) {
		r->timer_jiffies = moved->tcp_retransmit_timer.expires;
		r->timer_level = wheel_level(moved->tcp_retransmit_timer.flags);
	} else {
		r->timer_jiffies = icsk->icsk_retransmit_timer.expires;
		r->timer_level = wheel_level(icsk->icsk_retransmit_timer.flags);
	}
	if (bpf_core_field_exists(until_6_15->icsk_timeout))
		r->timer_jiffies = until_6_15->icsk_timeout;
}

static __always_inline void read_keepalive_timer(struct reading *r, const struct sock *sk, const struct tcp_sock *tp)
{
	const struct inet_connection_sock___keepalive *moved = (const void *)tp;

	if (bpf_core_field_exists(moved->icsk_keepalive_timer)) {
		r->keepalive_jiffies = moved->icsk_keepalive_timer.expires;
		r->keepalive_level = wheel_level(moved->icsk_keepalive_timer.flags);
	} else {
		r->keepalive_jiffies = sk->sk_timer.expires;
		r->keepalive_level = wheel_level(sk->sk_timer.flags);
	}
}

static __always_inline void read_timers(struct reading *r, const struct sock *sk, const struct tcp_sock *tp)
{
	read_retransmission_timer(r, tp);
	read_keepalive_timer(r, sk, tp);
}

#endif
