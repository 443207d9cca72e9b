// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* iter/task_file: a reading of every connection that a process holds, with its
 * settings. It runs only when a caller asks, and leaves nothing behind.
 */
#include "lib/reading.h"
#include "lib/scope.h"
#include "lib/task.h"

SEC("iter/task_file")
int audit_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct episode owner = {};
	struct audited a;
	struct socket *socket;
	struct tcp_sock *tp;
	struct sock *sk;
	__u8 state;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !in_scope(sk))
		return 0;
	state = sk->__sk_common.skc_state;
	if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	owner.file_scan = file_scan;
	owner.pid = pid_here(task);
	owner.fd = ctx->fd;
	owner.started_ns = read_process(task, owner.comm, sizeof(owner.comm));
	read_socket(&a.reading, sk, tp, &owner, READING_AUDITED);
	a.rcvtimeo = sk->sk_rcvtimeo;
	a.sndtimeo = sk->sk_sndtimeo;
	bpf_seq_write(ctx->meta->seq, &a, sizeof(a));
	return 0;
}
