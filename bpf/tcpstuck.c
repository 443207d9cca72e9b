// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The kernel side of tcpstuck: two tracepoints, three optional ones, and four
 * iterators. Each file below is one of them and reads on one screen.
 */
#include "retransmit.h"
#include "close.h"
#include "snapshot.h"
#include "sweep.h"
#include "audit.h"
#include "residents.h"

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
