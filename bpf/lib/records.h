// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the kernel side keeps and what it gives to user space. Go's types are
 * generated from this header; little-endian, naturally aligned, no padding.
 */
#ifndef TCPSTUCK_RECORDS_H
#define TCPSTUCK_RECORDS_H

#include <linux/types.h>

/* Why there is a reading. */
enum reading_kind {
	READING_SUSPECT = 1,   /* something is outstanding and nothing moves */
	READING_RECOVERED = 2, /* it moved since user space was shown it */
	READING_ENDED = 3,     /* it went to CLOSE; state, err and loss say how */
	READING_AUDITED = 4,   /* an audit asked for every connection */
	READING_ANSWERED = 5,  /* cookie and loss alone: this host answered what killed it with a reset */
};

/* Why bytes died with a socket. */
enum loss {
	LOSS_NONE, /* none did, or its owner or an administrator wanted that */
	LOSS_TIMED_OUT,
	LOSS_RESET_BY_PEER,
	LOSS_CLOSED_UNREAD,
	LOSS_DATA_AFTER_CLOSE,
	LOSSES,
};

/* What died for one reason. */
struct loss_total {
	__u64 closes;
	__u64 unsent;         /* bytes, certainly lost */
	__u64 unacknowledged; /* bytes, sent and perhaps delivered */
};

enum reading_flag {
	FLAG_ORPHAN = 1 << 0,    /* SOCK_DEAD */
	FLAG_KEEPALIVE = 1 << 1, /* SO_KEEPALIVE */
	FLAG_MPTCP = 1 << 2,
	FLAG_USEC_TS = 1 << 3, /* retrans_stamp counts microseconds */
	FLAG_RESET = 1 << 4,   /* tcp_receive_reset fired */
	FLAG_OWNED = 1 << 5,   /* the latest file scan found a descriptor of it */
	FLAG_ACCEPTED = 1 << 6,
	/* It connects from an address that its owner chose, and that no file scan found
	 * in its namespace.
	 */
	FLAG_FOREIGN = 1 << 7,
	FLAG_UNSTORED = 1 << 8, /* it had no room for storage: the file scan reports it, no snapshot does */
	FLAG_SIGNALS = 1 << 9,  /* leave_loss sees its recovery, where the kernel has that tracepoint */
	FLAG_UNHEARD = 1 << 10, /* nothing that it sent after the handshake was ever acknowledged */
};

/* One reading of a socket, kernel fields by their kernel names. */
struct reading {
	__u64 cookie;
	__u64 now_ns;   /* CLOCK_MONOTONIC */
	__u64 began_ns; /* CLOCK_MONOTONIC; 0: older than the agent, see retrans_stamp */
	__u64 jiffies;
	__u64 timer_jiffies;     /* when the armed timer expires */
	__u64 keepalive_jiffies; /* when the keepalive timer expires */
	__u8 local[16];          /* IPv4 in the first four bytes */
	__u8 remote[16];
	__u32 netns;
	__u32 snd_una;
	__u32 snd_nxt;
	__u32 write_seq;
	__u32 snd_wnd;
	__u32 rcv_tstamp;    /* jiffies */
	__u32 lrcvtime;      /* jiffies */
	__u32 lsndtime;      /* jiffies */
	__u32 retrans_stamp; /* ms, or us with FLAG_USEC_TS */
	__u32 probes_tstamp; /* jiffies */
	__u32 rto;           /* jiffies */
	__u32 rto_max;       /* jiffies; 0: this kernel has the fixed 120 s */
	__u32 user_timeout_ms;
	__u32 keepalive_time;  /* jiffies; the socket's own, else its namespace's */
	__u32 keepalive_intvl; /* the same */
	__u32 wmem_queued;
	__u32 sndbuf;
	__u32 packets_out;
	__u32 sacked_out;
	__u32 retrans_out;
	__u32 timeouts; /* RTOs of this episode */
	__u32 segs_in;  /* segments received in this episode, whatever they acknowledge */
	__u32 mss;      /* of what is sent, without options */
	__u32 pid;
	__s32 fd;
	__s32 send_err; /* of the last (re)transmission: a negative errno, or a positive NET_XMIT code */
	__s32 err;      /* sk_err */
	__s32 soft_err; /* sk_err_soft */
	__u32 unread;   /* of an ended socket: bytes received and never read */
	char comm[16];
	__u16 local_port;
	__u16 remote_port;
	__u16 flags;
	__u8 kind;
	__u8 family;
	__u8 state; /* of an ended socket: the one it left */
	__u8 ca_state;
	__u8 retransmits;
	__u8 backoff;
	__u8 probes_out;
	__u8 pending;
	__u8 retries2;
	__u8 orphan_retries;
	__u8 syn_retries;         /* TCP_SYNCNT, else the namespace's */
	__u8 syn_linear_timeouts; /* 0 before 6.5 */
	__u8 keepalive_probes;    /* the socket's own, else its namespace's */
	__u8 timer_level;         /* of the timer wheel, where the armed timer waits */
	__u8 keepalive_level;
	__u8 loss; /* of an ended socket: enum loss */
	__u8 pad[6];
	__u64 started_ns; /* CLOCK_BOOTTIME: when process `pid` started */
};

/* A connection and how long its owner's calls wait, in jiffies; LONG_MAX: for
 * ever.
 */
struct audited {
	struct reading reading;
	__s64 rcvtimeo;
	__s64 sndtimeo;
};

/* A listening socket: it sets accepted ones apart from connected ones. More connections
 * than `most` may not wait for its owner.
 */
struct listener {
	__u64 started_ns; /* CLOCK_BOOTTIME, of process `pid` */
	__u8 local[16];
	__u32 netns;
	__u32 waiting;
	__u32 most;
	__u32 pid;
	char comm[16];
	__u16 local_port;
	__u8 family;
	__u8 pad[5];
};

/* A process and the network namespace that it lives in. */
struct resident {
	__u64 started_ns; /* CLOCK_BOOTTIME */
	__u32 pid;
	__u32 netns;
};

enum counter {
	COUNT_TIMEOUT,
	COUNT_FAST,
	COUNT_TAIL_LOSS_PROBE,
	COUNT_SYN,
	COUNT_FAILED,
	COUNT_LOST_RING,    /* records that the ring buffer had no room for */
	COUNT_LOST_STORAGE, /* how often an episode found no room at all; no record has its end */
	COUNT_LIMITED,      /* ends with a loss of which no record was sent: too many at once */
	COUNT_UNSEEN,       /* ends that set_state did not see */
	COUNT_LEFT_LOSS,    /* suspects that left the Loss state: they have recovered */
	COUNTERS,
};

#endif
