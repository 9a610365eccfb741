/* Page-table edits: one pure engine for the VMM's own tables, AMD-V nested tables and EPT. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/mm/pgtable.h"
#include "core/addr.h"
#include "core/audit.h"
#include "core/errno.h"

#define ENTRIES   512u
#define ADDR_MASK UINT64_C(0x000ffffffffff000)

static uint64_t level_size(unsigned level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

static unsigned level_index(uint64_t va, unsigned level)
{
	return (unsigned)(va >> (PAGE_SHIFT + 9 * (level - 1))) & (ENTRIES - 1);
}

static void entry_set(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static uint64_t leaf_pa(uint64_t entry, unsigned level)
{
	return entry & ADDR_MASK & ~(level_size(level) - 1);
}

/* Replace the leaf (or nothing) in *entry by a table that maps the same; 0 or -ENOMEM. */
static int split(struct pt *pt, uint64_t *entry, unsigned level)
{
	const struct pt_format *f = pt->format;
	uint64_t old = *entry;
	uint64_t table = pt->alloc(pt->arg);

	if (!table)
		return -ENOMEM;
	if (f->is_present(old)) {
		uint64_t *t = pt->at(pt->arg, table);
		uint64_t first =
		    f->leaf(leaf_pa(old, level), level - 1, f->perm(old), f->type(old));

		pt->splits++;
		for (unsigned i = 0; i < ENTRIES; i++)
			t[i] = first + i * level_size(level - 1); /* the address, in every format */
	}
	entry_set(entry, f->table(table));
	return 0;
}

/* Does a CPU that has cached `old` have more rights, or others, than `new` gives? */
static bool takes(const struct pt_format *f, uint64_t old, uint64_t new, unsigned level)
{
	if (!f->is_present(old))
		return false;
	return !f->is_leaf(old, level) || !f->is_present(new) || (f->perm(old) & ~f->perm(new)) ||
	       leaf_pa(old, level) != leaf_pa(new, level) || f->type(old) != f->type(new);
}

static void free_below(struct pt *pt, uint64_t entry, unsigned level)
{
	if (!pt->format->is_present(entry) || pt->format->is_leaf(entry, level))
		return;
	uint64_t pa = entry & ADDR_MASK;

	for (unsigned i = 0; i < ENTRIES; i++)
		free_below(pt, pt->at(pt->arg, pa)[i], level - 1);
	pt->free(pt->arg, pa);
}

static int map_level(struct pt *pt, uint64_t table, unsigned level, uint64_t va, uint64_t pa,
		     uint64_t size, unsigned perm, enum pt_type type)
{
	const struct pt_format *f = pt->format;
	uint64_t *t = pt->at(pt->arg, table);
	uint64_t span = level_size(level);

	while (size) {
		uint64_t *entry = &t[level_index(va, level)];
		uint64_t part = span - (va & (span - 1));

		if (part > size)
			part = size;
		if (!perm && !f->is_present(*entry)) {
			; /* nothing to take away */
		} else if (part == span &&
			   (perm == 0 || (level <= pt->max_leaf_level && (pa & (span - 1)) == 0))) {
			uint64_t old = *entry;
			uint64_t new = perm ? f->leaf(pa, level, perm, type) : 0;

			entry_set(entry, new);
			if (AUDIT && pt->taken && takes(f, old, new, level))
				pt->taken(pt->arg);
			free_below(pt, old, level);
		} else {
			if (!f->is_present(*entry) || f->is_leaf(*entry, level)) {
				int err = split(pt, entry, level);

				if (err)
					return err;
			}
			int err =
			    map_level(pt, *entry & ADDR_MASK, level - 1, va, pa, part, perm, type);

			if (err)
				return err;
		}
		va += part;
		pa += part;
		size -= part;
	}
	return 0;
}

int pt_map(struct pt *pt, uint64_t va, uint64_t pa, uint64_t size, unsigned perm, enum pt_type type)
{
	return map_level(pt, pt->root, PT_LEVELS, va, pa, size, perm, type);
}

bool pt_lookup(const struct pt *pt, uint64_t va, struct pt_leaf *leaf)
{
	uint64_t table = pt->root;

	/* What is present at level 1 is a leaf in every format. */
	for (unsigned level = PT_LEVELS;; level--) {
		uint64_t e = pt->at(pt->arg, table)[level_index(va, level)];

		if (!pt->format->is_present(e))
			return false;
		if (pt->format->is_leaf(e, level)) {
			leaf->page_size = level_size(level);
			leaf->pa = leaf_pa(e, level) + (va & (level_size(level) - 1));
			leaf->perm = pt->format->perm(e);
			leaf->type = pt->format->type(e);
			return true;
		}
		table = e & ADDR_MASK;
	}
}

