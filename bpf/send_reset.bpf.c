// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcp_send_reset, optional: tells data after a close from a reset by the peer.
 * Without it the first reads as the second.
 */
#include "lib/late_data.h"
#include "lib/reading.h"

SEC("tp_btf/tcp_send_reset")
int send_reset(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct reading *r;
	struct dying *d;
	__u32 key = 0;

	if (!sk || sk->__sk_common.skc_state != TCP_CLOSE)
		return 0;
	d = bpf_map_lookup_elem(&dying, &key);
	if (!d || !d->cookie || d->cookie != bpf_get_socket_cookie(sk))
		return 0;
	d->cookie = 0;
	lose(LOSS_RESET_BY_PEER, &d->loss, -1);
	lose(LOSS_DATA_AFTER_CLOSE, &d->loss, 1);
	if (!d->reported)
		return 0;
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		count(COUNT_LOST_RING);
		return 0;
	}
	__builtin_memset(r, 0, sizeof(*r));
	r->cookie = bpf_get_socket_cookie(sk);
	r->kind = READING_ANSWERED;
	r->loss = LOSS_DATA_AFTER_CLOSE;
	bpf_ringbuf_submit(r, 0);
	return 0;
}
