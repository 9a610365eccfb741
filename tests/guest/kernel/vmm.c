/* What a case may ask of the VMM that it runs under. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/kernel.h"

#define LIKE_PAGES 16u

struct region region_get(void)
{
	struct region r;

	r.base = memory_missing(&r.end);
	if (!r.base)
		case_skip("without the VMM there is no memory of its own");
	return r;
}

struct region region_like(void)
{
	struct region r;

	r.base = memory_missing(&r.end);
	if (r.base)
		return r;
	page_alloc();
	r.base = (uintptr_t)page_alloc();
	for (unsigned n = 1; n < LIKE_PAGES; n++)
		page_alloc();
	r.end = r.base + LIKE_PAGES * 4096;
	page_alloc();
	memset((void *)r.base, 0xff, r.end - r.base);
	return r;
}

void region_check(const struct region *r, const char *name)
{
	uint64_t at = r->base;

	while (at < r->end && *(volatile uint64_t *)at == REGION_ONES)
		at += at % 4096 ? 8 : 4088; /* the first and the last word of each page */
	CHECK_EQ(at, r->end, "%s: the VMM's memory reads as ones up to its end", name);
}

uint64_t region_behind(const void *own, uint64_t phys, unsigned pages)
{
	uint64_t virt = page_space();

	page_map(virt, (uintptr_t)own, PAGE_P | PAGE_W);
	for (unsigned n = 0; n < pages; n++)
		page_map(virt + 4096 * (n + 1u), phys + 4096 * n, PAGE_P | PAGE_W);
	return virt;
}

void vmm_only(const char *reason)
{
	if (!word_text("ram"))
		case_skip(reason);
}

uint64_t vmm_sum(void)
{
	uint64_t number, sum = 0;

	if (!word_number("sums", 0))
		return 0;
	number = vmm_call(0, (uintptr_t) "test_sum", &sum, 0);
	return number && vmm_call(number, 0, &sum, 0) == 0 ? sum : 0;
}
