/*
 * Accesses of 2 to 16 bytes over both borders of the VMM's memory, at every split: the guest's own
 * part is read and written, the VMM's part is ones (bug classes 3 and 4). The pages are the ones
 * that really lie there.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define OWN UINT64_C(0x5a5a5a5a5a5a5a5a)

static uint64_t read(uint64_t at, unsigned size)
{
	return size == 2   ? *(volatile uint16_t *)at
	       : size == 4 ? *(volatile uint32_t *)at
			   : *(volatile uint64_t *)at;
}

static void write(uint64_t at, unsigned size, uint64_t value)
{
	if (size == 2)
		*(volatile uint16_t *)at = (uint16_t)value;
	else if (size == 4)
		*(volatile uint32_t *)at = (uint32_t)value;
	else
		*(volatile uint64_t *)at = value;
}

/* `border`: the first byte of one side; the VMM's is behind it if `behind`. */
static void border(uint64_t at, bool behind, const char *name)
{
	uint64_t own = behind ? at - 16 : at, saved[2];

	memcpy(saved, (void *)own, sizeof(saved));
	for (unsigned size = 2; size <= 8; size *= 2) {
		for (unsigned below = 1; below < size; below++) {
			uint64_t ones = REGION_ONES >> (64 - 8 * size),
				 low = ones >> 8 * (size - below);
			uint64_t mine = behind ? low : ones & ~low; /* bytes of the guest */

			memset((void *)own, 0x5a, 16);
			CHECK_EQ(read(at - below, size), (OWN & mine) | (ones & ~mine),
				 "%s read %u-%u", name, size, below);
			write(at - below, size, 0);
			CHECK_EQ(read(at - below, size), ones & ~mine, "%s write %u-%u", name, size,
				 below);
		}
	}
	memset((void *)own, 0x5a, 16);
	for (unsigned below = 1; below < 16; below++) {
		uint64_t v[2];

		__asm__ volatile("movups (%0), %%xmm0; movups %%xmm0, (%1)"
				 :
				 : "r"(at - below), "r"(v)
				 : "memory");
		for (unsigned n = 0; n < 16; n++)
			CHECK_EQ(((uint8_t *)v)[n], (n < below) == behind ? 0x5a : 0xff,
				 "%s read 16-%u byte %u", name, below, n);
	}
	memcpy((void *)own, saved, sizeof(saved));
}

GUEST_CASE(region_edge, "the VMM's promise: Documentation/memory-map.md")
{
	struct region r = region_get();

	write_cr4(read_cr4() | BIT(9));
	border(r.base, true, "below");
	border(r.end, false, "above");
	region_check(&r, "end");
}
