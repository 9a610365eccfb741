/* Memory-map surgery: E820 and UEFI maps as arrays of struct boot_mmap_entry. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/boot.h"

/*
 * A *normal* map is sorted by address, has no empty and no overlapping entries, no entry that runs
 * past 2^64, and no two entries that touch and have the same type and attributes, except that all
 * addresses of one kind, whose size would be 2^64, are two entries that meet at 2^63. Functions
 * below want a normal map unless they say otherwise. Addresses and sizes are bytes; maps need not
 * be page-aligned, because the guest sees them byte by byte.
 *
 * No state, any context; `map` holds `*count` entries and has room for `capacity`.
 */

#define MEMMAP_REGION_FLOOR                                                                        \
	UINT64_C(0x1000000) /* the VMM never lies below 16 MiB: old DMA, E801's first part */

/*
 * Adds a range of firmware's map to a normal map, which stays normal. Where ranges overlap, the
 * type that is less usable wins: RAM loses to everything, otherwise the larger type number wins,
 * and with the same type the larger attributes; so the order of calls does not matter. A size of 0,
 * and RAM whose E820 attribute bit 0 is clear (ACPI 6.5, 15.1: "ignore"), change nothing; a range
 * that runs past 2^64 ends there. 0, or -ENOSPC with the map unchanged.
 */
int memmap_add(struct boot_mmap_entry *map, uint32_t *count, uint32_t capacity, uint64_t base,
	       uint64_t size, uint32_t type, uint32_t attributes);

/*
 * Makes a normal map of any `in_count` entries by memmap_add(). `in` and `map` do not overlap.
 * 0, or -ENOSPC (*count is then 0).
 */
int memmap_normalise(const struct boot_mmap_entry *in, uint32_t in_count,
		     struct boot_mmap_entry *map, uint32_t *count, uint32_t capacity);

/* True when the map is normal as defined above. */
bool memmap_is_normal(const struct boot_mmap_entry *map, uint32_t count);

/*
 * The VMM's place: the highest `align`-aligned address with `size` bytes of RAM from there on, all
 * below `limit` and not below MEMMAP_REGION_FLOOR. Depends on its arguments only, so that the same
 * machine with the same configuration gives the same region (hibernation). Entries of RAM that
 * touch count as one. 0; -EINVAL: size 0 or align not a power of two; -ENOMEM: no range is large
 * enough.
 */
int memmap_choose_region(const struct boot_mmap_entry *map, uint32_t count, uint64_t size,
			 uint64_t align, uint64_t limit, uint64_t *base);

/*
 * Size of the VMM's memory: a function of configuration and machine alone, so that a hibernated
 * system finds it where it was. `configured`: vmm.memory in bytes, 0 for the default of 16 MiB, and
 * 64 KiB for each CPU beyond 16. Multiple of 2 MiB.
 */
uint64_t memmap_region_size(uint64_t configured, uint32_t cpus);

/* What memmap_choose_region() had to choose from: size of its largest candidate, 0 when there is
 * none. */
uint64_t memmap_largest_region(const struct boot_mmap_entry *map, uint32_t count, uint64_t align,
			       uint64_t limit);

/*
 * Gives [base, base + size) the type `type`, attributes 1, whatever was there, also where nothing
 * was listed. The map stays normal. 0; -EINVAL: size 0 or past 2^64; -ENOSPC: more than `capacity`
 * entries would be needed. The map is unchanged on failure.
 */
int memmap_reserve(struct boot_mmap_entry *map, uint32_t *count, uint32_t capacity, uint64_t base,
		   uint64_t size, uint32_t type);

/* Type at an address (enum boot_mmap_type or the firmware's own), 0 where nothing is listed. */
uint32_t memmap_type_at(const struct boot_mmap_entry *map, uint32_t count, uint64_t addr);

/* True when every byte of [base, base + size) is RAM. False for size 0 and for ranges past 2^64. */
bool memmap_is_ram(const struct boot_mmap_entry *map, uint32_t count, uint64_t base, uint64_t size);

/*
 * The lowest address above `addr` at which the type changes (unlisted is a type, too). False when
 * there is none below 2^64.
 */
bool memmap_next_boundary(const struct boot_mmap_entry *map, uint32_t count, uint64_t addr,
			  uint64_t *boundary);

/* Bytes of RAM in the map. */
uint64_t memmap_total_ram(const struct boot_mmap_entry *map, uint32_t count);

/* First address behind the last RAM entry, 0 when there is no RAM; UINT64_MAX when it would be
 * 2^64. */
uint64_t memmap_ram_end(const struct boot_mmap_entry *map, uint32_t count);

/* The BIOS's older answers, as INT 15h returns them for this map. */
struct memmap_bios {
	uint16_t e801_ax; /* KiB of RAM from 1 MiB on, at most 15 MiB (0x3c00); CX has the same */
	uint16_t e801_bx; /* 64 KiB blocks of RAM from 16 MiB on, without a hole, below 4 GiB; DX
			     has the same */
	uint16_t
	    h88_ax; /* AH=88h: KiB of RAM from 1 MiB on, without a hole, at most 63 MiB (0xfc00) */
	uint16_t h12_ax; /* INT 12h: KiB of RAM from 0 on, at most 640 */
};
void memmap_bios_views(const struct boot_mmap_entry *map, uint32_t count,
		       struct memmap_bios *views);

/* EFI_MEMORY_DESCRIPTOR (UEFI 2.10, 7.2.3). An array's stride is the firmware's, not this struct's
 * size. */
struct memmap_efi_descriptor {
	uint32_t type;
	uint32_t pad;
	uint64_t physical_start;
	uint64_t virtual_start;
	uint64_t number_of_pages; /* of 4 KiB */
	uint64_t attribute;
};
#define MEMMAP_EFI_ATTR_WB UINT64_C(0x8) /* EFI_MEMORY_WB */

/* Type that memory of this EFI type has for an operating system after ExitBootServices. */
uint32_t memmap_type_of_efi(uint32_t efi_type, uint64_t attribute);

/*
 * Makes a normal map of `size` bytes of EFI descriptors, `stride` bytes from one to the next. A
 * rest of less than one descriptor is ignored. 0; -EINVAL: stride smaller than a descriptor;
 * -ENOSPC.
 */
int memmap_from_efi(const void *descriptors, size_t size, size_t stride,
		    struct boot_mmap_entry *map, uint32_t *count, uint32_t capacity);
