// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* iter/task: which process lives in which network namespace. /proc shows that only
 * to a user that may trace the process.
 */
#include "lib/records.h"
#include "lib/scope.h"
#include "lib/task.h"

SEC("iter/task")
int residents(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_struct *process;
	struct resident r = {};

	if (!task || !task->nsproxy)
		return 0;
	process = task->group_leader;
	/* Its main thread may have exited while others run on. */
	if (process != task && process->nsproxy)
		return 0;
	if (!scope_has(this_cpu(), task->nsproxy->net_ns))
		return 0;
	r.netns = task->nsproxy->net_ns->ns.inum;
	r.pid = pid_here(task);
	r.started_ns = process->start_boottime;
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}
