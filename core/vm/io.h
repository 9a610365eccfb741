/* I/O ports that exit, and who handles them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>
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
/* End it; the number is no longer valid. Context: as io_trap. */
void io_untrap(int id);
/* Move it to other ports. 0, or -EINVAL, and then it is where it was. Context: as io_trap. */
int io_move(int id, uint16_t first);
/* Execute an access on the hardware: for handlers that only look. */
void io_pass(const struct io_access *io, uint32_t *value);
/*
 * The exit: IN, OUT, INS or OUTS. A handler sees one access for each element; repeated ones are
 * carried out in pieces, with the guest's interrupts between them.
 */
enum exit_result io_exit(struct vcpu *v, const struct io_access *io);
