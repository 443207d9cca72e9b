/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* linux/types.h asks for headers of an architecture. That of the programs is BPF,
 * on every machine, and BPF is generic.
 */
#include <asm-generic/types.h>
