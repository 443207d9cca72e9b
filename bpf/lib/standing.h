// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The life of an episode: when it begins, whether it continues, what of it user
 * space has yet to see. Nothing here reads a socket, so histories.bpf.c can play
 * random lives against these very lines.
 */
#ifndef TCPSTUCK_STANDING_H
#define TCPSTUCK_STANDING_H

#include <linux/types.h>
#include <stdbool.h>

/* A time without progress of one socket. What a timeout reads and writes, and what an
 * incremental snapshot reads, comes first: these 56 bytes are in the cache line that
 * a look-up of the storage reads anyway.
 */
struct episode {
	__u64 began_ns;     /* 0: it began before the agent */
	__u64 reported_ns;  /* when a record was last sent */
	__u64 recovered_ns; /* when its progress was shown; 0: it was not */
	__u32 snd_una;
	__u32 segs_in; /* at the latest timeout that was looked at, or reading; of an idle one, when it was found */
	__u32 timeouts;
	__s32 send_err;
	__u8 retransmits; /* icsk_retransmits, when `timeouts` was counted */
	__u8 state;       /* that it left; until then, the last one seen */
	__u8 known;       /* user space was shown this socket, or is owed that */
	__u8 reported;    /* user space was shown this episode */
	__u8 reset;
	__u8 idle; /* nothing timed out: it points at a peer that is gone */
	__u8 closed;
	__u8 ended;      /* and that was shown */
	__u8 unstored;   /* the socket had no room for storage: it is in `unstored` */
	__u8 owned;      /* its owner was shown */
	__u8 at_home;    /* its namespace has the address that its owner bound it to */
	__u8 in_close;   /* a file scan found it in CLOSE: no program may have seen its end */
	__u32 cookie;    /* the lower half of its socket's */
	__u32 file_scan; /* the one that found its owner */
	__u32 pid;
	__s32 fd;
	__s32 err;        /* sk_err when it went to CLOSE: its owner's next call takes it away */
	__u64 started_ns; /* of its owner, CLOCK_BOOTTIME */
	char comm[16];
	__u32 first_segs_in; /* segs_in when it began */
	__u32 pad;
};

/* The fields of a socket that decide over its episode. */
struct standing {
	__u32 snd_una;
	__u32 segs_in;
	__u8 outstanding; /* something is not acknowledged or not sent */
	__u8 stalled;     /* a timer has run out on it, or the window or this host holds it back */
	__u8 idle;        /* nothing is outstanding either way, and the peer has not closed */
	__u8 unanswered;  /* and keepalive probes have no answer */
	__u8 open;        /* the peer has not closed; its owner may have */
};

/* Progress is that snd_una moves, and nothing else. Between a window that opens
 * and the next timeout no timer has run out, and icsk_retransmits is a u8, which
 * overflows after 255.
 */
static __always_inline bool stands(const struct episode *e, const struct standing *s)
{
	return e->timeouts && !e->recovered_ns && e->snd_una == s->snd_una && s->outstanding;
}

/* No segment came from the peer since it was found gone. What was written
 * meanwhile has not timed out yet; its owner's FIN may be in flight.
 */
static __always_inline bool stands_idle(const struct episode *e, const struct standing *s)
{
	return e->idle && !e->recovered_ns && e->snd_una == s->snd_una && e->segs_in == s->segs_in && s->open;
}

static __always_inline void begin(struct episode *e, const struct standing *s, __u64 began_ns, __u32 timeouts,
				  __u8 retransmits)
{
	e->began_ns = began_ns;
	e->recovered_ns = 0;
	e->snd_una = s->snd_una;
	e->segs_in = s->segs_in;
	e->first_segs_in = s->segs_in;
	e->timeouts = timeouts;
	e->retransmits = retransmits;
	e->send_err = 0;
	e->reported = 0;
	e->idle = 0;
	e->reset = 0;
	e->closed = 0; /* a socket may connect again */
	e->ended = 0;
	e->at_home = 0;
	e->in_close = 0;
}

/* The socket waits for a peer that is gone, and nothing has timed out yet. Its first
 * timeout is reported at once, so a file scan finds its owner beforehand.
 */
static __always_inline bool impends(const struct standing *s, bool peer_gone)
{
	return peer_gone && s->outstanding && s->open;
}

/* It is idle, and the peer that it waits for is gone or does not answer. */
static __always_inline bool waits_idle(const struct standing *s, bool peer_gone)
{
	return s->idle && (peer_gone || s->unanswered);
}

/* A file scan makes an episode. */
static __always_inline bool begins(const struct standing *s, bool peer_gone)
{
	return s->stalled || waits_idle(s, peer_gone) || impends(s, peer_gone);
}

