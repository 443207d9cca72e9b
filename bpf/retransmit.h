// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcp_retransmit_skb: told apart and counted; a timeout without progress keeps
 * the socket's episode, and the first of an episode sends one record. The ring
 * buffer is a hint: what does not fit is found by the next snapshot.
 */
#include "episode.h"

static __always_inline enum counter kind_of(const struct sock *sk, const struct inet_connection_sock *icsk, bool timeout, int err)
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

/* The timer's handler clears icsk_pending before it retransmits. A window
 * closed with data in flight leaves icsk_retransmits at 0.
 */
static __always_inline bool is_timeout(const struct inet_connection_sock *icsk)
{
	if (icsk->icsk_retransmits)
		return true;
	return icsk->icsk_pending == ICSK_TIME_NONE && BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state) == TCP_CA_Loss;
}

SEC("tp_btf/tcp_retransmit_skb")
int retransmit(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct inet_connection_sock *icsk;
	struct standing s = {};
	struct tcp_sock *tp;
	struct episode *e;
	bool timeout, due;
	__u64 now;
	int err = 0;

	if (retransmit_has_err)
		err = (int)ctx[2];
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || !in_scope(sk))
		return 0;
	icsk = (void *)tp;
	timeout = is_timeout(icsk);
	count(kind_of(sk, icsk, timeout, err));
	if (!timeout || BPF_CORE_READ_BITFIELD(tp, repair))
		return 0;
	if (is_mptcp(tp)) {
		count(COUNT_MPTCP);
		return 0;
	}
	e = episode_of(sk);
	if (!e)
		e = new_episode(sk);
	if (!e)
		return 0; /* the sweep finds it */
	look(&s, sk, tp);
	now = bpf_ktime_get_ns();
	due = time_out(e, &s, icsk->icsk_retransmits > 1 ? 0 : now, now, record_interval_ns);
	e->send_err = err;
	e->state = sk->__sk_common.skc_state;
	if (due && tell(sk, tp, e, READING_SUSPECT))
		sent(e, now);
	return 0;
}
