/* Starting the other CPUs on a BIOS machine. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Start every CPU of cpus[] but the first; each ends in `entry` on its own stack. Returns how many
 * did not answer. */
uint32_t smp_start(uint64_t low_page, void (*entry)(void));
/* Start a CPU again, as before, that has been reset and waits for its start-up IPI; true when it
 * answered. */
bool smp_restart(uint32_t index);
