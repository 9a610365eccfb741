/* Nested page tables: what guest-physical memory the guest sees, and where accesses exit. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/addr.h"
#include "core/boot.h"
#include "core/vm/vcpu.h"
#include "core/x86/mtrr.h"

/* Build the tables: RAM at once, the rest on first touch, the VMM's region read-only ones. 0 or
 * -ENOMEM. Boot CPU. */
int nested_init(const struct boot_mmap_entry *map, uint32_t count);
/* Physical address of the top table. */
uint64_t nested_root(void);
/* A handler for guest-physical accesses that exit; decides about the instruction. */
typedef enum exit_result (*nested_handler)(struct vcpu *v, const struct mem_fault *f);
/*
 * What the guest may do with the pages [base, base + size) without an exit: `perm` is PT_RX
 * (writes go to `handler`) or 0 (all accesses do). It replaces what held there before; handler
 * NULL: no trap. Flushes all CPUs before it returns. 0, or -ENOMEM, -ENOSPC, -EINVAL (no whole
 * pages, or beyond 48 bits), and then what held before holds. Only for core/vm/mmio.c, whose lock
 * keeps changes apart: one begins when the flush of the last has ended.
 */
int nested_trap(gpa_t base, uint64_t size, unsigned perm, nested_handler handler);
/* No trap holds the byte back from the guest. Context: exit handler. */
bool nested_is_open(gpa_t gpa, bool write);
/* A nested page fault or EPT violation. */
enum exit_result nested_fault(struct vcpu *v, const struct mem_fault *f);
/* Tables in use, of a page each, and large pages that were split so far. Any CPU. */
struct nested_use {
	uint32_t tables, splits;
};
void nested_use(struct nested_use *use);
/*
 * mtrr_guest_run() gives other types now, but nowhere outside of these ranges, which are of whole
 * pages: the tables follow, and all CPUs flush. VT-x only. Context: exit handler, or no CPU is
 * under the VMM; no lock held.
 */
void nested_types_changed(const struct mtrr_range *range, unsigned count);
