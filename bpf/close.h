// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* inet_sock_set_state at CLOSE ends an episode, whatever the way to die. The
 * write queue is purged by then, the sequence numbers are not.
 */
#include "episode.h"

SEC("tp_btf/inet_sock_set_state")
int set_state(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	int oldstate = (int)ctx[1];
	int newstate = (int)ctx[2];
	struct tcp_sock *tp;
	struct reading *r;
	struct episode *e;

	if (newstate != TCP_CLOSE || oldstate == TCP_LISTEN)
		return 0;
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	e = bpf_sk_storage_get(&episodes, sk, 0, 0);
	if (!e || !e->known)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		count(COUNT_LOST_RING);
		return 0;
	}
	read_socket(r, sk, tp, e, READING_ENDED);
	r->state = oldstate;
	bpf_ringbuf_submit(r, 0);
	return 0;
}

/* Optional: tells a reset from a time-out whose errno is the same. */
SEC("tp_btf/tcp_receive_reset")
int receive_reset(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct episode *e;

	if (!sk)
		return 0;
	e = bpf_sk_storage_get(&episodes, sk, 0, 0);
	if (e)
		e->reset = 1;
	return 0;
}
