/* Pages of the VMM's own region, and the translation between their two addresses. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "core/addr.h"
#include "core/boot.h"

extern uint64_t region_base; /* physical start of the VMM's region; the image lies there */
extern uint64_t region_size; /* bytes */

/* Address of a byte of the region, physical and back. */
static inline hpa_t virt_to_phys(const volatile void *p)
{
	return HPA((uintptr_t)p - BOOT_IMAGE_VIRT + region_base);
}

static inline void *phys_to_virt(hpa_t pa)
{
	return (void *)(uintptr_t)(pa.a - region_base + BOOT_IMAGE_VIRT);
}

/* Hand the region's memory behind the image to the allocator. Context: boot CPU, once. */
void pages_init(uint64_t base, uint64_t size, uint64_t image_size);
/*
 * The last `count` pages of the region, as they are: what an earlier run left there is still in
 * them. Context: boot CPU, once, before the first pages_alloc().
 */
void *pages_take_end(size_t count);
/* `count` zeroed contiguous pages aligned to `align` bytes, or NULL. Context: any CPU; takes a
 * lock. */
void *pages_alloc(size_t count, uint64_t align);
/* Give pages back. Context: as pages_alloc. */
void pages_free(void *p, size_t count);
/*
 * Page tables in pages of the region, as callbacks of struct pt (pgtable.h). `arg` is not used.
 * Context: as pages_alloc; pages_table_at() any.
 */
uint64_t pages_table_alloc(void *arg);
void pages_table_free(void *arg, uint64_t pa);
uint64_t *pages_table_at(void *arg, uint64_t pa);
/* Pages not handed out. */
size_t pages_available(void);
