/* Memory-map surgery: E820 and UEFI maps as arrays of struct boot_mmap_entry. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/mm/memmap.h"
#include "core/addr.h"
#include "core/errno.h"
#include "core/string.h"

#define KIB  UINT64_C(1024)
#define MIB  (1024 * KIB)
#define GIB  (1024 * MIB)
#define HALF (UINT64_C(1) << 63)

#define REGION_DEFAULT (16 * MIB)
#define REGION_CPUS    16 /* CPUs that the default size provides for */
#define REGION_PER_CPU (64 * KIB)

/* Ranges are handled by their last byte: an end of 2^64 has no representation, 2^64 - 1 has. */
static uint64_t last_of(const struct boot_mmap_entry *entry)
{
	return entry->base + (entry->size - 1);
}

static bool same_kind(const struct boot_mmap_entry *a, const struct boot_mmap_entry *b)
{
	return a->type == b->type && a->attributes == b->attributes;
}

/* Whether a range wins over (or is like) one that it overlaps: RAM never, then by type, attributes.
 */
static bool at_least(const struct boot_mmap_entry *entry, uint32_t type, uint32_t attributes)
{
	bool ram = entry->type == BOOT_MMAP_RAM, other_ram = type == BOOT_MMAP_RAM;

	if (ram != other_ram)
		return other_ram;
	if (entry->type != type)
		return entry->type > type;
	return entry->attributes >= attributes;
}

