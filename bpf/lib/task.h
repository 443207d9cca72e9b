// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A process: its PID as the agent knows it, and its start time. The kernel reuses
 * PIDs, and a process chooses its own name.
 */
#ifndef TCPSTUCK_TASK_H
#define TCPSTUCK_TASK_H

#include "kernel.h"

#define PID_NAMESPACES 8 /* nested in one another; a node that is a container is at the second level */

/* The agent's, by inode; 0: the initial one, where nothing is translated. Set
 * before the programs are loaded.
 */
volatile const __u32 pid_namespace;

/* Returns 0 for a process that the agent's PID namespace does not have. */
static __always_inline __u32 pid_here(const struct task_struct *task)
{
	const struct pid *pid;
	const struct upid *numbers;
	struct upid number;
	unsigned int inum;

	if (!pid_namespace)
		return task->tgid;
	pid = task->group_leader->thread_pid;
	if (!pid)
		return 0;
	numbers = &pid->numbers[0];
#pragma unroll
	for (unsigned int i = 0; i < PID_NAMESPACES; i++) {
		if (i > pid->level)
			break;
		if (bpf_probe_read_kernel(&number, sizeof(number), numbers + i))
			break;
		if (bpf_probe_read_kernel(&inum, sizeof(inum), &number.ns->ns.inum))
			break;
		if (inum == pid_namespace)
			return number.nr;
	}
	return 0;
}

/* The process of a task, never its thread: /proc/PID shows the process, too. */
static __always_inline __u64 read_process(const struct task_struct *task, char *comm, __u32 size)
{
	const struct task_struct *process = task->group_leader;

	bpf_probe_read_kernel(comm, size, process->comm);
	return process->start_boottime;
}

#endif
