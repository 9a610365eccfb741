/* The firmware's memory map in the form of the boot contract (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/efimap.h"
#include "core/addr.h"
#include "core/errno.h"
#include "core/string.h"

/* UEFI 2.10, section 7.2.3, EFI_MEMORY_DESCRIPTOR. Firmware may put more after it. */
struct efi_memory_descriptor {
	uint32_t type;
	uint32_t pad;
	uint64_t physical_start;
	uint64_t virtual_start;
	uint64_t number_of_pages;
	uint64_t attribute;
};
_Static_assert(sizeof(struct efi_memory_descriptor) == 40, "UEFI 2.10, section 7.2.3");

/* UEFI 2.10, tables 7.5 and 7.6: use of each type before and after ExitBootServices. */
static uint32_t type_of(uint32_t efi_type)
{
	switch (efi_type) {
	case 1: /* EfiLoaderCode */
	case 2: /* EfiLoaderData */
	case 3: /* EfiBootServicesCode */
	case 4: /* EfiBootServicesData */
	case 7: /* EfiConventionalMemory */
		return BOOT_MMAP_RAM;
	case 8: /* EfiUnusableMemory */
		return BOOT_MMAP_UNUSABLE;
	case 9: /* EfiACPIReclaimMemory */
		return BOOT_MMAP_ACPI;
	case 10: /* EfiACPIMemoryNVS */
		return BOOT_MMAP_NVS;
	case 11: /* EfiMemoryMappedIO */
	case 12: /* EfiMemoryMappedIOPortSpace */
		return BOOT_MMAP_MMIO;
	case 14: /* EfiPersistentMemory */
		return BOOT_MMAP_PMEM;
	default:
		return BOOT_MMAP_RESERVED;
	}
}

/* Inserts by address; firmware mostly delivers in order, then this is one comparison. */
static int insert(struct boot_mmap_entry *out, uint32_t *count, uint32_t max,
		  const struct boot_mmap_entry *e)
{
	uint32_t i = *count;
	while (i > 0 && out[i - 1].base > e->base)
		i--;
	struct boot_mmap_entry *below = i > 0 ? &out[i - 1] : NULL;
	struct boot_mmap_entry *above = i < *count ? &out[i] : NULL;
	if (below != NULL && below->type == e->type && below->base + below->size == e->base) {
		below->size += e->size;
		if (above != NULL && above->type == e->type &&
		    below->base + below->size == above->base) {
			below->size += above->size;
			memmove(above, above + 1, (*count - i - 1) * sizeof(*above));
			(*count)--;
		}
		return 0;
	}
	if (above != NULL && above->type == e->type && e->base + e->size == above->base) {
		above->base = e->base;
		above->size += e->size;
		return 0;
	}
	if (*count == max)
		return -ENOSPC;
	memmove(&out[i + 1], &out[i], (*count - i) * sizeof(*out));
	out[i] = *e;
	(*count)++;
	return 0;
}

int efimap_convert(const void *map, size_t size, size_t desc_size, struct boot_mmap_entry *out,
		   uint32_t max)
{
	struct efi_memory_descriptor d;
	uint32_t count = 0;

	if (desc_size < sizeof(d))
		return -EINVAL;
	for (size_t at = 0; at + desc_size <= size; at += desc_size) {
		memcpy(&d, (const uint8_t *)map + at, sizeof(d));
		if (d.number_of_pages == 0)
			continue;
		if (d.number_of_pages > UINT64_MAX >> PAGE_SHIFT ||
		    d.physical_start > UINT64_MAX - (d.number_of_pages << PAGE_SHIFT))
			return -EINVAL;
		struct boot_mmap_entry e = {.base = d.physical_start,
					    .size = d.number_of_pages << PAGE_SHIFT,
					    .type = type_of(d.type),
					    .attributes = 1};
		int r = insert(out, &count, max, &e);
		if (r < 0)
			return r;
	}
	return (int)count;
}
