/* The guest's memory types: its MTRRs, as EPT leaves must follow them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/mm/pgtable.h"
#include "core/vm/msr_policy.h"

/* Read the machine's MTRRs: those that each CPU's guest begins with. 0 or -ENOMEM. Context: boot
 * CPU, before nested_init(); cpu_count is known. */
int mtrr_guest_init(void);
/* Behind S3: the guest finds what firmware had in them at the start. Context: boot CPU; no CPU is
 * under the VMM. */
void mtrr_guest_wake(void);
/*
 * Behind S3, else nothing is done: this CPU's own registers are made to say that, too. Firmware
 * need not do it for all CPUs. Context: each CPU, before it enters a guest.
 */
void mtrr_cpu_wake(void);
/* Length of the run of one type from `base`, at most to `end`; sets *type. */
uint64_t mtrr_guest_run(uint64_t base, uint64_t end, enum pt_type *type);
/* The guest reads an MTRR of this CPU's copy. False: #GP. */
bool mtrr_guest_read(uint32_t index, uint64_t *value);
/* The same in a lean exit. */
struct msr_value mtrr_guest_value(uint32_t index);
/* The guest writes an MTRR of this CPU: types follow, but the VMM's memory stays cached. False:
 * #GP.
 */
bool mtrr_guest_write(uint32_t index, uint64_t value);