/* The first four timeouts in a row are looked at, and then every eighth. The others
 * change nothing but their number.
 */
static __always_inline bool is_one_of_many(__u8 retransmits)
{
	return retransmits > 4 && retransmits % 8;
}

/* How many timeouts came since the episode was looked at. The socket counts from 0 again
 * after progress, and while the window is closed.
 */
static __always_inline __u32 more_timeouts(const struct episode *e, __u8 retransmits)
{
	if (!e->timeouts || retransmits <= e->retransmits)
		return 0;
	return retransmits - e->retransmits;
}

/* A timeout. User space may be owed a record of it unless the episode was
 * reported; then no clock is needed.
 */
static __always_inline bool time_out(struct episode *e, const struct standing *s, __u8 retransmits)
{
	__u32 more;

	if (!stands(e, s))
		begin(e, s, 0, 0, retransmits);
	more = more_timeouts(e, retransmits);
	e->timeouts += more ? more : 1;
	e->retransmits = retransmits;
	e->segs_in = s->segs_in;
	return !e->reported;
}

/* User space is owed a record of this timeout now. The episode began with it, if
 * it is the first of both the episode and the socket's back-off.
 */
static __always_inline bool is_due(struct episode *e, bool first, __u64 now_ns, __u64 interval_ns)
{
	if (first && e->timeouts == 1)
		e->began_ns = now_ns;
	if (e->reported_ns && now_ns - e->reported_ns < interval_ns)
		return false;
	e->known = 1;
	return true;
}

/* A record of a timeout was sent. */
static __always_inline void sent(struct episode *e, __u64 now_ns)
{
	e->reported_ns = now_ns;
	e->reported = 1;
}

/* The effect of a file scan on a socket with an episode. It reports whether the
 * episode is over and can be forgotten.
 */
static __always_inline bool scan(struct episode *e, const struct standing *s, bool peer_gone, __u32 retransmits,
				 __u64 now_ns, __u64 forget_ns)
{
	bool idle = !s->stalled && waits_idle(s, peer_gone);

	if (s->stalled && !stands(e, s))
		begin(e, s, 0, retransmits ? retransmits : 1, retransmits);
	if (idle && !stands_idle(e, s)) {
		begin(e, s, now_ns, 0, retransmits);
		e->idle = 1;
	}
	if (stands(e, s))
		return false;
	if (stands_idle(e, s))
		return !peer_gone && !s->unanswered; /* user space has withdrawn it, or it is answered */
	if (!e->known)
		return !impends(s, peer_gone);
	return e->recovered_ns && now_ns - e->recovered_ns > forget_ns;
}

enum view {
	VIEW_NONE,
	VIEW_SUSPECT,
	VIEW_RECOVERED,
};

static __always_inline enum view view_of(const struct episode *e, const struct standing *s)
{
	if (stands(e, s) || stands_idle(e, s))
		return VIEW_SUSPECT;
	return e->known ? VIEW_RECOVERED : VIEW_NONE;
}

/* The latest file scan found its owner, and user space has not seen that. */
static __always_inline bool has_new_owner(const struct episode *e, __u32 file_scan)
{
	return !e->owned && e->pid && e->file_scan == file_scan;
}

/* It certainly stands: what was outstanding is so until snd_una moves. */
static __always_inline bool still_stands(const struct episode *e, __u32 snd_una)
{
	return e->timeouts && e->reported && !e->recovered_ns && e->snd_una == snd_una;
}

/* There is certainly nothing new to show, as far as the episode and one member of the
 * socket say.
 */
static __always_inline bool is_old(const struct episode *e, __u32 snd_una, __u32 file_scan)
{
	if (e->in_close && !e->ended)
		return false;
	if (e->recovered_ns)
		return true;
	return still_stands(e, snd_una) && !has_new_owner(e, file_scan);
}

/* An incremental snapshot shows it. */
static __always_inline bool is_new(const struct episode *e, enum view v, __u32 file_scan)
{
	if (v == VIEW_RECOVERED)
		return !e->recovered_ns;
	return !e->reported || has_new_owner(e, file_scan);
}

/* Marks that user space was shown it, only after that was written. */
static __always_inline void shown(struct episode *e, enum view v, __u32 file_scan, __u64 now_ns)
{
	if (has_new_owner(e, file_scan))
		e->owned = 1;
	if (v == VIEW_RECOVERED) {
		if (!e->recovered_ns)
			e->recovered_ns = now_ns;
		return;
	}
	e->known = 1;
	e->reported = 1;
}

#endif
