// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* iter/bpf_sk_storage_map: every suspect of every network namespace in one
 * read, and the ends for which the ring buffer had no room, while their owner
 * holds them. Nothing is deleted here: that would make the walk skip others.
 */
#include "idle.h"
#include "unseen.h"

/* A read may be of what is new alone: who knows 15,000 suspects need not be
 * told each second that they are where they were. These are shown all the same.
 */
__u32 news_only;
__u32 asked_for;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, __u64); /* socket cookie */
	__type(value, __u8);
} asked SEC(".maps");

static __always_inline bool is_asked_for(struct sock *sk)
{
	__u64 cookie;

	if (!asked_for)
		return false;
	cookie = bpf_get_socket_cookie(sk);
	return bpf_map_lookup_elem(&asked, &cookie);
}

/* Its owner was found by the last sweep, and nobody was told. */
static __always_inline bool owner_is_news(const struct episode *e)
{
	return e->pid && e->sweep == sweep && !e->owned;
}

SEC("iter/bpf_sk_storage_map")
int snapshot(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct episode *e = ctx->value;
	struct sock *sk = ctx->sk;
	struct tcp_sock *tp;
	struct reading r;
	enum reading_kind kind;
	bool news;

	if (!sk || !e)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	if (sk->__sk_common.skc_state == TCP_CLOSE) {
		if (!e->known || e->ended)
			return 0;
		if (!e->closed && !make_up(&r, sk, tp, e))
			return 0;
		kind = READING_ENDED;
		news = true;
		e->ended = 1;
	} else if ((e->timeouts && e->snd_una == tp->snd_una && stalled(tp)) || still_idle(sk, tp, e)) {
		kind = READING_SUSPECT;
		news = !e->told || owner_is_news(e);
		e->state = sk->__sk_common.skc_state;
		e->known = 1;
		e->told = 1;
	} else {
		if (!e->known)
			return 0;
		kind = READING_RECOVERED;
		news = !e->recovered_ns;
		if (!e->recovered_ns)
			e->recovered_ns = bpf_ktime_get_ns();
	}
	if (news_only && !news && !is_asked_for(sk))
		return 0;
	if (owner_is_news(e))
		e->owned = 1;
	read_socket(&r, sk, tp, e, kind);
	if (kind == READING_ENDED) {
		r.state = e->state;
		r.err = e->err;
	}
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}
