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

static __always_inline void tell(struct sock *sk, struct tcp_sock *tp, struct episode *e)
{
	struct reading *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);

	if (!r) {
		count(COUNT_LOST_RING);
		return;
	}
	read_socket(r, sk, tp, e, READING_SUSPECT);
	bpf_ringbuf_submit(r, 0);
}

SEC("tp_btf/tcp_retransmit_skb")
int retransmit(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct inet_connection_sock *icsk;
	struct tcp_sock *tp;
	struct episode *e;
	bool timeout;
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
	e = bpf_sk_storage_get(&episodes, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!e) {
		count(COUNT_LOST_STORAGE);
		return 0;
	}
	now = bpf_ktime_get_ns();
	if (!e->timeouts || e->snd_una != tp->snd_una)
		begin(e, tp, icsk->icsk_retransmits > 1 ? 0 : now, 0);
	e->timeouts++;
	e->segs_in = tp->segs_in;
	e->send_err = err;
	e->state = sk->__sk_common.skc_state;
	if (e->told || (e->told_ns && now - e->told_ns < record_interval_ns))
		return 0;
	e->told_ns = now;
	e->told = 1;
	e->known = 1;
	tell(sk, tp, e);
	return 0;
}
