/* Accesses to emulated memory that were performed before: performed without decoding anew. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/mmio_range.h"
#include "core/vm/vcpu.h"

struct insn;

/*
 * Perform the instruction that exited if it is kept and everything that it depends on stands as it
 * did: registers of paging, the entries of both page walks, the bytes. RIP is advanced. False:
 * nothing was done. Context: exit handler; takes mmio_lock().
 */
bool mmio_again(struct vcpu *v, const struct mem_fault *f);

/*
 * The same for lean exits (core/vm/io.h, io_trap_lean()): an instruction that is kept for what
 * `rip` does in the page of `gpa`, in a range with a lean handler. NULL: none, or threads wait for
 * turns, or it needs registers that are not in struct vcpu: `all` says that all but RSP are.
 * Context: lean exit.
 */
struct again;
struct again *mmio_again_lean_find(uint64_t rip, uint64_t gpa, bool all);
/* Is there any? */
extern bool mmio_again_has_lean;
/*
 * Perform it, when nothing but the access exits there: no event's delivery, no walk, no single
 * step. Returns where it ends; 0: nothing was done. Context: lean exit, with the guest's RAX in
 * struct vcpu, where it may change.
 */
uint64_t mmio_again_lean(struct vcpu *v, struct again *a, uint64_t rip, uint64_t cr3, uint64_t gpa);

/* Context of the others: mmio_lock() held. */

/*
 * Is the exiting guest's instruction one that could be kept? Then *la is where its operand is.
 * Before it is performed.
 */
bool mmio_again_fits(struct vcpu *v, const struct insn *insn, uint64_t *la);
/*
 * It stood at `rip`, was decoded from `bytes` (15 of them, and a 0), exited at `gpa`, and has been
 * performed: keep it, unless something speaks against it. `ranges` stay where they are until the
 * next call below.
 */
void mmio_again_learn(struct vcpu *v, const struct insn *insn, const uint8_t bytes[16],
		      uint64_t rip, uint64_t la, uint64_t gpa, struct mmio_ranges *ranges);
/* Ranges have changed: nothing is kept any more. */
void mmio_again_forget(void);
