/* A handler of SMIs where a CPU looks for it that nobody has told another place. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "tests/guest/kernel/guest.h"

/*
 * Put it there, at 38000h, and return its counter: all it does is to count. It only runs where that
 * is RAM and SMBASE as after a reset: in a machine whose firmware has no SMM (QEMU with smm=off).
 * Elsewhere firmware's handler sees to SMIs. All CPUs save their state at the same place: one SMI
 * at a time.
 */
const volatile uint32_t *smi_handler_set(void);
/* SMIs of this CPU since its reset, by whomever they were seen to; 0 where it does not count them
 * (MSR_SMI_COUNT, SDM 4: QEMU's CPUs have it whatever their vendor). */
uint32_t smi_counted(void);
