// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* An episode lives in its socket's own storage, so the kernel frees it with the
 * socket.
 */
#ifndef TCPSTUCK_EPISODE_H
#define TCPSTUCK_EPISODE_H

#include "address.h"
#include "records.h"
#include "standing.h"

/* Set before the programs are loaded. */
volatile const __u8 retransmit_has_err;    /* tcp_retransmit_skb has a third argument (6.17) */
volatile const __u8 scoped;                /* watch only the namespaces in `scope` */
volatile const __u64 record_interval_ns;   /* at most one record a socket in this time */
volatile const __u64 forget_recovered_ns;  /* how long a recovered episode stays readable */

/* Counts the sweeps; a socket's owner is the first descriptor of the current one. */
__u32 sweep;

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct episode);
} episodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u8);
} scope SEC(".maps");

static __always_inline void count(enum counter what)
{
	__u32 key = what;
	__u64 *n = bpf_map_lookup_elem(&counters, &key);

	if (n)
		(*n)++;
}

static __always_inline bool in_scope(const struct sock *sk)
{
	__u32 inum;

	if (!scoped)
		return true;
	inum = sk->__sk_common.skc_net.net->ns.inum;
	return bpf_map_lookup_elem(&scope, &inum);
}

static __always_inline bool is_mptcp(const struct tcp_sock *tp)
{
	const struct tcp_sock___mptcp *m = (const void *)tp;

	return bpf_core_field_exists(m->is_mptcp) && m->is_mptcp;
}

/* Something is outstanding and a timer has run out on it at least once
 * (retransmission), or the window or this host holds it back (persist timer).
 * A healthy sender shows the persist timer for one probe at times: back-off
 * tells.
 */
static __always_inline bool stalled(const struct tcp_sock *tp)
{
	const struct inet_connection_sock *icsk = (const void *)tp;

	if (tp->packets_out)
		return icsk->icsk_retransmits || (tp->snd_wnd == 0 && BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state) == TCP_CA_Loss);
	return icsk->icsk_pending == ICSK_TIME_PROBE0 && (icsk->icsk_backoff || icsk->icsk_probes_out);
}

static __always_inline void look(struct standing *s, const struct sock *sk, const struct tcp_sock *tp)
{
	__u8 state = sk->__sk_common.skc_state;
	bool established = state == TCP_ESTABLISHED;

	s->snd_una = tp->snd_una;
	s->segs_in = tp->segs_in;
	s->outstanding = tp->write_seq != tp->snd_una;
	s->stalled = stalled(tp);
	s->idle = established && !s->outstanding && tp->snd_wnd && !(sk->sk_shutdown & RCV_SHUTDOWN);
	s->open = established || state == TCP_FIN_WAIT1;
}

/* Sockets whose options left no room for storage (optmem_max). They are few, for
 * each did that to itself; the pass over all files shows them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, __u64); /* socket cookie */
	__type(value, struct episode);
} unstored SEC(".maps");

/* Whether `unstored` was ever used: sockets that close look nothing up. */
__u8 any_unstored;

static __always_inline struct episode *episode_of(struct sock *sk)
{
	struct episode *e = bpf_sk_storage_get(&episodes, sk, 0, 0);
	__u64 cookie;

	if (e || !any_unstored)
		return e;
	cookie = bpf_get_socket_cookie(sk);
	return bpf_map_lookup_elem(&unstored, &cookie);
}

