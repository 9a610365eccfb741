/* Page allocator of the VMM's region: a bitmap, first fit. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/mm/pages.h"
#include "core/panic.h"
#include "core/spinlock.h"
#include "core/string.h"

uint64_t region_base = BOOT_IMAGE_PHYS; /* until the image is moved */
uint64_t region_size;

static struct spinlock lock;
static uint64_t *bitmap; /* one bit a page of the region, set = in use */
static size_t page_count, free_count;

static bool used(size_t i)
{
	return bitmap[i / 64] >> (i % 64) & 1;
}

static void mark(size_t first, size_t count, bool in_use)
{
	for (size_t i = first; i < first + count; i++) {
		if (in_use)
			bitmap[i / 64] |= UINT64_C(1) << (i % 64);
		else
			bitmap[i / 64] &= ~(UINT64_C(1) << (i % 64));
	}
}

void pages_init(uint64_t base, uint64_t size, uint64_t image_size)
{
	region_base = base;
	region_size = size;
	page_count = size / PAGE_SIZE;
	size_t first = align_up(image_size, PAGE_SIZE) / PAGE_SIZE;
	size_t bitmap_pages = align_up((page_count + 7) / 8, PAGE_SIZE) / PAGE_SIZE;

	bitmap = phys_to_virt(HPA(base + first * PAGE_SIZE));
	memset(bitmap, 0, bitmap_pages * PAGE_SIZE);
	mark(0, first + bitmap_pages, true);
	free_count = page_count - first - bitmap_pages;
}

void *pages_take_end(size_t count)
{
	mark(page_count - count, count, true);
	free_count -= count;
	return phys_to_virt(HPA(region_base + (page_count - count) * PAGE_SIZE));
}

void *pages_alloc(size_t count, uint64_t align)
{
	size_t step = align > PAGE_SIZE ? align / PAGE_SIZE : 1;
	void *p = NULL;

	spinlock_take(&lock);
	for (size_t i = 0; i + count <= page_count && !p; i += step) {
		size_t n = 0;

		while (n < count && !used(i + n))
			n++;
		if (n < count)
			continue;
		mark(i, count, true);
		free_count -= count;
		p = phys_to_virt(HPA(region_base + i * PAGE_SIZE));
	}
	spinlock_release(&lock);
	if (p)
		memset(p, 0, count * PAGE_SIZE);
	return p;
}

void pages_free(void *p, size_t count)
{
	size_t first = (virt_to_phys(p).a - region_base) / PAGE_SIZE;

#ifdef CONFIG_DEBUG
	memset(p, 0xa5, count * PAGE_SIZE);
#endif
	spinlock_take(&lock);
#ifdef CONFIG_DEBUG
	for (size_t i = first; i < first + count; i++)
		ASSERT(used(i));
#endif
	mark(first, count, false);
	free_count += count;
	spinlock_release(&lock);
}

size_t pages_available(void)
{
	return free_count;
}

uint64_t pages_table_alloc(void *arg)
{
	void *p = pages_alloc(1, PAGE_SIZE);

	(void)arg;
	return p ? virt_to_phys(p).a : 0;
}

void pages_table_free(void *arg, uint64_t pa)
{
	(void)arg;
	pages_free(phys_to_virt(HPA(pa)), 1);
}

uint64_t *pages_table_at(void *arg, uint64_t pa)
{
	(void)arg;
	return phys_to_virt(HPA(pa));
}
