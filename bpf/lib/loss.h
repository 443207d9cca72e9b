// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Bytes that die with a socket: how many and why. At CLOSE the write queue is
 * purged already, but the sequence numbers and the error are still there.
 */
#ifndef TCPSTUCK_LOSS_H
#define TCPSTUCK_LOSS_H

#include "reading.h"
#include "scope.h"

struct loss_of {
	enum loss reason;
	__u32 unsent;
	__u32 unacknowledged;
	__u32 unread;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOSSES);
	__type(key, __u32);
	__type(value, struct loss_total);
} losses SEC(".maps");

/* SYN and FIN take a sequence number each and are no bytes of the
 * application's. An unsent FIN is the last of the unsent sequence numbers.
 */
static __always_inline void outstanding(struct loss_of *l, const struct tcp_sock *tp, int oldstate)
{
	__s32 unsent = tp->write_seq - tp->snd_nxt;
	__s32 unacknowledged = tp->snd_nxt - tp->snd_una;

	if (oldstate == TCP_SYN_RECV)
		return;
	if (oldstate == TCP_SYN_SENT)
		unacknowledged--;
	if (oldstate == TCP_FIN_WAIT1 || oldstate == TCP_CLOSING || oldstate == TCP_LAST_ACK) {
		if (unsent > 0)
			unsent--;
		else
			unacknowledged--;
	}
	l->unsent = unsent > 0 ? unsent : 0;
	l->unacknowledged = unacknowledged > 0 ? unacknowledged : 0;
}

/* What was received and never read; the peer's FIN takes a sequence number. */
static __always_inline __u32 unread(const struct tcp_sock *tp, int oldstate)
{
	__s32 n = tp->rcv_nxt - tp->copied_seq;

	if (n > 0 && (oldstate == TCP_CLOSE_WAIT || oldstate == TCP_LAST_ACK || oldstate == TCP_CLOSING))
		n--;
	return n > 0 ? n : 0;
}

/* The error is set before the state, in every kernel and on every way here
 * (tcp_reset, tcp_write_err, tcp_abort), so it shows a reset without help:
 * no soft error is ever ECONNRESET or EPIPE. close(2) leaves none. An abort by
 * the owner (linger 0, connect to AF_UNSPEC) or an administrator (ECONNABORTED)
 * is no loss.
 */
static __always_inline enum loss reason_of(const struct sock *sk, int oldstate, int err, __u32 unread)
{
	if (err == ECONNRESET || (err == EPIPE && oldstate == TCP_CLOSE_WAIT))
		return LOSS_RESET_BY_PEER;
	if (err == ECONNREFUSED && oldstate == TCP_SYN_SENT)
		return LOSS_RESET_BY_PEER;
	if (err == ETIMEDOUT || (err && err == sk->sk_err_soft))
		return LOSS_TIMED_OUT;
	if (!err && unread && oldstate != TCP_SYN_SENT && sk->sk_shutdown == SHUTDOWN_MASK)
		return LOSS_CLOSED_UNREAD;
	return LOSS_NONE;
}

static __always_inline void lose(enum loss reason, const struct loss_of *l, __s64 n)
{
	__u32 key = reason;
	struct loss_total *total = bpf_map_lookup_elem(&losses, &key);

	if (!total)
		return;
	total->closes += n;
	total->unsent += n * (__s64)l->unsent;
	total->unacknowledged += n * (__s64)l->unacknowledged;
}

/* Counts the bytes that die with sk, by an error. */
static __always_inline void measure(struct loss_of *l, const struct sock *sk, const struct tcp_sock *tp, int oldstate,
				    int err)
{
	if (tp->write_seq == tp->snd_una || !in_scope(sk))
		return;
	if (is_mptcp(tp) || BPF_CORE_READ_BITFIELD(tp, repair))
		return;
	outstanding(l, tp, oldstate);
	if (!l->unsent && !l->unacknowledged)
		return;
	l->unread = unread(tp, oldstate);
	l->reason = reason_of(sk, oldstate, err, l->unread);
	if (l->reason != LOSS_NONE)
		lose(l->reason, l, 1);
}

/* A reset that loses nothing but a request in flight is counted and not reported:
 * its owner reads ECONNRESET in the call that waits for the answer.
 */
static __always_inline bool notable(const struct loss_of *l)
{
	if (l->reason == LOSS_RESET_BY_PEER)
		return l->unsent || l->unread;
	return l->reason != LOSS_NONE;
}

#endif
