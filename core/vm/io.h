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

/* Let accesses to `count` ports from `first` exit to the handler. 0 or -ENOSPC. Context: start-up.
 */
int io_trap(uint16_t first, uint16_t count, io_handler handler, void *arg);
/* Execute an access on the hardware: for handlers that only look. */
void io_pass(const struct io_access *io, uint32_t *value);
/*
 * The exit: IN, OUT, INS or OUTS. A handler sees one access for each element; repeated ones are
 * carried out in pieces, with the guest's interrupts between them.
 */
enum exit_result io_exit(struct vcpu *v, const struct io_access *io);
