/* Stores to the watched xAPIC page that were seen before: carried out without decoding them anew.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/vcpu.h"
#include "core/vm/walkcache.h"

struct apicwrite;

#define APICSTORE_ENTRIES 4
#define APICSTORE_LEVELS  4

/*
 * One MOV to the page, by a 64-bit guest. It is the same again when RIP, CR3 and CS are, when every
 * entry that its fetch walked through is, and its bytes are: all of that is compared each time. The
 * entries were fit for the cache of walks, so nothing has to be set in them.
 */
struct apicstore {
	uint64_t rip, cr3;
	uint64_t next;          /* RIP behind it */
	const uint32_t *source; /* of the value: a saved register's low half, or `imm` */
	uint32_t imm;
	uint32_t cs; /* attributes, as the vendor has them; 0: nothing is kept here */
	const volatile uint64_t *at[APICSTORE_LEVELS];
	uint64_t entry[APICSTORE_LEVELS];
	const volatile uint8_t *code;
	uint64_t bytes[2];
};

/*
 * Carry out the store to `gpa`, in v->apic_page, of the guest that exited at `rip`, with `cr3` and
 * `cs` (attributes), if it is one that is kept and the VMM need not look at what it writes. The RIP
 * behind it; or 0, and nothing was done. Context: exit handler; lean; RAX and the registers that a
 * C function may change are saved.
 */
uint64_t apicstore_again(const struct vcpu *v, uint64_t gpa, uint64_t rip, uint64_t cr3,
			 uint32_t cs);
/*
 * The exiting guest's instruction is this store, decoded from `bytes` (15 of them): keep it if it
 * can be. Context: exit handler, before RIP is advanced.
 */
void apicstore_learn(struct vcpu *v, const struct apicwrite *w, const uint8_t *bytes);
