/* Page walks that were made before: taken again when every entry that they read still stands there.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/walkcache.h"
#include <stddef.h>

#define PTE_A (UINT64_C(1) << 5)
#define PTE_D (UINT64_C(1) << 6)

/* Two for fetches, two for operands: an instruction's walks are never in each other's way, nor are
 * those of two pages that it or its operand lies in. */
static unsigned place_of(uint64_t la, enum gwalk_access access)
{
	return (unsigned)(la >> 12 & 1) + (access == GWALK_FETCH ? 2 : 0);
}

_Static_assert(WALKCACHE_ENTRIES == 4, "as place_of() says");

/* Members one by one: there are holes between them, and memcmp() is a loop over bytes. */
static bool same_cpu(const struct gwalk_cpu *a, const struct gwalk_cpu *b)
{
	return !(((a->cr0 ^ b->cr0) | (a->cr3 ^ b->cr3) | (a->cr4 ^ b->cr4) | (a->efer ^ b->efer) |
		  (a->pkru ^ b->pkru) | (a->pkrs ^ b->pkrs)) != 0 ||
		 a->cpl != b->cpl || a->ac != b->ac || a->maxphyaddr != b->maxphyaddr ||
		 a->gb_pages != b->gb_pages || a->pse36 != b->pse36);
}

const struct walkcache_walk *walkcache_get(const struct walkcache *c, gva_t la,
					   enum gwalk_access access)
{
	const struct walkcache_walk *w = &c->walk[place_of(la.a, access)];

	return w->kept && w->page == align_down(la.a, PAGE_SIZE) && w->access == access ? w : NULL;
}

bool walkcache_find(const struct walkcache *c, const struct gwalk_cpu *cpu, gva_t la,
		    enum gwalk_access access, struct gwalk_out *out)
{
	const struct walkcache_walk *w = &c->walk[place_of(la.a, access)];

	if (!w->kept || w->page != align_down(la.a, PAGE_SIZE) || w->access != access ||
	    cpu->pdpte || !same_cpu(&w->cpu, cpu))
		return false;
	for (unsigned i = 0; i < w->depth; i++) {
		if (*w->at[i] != w->entry[i])
			return false;
	}
	*out = w->out;
	out->gpa.a |= la.a & PAGE_MASK;
	return true;
}

struct walkcache_walk *walkcache_begin(struct walkcache *c, gva_t la, enum gwalk_access access)
{
	struct walkcache_walk *w = &c->walk[place_of(la.a, access)];

	w->depth = 0;
	w->unfit = w->kept = false;
	return w;
}

void walkcache_note(struct walkcache_walk *w, const volatile void *at, unsigned size,
		    uint64_t entry)
{
	if (size != 8 || w->depth == WALKCACHE_LEVELS) {
		w->unfit = true; /* another format, or a walk that began again */
		return;
	}
	w->at[w->depth] = at;
	w->entry[w->depth++] = entry;
}

void walkcache_keep(struct walkcache_walk *w, const struct gwalk_cpu *cpu, gva_t la,
		    enum gwalk_access access, const struct gwalk_out *out)
{
	if (w->unfit || cpu->pdpte || !w->depth)
		return;
	for (unsigned i = 0; i < w->depth; i++) {
		uint64_t flags =
		    access == GWALK_WRITE && i + 1u == w->depth ? PTE_A | PTE_D : PTE_A;

		if ((w->entry[i] & flags) != flags)
			return;
	}
	w->kept = true;
	w->cpu = *cpu;
	w->page = align_down(la.a, PAGE_SIZE);
	w->access = (uint8_t)access;
	w->out = *out;
	w->out.gpa.a = align_down(out->gpa.a, PAGE_SIZE);
}
