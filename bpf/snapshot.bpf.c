// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* iter/bpf_sk_storage_map: every suspect of every network namespace in one read,
 * and the ends for which the ring buffer had no room, while their owner holds them.
 * Nothing is deleted here: that would make the walk skip others.
 */
#include "lib/end.h"

/* An incremental snapshot leaves out what was shown before: 15,000 suspects without
 * a change need not be shown each second. It shows those in `asked` all the same.
 */
__u32 incremental;

/* By the lower 16 bits of a cookie. Another socket with the same bits is shown as well;
 * sockets of about one time have different ones.
 */
#define ASKED (1 << 16)
__u64 asked[ASKED / 64];

static __always_inline bool is_asked_for(const struct episode *e)
{
	__u32 bit = e->cookie % ASKED;

	return asked[bit / 64] >> (bit % 64) & 1;
}

/* Most suspects are left out after a look at two cache lines: each is as good as a
 * miss, because seconds lie between two looks. An end that no program saw is in neither:
 * the file scan finds it. Only sockets of TCP have an episode.
 */
static __always_inline bool leave_out(const struct sock *sk, const struct episode *e)
{
	const struct tcp_sock *tp = (const void *)sk;

	return !is_asked_for(e) && is_old(e, BPF_CORE_READ(tp, snd_una), file_scan);
}

/* User space does not know of this end: no record was sent, or none was taken. */
static __always_inline bool unshown_end(struct reading *r, struct sock *sk, struct tcp_sock *tp, struct episode *e)
{
	if (!e->known || e->ended)
		return false;
	return e->closed || infer_end(r, sk, tp, e);
}

SEC("iter/bpf_sk_storage_map")
int snapshot(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct episode *e = ctx->value;
	struct sock *sk = ctx->sk;
	struct standing s = {};
	struct tcp_sock *tp;
	struct reading r;
	enum view v;

	if (!sk || !e || (incremental && leave_out(sk, e)))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	if (sk->__sk_common.skc_state == TCP_CLOSE) {
		if (!unshown_end(&r, sk, tp, e))
			return 0;
		read_end(&r, sk, tp, e);
		if (!bpf_seq_write(ctx->meta->seq, &r, sizeof(r)))
			e->ended = 1;
		return 0;
	}
	read_standing(&s, sk, tp);
	v = view_of(e, &s);
	if (v == VIEW_NONE || (incremental && !is_new(e, v, file_scan) && !is_asked_for(e)))
		return 0;
	if (v == VIEW_SUSPECT) {
		e->state = sk->__sk_common.skc_state;
		if (!e->idle)
			e->segs_in = s.segs_in;
	}
	read_socket(&r, sk, tp, e, v == VIEW_SUSPECT ? READING_SUSPECT : READING_RECOVERED);
	/* A full buffer is no loss: the kernel shows this socket again. */
	if (!bpf_seq_write(ctx->meta->seq, &r, sizeof(r)))
		shown(e, v, file_scan, bpf_ktime_get_ns());
	return 0;
}
