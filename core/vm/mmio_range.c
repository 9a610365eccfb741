/* Ranges of emulated memory: the list, what of a page is trapped, the pieces of an access. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/mmio_range.h"
#include "core/errno.h"
#include "core/mm/pgtable.h"

#define ADDRESS_END (UINT64_C(1) << 48) /* what nested tables translate */

/* Index of the first range that ends behind `gpa`. */
static uint32_t index_behind(const struct mmio_ranges *set, uint64_t gpa)
{
	uint32_t low = 0, high = set->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct mmio_range *r = &set->range[middle];

		if (r->base + r->size > gpa)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static uint32_t index_of(const struct mmio_ranges *set, uint32_t id)
{
	uint32_t i = 0;

	while (i < set->count && set->range[i].id != id)
		i++;
	return i;
}

static void take_out(struct mmio_ranges *set, uint32_t i)
{
	set->count--;
	for (; i < set->count; i++)
		set->range[i] = set->range[i + 1];
}

static int put_in(struct mmio_ranges *set, const struct mmio_range *r)
{
	if (r->size == 0 || r->size > ADDRESS_END || r->base > ADDRESS_END - r->size ||
	    ((r->first || (r->ops && r->ops->page)) && (r->base | r->size) & PAGE_MASK))
		return -EINVAL;
	uint32_t at = index_behind(set, r->base);

	if (at < set->count && set->range[at].base < r->base + r->size)
		return -EEXIST;
	if (set->count == MMIO_RANGES)
		return -ENOSPC;
	for (uint32_t i = set->count++; i > at; i--)
		set->range[i] = set->range[i - 1];
	set->range[at] = *r;
	return 0;
}

int mmio_range_add(struct mmio_ranges *set, struct mmio_range *r)
{
	do {
		set->last_id = set->last_id % INT32_MAX + 1;
	} while (mmio_range_get(set, set->last_id));
	r->id = set->last_id;
	return put_in(set, r);
}

const struct mmio_range *mmio_range_get(const struct mmio_ranges *set, uint32_t id)
{
	uint32_t i = index_of(set, id);

	return i < set->count ? &set->range[i] : NULL;
}

int mmio_range_remove(struct mmio_ranges *set, uint32_t id)
{
	uint32_t i = index_of(set, id);

	if (i == set->count)
		return -ENOENT;
	take_out(set, i);
	return 0;
}

int mmio_range_move(struct mmio_ranges *set, uint32_t id, uint64_t base)
{
	uint32_t i = index_of(set, id);

	if (i == set->count)
		return -ENOENT;
	struct mmio_range old = set->range[i], new = old;

	new.base = base;
	take_out(set, i);
	int err = put_in(set, &new);

	if (err)
		put_in(set, &old); /* its place is still free */
	return err;
}

int mmio_range_set_mode(struct mmio_ranges *set, uint32_t id, enum mmio_mode mode)
{
	uint32_t i = index_of(set, id);

	if (i == set->count)
		return -ENOENT;
	int old = set->range[i].mode;

	set->range[i].mode = (uint8_t)mode;
	return old;
}

const struct mmio_range *mmio_range_at(const struct mmio_ranges *set, uint64_t gpa)
{
	uint32_t i = index_behind(set, gpa);

	return i < set->count && set->range[i].base <= gpa ? &set->range[i] : NULL;
}

unsigned mmio_range_piece(const struct mmio_ranges *set, uint64_t gpa, unsigned size,
			  const struct mmio_range **r)
{
	uint32_t i = index_behind(set, gpa);
	const struct mmio_range *next = i < set->count ? &set->range[i] : NULL;
	unsigned piece = 8;

	*r = NULL;
	if (!next || next->base >= gpa + size)
		return size;
	if (next->base > gpa)
		return (unsigned)(next->base - gpa);
	*r = next;
	while (piece > size || gpa & (piece - 1) || gpa + piece > next->base + next->size)
		piece /= 2;
	return piece;
}

struct mmio_range *mmio_range_in_page(struct mmio_ranges *set, uint64_t gpa)
{
	uint64_t page = align_down(gpa, PAGE_SIZE);
	uint32_t i = index_behind(set, page);

	return i < set->count && set->range[i].base < page + PAGE_SIZE ? &set->range[i] : NULL;
}

bool mmio_range_may_step(const struct mmio_ranges *set, uint64_t gpa)
{
	uint64_t page = align_down(gpa, PAGE_SIZE);
	uint32_t begin = index_behind(set, page), i = begin;

	for (; i < set->count && set->range[i].base < page + PAGE_SIZE; i++) {
		if (!set->range[i].ops->step)
			return false;
	}
	return i > begin;
}

/* For one page; the pages behind it are alike up to the address returned at least. */
static uint64_t page_trap(const struct mmio_ranges *set, uint64_t page, unsigned *perm,
			  mmio_first *first)
{
	uint32_t begin = index_behind(set, page), i = begin;
	uint64_t until = page + PAGE_SIZE, end;

	*perm = PT_RWX;
	*first = NULL;
	for (; i < set->count && set->range[i].base < page + PAGE_SIZE; i++)
		*perm &= set->range[i].mode == MMIO_WRITES ? PT_RX : 0u;
	if (i == begin) /* none */
		return i < set->count ? align_down(set->range[i].base, PAGE_SIZE) : UINT64_MAX;
	/* one that reaches into the next page, or looks first, is the only one */
	if (set->range[begin].ops && set->range[begin].ops->page) {
		*perm = set->range[begin].ops->page(set->range[begin].arg,
						    page - set->range[begin].base);
		return until;
	}
	*first = set->range[begin].first;
	end = align_down(set->range[begin].base + set->range[begin].size, PAGE_SIZE);
	return end > until ? end : until;
}

uint64_t mmio_range_run(const struct mmio_ranges *set, uint64_t page, uint64_t end, unsigned *perm,
			mmio_first *first)
{
	uint64_t until = page_trap(set, page, perm, first);

	while (until < end) {
		unsigned next_perm;
		mmio_first next_first;
		uint64_t next = page_trap(set, until, &next_perm, &next_first);

		if (next_perm != *perm || next_first != *first)
			break;
		until = next;
	}
	return until < end ? until : end;
}
