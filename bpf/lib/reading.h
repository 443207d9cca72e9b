// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A reading of a socket, and the ring buffer that takes it to user space. */
#ifndef TCPSTUCK_READING_H
#define TCPSTUCK_READING_H

#include "address.h"
#include "episodes.h"
#include "tcp.h"
#include "timers.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} records SEC(".maps");

/* The socket's own settings or, if it has none, its namespace's. */
static __always_inline void read_settings(struct reading *r, const struct tcp_sock *tp, const struct net *net)
{
	const struct inet_connection_sock___rto_max *m = (const void *)tp;
	const struct inet_connection_sock *icsk = (const void *)tp;
	const struct netns_ipv4___syn_linear *l = (const void *)&net->ipv4;
	const struct netns_ipv4 *ns = &net->ipv4;

	r->rto_max = bpf_core_field_exists(m->icsk_rto_max) ? m->icsk_rto_max : 0;
	r->user_timeout_ms = icsk->icsk_user_timeout;
	r->keepalive_time = tp->keepalive_time ? tp->keepalive_time : (__u32)ns->sysctl_tcp_keepalive_time;
	r->keepalive_intvl = tp->keepalive_intvl ? tp->keepalive_intvl : (__u32)ns->sysctl_tcp_keepalive_intvl;
	r->keepalive_probes = tp->keepalive_probes ? tp->keepalive_probes : ns->sysctl_tcp_keepalive_probes;
	r->retries2 = ns->sysctl_tcp_retries2;
	r->orphan_retries = ns->sysctl_tcp_orphan_retries;
	r->syn_retries = icsk->icsk_syn_retries ? icsk->icsk_syn_retries : ns->sysctl_tcp_syn_retries;
	r->syn_linear_timeouts = 0;
	if (bpf_core_field_exists(l->sysctl_tcp_syn_linear_timeouts))
		r->syn_linear_timeouts = l->sysctl_tcp_syn_linear_timeouts;
}

#define ADDRESS 16 /* bytes */

static __always_inline void read_addresses(__u8 *local, __u8 *remote, const struct sock *sk)
{
	const struct sock_common *c = &sk->__sk_common;

	if (c->skc_family == AF_INET6) {
		bpf_probe_read_kernel(local, ADDRESS, &c->skc_v6_rcv_saddr);
		bpf_probe_read_kernel(remote, ADDRESS, &c->skc_v6_daddr);
		return;
	}
	__builtin_memset(local, 0, ADDRESS);
	__builtin_memset(remote, 0, ADDRESS);
	*(__u32 *)local = c->skc_rcv_saddr;
	*(__u32 *)remote = c->skc_daddr;
}

/* skc_num is 0 on the way to CLOSE; inet_sport is still right. */
static __always_inline __u16 local_port(const struct tcp_sock *tp)
{
	return __builtin_bswap16(((const struct inet_sock *)tp)->inet_sport);
}

static __always_inline __u16 remote_port(const struct sock *sk)
{
	return __builtin_bswap16(sk->__sk_common.skc_dport);
}

/* A socket leaves the Loss state when its peer has acknowledged everything that was in
 * flight at the time-out. Without SACK, it leaves the state only when its peer
 * acknowledges later data, too (tcp_try_undo_recovery).
 */
static __always_inline bool signals(const struct tcp_sock *tp)
{
	const struct inet_connection_sock *icsk = (const void *)tp;

	return BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state) == TCP_CA_Loss && BPF_CORE_READ_BITFIELD(tp, rx_opt.sack_ok);
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
	/* An accepted socket is a copy of its listener (sk_clone_lock), with the length of
	 * a backlog that it never needs.
	 */
	if (sk->sk_max_ack_backlog)
		f |= FLAG_ACCEPTED;
	if (e->pid && e->file_scan == file_scan)
		f |= FLAG_OWNED;
	if (e->unstored)
		f |= FLAG_UNSTORED;
	if (signals(tp))
		f |= FLAG_SIGNALS;
	if (tp->bytes_acked <= 1) /* a client's SYN counts as one */
		f |= FLAG_UNHEARD;
	if (state == TCP_CLOSE)
		state = e->state;
	if (state == TCP_SYN_SENT && is_bound(sk) && !e->at_home)
		f |= FLAG_FOREIGN;
	return f;
}

static __always_inline void read_episode(struct reading *r, const struct episode *e, __u8 retransmits)
{
	r->began_ns = e->began_ns;
	r->timeouts = e->timeouts + more_timeouts(e, retransmits);
	r->send_err = e->send_err;
	r->pid = e->pid;
	r->fd = e->fd;
	r->started_ns = e->started_ns;
	__builtin_memcpy(r->comm, e->comm, sizeof(r->comm));
}

static __always_inline void read_socket(struct reading *r, struct sock *sk, struct tcp_sock *tp, struct episode *e,
					enum reading_kind kind)
{
	const struct inet_connection_sock *icsk = (const void *)tp;
	const struct net *net = sk->__sk_common.skc_net.net;

	r->kind = kind;
	r->cookie = bpf_get_socket_cookie(sk);
	r->now_ns = bpf_ktime_get_ns();
	r->jiffies = bpf_jiffies64();
	read_episode(r, e, icsk->icsk_retransmits);
	read_timers(r, sk, tp);
	read_settings(r, tp, net);
	read_addresses(r->local, r->remote, sk);
	r->family = sk->__sk_common.skc_family;
	r->local_port = local_port(tp);
	r->remote_port = remote_port(sk);
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
	r->segs_in = tp->segs_in - e->first_segs_in;
	r->mss = tp->mss_cache;
	r->err = sk->sk_err;
	r->soft_err = sk->sk_err_soft;
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
}

/* Sends a reading at once. Without room it counts the loss and returns false. */
static __always_inline bool report(struct sock *sk, struct tcp_sock *tp, struct episode *e, enum reading_kind kind)
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
