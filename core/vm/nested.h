/* Nested page tables: what guest-physical memory the guest sees, and where accesses exit. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/addr.h"
#include "core/boot.h"
#include "core/vm/vcpu.h"

/* Build the tables: RAM at once, the rest on first touch, the VMM's region read-only ones. 0 or
 * -ENOMEM. Boot CPU. */
int nested_init(const struct boot_mmap_entry *map, uint32_t count);
/* Physical address of the top table. */
uint64_t nested_root(void);
/*
 * A handler for guest-physical accesses that exit, of one 4 KiB page. Called for each write (and,
 * when the page is not even readable, each read); decides about the instruction.
 */
typedef enum exit_result (*nested_handler)(struct vcpu *v, const struct mem_fault *f);
/* Make writes to one page exit to `handler`; NULL undoes it. Flushes all CPUs. 0 or -ENOMEM,
 * -ENOSPC, -EINVAL (beyond 48 bits). Any CPU. */
int nested_trap_writes(gpa_t page, nested_handler handler);
/* A nested page fault or EPT violation. */
enum exit_result nested_fault(struct vcpu *v, const struct mem_fault *f);
/* Memory types changed (the guest wrote an MTRR): rebuild what depends on them. VT-x only. */
void nested_types_changed(void);
