// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcp_retransmit_skb. Every retransmission is counted by its kind, and a healthy one
 * costs nothing more. A timeout without progress keeps the socket's episode, and the
 * first of an episode sends one record. The ring buffer is a hint: the next snapshot
 * finds what does not fit.
 *
 * This runs often, and finds everything cold: each cache line of code or data that it
 * touches costs as much as a hundred instructions. So a healthy retransmission needs a
 * single line of data (lib/cpu.h) and no constant of .rodata, a timeout leaves the
 * socket's storage alone if nothing is new, and a rarer step is a function of its own.
 * With such a step the program would have a stack of 64 bytes or more: since 6.13 that
 * is memory of its own, cold as well.
 */
#include "lib/reading.h"
#include "lib/scope.h"

/* Set before the programs are loaded. */
volatile const __u64 record_interval_ns; /* at most one record a socket in this time */

/* The timer's handler clears icsk_pending before it retransmits. A window
 * closed with data in flight leaves icsk_retransmits at 0.
 */
static __always_inline bool is_timeout(const struct inet_connection_sock *icsk)
{
	if (icsk->icsk_retransmits)
		return true;
	return icsk->icsk_pending == ICSK_TIME_NONE && BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state) == TCP_CA_Loss;
}

static __always_inline enum counter kind_of(const struct sock *sk, bool timeout, int err)
{
	__u8 state = sk->__sk_common.skc_state;

	if (err)
		return COUNT_FAILED;
	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV)
		return COUNT_SYN;
	if (timeout)
		return COUNT_TIMEOUT;
	return COUNT_FAST;
}

/* The latest timeouts of sockets, by their hash. */
#define OUTCOMES 1024
struct outcome {
	__u64 since; /* jiffies */
	__s64 err;
} outcomes[OUTCOMES];

/* This timeout changes nothing but its number, which the socket has. The one before
 * was some icsk_rto ago; it was looked at, and was the same.
 */
static __always_inline bool is_routine(const struct sock *sk, const struct inet_connection_sock *icsk, int err)
{
	struct outcome *last = &outcomes[sk->__sk_common.skc_hash % OUTCOMES];
	__u64 now = bpf_jiffies64();

	if (!last->since || last->err != err) {
		last->since = now;
		last->err = err;
		return false;
	}
	return is_one_of_many(icsk->icsk_retransmits) && now - last->since > 4ULL * icsk->icsk_rto;
}

/* A record of an episode that was not reported, unless a record of this socket was sent
 * a moment ago.
 */
static __always_inline void report_timeout(struct sock *sk, struct tcp_sock *tp, struct episode *e, __u8 retransmits)
{
	__u64 now = bpf_ktime_get_ns();

	if (is_due(e, retransmits <= 1, now, record_interval_ns) && report(sk, tp, e, READING_SUSPECT))
		sent(e, now);
}

static __noinline int timed_out(struct sock *sk, struct tcp_sock *tp, int err)
{
	const struct inet_connection_sock *icsk = (void *)tp;
	struct standing s = {};
	struct episode *e;
	bool owed;

	if (BPF_CORE_READ_BITFIELD(tp, repair))
		return 0;
	e = episode_of(sk);
	if (!e && !is_mptcp(tp)) /* a subflow is never reported */
		e = new_episode(sk);
	if (!e)
		return 0; /* the file scan finds it */
	read_progress(&s, tp);
	owed = time_out(e, &s, icsk->icsk_retransmits);
	e->send_err = err;
	e->state = sk->__sk_common.skc_state;
	if (owed)
		report_timeout(sk, tp, e, icsk->icsk_retransmits);
	return 0;
}

/* What is not healthy at first sight. */
static __noinline int look(struct sock *sk, struct tcp_sock *tp, int err)
{
	const struct inet_connection_sock *icsk = (void *)tp;
	bool timeout = is_timeout(icsk);

	count(kind_of(sk, timeout, err));
	if (!timeout || is_routine(sk, icsk, err))
		return 0;
	return timed_out(sk, tp, err);
}

/* The failure of a send, which the tracepoint has since 6.17. */
static __always_inline int error_of(const __u64 *ctx)
{
	if (!bpf_core_type_exists(btf_trace_tcp_retransmit_skb___err))
		return 0;
	return ctx[2];
}

/* Healthy at first sight: no timer has run out. Only the timer sends a SYN again. */
SEC("tp_btf/tcp_retransmit_skb")
int retransmit(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	const struct inet_connection_sock *icsk;
	struct cpu *here = this_cpu();
	int err = error_of(ctx);
	struct tcp_sock *tp;
	__u8 pending;

	if (!scope_has(here, sk->__sk_common.skc_net.net))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	icsk = (void *)tp;
	pending = icsk->icsk_pending;
	if (unlikely(err || pending == ICSK_TIME_NONE || icsk->icsk_retransmits))
		return look(sk, tp, err);
	count_on(here, pending == ICSK_TIME_LOSS_PROBE ? COUNT_TAIL_LOSS_PROBE : COUNT_FAST);
	return 0;
}
