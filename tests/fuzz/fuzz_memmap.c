/* Fuzzer of core/mm/memmap.c: maps of any ranges against the rule, applied at each border. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/errno.h"
#include "core/mm/memmap.h"
#include "tests/fuzz/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_IN 24

typedef struct boot_mmap_entry entry;

/* What the rule says about one address: the least usable of all that contain it. */
static uint32_t type_by_rule(const entry *in, uint32_t n, uint64_t addr)
{
	uint32_t type = 0, i;
	bool listed = false;

	for (i = 0; i < n; i++) {
		if (addr < in[i].base || addr - in[i].base >= in[i].size ||
		    (in[i].type == BOOT_MMAP_RAM && !(in[i].attributes & 1)))
			continue;
		if (!listed || type == BOOT_MMAP_RAM ||
		    (in[i].type != BOOT_MMAP_RAM && in[i].type > type))
			type = in[i].type;
		listed = true;
	}
	return type;
}

static bool same(const entry *a, uint32_t a_count, const entry *b, uint32_t b_count)
{
	uint32_t i;

	for (i = 0; i < a_count && i < b_count; i++) {
		if (a[i].base != b[i].base || a[i].size != b[i].size || a[i].type != b[i].type ||
		    a[i].attributes != b[i].attributes)
			return false;
	}
	return a_count == b_count;
}

static void check_at(const entry *in, uint32_t n, const entry *map, uint32_t count, uint64_t addr)
{
	uint64_t next;
	uint32_t type = type_by_rule(in, n, addr);

	CHECK(memmap_type_at(map, count, addr) == type);
	CHECK(memmap_is_ram(map, count, addr, 1) == (type == BOOT_MMAP_RAM));
	if (memmap_next_boundary(map, count, addr, &next)) {
		CHECK(next > addr);
		CHECK(type_by_rule(in, n, next) != type && type_by_rule(in, n, next - 1) == type);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	entry in[MAX_IN], back[MAX_IN], map[4 * MAX_IN], other[4 * MAX_IN], old[4 * MAX_IN];
	uint32_t n = 0, count, other_count, old_count, i;
	uint64_t hole, hole_size, base;
	struct memmap_bios views;
	int err;

	if (size < 18)
		return 0;
	memcpy(&hole, data, 8);
	memcpy(&hole_size, data + 8, 8);
	i = data[16];
	data += 18;
	size -= 18;
	err = memmap_from_efi(data, size, 36 + i % 16, map, &count, 4 * MAX_IN);
	CHECK(err != 0 || memmap_is_normal(map, count));
	CHECK(err == 0 || (count == 0 && (err == -ENOSPC || i % 16 < 4)));
	for (; n < MAX_IN && size >= 10; n++, data += 10, size -= 10) {
		/* Few bits at few places make ranges meet; data[1] chooses where. */
		uint64_t unit = UINT64_C(1) << data[1] % 60;
		uint64_t at = data[2] | (uint64_t)data[3] << 8,
			 len = data[4] | (uint64_t)data[5] << 8;

		in[n].base = data[0] & 1 ? UINT64_C(0) - at * unit : at * unit;
		in[n].size = data[0] & 2 ? UINT64_C(0) - len * unit : len * unit;
		in[n].type = data[0] & 4 ? data[6] : data[6] % 8;
		in[n].attributes = data[7] % 4 ? 1 : data[7] / 4u;
		if (data[0] & 8)
			in[n].base += data[8];
		if (data[0] & 16)
			in[n].size += data[9];
	}
	CHECK(memmap_normalise(in, n, map, &count, 4 * MAX_IN) == 0);
	CHECK(memmap_is_normal(map, count));
	for (i = 0; i < n; i++)
		back[i] = in[n - 1 - i];
	CHECK(memmap_normalise(back, n, other, &other_count, 4 * MAX_IN) == 0);
	CHECK(same(map, count, other, other_count));
	CHECK(memmap_normalise(map, count, other, &other_count, 4 * MAX_IN) == 0);
	CHECK(same(map, count, other, other_count));
	for (i = 0; i < n; i++) {
		check_at(in, n, map, count, in[i].base);
		check_at(in, n, map, count, in[i].base - 1);
		check_at(in, n, map, count, in[i].base + in[i].size);
		check_at(in, n, map, count, in[i].base + in[i].size - 1);
	}
	memmap_bios_views(map, count, &views);
	CHECK(views.e801_ax <= 0x3c00 && views.e801_bx <= 0xff00 && views.h88_ax <= 0xfc00 &&
	      views.h12_ax <= 640);

	/* The region lies in RAM, and there is none exactly when no candidate is large enough. */
	for (i = 12; i < 40; i += 3) {
		uint64_t want = UINT64_C(1) << i, align = UINT64_C(1) << (i > 21 ? 21 : i);
		uint64_t limit = i & 1 ? UINT64_C(1) << 32 : UINT64_MAX;

		base = 1;
		err = memmap_choose_region(map, count, want, align, limit, &base);
		CHECK((err == 0) == (memmap_largest_region(map, count, align, limit) >= want));
		if (err) {
			CHECK(err == -ENOMEM);
			continue;
		}
		CHECK(base % align == 0 && base >= MEMMAP_REGION_FLOOR && base + want <= limit);
		CHECK(memmap_is_ram(map, count, base, want));
		CHECK(!memmap_is_ram(map, count, base + align, want) ||
		      base + align + want > limit || base + align + want < want);
	}

	memcpy(old, map, sizeof(map));
	old_count = count;
	err = memmap_reserve(map, &count, old_count, hole, hole_size, BOOT_MMAP_RESERVED);
	if (err) {
		CHECK(err == -EINVAL || err == -ENOSPC);
		CHECK(same(map, count, old, old_count));
		err =
		    memmap_reserve(map, &count, old_count + 2, hole, hole_size, BOOT_MMAP_RESERVED);
	}
	if (err) {
		CHECK(err == -EINVAL && (hole_size == 0 || hole + hole_size - 1 < hole));
	} else {
		uint64_t last = hole + hole_size - 1;

		CHECK(memmap_is_normal(map, count));
		CHECK(memmap_type_at(map, count, hole) == BOOT_MMAP_RESERVED);
		CHECK(memmap_type_at(map, count, last) == BOOT_MMAP_RESERVED);
		for (i = 0; i < old_count; i++) {
			uint64_t at = old[i].base, end = at + (old[i].size - 1);

			CHECK(memmap_type_at(map, count, at) == (at >= hole && at <= last
								     ? (uint32_t)BOOT_MMAP_RESERVED
								     : old[i].type));
			CHECK(memmap_type_at(map, count, end) == (end >= hole && end <= last
								      ? (uint32_t)BOOT_MMAP_RESERVED
								      : old[i].type));
		}
		if (hole > 0)
			CHECK(memmap_type_at(map, count, hole - 1) ==
			      memmap_type_at(old, old_count, hole - 1));
		if (last < UINT64_MAX)
			CHECK(memmap_type_at(map, count, last + 1) ==
			      memmap_type_at(old, old_count, last + 1));
	}
	return 0;
}