/* Index of the first entry that ends at or above addr; count when there is none. */
static uint32_t find(const struct boot_mmap_entry *map, uint32_t count, uint64_t addr)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (last_of(&map[mid]) < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool touch(const struct boot_mmap_entry *left, const struct boot_mmap_entry *right)
{
	return same_kind(left, right) && right->base != 0 && last_of(left) == right->base - 1;
}

/* Two entries that are all addresses: their sum's size would be 2^64. */
static bool are_all(const struct boot_mmap_entry *left, const struct boot_mmap_entry *right)
{
	return touch(left, right) && left->base == 0 && last_of(right) == UINT64_MAX;
}

/* Adds `right` to `left` if they touch, are of a kind, and the sum's size can be represented. */
static bool join(struct boot_mmap_entry *left, const struct boot_mmap_entry *right)
{
	if (!touch(left, right) || are_all(left, right))
		return false;
	left->size += right->size;
	return true;
}

/* Replaces everything in [base, last] by one range. Normal in, normal out, unchanged on -ENOSPC. */
static int replace(struct boot_mmap_entry *map, uint32_t *count, uint32_t capacity, uint64_t base,
		   uint64_t last, uint32_t type, uint32_t attributes)
{
	struct boot_mmap_entry piece[3] = {0};
	uint32_t from, to, pieces = 0, keep, i;

	from = find(map, *count, base);
	for (to = from; to < *count && map[to].base <= last; to++)
		;

	/* What is left of the first overlapped entry, or the neighbour that may join. */
	if (from < to && map[from].base < base) {
		piece[pieces] = map[from];
		piece[pieces].size = base - map[from].base;
		pieces++;
	} else if (from > 0) {
		from--;
		piece[pieces++] = map[from];
	}

	keep = pieces;
	piece[pieces++] = (struct boot_mmap_entry){
	    .base = base, .size = last - base + 1, .type = type, .attributes = attributes};
	if (keep == 1 && join(&piece[0], &piece[1]))
		pieces = 1;

	/* The same on the right. */
	if (to > 0 && map[to - 1].base <= last && last_of(&map[to - 1]) > last) {
		struct boot_mmap_entry right = map[to - 1];

		right.base = last + 1;
		right.size = last_of(&map[to - 1]) - last;
		if (!join(&piece[pieces - 1], &right))
			piece[pieces++] = right;
	} else if (to < *count) {
		if (join(&piece[pieces - 1], &map[to]))
			to++;
	}

	if (*count - (to - from) + pieces > capacity)
		return -ENOSPC;
	memmove(&map[from + pieces], &map[to], (*count - to) * sizeof(map[0]));
	memcpy(&map[from], piece, pieces * sizeof(map[0]));
	*count = *count - (to - from) + pieces;

	/*
	 * All addresses of a kind are two halves: wherever they met before, so that one meaning has
	 * one form; and two entries that only this kept apart join when a part was cut off.
	 */
	for (i = from > 0 ? from - 1 : 0; i + 1 < *count && i <= from + pieces; i++) {
		if (are_all(&map[i], &map[i + 1])) {
			map[i].size = HALF;
			map[i + 1].base = HALF;
			map[i + 1].size = HALF;
		} else if (join(&map[i], &map[i + 1])) {
			memmove(&map[i + 1], &map[i + 2], (*count - i - 2) * sizeof(map[0]));
			(*count)--;
		}
	}
	return 0;
}

int memmap_add(struct boot_mmap_entry *map, uint32_t *count, uint32_t capacity, uint64_t base,
	       uint64_t size, uint32_t type, uint32_t attributes)
{
	uint64_t last, at;

	if (size == 0 || (type == BOOT_MMAP_RAM && !(attributes & 1)))
		return 0;
	last = size - 1 > UINT64_MAX - base ? UINT64_MAX : base + (size - 1);

	/* Skip what is stronger, replace each stretch of what is weaker or not listed. */
	for (at = base;;) {
		uint64_t start = at, stop = last;
		uint32_t i = find(map, *count, at);
		bool weaker = true;
		int err;

		for (; i < *count && map[i].base <= last; i++) {
			if (!at_least(&map[i], type, attributes))
				continue;
			if (map[i].base <= at) {
				weaker = false;
				stop = last_of(&map[i]);
			} else {
				stop = map[i].base - 1;
			}
			break;
		}
		if (weaker) {
			err = replace(map, count, capacity, start, stop, type, attributes);
			if (err)
				return err;
		}
		if (stop >= last)
			return 0;
		at = stop + 1;
	}
}

int memmap_normalise(const struct boot_mmap_entry *in, uint32_t in_count,
		     struct boot_mmap_entry *map, uint32_t *count, uint32_t capacity)
{
	uint32_t i;

	*count = 0;
	for (i = 0; i < in_count; i++) {
		int err = memmap_add(map, count, capacity, in[i].base, in[i].size, in[i].type,
				     in[i].attributes);

		if (err) {
			*count = 0;
			return err;
		}
	}
	return 0;
}

bool memmap_is_normal(const struct boot_mmap_entry *map, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (map[i].size == 0 || map[i].size - 1 > UINT64_MAX - map[i].base)
			return false;
		if (i == 0)
			continue;
		if (last_of(&map[i - 1]) >= map[i].base)
			return false;
		if (touch(&map[i - 1], &map[i]) &&
		    !(are_all(&map[i - 1], &map[i]) && map[i].base == HALF))
			return false;
	}
	return true;
}

/*
 * The run of RAM entries that touch, from entry *i on: sets its first and last byte and moves *i
 * behind it. False when no RAM is left.
 */
static bool next_run(const struct boot_mmap_entry *map, uint32_t count, uint32_t *i, uint64_t *base,
		     uint64_t *last)
{
	while (*i < count && map[*i].type != BOOT_MMAP_RAM)
		(*i)++;
	if (*i == count)
		return false;
	*base = map[*i].base;
	*last = last_of(&map[*i]);
	for ((*i)++; *i < count; (*i)++) {
		if (map[*i].type != BOOT_MMAP_RAM || map[*i].base - 1 != *last)
			break;
		*last = last_of(&map[*i]);
	}
	return true;
}

/* The part of a run where the VMM may lie. False when nothing is left. */
static bool clip(uint64_t *base, uint64_t *last, uint64_t limit)
{
	if (*base < MEMMAP_REGION_FLOOR)
		*base = MEMMAP_REGION_FLOOR;
	if (limit == 0)
		return false;
	if (*last > limit - 1)
		*last = limit - 1;
	return *base <= *last;
}

