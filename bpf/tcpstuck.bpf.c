// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The kernel side of tcpstuck: two tracepoints, four optional ones, and four
 * iterators. Each program has a file of its own and reads on one screen; lib/ holds
 * what they share. They are one object, because they share maps.
 */
#include "retransmit.bpf.c"
#include "set_state.bpf.c"
#include "receive_reset.bpf.c"
#include "send_reset.bpf.c"
#include "destroy_sock.bpf.c"
#include "leave_loss.bpf.c"
#include "snapshot.bpf.c"
#include "scan_files.bpf.c"
#include "audit_files.bpf.c"
#include "residents.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Go's names for these are generated from BTF, which keeps only what is used. */
const enum reading_kind *btf_reading_kind __attribute__((unused));
const enum reading_flag *btf_reading_flag __attribute__((unused));
const enum loss *btf_loss __attribute__((unused));
const enum counter *btf_counter __attribute__((unused));
const struct reading *btf_reading __attribute__((unused));
const struct audited *btf_audited __attribute__((unused));
const struct loss_total *btf_loss_total __attribute__((unused));
const struct listener *btf_listener __attribute__((unused));
const struct resident *btf_resident __attribute__((unused));
const struct gone_key *btf_gone_key __attribute__((unused));
const struct cpu *btf_cpu __attribute__((unused));
