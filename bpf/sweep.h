// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* iter/task_file: one pass over the sockets of all processes. It gives owners
 * and listeners, finds sockets that are stuck and never said so (stuck before
 * the agent came, held back without a retransmission, or idle with a peer that
 * is gone), and forgets episodes that are over.
 */
#include "idle.h"
#include "task.h"

static __always_inline void write_listener(struct seq_file *seq, const struct sock *sk)
{
	const struct sock_common *c = &sk->__sk_common;
	struct listener l = {};

	l.family = c->skc_family;
	l.netns = c->skc_net.net->ns.inum;
	l.local_port = c->skc_num;
	if (c->skc_family == AF_INET6)
		bpf_probe_read_kernel(l.local, sizeof(l.local), &c->skc_v6_rcv_saddr);
	else
		*(__u32 *)l.local = c->skc_rcv_saddr;
	bpf_seq_write(seq, &l, sizeof(l));
}

/* An MPTCP listener, which some runtimes open by default, accepts plain TCP
 * clients as ordinary sockets.
 */
static __always_inline bool listens(const struct sock *sk)
{
	if (sk->__sk_common.skc_state != TCP_LISTEN)
		return false;
	if (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6)
		return false;
	return sk->sk_protocol == IPPROTO_TCP || sk->sk_protocol == IPPROTO_MPTCP;
}

static __always_inline void own(struct episode *e, const struct task_struct *task, __u32 fd)
{
	if (e->sweep == sweep)
		return;
	e->sweep = sweep;
	e->pid = pid_here(task);
	e->fd = fd;
	e->started_ns = read_process(task, e->comm, sizeof(e->comm));
}

SEC("iter/task_file")
int sweep_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct tcp_sock *tp;
	struct episode *e;
	struct sock *sk;
	bool stuck, lost, idle;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !in_scope(sk))
		return 0;
	if (listens(sk)) {
		write_listener(ctx->meta->seq, sk);
		return 0;
	}
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	if (is_mptcp(tp) || BPF_CORE_READ_BITFIELD(tp, repair))
		return 0;
	stuck = stalled(tp);
	lost = !stuck && peer_gone(sk, tp);
	idle = lost && is_idle(sk, tp);
	e = bpf_sk_storage_get(&episodes, sk, 0, stuck || idle ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	if (!e) {
		if (stuck || idle)
			count(COUNT_LOST_STORAGE);
		return 0;
	}
	own(e, task, ctx->fd);
	if (stuck && (!e->timeouts || e->snd_una != tp->snd_una)) {
		struct inet_connection_sock *icsk = (void *)tp;
		__u32 n = icsk->icsk_retransmits;

		begin(e, tp, 0, n ? n : 1);
	}
	if (idle && !still_idle(sk, tp, e)) {
		begin(e, tp, bpf_ktime_get_ns(), 0);
		e->idle = 1;
		e->rcv_nxt = tp->rcv_nxt;
	}
	if (!lost && still_idle(sk, tp, e)) { /* its peer is not gone any more */
		bpf_sk_storage_delete(&episodes, sk);
		return 0;
	}
	if (!stuck && !idle && (!e->known || (e->recovered_ns && bpf_ktime_get_ns() - e->recovered_ns > forget_recovered_ns)))
		bpf_sk_storage_delete(&episodes, sk);
	return 0;
}
