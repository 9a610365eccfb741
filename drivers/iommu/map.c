/* Second-level page tables that map memory one to one but for holes, built once. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/iommu/map.h"
#include "core/addr.h"
#include "core/errno.h"

#define ENTRIES   512u
#define ADDR_MASK UINT64_C(0x000ffffffffff000)

static uint64_t span_of(unsigned level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

int iommu_map_hole(struct iommu_map *m, uint64_t base, uint64_t end)
{
	if (base >= end)
		return 0;
	if (m->hole_count == IOMMU_MAX_HOLES)
		return -ENOSPC;
	m->hole[m->hole_count++] =
	    (struct iommu_hole){align_down(base, PAGE_SIZE), align_up(end, PAGE_SIZE)};
	return 0;
}

enum part { PART_NONE, PART_SOME, PART_ALL };

/* How much of a block devices may reach. */
static enum part part_of(const struct iommu_map *m, uint64_t base, uint64_t span)
{
	enum part part = base >= m->end ? PART_NONE : base + span > m->end ? PART_SOME : PART_ALL;

	for (unsigned i = 0; i < m->hole_count && part != PART_NONE; i++) {
		const struct iommu_hole *h = &m->hole[i];

		if (h->base <= base && h->end >= base + span)
			part = PART_NONE;
		else if (h->base < base + span && h->end > base)
			part = PART_SOME;
	}
	return part;
}

/* Must the block have a table of its own? Holes end at pages, so level 1 never needs one. */
static bool needs_table(const struct iommu_map *m, enum part part, unsigned level)
{
	return part == PART_SOME || (part == PART_ALL && level > m->max_leaf);
}

static uint32_t count_below(const struct iommu_map *m, uint64_t base, unsigned level,
			    uint32_t limit)
{
	uint64_t span = span_of(level);
	uint32_t n = 1;

	for (unsigned i = 0; level > 1 && i < ENTRIES && n <= limit; i++) {
		uint64_t at = base + i * span;

		if (needs_table(m, part_of(m, at, span), level))
			n += count_below(m, at, level - 1, limit - n);
	}
	return n;
}

uint32_t iommu_map_count(const struct iommu_map *m, uint32_t limit)
{
	uint32_t n = count_below(m, 0, IOMMU_LEVELS, limit);

	return n > limit ? limit + 1 : n;
}

/* The depth is bounded by the level. */
static int build(struct iommu_map *m, uint64_t base, unsigned level, uint64_t *table)
{
	uint64_t span = span_of(level);

	*table = m->alloc(m->arg);
	if (!*table)
		return -ENOMEM;
	m->tables++;
	uint64_t *t = m->at(m->arg, *table);

	for (unsigned i = 0; i < ENTRIES; i++) {
		uint64_t at = base + i * span, below;
		enum part part = part_of(m, at, span);

		if (needs_table(m, part, level)) {
			int err = build(m, at, level - 1, &below);

			if (err)
				return err;
			t[i] = m->format->table(below, level);
		} else {
			t[i] = part == PART_ALL ? m->format->leaf(at, level) : m->format->blocked;
		}
	}
	return 0;
}

int iommu_map_build(struct iommu_map *m, uint64_t *root, uint64_t *root3)
{
	m->tables = 0;
	int err = build(m, 0, IOMMU_LEVELS, root);

	if (!err)
		*root3 = m->at(m->arg, *root)[0] & ADDR_MASK;
	return err;
}

bool iommu_map_lookup(const struct iommu_map *m, uint64_t root, uint64_t address, uint64_t *pa)
{
	uint64_t table = root;

	for (unsigned level = IOMMU_LEVELS; level > 0; level--) {
		uint64_t span = span_of(level);
		uint64_t e = m->at(m->arg, table)[address / span % ENTRIES];

		if (e == m->format->blocked)
			return false;
		*pa = (e & ADDR_MASK & ~(span - 1)) + address % span;
		if (e == m->format->leaf(*pa - address % span, level))
			return true;
		table = e & ADDR_MASK;
	}
	return false;
}

/* ---- formats ---- */

#define VTD_READ_WRITE UINT64_C(3)
#define VTD_LARGE      UINT64_C(0x80)

static uint64_t vtd_leaf(uint64_t pa, unsigned level)
{
	return pa | VTD_READ_WRITE | (level > 1 ? VTD_LARGE : 0);
}

static uint64_t vtd_table(uint64_t pa, unsigned level)
{
	(void)level;
	return pa | VTD_READ_WRITE;
}

const struct iommu_format iommu_format_vtd = {vtd_leaf, vtd_table, 0};

#define AMD_PRESENT    UINT64_C(1)
#define AMD_NEXT_SHIFT 9 /* next level; 0: a leaf of the size that belongs to its table */
#define AMD_READ_WRITE (UINT64_C(3) << 61)

static uint64_t amd_leaf(uint64_t pa, unsigned level)
{
	(void)level;
	return pa | AMD_PRESENT | AMD_READ_WRITE;
}

static uint64_t amd_table(uint64_t pa, unsigned level)
{
	return pa | AMD_PRESENT | (uint64_t)(level - 1) << AMD_NEXT_SHIFT | AMD_READ_WRITE;
}

const struct iommu_format iommu_format_amd = {amd_leaf, amd_table, 0};
