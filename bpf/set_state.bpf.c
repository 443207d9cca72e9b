// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* inet_sock_set_state at CLOSE ends an episode, however the socket dies, and
 * counts the bytes that die with any socket. A connection changes its state some ten
 * times. Only its end may need more than a look at the arguments, so that is a function
 * of its own (retransmit.bpf.c says why).
 */
#include "lib/late_data.h"
#include "lib/share.h"
#include "lib/task.h"

/* close(2) of a socket with unread data runs in the task that closes it, so
 * that task is its owner. Every other end may come from an interrupt.
 */
static __always_inline void read_closer(struct reading *r)
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

static __always_inline struct episode *end_episode(struct sock *sk, int oldstate)
{
	struct episode *e = episode_of(sk);

	if (!e)
		return NULL;
	e->closed = 1;
	e->state = oldstate;
	e->err = sk->sk_err;
	return e;
}

static __always_inline bool report_closed(struct sock *sk, struct tcp_sock *tp, struct episode *e,
					  const struct loss_of *l)
{
	struct reading *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);

	if (!r) {
		count(COUNT_LOST_RING);
		return false;
	}
	read_socket(r, sk, tp, e, READING_ENDED);
	r->state = e->state;
	r->loss = l->reason;
	r->unread = l->unread;
	if (l->reason == LOSS_CLOSED_UNREAD)
		read_closer(r);
	bpf_ringbuf_submit(r, 0);
	return true;
}

/* A socket that had an episode, or that had something to send. */
static __noinline int die(struct sock *sk, struct tcp_sock *tp, int oldstate)
{
	struct episode none = { .state = oldstate };
	struct loss_of l = {};
	struct episode *e;
	bool late, reported;

	measure(&l, sk, tp, oldstate, sk->sk_err);
	late = perhaps_late_data(sk, &l, oldstate);
	e = end_episode(sk, oldstate);
	reported = (e && e->known) || ((late || notable(&l)) && within_limit(sk));
	if (late)
		expect_answer(sk, &l, reported);
	if (!reported)
		return 0;
	if (!e)
		e = &none;
	e->known = 1;
	if (report_closed(sk, tp, e, &l))
		e->ended = 1;
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int set_state(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	int oldstate = (int)ctx[1];
	int newstate = (int)ctx[2];
	struct tcp_sock *tp;

	if (newstate != TCP_CLOSE || oldstate == TCP_LISTEN)
		return 0;
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	if (tp->write_seq == tp->snd_una && !may_have_episode(sk))
		return 0;
	return die(sk, tp, oldstate);
}
