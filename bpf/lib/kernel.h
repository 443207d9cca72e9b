// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The few kernel structures that tcpstuck reads, with only the members that it
 * reads. Offsets and bit fields are relocated against the running kernel's BTF
 * when the programs are loaded. A member that some supported kernel lacks has a
 * flavour (___suffix), which names the commit that made it necessary.
 */
#ifndef TCPSTUCK_KERNEL_H
#define TCPSTUCK_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define unlikely(x) __builtin_expect(x, 0)

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262

/* enum sock_flags */
#define SOCK_DEAD 0
#define SOCK_KEEPOPEN 3

/* include/net/tcp_states.h */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LISTEN 10

/* enum tcp_ca_state */
#define TCP_CA_Loss 4

/* sk_userlocks: bind(2) gave it its address */
#define SOCK_BINDADDR_LOCK 4

/* sk_shutdown */
#define RCV_SHUTDOWN 1
#define SHUTDOWN_MASK 3

/* Where a FIN was sent or received, and the errnos with which a socket dies. */
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE_WAIT 8
#define TCP_LAST_ACK 9
#define TCP_CLOSING 11
#define EPIPE 32
#define ECONNRESET 104
#define ETIMEDOUT 110
#define ECONNREFUSED 111

/* task_struct.flags */
#define PF_KTHREAD 0x00200000

/* icsk_pending */
#define ICSK_TIME_NONE 0
#define ICSK_TIME_RETRANS 1
#define ICSK_TIME_PROBE0 3
#define ICSK_TIME_LOSS_PROBE 5

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct ns_common {
	unsigned int inum;
};

struct netns_ipv4 {
	__u8 sysctl_tcp_retries2; /* u8 since 5.12; ours starts there */
	__u8 sysctl_tcp_orphan_retries;
	__u8 sysctl_tcp_syn_retries;
	__u8 sysctl_tcp_keepalive_probes;
	int sysctl_tcp_keepalive_time;
	int sysctl_tcp_keepalive_intvl;
};

/* "tcp: make the first N SYN RTO backoffs linear", 6.5. */
struct netns_ipv4___syn_linear {
	__u8 sysctl_tcp_syn_linear_timeouts;
};

struct list_head {
	struct list_head *next;
};

struct net {
	struct ns_common ns;
	struct list_head dev_base_head;
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	unsigned int skc_hash;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags;
};

struct timer_list {
	unsigned long expires;
	__u32 flags; /* the uppermost bits name the level and slot of the timer wheel */
};

struct sock {
	struct sock_common __sk_common;
	struct timer_list sk_timer;
	int sk_err;
	int sk_err_soft;
	int sk_wmem_queued;
	int sk_sndbuf;
	long sk_rcvtimeo;
	long sk_sndtimeo;
	__u16 sk_protocol;
	__u8 sk_shutdown;
	__u8 sk_userlocks : 4;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	struct bpf_local_storage *sk_bpf_storage; /* NULL: no program keeps anything with the socket */
};

/* After 6.18 the timers changed places. Keepalive went from sock (sk_timer) to
 * inet_connection_sock: "tcp: introduce icsk->icsk_keepalive_timer"; the
 * retransmission timer went from there to sock (tcp_retransmit_timer): "tcp:
 * rename icsk_retransmit_timer to sk_tcp_retransmit_timer" and its follow-up.
 */
struct inet_connection_sock___keepalive {
	struct timer_list icsk_keepalive_timer;
};

struct sock___timer {
	struct timer_list tcp_retransmit_timer;
} __attribute__((preserve_access_index));

struct inet_sock {
	__be16 inet_sport;
};

struct inet_connection_sock {
	struct timer_list icsk_retransmit_timer;
	__u32 icsk_rto;
	__u8 icsk_ca_state : 5;
	__u8 icsk_retransmits;
	__u8 icsk_syn_retries;
	__u8 icsk_pending;
	__u8 icsk_backoff;
	__u8 icsk_probes_out;
	__u32 icsk_probes_tstamp;
	__u32 icsk_user_timeout;
	struct {
		__u32 lrcvtime;
	} icsk_ack;
};

/* icsk_timeout held the armed time until 6.16 ("tcp: get rid of
 * icsk_timeout"); the timer's own expires has held it since.
 */
struct inet_connection_sock___timeout {
	unsigned long icsk_timeout;
};

/* icsk_rto_max came with net.ipv4.tcp_rto_max_ms and TCP_RTO_MAX_MS in 6.15;
 * before, TCP_RTO_MAX is 120 s.
 */
struct inet_connection_sock___rto_max {
	__u32 icsk_rto_max;
};

struct tcp_options_received {
	__u16 sack_ok : 3;
};

struct tcp_sock {
	struct tcp_options_received rx_opt;
	__u64 bytes_acked;
	__u32 segs_in;
	__u32 mss_cache;
	__u32 snd_wnd;
	__u32 sacked_out;
	__u32 retrans_out;
	__u32 write_seq;
	__u32 lsndtime;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 packets_out;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 rcv_tstamp;
	__u32 retrans_stamp;
	__u32 keepalive_time;
	__u32 keepalive_intvl;
	__u8 keepalive_probes;
	__u8 repair : 1;
};

/* tcp_usec_ts came in 6.7: retrans_stamp may then count microseconds. */
struct tcp_sock___usec {
	__u8 tcp_usec_ts : 1;
};

/* Only kernels with CONFIG_MPTCP have it. */
struct tcp_sock___mptcp {
	bool is_mptcp;
};

/* The same. The connections that wait for an MPTCP listener are at its first subflow. */
struct mptcp_sock {
	struct sock *first;
};

struct kernfs_node {
	__u64 id; /* of a cgroup: the inode number of its folder */
};

struct cgroup {
	struct kernfs_node *kn;
};

/* The pointer is always one since 5.15 ("bpf, cgroups: Fix cgroup v2 fallback on
 * v1/v2 mixed mode"); kernels without CONFIG_SOCK_CGROUP_DATA have none.
 */
struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct sock___cgroup {
	struct sock_cgroup_data sk_cgrp_data;
};

struct socket {
	struct sock *sk;
};

struct file;

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1]; /* one for each level */
};

struct nsproxy {
	struct net *net_ns;
};

struct task_struct {
	int tgid;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct nsproxy *nsproxy; /* NULL: it has exited */
	__u64 start_boottime;
	unsigned int flags;
	char comm[16];
};

/* The addresses of a network namespace: its devices, and theirs. */
struct in_ifaddr {
	struct in_ifaddr *ifa_next;
	__be32 ifa_local;
};

struct in_device {
	struct in_ifaddr *ifa_list;
};

struct inet6_ifaddr {
	struct in6_addr addr;
	struct list_head if_list;
};

struct inet6_dev {
	struct list_head addr_list;
};

struct net_device {
	struct list_head dev_list;
	struct in_device *ip_ptr;
	struct inet6_dev *ip6_ptr;
	possible_net_t nd_net;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned int len;
	__be16 protocol;
	__u16 network_header;
	unsigned char *head;
};

/* "tcp: trace retransmit failures in tcp_retransmit_skb", 6.17. */
typedef void (*btf_trace_tcp_retransmit_skb___err)(void *, const struct sock *, const struct sk_buff *, int);

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct sock *sk;
	void *value;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

#endif
