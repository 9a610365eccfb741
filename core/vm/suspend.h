/* Suspend to RAM under the VMM, and the way back. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/vcpu.h"

struct fadt;

/* Find what the way back needs. NULL, or why there is none, for the user. Context: start-up. */
const char *suspend_init(const struct fadt *fadt);
/*
 * The guest makes the access that lets the machine fall asleep. It is carried out before this CPU's
 * next entry, when nobody holds a lock. NULL, or why not, for the user. Context: exit handler.
 */
const char *suspend_ask(const struct io_access *io, uint32_t value);
/*
 * Before an entry, with pending work: fall asleep if this CPU has asked, stand still if another
 * has. True: look at all pending work again. Context: as startup_check().
 */
bool suspend_look(struct vcpu *v);
