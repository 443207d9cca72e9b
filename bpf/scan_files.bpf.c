// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* iter/task_file, the file scan: one pass over the sockets of all processes. It
 * finds owners and listeners. It finds stuck sockets that sent no record: stuck
 * before the agent started, held back without a retransmission, or idle with a
 * peer that is gone. It keeps the owner of a socket that waits for such a peer. It
 * forgets episodes that are over.
 */
#include "lib/gone.h"
#include "lib/scope.h"
#include "lib/task.h"

/* Set before the programs are loaded: how long a recovered episode stays readable. */
volatile const __u64 forget_recovered_ns;

/* Where the connections wait that a listener has not accepted. */
static __always_inline const struct sock *queue_of(const struct sock *sk)
{
	const struct mptcp_sock *m = (const void *)sk;

	if (sk->sk_protocol != IPPROTO_MPTCP || !bpf_core_field_exists(m->first))
		return sk;
	return BPF_CORE_READ(m, first);
}

static __always_inline void write_listener(struct seq_file *seq, const struct sock *sk, const struct task_struct *task)
{
	const struct sock_common *c = &sk->__sk_common;
	const struct sock *queue = queue_of(sk);
	struct listener l = {};

	l.family = c->skc_family;
	l.netns = c->skc_net.net->ns.inum;
	l.local_port = c->skc_num;
	l.waiting = BPF_CORE_READ(queue, sk_ack_backlog);
	l.most = BPF_CORE_READ(queue, sk_max_ack_backlog);
	l.pid = pid_here(task);
	l.started_ns = read_process(task, l.comm, sizeof(l.comm));
	if (c->skc_family == AF_INET6)
		bpf_probe_read_kernel(l.local, sizeof(l.local), &c->skc_v6_rcv_saddr);
	else
		*(__u32 *)l.local = c->skc_rcv_saddr;
	bpf_seq_write(seq, &l, sizeof(l));
}

static __always_inline bool is_inet(const struct sock *sk)
{
	return sk->__sk_common.skc_family == AF_INET || sk->__sk_common.skc_family == AF_INET6;
}

/* An MPTCP listener, which some runtimes open by default, accepts plain TCP
 * clients as ordinary sockets.
 */
static __always_inline bool listens(const struct sock *sk)
{
	if (sk->__sk_common.skc_state != TCP_LISTEN)
		return false;
	return sk->sk_protocol == IPPROTO_TCP || sk->sk_protocol == IPPROTO_MPTCP;
}

static __always_inline void own(struct episode *e, const struct task_struct *task, __u32 fd)
{
	if (e->file_scan == file_scan)
		return;
	e->file_scan = file_scan;
	e->pid = pid_here(task);
	e->fd = fd;
	e->started_ns = read_process(task, e->comm, sizeof(e->comm));
}

/* No snapshot shows what is not in storage: each file scan reports it. */
static __always_inline void report_unstored(struct sock *sk, struct tcp_sock *tp, struct episode *e,
					    const struct standing *s)
{
	enum view v = view_of(e, s);

	if (v == VIEW_NONE || (v == VIEW_RECOVERED && e->recovered_ns))
		return;
	if (report(sk, tp, e, v == VIEW_SUSPECT ? READING_SUSPECT : READING_RECOVERED))
		shown(e, v, file_scan, bpf_ktime_get_ns());
}

/* Its owner is all that a file scan may change: in a storm, that holds for most. So
 * this reads as few cache lines as it can. Only sockets of TCP have an episode.
 */
static __always_inline bool is_known(const struct episode *e, const struct sock *sk)
{
	const struct tcp_sock *tp = (const void *)sk;

	if (e->unstored || sk->__sk_common.skc_state == TCP_SYN_SENT)
		return false;
	return still_stands(e, BPF_CORE_READ(tp, snd_una));
}

SEC("iter/task_file")
int scan_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct inet_connection_sock *icsk;
	struct standing s = {};
	struct socket *socket;
	struct tcp_sock *tp;
	struct episode *e;
	struct sock *sk;
	bool gone;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !is_inet(sk) || !in_scope(sk))
		return 0;
	if (listens(sk)) {
		write_listener(ctx->meta->seq, sk, task);
		return 0;
	}
	e = episode_of(sk);
	if (e && sk->__sk_common.skc_state == TCP_CLOSE)
		e->in_close = 1;
	if (e && is_known(e, sk)) {
		own(e, task, ctx->fd);
		return 0;
	}
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	if (is_mptcp(tp) || BPF_CORE_READ_BITFIELD(tp, repair))
		return 0;
	icsk = (void *)tp;
	read_standing(&s, sk, tp);
	gone = !s.stalled && peer_gone(sk, tp);
	if (!e && begins(&s, gone))
		e = new_episode(sk);
	if (!e)
		return 0;
	own(e, task, ctx->fd);
	if (scan(e, &s, gone, icsk->icsk_retransmits, bpf_ktime_get_ns(), forget_recovered_ns)) {
		forget(sk, e);
		return 0;
	}
	if (!e->at_home && sk->__sk_common.skc_state == TCP_SYN_SENT && is_bound(sk))
		e->at_home = is_at_home(sk);
	if (e->unstored)
		report_unstored(sk, tp, e, &s);
	return 0;
}
