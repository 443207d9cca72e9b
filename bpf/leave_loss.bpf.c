// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcp_cong_state_set, optional. A socket leaves the Loss state when its peer acknowledges
 * what had timed out. User space looks at suspects then. Without this program, it looks
 * every few seconds.
 */
#include "lib/episodes.h"

SEC("tp_btf/tcp_cong_state_set")
int leave_loss(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	const struct inet_connection_sock *icsk = (const void *)sk;
	const struct episode *e;

	if (!may_have_episode(sk))
		return 0;
	/* The kernel sets the new state after this. */
	if (BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state) != TCP_CA_Loss || ctx[1] == TCP_CA_Loss)
		return 0;
	e = episode_of(sk);
	if (e && e->known && !e->recovered_ns)
		count(COUNT_LEFT_LOSS);
	return 0;
}
