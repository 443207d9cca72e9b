// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* For tests only: plays one step of many lives at once against lib/standing.h, as
 * retransmit, scan_files and snapshot would. A test invents the sockets.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "lib/standing.h"

#define LIVES 64
#define SECOND_NS 1000000000ULL

enum act {
	ACT_NONE,
	ACT_TIMEOUT, /* a retransmission timer runs out */
	ACT_SCAN,    /* a file scan */
	ACT_LOOK,    /* a snapshot; incremental, unless `all` */
};

struct life {
	struct episode episode;
	struct standing standing;
	__u64 now_ns;
	__u32 retransmits;
	__u8 act;
	__u8 stored; /* the socket has an episode */
	__u8 gone;
	__u8 all;
	__u8 no_room; /* in the ring, or in the buffer of the iterator */
	__u8 view;    /* what was shown: enum view */
	__u8 pad[2];
};

struct life lives[LIVES];
const __u32 file_scan = 1;

static __always_inline void time_out_of(struct life *l)
{
	if (is_one_of_many(l->retransmits))
		return;
	l->stored = 1;
	if (!time_out(&l->episode, &l->standing, l->retransmits))
		return;
	if (!is_due(&l->episode, true, l->now_ns, SECOND_NS) || l->no_room)
		return;
	sent(&l->episode, l->now_ns);
	l->view = VIEW_SUSPECT;
}

static __always_inline void scan_of(struct life *l)
{
	if (!l->stored && !begins(&l->standing, l->gone))
		return;
	l->stored = !scan(&l->episode, &l->standing, l->gone, l->retransmits, l->now_ns, 60 * SECOND_NS);
	if (!l->stored)
		__builtin_memset(&l->episode, 0, sizeof(l->episode));
}

static __always_inline void snapshot_of(struct life *l)
{
	enum view v = view_of(&l->episode, &l->standing);

	if (!l->all && is_old(&l->episode, l->standing.snd_una, file_scan))
		return;
	if (!l->stored || v == VIEW_NONE || l->no_room || (!l->all && !is_new(&l->episode, v, file_scan)))
		return;
	shown(&l->episode, v, file_scan, l->now_ns);
	l->view = v;
}

SEC("syscall")
int play(void *ctx)
{
	for (int i = 0; i < LIVES; i++) {
		struct life *l = &lives[i];

		l->view = VIEW_NONE;
		if (l->act == ACT_TIMEOUT)
			time_out_of(l);
		else if (l->act == ACT_SCAN)
			scan_of(l);
		else if (l->act == ACT_LOOK)
			snapshot_of(l);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const struct life *btf_life __attribute__((unused));
const enum act *btf_act __attribute__((unused));
const enum view *btf_view __attribute__((unused));
