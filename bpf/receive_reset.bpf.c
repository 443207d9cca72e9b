// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcp_receive_reset, optional: tells a reset from a time-out with the same errno. */
#include "lib/episodes.h"

SEC("tp_btf/tcp_receive_reset")
int receive_reset(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct episode *e;

	if (!sk)
		return 0;
	e = episode_of(sk);
	if (e)
		e->reset = 1;
	return 0;
}
