/* The VMM's memory, taken from the firmware. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/loader.h"
#include "core/addr.h"

/* EFI_MEMORY_ATTRIBUTE_PROTOCOL, UEFI 2.10, section 37.7.1; GNU-EFI does not have it. */
struct memory_attribute_protocol {
	void *get;
	void *set;
	EFI_STATUS(EFIAPI *clear)
	(struct memory_attribute_protocol *this, UINT64 base, UINT64 size, UINT64 attributes);
};
static EFI_GUID memory_attribute_guid = {
    0xf4560cf6, 0x40ec, 0x4b4a, {0xa1, 0x92, 0xbf, 0x1d, 0x57, 0xd0, 0xb1, 0x89}};
#define MEMORY_XP UINT64_C(0x4000)
#define MEMORY_RO UINT64_C(0x20000)

UINT64 region_reserve(UINT64 size)
{
	EFI_PHYSICAL_ADDRESS start = SIZE_4G - 1;
	UINT64 total = size + SIZE_2M;
	if (EFI_ERROR(BS->AllocatePages(AllocateMaxAddress, EfiReservedMemoryType,
					EFI_SIZE_TO_PAGES(total), &start)))
		return 0;
	UINT64 base = align_down(start + total - size, SIZE_2M);
	if (base != start)
		BS->FreePages(start, EFI_SIZE_TO_PAGES(base - start));
	if (base + size != start + total)
		BS->FreePages(base + size, EFI_SIZE_TO_PAGES(start + total - base - size));

	/* Firmware that keeps data not executable has this protocol to say otherwise. */
	void *p;
	if (!EFI_ERROR(BS->LocateProtocol(&memory_attribute_guid, NULL, &p))) {
		struct memory_attribute_protocol *attribute = p;
		attribute->clear(attribute, base, size, MEMORY_XP | MEMORY_RO);
	}
	return base;
}

void region_free(UINT64 base, UINT64 size)
{
	if (base != 0)
		BS->FreePages(base, EFI_SIZE_TO_PAGES(size));
}

UINT64 region_reserve_low(void)
{
	EFI_PHYSICAL_ADDRESS page = 0xfffff;
	if (EFI_ERROR(BS->AllocatePages(AllocateMaxAddress, EfiReservedMemoryType, 1, &page)))
		return 0;
	return page;
}