static bool bad_align(uint64_t align)
{
	return align == 0 || (align & (align - 1)) != 0;
}

int memmap_choose_region(const struct boot_mmap_entry *map, uint32_t count, uint64_t size,
			 uint64_t align, uint64_t limit, uint64_t *base)
{
	uint64_t run, last;
	bool found = false;
	uint32_t i = 0;

	if (size == 0 || bad_align(align))
		return -EINVAL;
	while (next_run(map, count, &i, &run, &last)) {
		uint64_t place;

		if (!clip(&run, &last, limit) || last - run < size - 1)
			continue;
		place = (last - (size - 1)) & ~(align - 1);
		if (place < run)
			continue;
		*base = place; /* runs come in ascending order: the last that fits is the highest */
		found = true;
	}
	return found ? 0 : -ENOMEM;
}

uint64_t memmap_region_size(uint64_t configured, uint32_t cpus)
{
	uint64_t size = configured ? configured : REGION_DEFAULT;

	if (!configured && cpus > REGION_CPUS)
		size += (cpus - REGION_CPUS) * REGION_PER_CPU;
	return align_up(size, SIZE_2M);
}

uint64_t memmap_largest_region(const struct boot_mmap_entry *map, uint32_t count, uint64_t align,
			       uint64_t limit)
{
	uint64_t run, last, largest = 0;
	uint32_t i = 0;

	if (bad_align(align))
		return 0;
	while (next_run(map, count, &i, &run, &last)) {
		uint64_t start, end;

		if (!clip(&run, &last, limit) || run > UINT64_MAX - (align - 1))
			continue;
		start = (run + (align - 1)) & ~(align - 1);
		end = (last == UINT64_MAX ? last : last + 1) & ~(align - 1);
		if (end > start && end - start > largest)
			largest = end - start;
	}
	return largest;
}

int memmap_reserve(struct boot_mmap_entry *map, uint32_t *count, uint32_t capacity, uint64_t base,
		   uint64_t size, uint32_t type)
{
	if (size == 0 || size - 1 > UINT64_MAX - base)
		return -EINVAL;
	return replace(map, count, capacity, base, base + (size - 1), type, 1);
}

uint32_t memmap_type_at(const struct boot_mmap_entry *map, uint32_t count, uint64_t addr)
{
	uint32_t i = find(map, count, addr);

	return i < count && map[i].base <= addr ? map[i].type : 0;
}

/* Bytes of RAM from addr on without a hole, at most `max` (max > 0). */
static uint64_t ram_from(const struct boot_mmap_entry *map, uint32_t count, uint64_t addr,
			 uint64_t max)
{
	uint64_t run, last;
	uint32_t i = find(map, count, addr);

	if (i == count || map[i].base > addr || map[i].type != BOOT_MMAP_RAM)
		return 0;
	next_run(map, count, &i, &run, &last);
	return last - addr < max - 1 ? last - addr + 1 : max;
}

bool memmap_is_ram(const struct boot_mmap_entry *map, uint32_t count, uint64_t base, uint64_t size)
{
	if (size == 0 || size - 1 > UINT64_MAX - base)
		return false;
	return ram_from(map, count, base, size) == size;
}

bool memmap_next_boundary(const struct boot_mmap_entry *map, uint32_t count, uint64_t addr,
			  uint64_t *boundary)
{
	uint32_t type = memmap_type_at(map, count, addr);
	uint64_t at = addr;

	do {
		uint32_t i = find(map, count, at);

		if (i == count)
			return false;
		if (map[i].base > at) {
			at = map[i].base;
		} else {
			if (last_of(&map[i]) == UINT64_MAX)
				return false;
			at = last_of(&map[i]) + 1;
		}
	} while (memmap_type_at(map, count, at) == type);
	*boundary = at;
	return true;
}