static __always_inline struct episode *new_episode(struct sock *sk)
{
	struct episode *e = bpf_sk_storage_get(&episodes, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	struct episode none = {.unstored = 1};
	__u64 cookie;

	if (e)
		return e;
	cookie = bpf_get_socket_cookie(sk);
	any_unstored = 1;
	bpf_map_update_elem(&unstored, &cookie, &none, BPF_NOEXIST);
	e = bpf_map_lookup_elem(&unstored, &cookie);
	if (!e)
		count(COUNT_LOST_STORAGE);
	return e;
}

static __always_inline void forget(struct sock *sk, const struct episode *e)
{
	__u64 cookie;

	if (!e->unstored) {
		bpf_sk_storage_delete(&episodes, sk);
		return;
	}
	cookie = bpf_get_socket_cookie(sk);
	bpf_map_delete_elem(&unstored, &cookie);
}

/* TIMER_ARRAYSHIFT and LVL_BITS of kernel/time/timer.c. */
static __always_inline __u8 wheel_level(__u32 timer_flags)
{
	return timer_flags >> (22 + 6);
}

static __always_inline void read_timers(struct reading *r, const struct sock *sk, const struct tcp_sock *tp)
{
	const struct inet_connection_sock___timeout *until_6_15 = (const void *)tp;
	const struct inet_connection_sock___keepalive *k = (const void *)tp;
	const struct inet_connection_sock *icsk = (const void *)tp;
	const struct sock___timer *moved = (const void *)tp;

	if (bpf_core_field_exists(moved->tcp_retransmit_timer)) {
		r->timer_jiffies = moved->tcp_retransmit_timer.expires;
		r->timer_level = wheel_level(moved->tcp_retransmit_timer.flags);
	} else {
		r->timer_jiffies = icsk->icsk_retransmit_timer.expires;
		r->timer_level = wheel_level(icsk->icsk_retransmit_timer.flags);
	}
	if (bpf_core_field_exists(until_6_15->icsk_timeout))
		r->timer_jiffies = until_6_15->icsk_timeout;
	if (bpf_core_field_exists(k->icsk_keepalive_timer)) {
		r->keepalive_jiffies = k->icsk_keepalive_timer.expires;
		r->keepalive_level = wheel_level(k->icsk_keepalive_timer.flags);
	} else {
		r->keepalive_jiffies = sk->sk_timer.expires;
		r->keepalive_level = wheel_level(sk->sk_timer.flags);
	}
}

/* What the socket was set to or, where it was not, its namespace. */
static __always_inline void read_settings(struct reading *r, const struct tcp_sock *tp, const struct net *net)
{
	const struct inet_connection_sock___rto_max *m = (const void *)tp;
	const struct inet_connection_sock *icsk = (const void *)tp;
	const struct netns_ipv4___syn_linear *l = (const void *)&net->ipv4;

	r->rto_max = bpf_core_field_exists(m->icsk_rto_max) ? m->icsk_rto_max : 0;
	r->user_timeout_ms = icsk->icsk_user_timeout;
	r->keepalive_time = tp->keepalive_time ? tp->keepalive_time : (__u32)net->ipv4.sysctl_tcp_keepalive_time;
	r->keepalive_intvl = tp->keepalive_intvl ? tp->keepalive_intvl : (__u32)net->ipv4.sysctl_tcp_keepalive_intvl;
	r->keepalive_probes = tp->keepalive_probes ? tp->keepalive_probes : net->ipv4.sysctl_tcp_keepalive_probes;
	r->retries2 = net->ipv4.sysctl_tcp_retries2;
	r->orphan_retries = net->ipv4.sysctl_tcp_orphan_retries;
	r->syn_retries = icsk->icsk_syn_retries ? icsk->icsk_syn_retries : net->ipv4.sysctl_tcp_syn_retries;
	r->syn_linear_timeouts = bpf_core_field_exists(l->sysctl_tcp_syn_linear_timeouts) ? l->sysctl_tcp_syn_linear_timeouts : 0;
}

static __always_inline void read_addresses(struct reading *r, const struct sock *sk, const struct tcp_sock *tp)
{
	const struct sock_common *c = &sk->__sk_common;

	r->family = c->skc_family;
	if (c->skc_family == AF_INET6) {
		bpf_probe_read_kernel(r->local, sizeof(r->local), &c->skc_v6_rcv_saddr);
		bpf_probe_read_kernel(r->remote, sizeof(r->remote), &c->skc_v6_daddr);
	} else {
		__builtin_memset(r->local, 0, sizeof(r->local));
		__builtin_memset(r->remote, 0, sizeof(r->remote));
		*(__u32 *)r->local = c->skc_rcv_saddr;
		*(__u32 *)r->remote = c->skc_daddr;
	}
	/* skc_num is 0 on the way to CLOSE; inet_sport is still right. */
	r->local_port = __builtin_bswap16(((const struct inet_sock *)tp)->inet_sport);
	r->remote_port = __builtin_bswap16(c->skc_dport);
}

static __always_inline __u16 read_flags(const struct sock *sk, const struct tcp_sock *tp, const struct episode *e)
{
	const struct tcp_sock___usec *u = (const void *)tp;
	unsigned long flags = sk->__sk_common.skc_flags;
	__u8 state = sk->__sk_common.skc_state;
	__u16 f = 0;

	if (flags & (1UL << SOCK_DEAD))
		f |= FLAG_ORPHAN;
	if (flags & (1UL << SOCK_KEEPOPEN))
		f |= FLAG_KEEPALIVE;
	if (is_mptcp(tp))
		f |= FLAG_MPTCP;
	if (bpf_core_field_exists(u->tcp_usec_ts) && BPF_CORE_READ_BITFIELD(u, tcp_usec_ts))
		f |= FLAG_USEC_TS;
	if (e->reset)
		f |= FLAG_RESET;
	/* An accepted socket is a copy of its listener (sk_clone_lock), which the
	 * length of the backlog that it never needs shows.
	 */
	if (sk->sk_max_ack_backlog)
		f |= FLAG_ACCEPTED;
	if (e->pid && e->sweep == sweep)
		f |= FLAG_OWNED;
	if (e->unstored)
		f |= FLAG_UNSTORED;
	if (state == TCP_CLOSE)
		state = e->state;
	if (state == TCP_SYN_SENT && is_bound(sk) && !e->at_home)
		f |= FLAG_FOREIGN;
	return f;
}

static __always_inline void read_socket(struct reading *r, struct sock *sk, struct tcp_sock *tp, struct episode *e, enum reading_kind kind)
{
	const struct inet_connection_sock *icsk = (const void *)tp;
	const struct net *net = sk->__sk_common.skc_net.net;

	r->cookie = bpf_get_socket_cookie(sk);
	r->now_ns = bpf_ktime_get_ns();
	r->began_ns = e->began_ns;
	r->jiffies = bpf_jiffies64();
	read_timers(r, sk, tp);
	read_settings(r, tp, net);
	read_addresses(r, sk, tp);
	r->netns = net->ns.inum;
	r->snd_una = tp->snd_una;
	r->snd_nxt = tp->snd_nxt;
	r->write_seq = tp->write_seq;
	r->snd_wnd = tp->snd_wnd;
	r->rcv_tstamp = tp->rcv_tstamp;
	r->lrcvtime = icsk->icsk_ack.lrcvtime;
	r->lsndtime = tp->lsndtime;
	r->retrans_stamp = tp->retrans_stamp;
	r->probes_tstamp = icsk->icsk_probes_tstamp;
	r->rto = icsk->icsk_rto;
	r->wmem_queued = sk->sk_wmem_queued;
	r->sndbuf = sk->sk_sndbuf;
	r->packets_out = tp->packets_out;
	r->sacked_out = tp->sacked_out;
	r->retrans_out = tp->retrans_out;
	r->timeouts = e->timeouts;
	r->pid = e->pid;
	r->fd = e->fd;
	r->send_err = e->send_err;
	r->err = sk->sk_err;
	r->soft_err = sk->sk_err_soft;
	__builtin_memcpy(r->comm, e->comm, sizeof(r->comm));
	r->kind = kind;
	r->flags = read_flags(sk, tp, e);
	r->state = sk->__sk_common.skc_state;
	r->ca_state = BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state);
	r->retransmits = icsk->icsk_retransmits;
	r->backoff = icsk->icsk_backoff;
	r->probes_out = icsk->icsk_probes_out;
	r->pending = icsk->icsk_pending;
	r->unread = 0;
	r->loss = LOSS_NONE;
	__builtin_memset(r->pad, 0, sizeof(r->pad));
	r->started_ns = e->started_ns;
}

/* Sends a reading at once; what finds no room is counted, and false. */
static __always_inline bool tell(struct sock *sk, struct tcp_sock *tp, struct episode *e, enum reading_kind kind)
{
	struct reading *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);

	if (!r) {
		count(COUNT_LOST_RING);
		return false;
	}
	read_socket(r, sk, tp, e, kind);
	bpf_ringbuf_submit(r, 0);
	return true;
}

#endif
