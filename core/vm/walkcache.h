/* Page walks that were made before: taken again when every entry that they read still stands there.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/gwalk.h"

#define WALKCACHE_LEVELS  5
#define WALKCACHE_ENTRIES 4

/*
 * Not a TLB: nothing has to be flushed. A walk depends on the CPU's registers and on the entries it
 * reads; both are kept and compared, so a hit gives what a new walk would give. Only walks of
 * 8-byte entries that were all read from memory are kept, and none that has set a flag.
 */
struct walkcache_walk {
	struct gwalk_cpu cpu; /* pdpte: NULL */
	uint64_t page;        /* linear address of the 4 KiB page */
	uint8_t access;       /* enum gwalk_access */
	uint8_t depth;        /* entries read */
	bool unfit;           /* cannot be kept */
	bool kept;
	const volatile uint64_t *at[WALKCACHE_LEVELS];
	uint64_t entry[WALKCACHE_LEVELS];
	struct gwalk_out out; /* of the page's first byte */
};

/* One CPU's. All zeros: empty. */
struct walkcache {
	struct walkcache_walk walk[WALKCACHE_ENTRIES];
};

/* The result of a walk for `la` that is kept and still holds, in *out. */
bool walkcache_find(const struct walkcache *c, const struct gwalk_cpu *cpu, gva_t la,
		    enum gwalk_access access, struct gwalk_out *out);
/* The walk that is kept for this page and access, whatever the registers are now; NULL: none. */
const struct walkcache_walk *walkcache_get(const struct walkcache *c, gva_t la,
					   enum gwalk_access access);
/* A walk begins: the place where it is noted. Nothing is kept there from now on. */
struct walkcache_walk *walkcache_begin(struct walkcache *c, gva_t la, enum gwalk_access access);
/* The walk has read `entry` at `at`, where the VMM reaches it for ever; `size` bytes. */
void walkcache_note(struct walkcache_walk *w, const volatile void *at, unsigned size,
		    uint64_t entry);
/* The walk has changed an entry. */
static inline void walkcache_unfit(struct walkcache_walk *w)
{
	w->unfit = true;
}
/*
 * The walk has come to its end without a fault: keep it if it is fit. One that finds an accessed or
 * dirty flag clear is not, whether it may set it or not: it has to be made again.
 */
void walkcache_keep(struct walkcache_walk *w, const struct gwalk_cpu *cpu, gva_t la,
		    enum gwalk_access access, const struct gwalk_out *out);
