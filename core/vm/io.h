/* I/O ports that exit, and who handles them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/thread.h"
#include "core/vm/mmio.h"
#include "core/vm/vcpu.h"

/*
 * Handler of one guest access. For IN it sets *value (its low `size` bytes count); for OUT *value
 * is what the guest writes.
 */
typedef void (*io_handler)(void *arg, const struct io_access *io, uint32_t *value);

/*
 * Let accesses to `count` ports from `first` exit to the handler. Returns the number of the trap,
 * above 0, for the calls below; -ENOSPC; -EINVAL (none, or beyond FFFF). Where traps overlap the
 * older one decides. Handlers run with mmio_lock() held: one at a time in the whole machine, and
 * not between the accesses of an instruction to emulated memory. When it returns, no CPU reaches
 * the ports itself any more. Context: start-up, exit handlers; no lock held but that one.
 */
int io_trap(uint16_t first, uint16_t count, io_handler handler, void *arg);
/*
 * A second handler for the accesses that are frequent and plain. For IN it returns the value, for
 * OUT anything; IO_LONG: not this one, and nothing was done; then the other handler gets it. It
 * runs with mmio_lock() held and, on AMD-V, with the guest's TR, FS, GS and the like in the CPU and
 * GIF 0: so it must not fault, reaches no guest memory, takes no lock, logs nothing, and needs a
 * few hundred instructions at most.
 */
#define IO_LONG UINT64_MAX

typedef uint64_t (*io_lean)(void *arg, const struct io_access *io, uint32_t value);
/* io_trap() with such handlers, or NULL. They are not called while an older trap overlaps the
 * access. */
int io_trap_lean(uint16_t first, uint16_t count, io_handler handler, io_lean in, io_lean out,
		 void *arg);
/* End it; the number is no longer valid. Context: as io_trap. */
void io_untrap(int id);
/* Move it to other ports. 0, or -EINVAL, and then it is where it was. Context: as io_trap. */
int io_move(int id, uint16_t first);
/* Execute an access on the hardware: for handlers that only look. */
void io_pass(const struct io_access *io, uint32_t *value);
/* The same for an IN; gives the value. */
uint32_t io_pass_in(uint16_t port, unsigned size);
/*
 * The exit: IN, OUT, INS or OUTS. A handler sees one access for each element; repeated ones are
 * carried out in pieces, with the guest's interrupts between them.
 */
enum exit_result io_exit(struct vcpu *v, const struct io_access *io);
/* Accesses that were made before, to ports with a lean handler. Under mmio_lock(). */
#define IO_AGAIN 16

extern struct io_again {
	uint32_t word;       /* of `io`; 0: none; atomic */
	uint64_t keep, take; /* RAX afterwards: bits of the guest's, bits of the handler's */
	io_lean lean;
	void *arg;
	struct io_access io;
	uint8_t reserved[8]; /* 64 bytes, a shift */
} io_again[IO_AGAIN];

/* The word has the port in its upper half, size and direction in the lower one. */
static inline struct io_again *io_again_place(uint32_t word)
{
	return &io_again[(word ^ word >> 16) % IO_AGAIN];
}

/* Has the access with this word been made before? NULL: not that it is known. */
static inline struct io_again *io_again_find(uint32_t word)
{
	struct io_again *a = io_again_place(word);

	__asm__("" : "+r"(a)); /* one register, not an address worked out at each use */
	return __atomic_load_n(&a->word, __ATOMIC_RELAXED) == word ? a : NULL;
}

/*
 * io_exit() for an access with this word, that was found. The guest's RAX is in *rax. False:
 * nothing was done. Threads get their turns behind exits that are not lean. Context: exit handler;
 * lean.
 */
static inline __attribute__((always_inline)) bool io_again_access(struct io_again *a, uint32_t word,
								  uint64_t *rax)
{
	if (runqueue_has_work(&thread_queue) || !mmio_lock_try())
		return false;
	uint64_t value = a->word == word ? a->lean(a->arg, &a->io, (uint32_t)*rax) : IO_LONG;

	if (value != IO_LONG)
		*rax = (*rax & a->keep) | (value & a->take);
	mmio_unlock_tried();
	return value != IO_LONG;
}