uint64_t memmap_total_ram(const struct boot_mmap_entry *map, uint32_t count)
{
	uint64_t total = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (map[i].type == BOOT_MMAP_RAM)
			total = map[i].size > UINT64_MAX - total ? UINT64_MAX : total + map[i].size;
	}
	return total;
}

uint64_t memmap_ram_end(const struct boot_mmap_entry *map, uint32_t count)
{
	while (count-- > 0) {
		if (map[count].type == BOOT_MMAP_RAM)
			return last_of(&map[count]) == UINT64_MAX ? UINT64_MAX
								  : last_of(&map[count]) + 1;
	}
	return 0;
}

void memmap_bios_views(const struct boot_mmap_entry *map, uint32_t count, struct memmap_bios *views)
{
	views->e801_ax = (uint16_t)(ram_from(map, count, MIB, 15 * MIB) / KIB);
	views->e801_bx =
	    (uint16_t)(ram_from(map, count, 16 * MIB, 4 * GIB - 16 * MIB) / (64 * KIB));
	/* 16 bits of KiB end just below 65 MiB; programs know 64 MiB as the most that AH=88h can
	 * mean. */
	views->h88_ax = (uint16_t)(ram_from(map, count, MIB, 63 * MIB) / KIB);
	views->h12_ax = (uint16_t)(ram_from(map, count, 0, 640 * KIB) / KIB);
}

/* EFI_MEMORY_TYPE, UEFI 2.10, 7.2.1. */
enum {
	EFI_LOADER_CODE = 1,
	EFI_LOADER_DATA = 2,
	EFI_BOOT_SERVICES_CODE = 3,
	EFI_BOOT_SERVICES_DATA = 4,
	EFI_CONVENTIONAL = 7,
	EFI_UNUSABLE = 8,
	EFI_ACPI_RECLAIM = 9,
	EFI_ACPI_NVS = 10,
	EFI_MMIO = 11,
	EFI_MMIO_PORT_SPACE = 12,
	EFI_PERSISTENT = 14,
};

uint32_t memmap_type_of_efi(uint32_t efi_type, uint64_t attribute)
{
	switch (efi_type) {
	case EFI_LOADER_CODE:
	case EFI_LOADER_DATA:
	case EFI_BOOT_SERVICES_CODE:
	case EFI_BOOT_SERVICES_DATA:
	case EFI_CONVENTIONAL:
		/* What cannot be cached write-back is not used as RAM by any operating system. */
		return attribute & MEMMAP_EFI_ATTR_WB ? BOOT_MMAP_RAM : BOOT_MMAP_RESERVED;
	case EFI_UNUSABLE:
		return BOOT_MMAP_UNUSABLE;
	case EFI_ACPI_RECLAIM:
		return BOOT_MMAP_ACPI;
	case EFI_ACPI_NVS:
		return BOOT_MMAP_NVS;
	case EFI_MMIO:
	case EFI_MMIO_PORT_SPACE:
		return BOOT_MMAP_MMIO;
	case EFI_PERSISTENT:
		return BOOT_MMAP_PMEM;
	default: /* reserved, run-time services, PAL code, unaccepted, vendors' own */
		return BOOT_MMAP_RESERVED;
	}
}

int memmap_from_efi(const void *descriptors, size_t size, size_t stride,
		    struct boot_mmap_entry *map, uint32_t *count, uint32_t capacity)
{
	const uint8_t *at = descriptors;

	*count = 0;
	if (stride < sizeof(struct memmap_efi_descriptor))
		return -EINVAL;
	for (; size >= stride; size -= stride, at += stride) {
		struct memmap_efi_descriptor d;
		int err;

		memcpy(&d, at, sizeof(d)); /* the array need not be aligned */
		err = memmap_add(map, count, capacity, d.physical_start,
				 d.number_of_pages > UINT64_MAX >> 12 ? UINT64_MAX
								      : d.number_of_pages << 12,
				 memmap_type_of_efi(d.type, d.attribute), 1);
		if (err) {
			*count = 0;
			return err;
		}
	}
	return 0;
}