static void for_each_level(const struct pt *pt, uint64_t table, unsigned level, uint64_t va,
			   void (*cb)(void *arg, uint64_t va, const struct pt_leaf *leaf),
			   void *arg)
{
	const uint64_t *t = pt->at(pt->arg, table);

	for (unsigned i = 0; i < ENTRIES; i++, va += level_size(level)) {
		if (!pt->format->is_present(t[i]))
			continue;
		if (!pt->format->is_leaf(t[i], level)) {
			for_each_level(pt, t[i] & ADDR_MASK, level - 1, va, cb, arg);
			continue;
		}
		struct pt_leaf leaf = {leaf_pa(t[i], level), level_size(level),
				       pt->format->perm(t[i]), pt->format->type(t[i])};

		cb(arg, va, &leaf);
	}
}

void pt_for_each(const struct pt *pt,
		 void (*cb)(void *arg, uint64_t va, const struct pt_leaf *leaf), void *arg)
{
	for_each_level(pt, pt->root, PT_LEVELS, 0, cb, arg);
}

/* Formats. x86 entries: P 0, W 1, U 2, PWT 3, PCD 4, A 5, D 6, PS 7, NX 63. */
#define X86_P   UINT64_C(1)
#define X86_W   UINT64_C(2)
#define X86_U   UINT64_C(4)
#define X86_PWT UINT64_C(8)
#define X86_PCD UINT64_C(0x10)
#define X86_AD  UINT64_C(0x60)
#define X86_PS  UINT64_C(0x80)
#define X86_NX  (UINT64_C(1) << 63)

static uint64_t x86_leaf(uint64_t pa, unsigned level, unsigned perm)
{
	return pa | X86_P | X86_AD | (perm & PT_W ? X86_W : 0) | (perm & PT_X ? 0 : X86_NX) |
	       (level > 1 ? X86_PS : 0);
}

static bool x86_is_present(uint64_t e)
{
	return e & X86_P;
}

static bool x86_is_leaf(uint64_t e, unsigned level)
{
	return level == 1 || (e & X86_PS);
}

static unsigned x86_perm(uint64_t e)
{
	return PT_R | (e & X86_W ? PT_W : 0u) | (e & X86_NX ? 0u : PT_X);
}

static uint64_t host_leaf(uint64_t pa, unsigned level, unsigned perm, enum pt_type type)
{
	/* PAT entries as after reset: 0 = WB, 1 = WT, 3 = UC; nothing else is asked for */
	return x86_leaf(pa, level, perm) | (type == PT_UC   ? X86_PCD | X86_PWT
					    : type == PT_WT ? X86_PWT
							    : 0);
}

static uint64_t host_table(uint64_t pa)
{
	return pa | X86_P | X86_W | X86_AD;
}

static enum pt_type host_type(uint64_t e)
{
	return e & X86_PCD ? PT_UC : e & X86_PWT ? PT_WT : PT_WB;
}

static uint64_t npt_leaf(uint64_t pa, unsigned level, unsigned perm, enum pt_type type)
{
	(void)type; /* the guest's PAT and the MTRRs decide (APM 2 15.25.8) */
	return x86_leaf(pa, level, perm) | X86_U; /* nested walks are user accesses */
}

static uint64_t npt_table(uint64_t pa)
{
	return pa | X86_P | X86_W | X86_U | X86_AD;
}

static enum pt_type npt_type(uint64_t e)
{
	(void)e;
	return PT_WB;
}

/* EPT: R 0, W 1, X 2, type 3-5, ignore PAT 6, large 7. */
static uint64_t ept_leaf(uint64_t pa, unsigned level, unsigned perm, enum pt_type type)
{
	return pa | perm | (uint64_t)type << 3 | (level > 1 ? 0x80 : 0);
}

static uint64_t ept_table(uint64_t pa)
{
	return pa | PT_RWX;
}

static bool ept_is_present(uint64_t e)
{
	return e & PT_RWX;
}

static bool ept_is_leaf(uint64_t e, unsigned level)
{
	return level == 1 || (e & 0x80);
}

static unsigned ept_perm(uint64_t e)
{
	return (unsigned)e & PT_RWX;
}

static enum pt_type ept_type(uint64_t e)
{
	return (enum pt_type)(e >> 3 & 7);
}

const struct pt_format pt_format_host = {
    .leaf = host_leaf,
    .table = host_table,
    .is_present = x86_is_present,
    .is_leaf = x86_is_leaf,
    .perm = x86_perm,
    .type = host_type,
};

const struct pt_format pt_format_npt = {
    .leaf = npt_leaf,
    .table = npt_table,
    .is_present = x86_is_present,
    .is_leaf = x86_is_leaf,
    .perm = x86_perm,
    .type = npt_type,
};

const struct pt_format pt_format_ept = {
    .leaf = ept_leaf,
    .table = ept_table,
    .is_present = ept_is_present,
    .is_leaf = ept_is_leaf,
    .perm = ept_perm,
    .type = ept_type,
};
