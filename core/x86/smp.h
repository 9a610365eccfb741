/* Starting CPUs from real mode: the others of a BIOS machine, and all behind S3. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct cpu;

/* The page below 1 MiB where CPUs are to start, and the way from there into the VMM's address
 * space. 0 or -ENOMEM. Context: boot CPU, once, after vmmap_init(). */
int smp_init(uint64_t low_page);
/* Write to the page what leads a CPU that begins there, in real mode, to `entry` on the stack of
 * `cpu`. */
void smp_prepare(struct cpu *cpu, void (*entry)(void));
/* Start every CPU of cpus[] but the first; each ends in `entry` on its own stack. Returns how many
 * did not answer. Context: boot CPU, after smp_init(). */
uint32_t smp_start(void (*entry)(void));
/* Start a CPU again, as before, that has been reset and waits for its start-up IPI; true when it
 * answered. */
bool smp_restart(uint32_t index);
