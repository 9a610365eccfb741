/* VMCB clean bits: which field belongs to which group. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>
#include "core/x86/svm/vmcb.h"

/*
 * Bits that must be clear at a VMRUN when the byte at `offset` of the VMCB (0 to 4095) was written
 * since the last #VMEXIT: one group; none for what the CPU never caches or VMRUN does not read; all
 * of them for what no group is known of.
 */
uint32_t svm_clean_group(unsigned offset);
/*
 * Compare a VMCB with the copy that was made directly behind the last #VMEXIT: the offset of the
 * first byte that was changed while a bit of its group is still set, or -1. *group: its bits.
 */
int svm_clean_broken(const struct vmcb *b, const struct vmcb *copy, uint32_t *group);
/* Name of the lowest group in `bits`, for messages. */
const char *svm_clean_name(uint32_t bits);
