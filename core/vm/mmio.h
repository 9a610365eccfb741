/* Emulated memory: ranges of guest-physical addresses whose accesses go to a handler. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>
#include "core/addr.h"
#include "core/spinlock.h"
#include "core/vm/mmio_range.h"
#include "core/vm/nested.h"

/*
 * The service. A range may begin and end at any byte, and several may share a page: pages with
 * ranges exit, and what of an access lies outside of the ranges is done to the memory or device
 * that is there. The instruction is decoded and performed with the guest's rights, as the CPU
 * would: faults, accessed and dirty flags, segment limits. Supported: the forms of enum insn_op.
 * Handlers see pieces of 1, 2, 4 or 8 bytes, naturally aligned.
 *
 * One lock for the whole machine is held while an instruction is performed, so that its accesses to
 * ranges come together: LOCK works between CPUs, and handlers need no lock of their own against
 * each other. A CPU that waits for it serves kicks, so a handler may make other CPUs flush.
 * Handlers may call the functions below; they must not wait for another CPU otherwise. Repeated
 * strings stop after MMIO_STRING_ELEMENTS, and interrupts come through.
 *
 * An instruction outside of the forms runs, alone, on the memory or device that is there, where all
 * ranges of the page allow it (struct mmio_ops.step); else it gets #UD, and one line in the log.
 */

#define MMIO_STRING_ELEMENTS 64

/*
 * Trap [base, base + size). Returns the number of the range, above 0, for the calls below; -EINVAL
 * (empty, or beyond 48 bits), -EEXIST (overlaps another), -ENOSPC, -ENOMEM. `arg` goes to the
 * handlers. When it returns, no CPU reaches the memory itself any more. Context: start-up, exit
 * handlers, mmio handlers; no lock held.
 */
int mmio_register(gpa_t base, uint64_t size, enum mmio_mode mode, const struct mmio_ops *ops,
		  void *arg);
/*
 * The same for whole pages, where `fault` looks at each exit first. It may decide by itself,
 * without the lock, or pass the exit on to mmio_fault().
 */
int mmio_register_pages(gpa_t base, uint64_t size, enum mmio_mode mode, const struct mmio_ops *ops,
			void *arg, nested_handler fault);
/* End it; the number is no longer valid. Context: as mmio_register. */
void mmio_unregister(int id);
/*
 * Move it, as when a base-address register is written. No CPU sees the range at both places, or at
 * neither: accesses to both wait meanwhile. The handlers stay. 0, or as mmio_register(), and then
 * it is where it was. Context: as mmio_register.
 */
int mmio_move(int id, gpa_t base);
/* Give it another mode. 0 or as mmio_refresh(). Context: as mmio_register. */
int mmio_set_mode(int id, enum mmio_mode mode);
/*
 * What its `page` says has changed: trap and open pages accordingly. When it returns, no CPU
 * reaches what is newly trapped. 0 or -ENOMEM, -ENOSPC, and then pages may be trapped that need not
 * be. Context: as mmio_register.
 */
int mmio_refresh(int id);
/*
 * The lock of the service, for exits of other kinds whose work must not come between a range's
 * accesses: ports that show the same device. Its holder may take it again. `self`: this_cpu() in an
 * exit, and cpu_current() where the caller may be the start-up. No other lock is held.
 */
struct cpu;
void mmio_lock(struct cpu *self);
void mmio_unlock(void);

extern struct spinlock mmio_tickets; /* of that lock */

/*
 * Only if nobody has it, the caller included, and never again inside: for lean exits, which do not
 * wait. Given back by mmio_unlock_tried().
 */
static inline bool mmio_lock_try(void)
{
	return spinlock_try(&mmio_tickets);
}

static inline void mmio_unlock_tried(void)
{
	spinlock_release(&mmio_tickets);
}

extern struct mmio_holder {
	const struct cpu *cpu; /* atomic; NULL also while it is held during start-up, or by a try */
	unsigned depth;
} mmio_holder;

/* As mmio_lock(), but only if nobody has it, the caller included. */
static inline bool mmio_lock_if_free(const struct cpu *self)
{
	if (!spinlock_try(&mmio_tickets))
		return false;
	__atomic_store_n(&mmio_holder.cpu, self, __ATOMIC_RELAXED);
	mmio_holder.depth = 1;
	return true;
}

/* The instruction that EXIT_STEP asked for is over, or will not be: close the pages. Context: exit
 * handler. */
void mmio_step_end(struct vcpu *v);
/* An access that exits in a page with ranges: performs the instruction. For nested tables. */
enum exit_result mmio_fault(struct vcpu *v, const struct mem_fault *f);
/*
 * A write to where no memory is, such as the VMM's region: performs the instruction;
 * gmem_phys_read() gives ones there, and gmem_phys_write() drops what it gets. An instruction
 * outside of the forms is dropped as a whole, and changes no register. For nested tables.
 */
enum exit_result mmio_no_memory(struct vcpu *v);
