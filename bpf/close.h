// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* inet_sock_set_state at CLOSE ends an episode, whatever the way to die, and
 * counts the bytes that die with any socket.
 */
#include "selfreset.h"
#include "share.h"
#include "task.h"

/* close(2) of a socket with unread data runs in the task that closes it, so
 * that one is its owner; every other end may come out of an interrupt.
 */
static __always_inline void closer(struct reading *r)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (task->flags & PF_KTHREAD)
		return;
	r->pid = pid_here(task);
	if (!r->pid)
		return;
	r->fd = -1;
	r->started_ns = read_process(task, r->comm, sizeof(r->comm));
	r->flags |= FLAG_OWNED;
}

SEC("tp_btf/inet_sock_set_state")
int set_state(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	int oldstate = (int)ctx[1];
	int newstate = (int)ctx[2];
	struct episode none = {};
	struct loss_of l = {};
	struct tcp_sock *tp;
	struct reading *r;
	struct episode *e;
	bool told = true;
	bool late;

	if (newstate != TCP_CLOSE || oldstate == TCP_LISTEN)
		return 0;
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	measure(&l, sk, tp, oldstate, sk->sk_err);
	late = perhaps_late_data(sk, &l, oldstate);
	e = episode_of(sk);
	if (e) {
		e->closed = 1;
		e->state = oldstate;
		e->err = sk->sk_err;
	}
	if (!e || !e->known) {
		if (!late && !notable(&l))
			return 0;
		told = within_limit(sk);
	}
	if (late)
		expect_answer(sk, &l, told);
	if (!told)
		return 0;
	if (!e) {
		none.state = oldstate;
		e = &none;
	}
	e->known = 1;
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		count(COUNT_LOST_RING);
		return 0;
	}
	read_socket(r, sk, tp, e, READING_ENDED);
	r->state = oldstate;
	r->loss = l.reason;
	r->unread = l.unread;
	if (l.reason == LOSS_CLOSED_UNREAD)
		closer(r);
	bpf_ringbuf_submit(r, 0);
	e->ended = 1;
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
	e = episode_of(sk);
	if (e)
		e->reset = 1;
	return 0;
}
