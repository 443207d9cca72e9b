// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcp_retransmit_skb. Every retransmission is counted by its kind. A timeout
 * without progress keeps the socket's episode, and the first of an episode sends
 * one record. The ring buffer is a hint: what does not fit is found by the next
 * snapshot.
 */
#include "lib/reading.h"
#include "lib/scope.h"

/* Set before the programs are loaded. */
volatile const __u8 retransmit_has_err;  /* the tracepoint has a third argument (6.17) */
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

static __always_inline enum counter kind_of(const struct sock *sk, const struct inet_connection_sock *icsk,
					    bool timeout, int err)
{
	__u8 state = sk->__sk_common.skc_state;

	if (err)
		return COUNT_FAILED;
	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV)
		return COUNT_SYN;
	if (timeout)
		return COUNT_TIMEOUT;
	return icsk->icsk_pending == ICSK_TIME_LOSS_PROBE ? COUNT_TAIL_LOSS_PROBE : COUNT_FAST;
}

/* Nobody is shown a subflow of MPTCP: it has no episode. */
static __always_inline struct episode *first_episode(struct sock *sk, const struct tcp_sock *tp)
{
	if (is_mptcp(tp)) {
		count(COUNT_MPTCP);
		return NULL;
	}
	return new_episode(sk);
}

SEC("tp_btf/tcp_retransmit_skb")
int retransmit(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct inet_connection_sock *icsk;
	struct standing s = {};
	struct tcp_sock *tp;
	struct episode *e;
	bool timeout, owed;
	__u64 now;
	int err = 0;

	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || !in_scope(sk))
		return 0;
	if (retransmit_has_err)
		err = (int)ctx[2];
	icsk = (void *)tp;
	timeout = is_timeout(icsk);
	count(kind_of(sk, icsk, timeout, err));
	if (!timeout || BPF_CORE_READ_BITFIELD(tp, repair))
		return 0;
	e = episode_of(sk);
	if (!e)
		e = first_episode(sk, tp);
	if (!e)
		return 0; /* the file scan finds it */
	read_progress(&s, tp);
	owed = time_out(e, &s);
	e->send_err = err;
	e->state = sk->__sk_common.skc_state;
	if (!owed)
		return 0;
	now = bpf_ktime_get_ns();
	if (!is_due(e, icsk->icsk_retransmits <= 1, now, record_interval_ns))
		return 0;
	if (report(sk, tp, e, READING_SUSPECT))
		sent(e, now);
	return 0;
}
