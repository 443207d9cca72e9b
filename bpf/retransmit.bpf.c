// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcp_retransmit_skb. Every retransmission is counted by its kind, and a healthy one
 * costs nothing more. A timeout without progress keeps the socket's episode, and the
 * first of an episode sends one record. The ring buffer is a hint: what does not fit
 * is found by the next snapshot.
 *
 * This runs often, and finds everything cold: what counts is how many cache lines it
 * touches. What is rare is a function of its own. It would give the program a stack
 * of 64 bytes or more, and such a stack is memory of the CPU's own since 6.13, as
 * cold as the rest.
 */
#include "lib/reading.h"
#include "lib/scope.h"

/* Set before the programs are loaded. */
volatile const __u8 retransmit_has_err;  /* the tracepoint has a third argument (6.17) */
volatile const __u64 record_interval_ns; /* at most one record a socket in this time */

/* The timer's handler clears icsk_pending before it retransmits. A window
 * closed with data in flight leaves icsk_retransmits at 0.
 */
static __always_inline bool is_timeout(const struct inet_connection_sock *icsk, __u8 pending)
{
	if (icsk->icsk_retransmits)
		return true;
	return pending == ICSK_TIME_NONE && BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state) == TCP_CA_Loss;
}

/* A subflow of MPTCP has no episode: it is never reported. */
static __noinline struct episode *first_episode(struct sock *sk, const struct tcp_sock *tp)
{
	if (is_mptcp(tp)) {
		count(COUNT_MPTCP);
		return NULL;
	}
	return new_episode(sk); /* without room the file scan finds it */
}

/* The episode was not reported yet: sends a record, unless one of this socket was
 * sent a moment ago.
 */
static __noinline int report_timeout(struct sock *sk, struct tcp_sock *tp, struct episode *e, bool first)
{
	__u64 now = bpf_ktime_get_ns();

	if (is_due(e, first, now, record_interval_ns) && report(sk, tp, e, READING_SUSPECT))
		sent(e, now);
	return 0;
}

/* A timeout without progress; most are of an episode that was reported. */
static __always_inline int timed_out(struct sock *sk, struct tcp_sock *tp, int err)
{
	const struct inet_connection_sock *icsk = (void *)tp;
	struct standing s = {};
	struct episode *e;
	bool owed;

	if (BPF_CORE_READ_BITFIELD(tp, repair))
		return 0;
	e = episode_of(sk);
	if (!e)
		e = first_episode(sk, tp);
	if (!e)
		return 0;
	read_progress(&s, tp);
	owed = time_out(e, &s);
	e->send_err = err;
	e->state = sk->__sk_common.skc_state;
	if (!owed)
		return 0;
	return report_timeout(sk, tp, e, icsk->icsk_retransmits <= 1);
}

SEC("tp_btf/tcp_retransmit_skb")
int retransmit(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	int err = retransmit_has_err ? (int)ctx[2] : 0;
	__u8 state = sk->__sk_common.skc_state;
	const struct inet_connection_sock *icsk;
	struct counts *here;
	struct tcp_sock *tp;
	bool timeout;
	__u8 pending;

	tp = bpf_skc_to_tcp_sock(sk);
	here = counts_here();
	if (!tp || !here || !in_scope(sk))
		return 0;
	icsk = (void *)tp;
	pending = icsk->icsk_pending;
	timeout = is_timeout(icsk, pending);
	if (err)
		here->of[COUNT_FAILED]++;
	else if (state == TCP_SYN_SENT || state == TCP_SYN_RECV)
		here->of[COUNT_SYN]++;
	else if (timeout)
		here->of[COUNT_TIMEOUT]++;
	else if (pending == ICSK_TIME_LOSS_PROBE)
		here->of[COUNT_TAIL_LOSS_PROBE]++;
	else
		here->of[COUNT_FAST]++;
	return timeout ? timed_out(sk, tp, err) : 0;
}
