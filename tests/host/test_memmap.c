/* Tests of core/mm/memmap.c: real maps, edges, and random maps against a model of cells. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>
#include "core/mm/memmap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define K        UINT64_C(1024)
#define M        (K * K)
#define G        (K * M)
#define RAM      BOOT_MMAP_RAM
#define RES      BOOT_MMAP_RESERVED
#define TOP      UINT64_MAX
#define HALF     (UINT64_C(1) << 63)

typedef struct boot_mmap_entry entry;

static void same_map(const entry *got, uint32_t got_count, const entry *want, uint32_t want_count)
{
	uint32_t i;

	assert_true(memmap_is_normal(got, got_count));
	assert_int_equal(got_count, want_count);
	for (i = 0; i < got_count; i++) {
		if (got[i].base != want[i].base || got[i].size != want[i].size ||
		    got[i].type != want[i].type || got[i].attributes != want[i].attributes)
			fail_msg("entry %u: %#llx+%#llx type %u/%u, not %#llx+%#llx type %u/%u", i,
				 (unsigned long long)got[i].base, (unsigned long long)got[i].size,
				 got[i].type, got[i].attributes, (unsigned long long)want[i].base,
				 (unsigned long long)want[i].size, want[i].type,
				 want[i].attributes);
	}
}

static uint32_t length(const entry *map)
{
	uint32_t n = 0;

	while (map[n].size)
		n++;
	return n;
}

/* What SeaBIOS tells for `qemu-system-x86_64 -m 2G`, machine pc. */
static const entry pc_2g[] = {
    {0, 0x9fc00, RAM, 1},           {0x9fc00, 0x400, RES, 1},      {0xf0000, 0x10000, RES, 1},
    {0x100000, 0x7fee0000, RAM, 1}, {0x7ffe0000, 0x20000, RES, 1}, {0xfeffc000, 0x4000, RES, 1},
    {0xfffc0000, 0x40000, RES, 1},
};
/* A notebook: ACPI tables and holes below 4 GiB, more RAM above. */
static const entry notebook[] = {
    {0, 0x9d000, RAM, 1},
    {0x9d000, 0x3000, RES, 1},
    {0xe0000, 0x20000, RES, 1},
    {0x100000, 0x3ff00000, RAM, 1},
    {0x40000000, 0x400000, RES, 1},
    {0x40400000, 0x56c00000, RAM, 1},
    {0x97000000, 0x2000000, RES, 1},
    {0x99000000, 0x100000, BOOT_MMAP_NVS, 1},
    {0x99100000, 0x80000, BOOT_MMAP_ACPI, 1},
    {0x99180000, 0x1000, RAM, 1},
    {0x9a000000, 0x5f00000, RES, 1},
    {0xf8000000, 0x4000000, RES, 1},
    {0x100000000, 0x15e000000, RAM, 1},
};

static const struct {
	const char *name;
	entry in[8], out[8];
} normal_rows[] = {
    {"nothing", {{0}}, {{0}}},
    {"one", {{4 * K, K, RAM, 1}}, {{4 * K, K, RAM, 1}}},
    {"sorted", {{8 * K, K, RAM, 1}, {2 * K, K, RES, 1}}, {{2 * K, K, RES, 1}, {8 * K, K, RAM, 1}}},
    {"touching merge", {{K, K, RAM, 1}, {2 * K, K, RAM, 1}}, {{K, 2 * K, RAM, 1}}},
    {"touching merge backwards", {{2 * K, K, RAM, 1}, {K, K, RAM, 1}}, {{K, 2 * K, RAM, 1}}},
    {"filled gap", {{0, K, RAM, 1}, {2 * K, K, RAM, 1}, {K, K, RAM, 1}}, {{0, 3 * K, RAM, 1}}},
    {"same twice", {{K, K, RAM, 1}, {K, K, RAM, 1}}, {{K, K, RAM, 1}}},
    {"overlap of a kind", {{0, 2 * K, RAM, 1}, {K, 2 * K, RAM, 1}}, {{0, 3 * K, RAM, 1}}},
    {"inside of a kind", {{0, 4 * K, RES, 1}, {K, K, RES, 1}}, {{0, 4 * K, RES, 1}}},
    {"around of a kind", {{K, K, RES, 1}, {0, 4 * K, RES, 1}}, {{0, 4 * K, RES, 1}}},
    {"other kinds touch", {{0, K, RAM, 1}, {K, K, RES, 1}}, {{0, K, RAM, 1}, {K, K, RES, 1}}},
    {"reserved wins inside",
     {{0, 4 * K, RAM, 1}, {K, K, RES, 1}},
     {{0, K, RAM, 1}, {K, K, RES, 1}, {2 * K, 2 * K, RAM, 1}}},
    {"reserved wins, order swapped",
     {{K, K, RES, 1}, {0, 4 * K, RAM, 1}},
     {{0, K, RAM, 1}, {K, K, RES, 1}, {2 * K, 2 * K, RAM, 1}}},
    {"reserved wins at the start",
     {{0, 4 * K, RAM, 1}, {0, K, RES, 1}},
     {{0, K, RES, 1}, {K, 3 * K, RAM, 1}}},
    {"reserved wins at the end",
     {{0, 4 * K, RAM, 1}, {3 * K, K, RES, 1}},
     {{0, 3 * K, RAM, 1}, {3 * K, K, RES, 1}}},
    {"reserved covers", {{K, K, RAM, 1}, {0, 4 * K, RES, 1}}, {{0, 4 * K, RES, 1}}},
    {"one byte",
     {{0, 4 * K, RAM, 1}, {K, 1, RES, 1}},
     {{0, K, RAM, 1}, {K, 1, RES, 1}, {K + 1, 3 * K - 1, RAM, 1}}},
    {"ACPI over reserved",
     {{0, 4 * K, RES, 1}, {K, K, BOOT_MMAP_ACPI, 1}},
     {{0, K, RES, 1}, {K, K, BOOT_MMAP_ACPI, 1}, {2 * K, 2 * K, RES, 1}}},
    {"NVS over ACPI",
     {{K, K, BOOT_MMAP_NVS, 1}, {0, 2 * K, BOOT_MMAP_ACPI, 1}},
     {{0, K, BOOT_MMAP_ACPI, 1}, {K, K, BOOT_MMAP_NVS, 1}}},
    {"a type of 0 is not RAM", {{0, 2 * K, RAM, 1}, {K, K, 0, 1}}, {{0, K, RAM, 1}, {K, K, 0, 1}}},
    {"a vendor's type",
     {{0, 2 * K, RAM, 1}, {K, K, 0xffffffff, 1}, {K, K, 0xfffffffe, 1}},
     {{0, K, RAM, 1}, {K, K, 0xffffffff, 1}}},
    {"three layers",
     {{0, 8 * K, RAM, 1}, {2 * K, 4 * K, RES, 1}, {3 * K, K, BOOT_MMAP_NVS, 1}},
     {{0, 2 * K, RAM, 1},
      {2 * K, K, RES, 1},
      {3 * K, K, BOOT_MMAP_NVS, 1},
      {4 * K, 2 * K, RES, 1},
      {6 * K, 2 * K, RAM, 1}}},
    {"RAM under several",
     {{K, K, RES, 1}, {3 * K, K, RES, 1}, {0, 6 * K, RAM, 1}},
     {{0, K, RAM, 1},
      {K, K, RES, 1},
      {2 * K, K, RAM, 1},
      {3 * K, K, RES, 1},
      {4 * K, 2 * K, RAM, 1}}},
    {"ignored RAM", {{0, K, RAM, 0}, {K, K, RAM, 1}}, {{K, K, RAM, 1}}},
    {"attributes without bit 0 matter for RAM only",
     {{0, K, RES, 0}, {0, 2 * K, RAM, 1}},
     {{0, K, RES, 0}, {K, K, RAM, 1}}},
    {"attributes keep apart", {{0, K, RAM, 1}, {K, K, RAM, 3}}, {{0, K, RAM, 1}, {K, K, RAM, 3}}},
    {"larger attributes win",
     {{0, 2 * K, RAM, 3}, {K, 2 * K, RAM, 1}},
     {{0, 2 * K, RAM, 3}, {2 * K, K, RAM, 1}}},
    {"up to 2^64", {{TOP - K + 1, K, RES, 1}}, {{TOP - K + 1, K, RES, 1}}},
    {"past 2^64", {{TOP - K + 1, 4 * K, RES, 1}}, {{TOP - K + 1, K, RES, 1}}},
    {"far past 2^64", {{TOP, TOP, RES, 1}}, {{TOP, 1, RES, 1}}},
    {"nearly everything", {{0, TOP, RES, 1}, {0, 2 * K, RAM, 1}}, {{0, TOP, RES, 1}}},
    {"everything, in two",
     {{0, HALF, RAM, 1}, {HALF, HALF, RAM, 1}},
     {{0, HALF, RAM, 1}, {HALF, HALF, RAM, 1}}},
    {"hole in everything",
     {{0, HALF, RAM, 1}, {HALF, HALF, RAM, 1}, {HALF - K, 2 * K, RES, 1}},
     {{0, HALF - K, RAM, 1}, {HALF - K, 2 * K, RES, 1}, {HALF + K, HALF - K, RAM, 1}}},
    {"last byte reserved",
     {{HALF, HALF, RAM, 1}, {TOP, 1, RES, 1}},
     {{HALF, HALF - 1, RAM, 1}, {TOP, 1, RES, 1}}},
};

static void test_normalise(void **state)
{
	entry map[8];
	uint32_t i, count;

	(void)state;
	for (i = 0; i < COUNT(normal_rows); i++) {
		print_message("           %s\n", normal_rows[i].name);
		assert_int_equal(memmap_normalise(normal_rows[i].in, length(normal_rows[i].in), map,
						  &count, COUNT(map)),
				 0);
		same_map(map, count, normal_rows[i].out, length(normal_rows[i].out));
	}

	/* Empty entries and real maps in any order. */
	{
		static const entry in[] = {{5 * K, 0, RES, 1}, {K, K, RAM, 1}, {K, 0, RES, 1}};
		static const entry out[] = {{K, K, RAM, 1}};
		entry mixed[COUNT(pc_2g)], large[16];

		assert_int_equal(memmap_normalise(in, COUNT(in), map, &count, COUNT(map)), 0);
		same_map(map, count, out, COUNT(out));
		for (i = 0; i < COUNT(pc_2g); i++)
			mixed[i] = pc_2g[(i * 3 + 2) % COUNT(pc_2g)];
		assert_int_equal(memmap_normalise(mixed, COUNT(mixed), large, &count, COUNT(large)),
				 0);
		same_map(large, count, pc_2g, COUNT(pc_2g));
		assert_int_equal(memmap_normalise(notebook, COUNT(notebook), large, &count, 16), 0);
		/* 0x9d000.. and the rest are as firmware wrote them: nothing touches its own kind.
		 */
		same_map(large, count, notebook, COUNT(notebook));
		assert_int_equal(memmap_normalise(pc_2g, COUNT(pc_2g), large, &count, 6), -ENOSPC);
		assert_int_equal(count, 0);
	}
}

static void test_is_normal(void **state)
{
	static const struct {
		entry map[3];
		bool normal;
	} rows[] = {
	    {{{0, K, RAM, 1}, {K, K, RES, 1}}, true},
	    {{{0, K, RAM, 1}, {K, K, RAM, 1}}, false},
	    {{{0, K, RAM, 1}, {K, K, RAM, 3}}, true},
	    {{{0, K + 1, RAM, 1}, {K, K, RES, 1}}, false},
	    {{{K, K, RAM, 1}, {0, K, RES, 1}}, false},
	    {{{TOP, 2, RAM, 1}}, false},
	    {{{TOP, 1, RAM, 1}}, true},
	    {{{0, HALF, RAM, 1}, {HALF, HALF, RAM, 1}}, true},
	    {{{1, HALF - 1, RAM, 1}, {HALF, HALF, RAM, 1}}, false},
	    {{{0, K, RAM, 1}, {K, TOP - K + 1, RAM, 1}}, false},
	};
	static const entry empty = {K, 0, RAM, 1};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		if (memmap_is_normal(rows[i].map, length(rows[i].map)) != rows[i].normal)
			fail_msg("row %zu", i);
	}
	assert_true(memmap_is_normal(NULL, 0));
	assert_false(memmap_is_normal(&empty, 1));
}

static void test_choose_region(void **state)
{
	static const struct {
		entry map[6];
		uint64_t size, align, limit;
		int err;
		uint64_t base;
	} rows[] = {
	    /* the top, aligned down */
	    {{{M, 127 * M, RAM, 1}}, 16 * M, 2 * M, 4 * G, 0, 112 * M},
	    {{{M, 127 * M + 4 * K, RAM, 1}}, 16 * M, 2 * M, 4 * G, 0, 112 * M},
	    {{{M, 127 * M - 4 * K, RAM, 1}}, 16 * M, 2 * M, 4 * G, 0, 110 * M},
	    /* the highest that fits, not the largest */
	    {{{M, 1 * G, RAM, 1}, {2 * G, 16 * M, RAM, 1}}, 16 * M, 2 * M, 4 * G, 0, 2 * G},
	    {{{M, 1 * G, RAM, 1}, {2 * G, 15 * M, RAM, 1}},
	     16 * M,
	     2 * M,
	     4 * G,
	     0,
	     1 * G - 16 * M},
	    /* alignment costs what it costs */
	    {{{M, 1 * G, RAM, 1}, {2 * G + 4 * K, 16 * M, RAM, 1}},
	     16 * M,
	     2 * M,
	     4 * G,
	     0,
	     1 * G - 16 * M},
	    {{{2 * G + 4 * K, 18 * M - 4 * K, RAM, 1}}, 16 * M, 2 * M, 4 * G, 0, 2 * G + 2 * M},
	    /* the limit */
	    {{{M, 8 * G, RAM, 1}}, 16 * M, 2 * M, 4 * G, 0, 4 * G - 16 * M},
	    {{{4 * G, 8 * G, RAM, 1}}, 16 * M, 2 * M, 4 * G, -ENOMEM, 0},
	    {{{4 * G - 8 * M, 8 * G, RAM, 1}}, 16 * M, 2 * M, 4 * G, -ENOMEM, 0},
	    {{{M, 8 * G, RAM, 1}}, 16 * M, 2 * M, 1 * G + 1, 0, 1 * G - 16 * M},
	    {{{M, 8 * G, RAM, 1}}, 16 * M, 2 * M, 1 * G - 1, 0, 1 * G - 18 * M},
	    {{{M, 8 * G, RAM, 1}}, 16 * M, 2 * M, 0, -ENOMEM, 0},
	    /* not below 16 MiB */
	    {{{M, 31 * M, RAM, 1}}, 16 * M, 2 * M, 4 * G, 0, 16 * M},
	    {{{M, 30 * M, RAM, 1}}, 16 * M, 2 * M, 4 * G, -ENOMEM, 0},
	    {{{0, 16 * M, RAM, 1}}, 2 * M, 2 * M, 4 * G, -ENOMEM, 0},
	    {{{0, 18 * M, RAM, 1}}, 2 * M, 2 * M, 4 * G, 0, 16 * M},
	    /* only RAM */
	    {{{2 * G, 1 * G, RES, 1}}, 16 * M, 2 * M, 4 * G, -ENOMEM, 0},
	    {{{2 * G, 1 * G, BOOT_MMAP_ACPI, 1}, {64 * M, 64 * M, RAM, 1}},
	     16 * M,
	     2 * M,
	     4 * G,
	     0,
	     112 * M},
	    {{{0}}, 16 * M, 2 * M, 4 * G, -ENOMEM, 0},
	    /* entries that touch are one, whatever their attributes */
	    {{{32 * M, 8 * M, RAM, 1}, {40 * M, 8 * M, RAM, 3}}, 16 * M, 2 * M, 4 * G, 0, 32 * M},
	    {{{32 * M, 8 * M, RAM, 1}, {40 * M + 1, 8 * M, RAM, 3}},
	     16 * M,
	     2 * M,
	     4 * G,
	     -ENOMEM,
	     0},
	    /* any size and alignment */
	    {{{M, 127 * M, RAM, 1}}, 1, 1, 4 * G, 0, 128 * M - 1},
	    {{{M, 127 * M, RAM, 1}}, 4 * K, 64 * M, 4 * G, 0, 64 * M},
	    {{{M, 127 * M, RAM, 1}}, 65 * M, 64 * M, 4 * G, -ENOMEM, 0},
	    {{{M, 127 * M, RAM, 1}}, 112 * M, 2 * M, 4 * G, 0, 16 * M},
	    {{{M, 127 * M, RAM, 1}}, TOP, 2 * M, 4 * G, -ENOMEM, 0},
	    {{{HALF, HALF, RAM, 1}}, 2 * M, 2 * M, TOP, 0, TOP - 4 * M + 1},
	    /* what cannot be asked for */
	    {{{M, 127 * M, RAM, 1}}, 0, 2 * M, 4 * G, -EINVAL, 0},
	    {{{M, 127 * M, RAM, 1}}, 2 * M, 0, 4 * G, -EINVAL, 0},
	    {{{M, 127 * M, RAM, 1}}, 2 * M, 3 * M, 4 * G, -EINVAL, 0},
	};
	uint64_t base;
	size_t i;
	int err;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		entry map[6];
		uint32_t count;

		assert_int_equal(memmap_normalise(rows[i].map, length(rows[i].map), map, &count, 6),
				 0);
		base = 0;
		err = memmap_choose_region(map, count, rows[i].size, rows[i].align, rows[i].limit,
					   &base);
		if (err != rows[i].err || base != rows[i].base)
			fail_msg("row %zu: %d, %#llx", i, err, (unsigned long long)base);
	}
	/* SeaBIOS, 2 GiB: RAM ends at 0x7ffe0000. The notebook's highest fit is below its ACPI
	 * tables. */
	assert_int_equal(memmap_choose_region(pc_2g, COUNT(pc_2g), 16 * M, 2 * M, 4 * G, &base), 0);
	assert_int_equal(base, 0x7ee00000);
	assert_int_equal(
	    memmap_choose_region(notebook, COUNT(notebook), 16 * M, 2 * M, 4 * G, &base), 0);
	assert_int_equal(base, 0x96000000);
	assert_int_equal(memmap_largest_region(notebook, COUNT(notebook), 2 * M, 4 * G),
			 0x56c00000);
	assert_int_equal(memmap_largest_region(notebook, COUNT(notebook), 2 * M, 16 * M), 0);
	assert_int_equal(memmap_largest_region(pc_2g, COUNT(pc_2g), 2 * M, 4 * G),
			 0x7fe00000 - 16 * M);
	assert_int_equal(memmap_largest_region(pc_2g, COUNT(pc_2g), 3, 4 * G), 0);
}

static void test_reserve(void **state)
{
	static const entry after[] = {
	    {0, 0x9f000, RAM, 1},
	    {0x9f000, 0x1000, RES, 1},
	    {0xf0000, 0x10000, RES, 1},
	    {0x100000, 0x7ed00000, RAM, 1},
	    {0x7ee00000, 0x1000000, RES, 1},
	    {0x7fe00000, 0x1e0000, RAM, 1},
	    {0x7ffe0000, 0x20000, RES, 1},
	    {0xfeffc000, 0x4000, RES, 1},
	    {0xfffc0000, 0x40000, RES, 1},
	};
	static const struct {
		entry map[4];
		uint64_t base, size;
		uint32_t type;
		entry out[5];
	} rows[] = {
	    {{{0, 8 * K, RAM, 1}},
	     2 * K,
	     K,
	     RES,
	     {{0, 2 * K, RAM, 1}, {2 * K, K, RES, 1}, {3 * K, 5 * K, RAM, 1}}},
	    {{{0, 8 * K, RAM, 1}}, 0, 8 * K, RES, {{0, 8 * K, RES, 1}}},
	    {{{0, 8 * K, RAM, 1}}, 0, K, RES, {{0, K, RES, 1}, {K, 7 * K, RAM, 1}}},
	    {{{0, 8 * K, RAM, 1}}, 7 * K, K, RES, {{0, 7 * K, RAM, 1}, {7 * K, K, RES, 1}}},
	    {{{0, 8 * K, RAM, 1}}, 7 * K, 2 * K, RES, {{0, 7 * K, RAM, 1}, {7 * K, 2 * K, RES, 1}}},
	    {{{0, 8 * K, RAM, 1}, {8 * K, K, RES, 1}},
	     7 * K,
	     K,
	     RES,
	     {{0, 7 * K, RAM, 1}, {7 * K, 2 * K, RES, 1}}},
	    {{{0, K, RES, 1}, {K, 7 * K, RAM, 1}},
	     K,
	     K,
	     RES,
	     {{0, 2 * K, RES, 1}, {2 * K, 6 * K, RAM, 1}}},
	    {{{0, K, RES, 1}, {K, K, RAM, 1}, {2 * K, K, RES, 1}}, K, K, RES, {{0, 3 * K, RES, 1}}},
	    {{{0, K, RAM, 1}, {2 * K, K, RAM, 1}}, 0, 3 * K, RES, {{0, 3 * K, RES, 1}}},
	    {{{0, K, RAM, 1}, {2 * K, K, RAM, 1}}, K, K, RAM, {{0, 3 * K, RAM, 1}}},
	    {{{0, K, RAM, 1}, {2 * K, K, RAM, 1}},
	     K,
	     K,
	     RES,
	     {{0, K, RAM, 1}, {K, K, RES, 1}, {2 * K, K, RAM, 1}}},
	    /* reserving decides, also downwards */
	    {{{0, 4 * K, BOOT_MMAP_NVS, 1}},
	     K,
	     K,
	     RAM,
	     {{0, K, BOOT_MMAP_NVS, 1}, {K, K, RAM, 1}, {2 * K, 2 * K, BOOT_MMAP_NVS, 1}}},
	    {{{0}}, K, K, RES, {{K, K, RES, 1}}},
	    {{{0, HALF, RAM, 1}, {HALF, HALF, RAM, 1}},
	     TOP,
	     1,
	     RES,
	     {{0, TOP, RAM, 1}, {TOP, 1, RES, 1}}},
	    {{{0, HALF, RAM, 1}, {HALF, HALF, RAM, 1}},
	     HALF,
	     1,
	     RAM,
	     {{0, HALF, RAM, 1}, {HALF, HALF, RAM, 1}}},
	    {{{HALF, HALF, RAM, 1}}, 0, TOP, RES, {{0, TOP, RES, 1}, {TOP, 1, RAM, 1}}},
	};
	entry map[16], copy[16];
	uint32_t i, count;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		count = length(rows[i].map);
		memcpy(map, rows[i].map, sizeof(rows[i].map));
		assert_int_equal(memmap_reserve(map, &count, COUNT(map), rows[i].base, rows[i].size,
						rows[i].type),
				 0);
		same_map(map, count, rows[i].out, length(rows[i].out));
	}

	/* The VMM's region and the CPU start page of a real map. */
	count = COUNT(pc_2g);
	memcpy(map, pc_2g, sizeof(pc_2g));
	assert_int_equal(memmap_reserve(map, &count, COUNT(map), 0x7ee00000, 16 * M, RES), 0);
	assert_int_equal(memmap_reserve(map, &count, COUNT(map), 0x9f000, 0x1000, RES), 0);
	same_map(map, count, after, COUNT(after));

	/* Full: two more entries are needed and there is room for one; nothing changes. */
	count = COUNT(pc_2g);
	memset(map, 0xee, sizeof(map));
	memcpy(map, pc_2g, sizeof(pc_2g));
	memcpy(copy, map, sizeof(map));
	assert_int_equal(memmap_reserve(map, &count, COUNT(pc_2g) + 1, 0x1000000, 0x1000, RES),
			 -ENOSPC);
	assert_int_equal(count, COUNT(pc_2g));
	assert_memory_equal(map, copy, sizeof(map));
	assert_int_equal(memmap_reserve(map, &count, COUNT(pc_2g), 0x5000000000, 1, RES), -ENOSPC);
	assert_int_equal(memmap_reserve(map, &count, 16, 0, 0, RES), -EINVAL);
	assert_int_equal(memmap_reserve(map, &count, 16, 2, TOP, RES), -EINVAL);
	assert_int_equal(count, COUNT(pc_2g));
	assert_memory_equal(map, copy, sizeof(map));
	assert_int_equal(memmap_reserve(map, &count, COUNT(pc_2g) + 2, 0x1000000, 0x1000, RES), 0);
	assert_int_equal(count, COUNT(pc_2g) + 2);
}

static void test_queries(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t type;
		uint64_t next; /* 0: none */
	} rows[] = {
	    {0, RAM, 0x9fc00},
	    {0x9fbff, RAM, 0x9fc00},
	    {0x9fc00, RES, 0xa0000},
	    {0xa0000, 0, 0xf0000},
	    {0xf0000, RES, 0x100000},
	    {0xfffff, RES, 0x100000},
	    {0x100000, RAM, 0x7ffe0000},
	    {0x7ffdffff, RAM, 0x7ffe0000},
	    {0x7ffe0000, RES, 0x80000000},
	    {0x80000000, 0, 0xfeffc000},
	    {0xfffc0000, RES, 0x100000000},
	    {0xffffffff, RES, 0x100000000},
	    {0x100000000, 0, 0},
	    {TOP, 0, 0},
	};
	static const struct {
		uint64_t base, size;
		bool ram;
	} ram_rows[] = {
	    {0, 0x9fc00, true},
	    {0, 0x9fc01, false},
	    {0, 1, true},
	    {0x9fbff, 1, true},
	    {0x9fbff, 2, false},
	    {0x9fc00, 1, false},
	    {0xa0000, 1, false},
	    {0x100000, 0x7fee0000, true},
	    {0x100000, 0x7fee0001, false},
	    {0xfffff, 2, false},
	    {0, 0x200000, false},
	    {0, 0, false},
	    {0x100000, TOP, false},
	    {TOP, 2, false},
	    {TOP, 1, false},
	    {0x100000000, 1, false},
	};
	static const entry touching[] = {{0, K, RAM, 1}, {K, K, RAM, 3}, {2 * K, K, RES, 1}};
	static const entry top[] = {{HALF, HALF, RAM, 1}};
	static const entry all[] = {{0, HALF, RAM, 1}, {HALF, HALF, RAM, 1}};
	uint64_t next;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(memmap_type_at(pc_2g, COUNT(pc_2g), rows[i].addr), rows[i].type);
		next = 0;
		assert_int_equal(memmap_next_boundary(pc_2g, COUNT(pc_2g), rows[i].addr, &next),
				 rows[i].next != 0);
		assert_int_equal(next, rows[i].next);
	}
	for (i = 0; i < COUNT(ram_rows); i++) {
		if (memmap_is_ram(pc_2g, COUNT(pc_2g), ram_rows[i].base, ram_rows[i].size) !=
		    ram_rows[i].ram)
			fail_msg("row %zu", i);
	}
	assert_true(memmap_is_ram(touching, COUNT(touching), 0, 2 * K));
	assert_true(memmap_next_boundary(touching, COUNT(touching), 0, &next));
	assert_int_equal(next, 2 * K);
	assert_true(memmap_is_ram(top, 1, HALF, HALF));
	assert_false(memmap_next_boundary(top, 1, HALF, &next));
	assert_true(memmap_next_boundary(top, 1, 0, &next));
	assert_int_equal(next, HALF);
	assert_true(memmap_is_ram(all, 2, 0, TOP));
	assert_false(memmap_next_boundary(all, 2, 0, &next));
	assert_int_equal(memmap_type_at(NULL, 0, 0), 0);
	assert_false(memmap_next_boundary(NULL, 0, 0, &next));

	assert_int_equal(memmap_total_ram(pc_2g, COUNT(pc_2g)), 0x9fc00 + 0x7fee0000);
	assert_int_equal(memmap_total_ram(NULL, 0), 0);
	assert_true(memmap_total_ram(all, 2) == TOP);
	assert_int_equal(memmap_ram_end(pc_2g, COUNT(pc_2g)), 0x7ffe0000);
	assert_int_equal(memmap_ram_end(notebook, COUNT(notebook)), 0x25e000000);
	assert_int_equal(memmap_ram_end(NULL, 0), 0);
	assert_true(memmap_ram_end(top, 1) == TOP);
}

static void test_bios_views(void **state)
{
	static const struct {
		entry map[5];
		uint16_t ax, bx, h88, h12;
	} rows[] = {
	    {{{0}}, 0, 0, 0, 0},
	    {{{0, 640 * K, RAM, 1}}, 0, 0, 0, 640},
	    {{{0, 639 * K, RAM, 1}, {M, 7 * M, RAM, 1}}, 7 * 1024, 0, 7 * 1024, 639},
	    {{{0, 636 * K + 512, RAM, 1}, {M, 15 * M, RAM, 1}}, 0x3c00, 0, 0x3c00, 636},
	    {{{M, 16 * M, RAM, 1}}, 0x3c00, 16, 0x4000, 0},
	    {{{M, 15 * M + 64 * K, RAM, 1}}, 0x3c00, 1, 0x3c40, 0},
	    {{{M, 15 * M + 64 * K - 1, RAM, 1}}, 0x3c00, 0, 0x3c3f, 0},
	    {{{M, 63 * M, RAM, 1}}, 0x3c00, 48 * 16, 0xfc00, 0},
	    {{{M, 64 * M, RAM, 1}}, 0x3c00, 49 * 16, 0xfc00, 0},
	    /* a hole at 15 MiB: memory above 16 MiB is still told by E801 */
	    {{{M, 14 * M, RAM, 1}, {16 * M, 48 * M, RAM, 1}}, 14 * 1024, 48 * 16, 14 * 1024, 0},
	    /* up to 4 GiB and beyond */
	    {{{M, 3 * G, RAM, 1}}, 0x3c00, (3 * 1024 - 15) * 16, 0xfc00, 0},
	    {{{M, 8 * G, RAM, 1}}, 0x3c00, 0xff00, 0xfc00, 0},
	    {{{M, 5 * G, RAM, 1}}, 0x3c00, 0xff00, 0xfc00, 0},
	    {{{M, 15 * M, RES, 1}, {16 * M, 16 * M, RAM, 1}}, 0, 256, 0, 0},
	};
	struct memmap_bios views;
	entry map[16];
	uint32_t count;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		memmap_bios_views(rows[i].map, length(rows[i].map), &views);
		if (views.e801_ax != rows[i].ax || views.e801_bx != rows[i].bx ||
		    views.h88_ax != rows[i].h88 || views.h12_ax != rows[i].h12)
			fail_msg("row %zu: %#x %#x %#x %u", i, views.e801_ax, views.e801_bx,
				 views.h88_ax, views.h12_ax);
	}
	/* With the VMM taken out of SeaBIOS's map: 0x7ee00000 is where E801's memory ends. */
	count = COUNT(pc_2g);
	memcpy(map, pc_2g, sizeof(pc_2g));
	assert_int_equal(memmap_reserve(map, &count, 16, 0x7ee00000, 16 * M, RES), 0);
	memmap_bios_views(map, count, &views);
	assert_int_equal(views.e801_bx, (0x7ee00000 - 0x1000000) / 0x10000);
	assert_int_equal(views.h12_ax, 639);
}

static void test_efi(void **state)
{
	static const struct {
		uint32_t efi;
		uint64_t attribute;
		uint32_t type;
	} types[] = {
	    /* UEFI 2.10, 7.2 "after ExitBootServices", and ACPI 6.5, table 15.6 */
	    {0, 0xf, RES},
	    {1, 0xf, RAM},
	    {2, 0xf, RAM},
	    {3, 0xf, RAM},
	    {4, 0xf, RAM},
	    {5, 0xf, RES},
	    {6, 0xf, RES},
	    {7, 0xf, RAM},
	    {8, 0xf, BOOT_MMAP_UNUSABLE},
	    {9, 0xf, BOOT_MMAP_ACPI},
	    {10, 0xf, BOOT_MMAP_NVS},
	    {11, 1, BOOT_MMAP_MMIO},
	    {12, 1, BOOT_MMAP_MMIO},
	    {13, 0xf, RES},
	    {14, 0xf, BOOT_MMAP_PMEM},
	    {15, 0xf, RES},
	    {16, 0xf, RES},
	    {0x70000000, 0xf, RES},
	    {0x80000000, 0xf, RES},
	    {7, 0x8000000000000008, RAM},
	    {7, 0x1, RES},
	    {4, 0x7, RES}, /* cannot be cached write-back */
	};
	static const struct memmap_efi_descriptor d[] = {
	    {7, 0, 0, 0, 0x9f, 0xf},
	    {0, 0, 0x9f000, 0, 1, 0xf},
	    {4, 0, 0x100000, 0, 0x700, 0xf},
	    {7, 0, 0x800000, 0, 0x800, 0xf},
	    {10, 0, 0x1000000, 0, 0x10, 0xf},
	    {2, 0, 0x1010000, 0, 0xf0, 0xf},
	    {11, 0, 0xffc00000, 0, 0x400, 0x8000000000000001},
	    {5, 0, 0x7f000000, 0, 0x100, 0x800000000000000f},
	    {6, 0, 0x7f100000, 0, 0x100, 0x800000000000000f},
	    {7, 0, 0x500000, 0, 0, 0xf},
	};
	static const entry out[] = {
	    {0, 0x9f000, RAM, 1},
	    {0x9f000, 0x1000, RES, 1},
	    {0x100000, 0xf00000, RAM, 1},
	    {0x1000000, 0x10000, BOOT_MMAP_NVS, 1},
	    {0x1010000, 0xf0000, RAM, 1},
	    {0x7f000000, 0x200000, RES, 1},
	    {0xffc00000, 0x400000, BOOT_MMAP_MMIO, 1},
	};
	static const size_t strides[] = {40, 48, 41, 64};
	entry map[16];
	uint32_t count;
	size_t i, s;

	(void)state;
	/* 0x800000 and 0x100000 + 0x700 pages touch; the gap of the sample is above 0x1100000. */
	for (i = 0; i < COUNT(types); i++) {
		if (memmap_type_of_efi(types[i].efi, types[i].attribute) != types[i].type)
			fail_msg("EFI type %#x", types[i].efi);
	}
	assert_int_equal(sizeof(d[0]), 40);
	for (s = 0; s < COUNT(strides); s++) {
		/* Firmware's stride is larger than the struct; a rest is ignored. */
		uint8_t *raw = malloc(COUNT(d) * strides[s] + 7);

		assert_non_null(raw);
		memset(raw, 0xa5, COUNT(d) * strides[s] + 7);
		for (i = 0; i < COUNT(d); i++)
			memcpy(raw + i * strides[s], &d[i], sizeof(d[i]));
		assert_int_equal(memmap_from_efi(raw, COUNT(d) * strides[s] + 7, strides[s], map,
						 &count, COUNT(map)),
				 0);
		same_map(map, count, out, COUNT(out));
		free(raw);
	}
	assert_int_equal(memmap_from_efi(d, sizeof(d), 39, map, &count, COUNT(map)), -EINVAL);
	assert_int_equal(count, 0);
	assert_int_equal(memmap_from_efi(d, sizeof(d), 40, map, &count, 6), -ENOSPC);
	assert_int_equal(count, 0);
	assert_int_equal(memmap_from_efi(d, 39, 40, map, &count, 6), 0);
	assert_int_equal(count, 0);
	{
		/* More pages than there are addresses. */
		static const struct memmap_efi_descriptor huge = {0, 0, 4096, 0, TOP, 0};
		static const entry want[] = {{4096, TOP - 4095, RES, 1}};

		assert_int_equal(memmap_from_efi(&huge, 40, 40, map, &count, COUNT(map)), 0);
		same_map(map, count, want, 1);
	}
}

/*
 * Random maps against a model: 96 cells of an address space which is stretched over different
 * places, among them the last bytes below 2^64. A cell's kind is decided by the documented rule,
 * cell by cell.
 */
#define CELLS 96

static uint32_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 12) % n;
}

struct cell {
	uint32_t type, attributes; /* type UINT32_MAX: nothing listed */
};

static bool wins(struct cell old, uint32_t type, uint32_t attributes)
{
	if (old.type == UINT32_MAX)
		return true;
	if (old.type == type)
		return attributes > old.attributes;
	if (old.type == RAM)
		return true;
	return type != RAM && type > old.type;
}

/* The map that the cells mean, written down entry by entry. */
static uint32_t model_map(const struct cell *cells, uint64_t origin, uint64_t scale, entry *map)
{
	uint32_t n = 0, i;

	for (i = 0; i < CELLS; i++) {
		if (cells[i].type == UINT32_MAX)
			continue;
		if (i > 0 && n > 0 && cells[i - 1].type == cells[i].type &&
		    cells[i - 1].attributes == cells[i].attributes)
			map[n - 1].size += scale;
		else
			map[n++] =
			    (entry){origin + i * scale, scale, cells[i].type, cells[i].attributes};
	}
	return n;
}

static void test_random_maps(void **state)
{
	static const uint32_t types[] = {RAM,           RAM, RAM,           RES, BOOT_MMAP_ACPI,
					 BOOT_MMAP_NVS, 0,   BOOT_MMAP_MMIO};
	static const struct {
		uint64_t origin, scale;
	} places[] = {{0, 1},
		      {0, 2 * M},
		      {4 * G - 48 * 4096, 4096},
		      {UINT64_C(0) - CELLS, 1},
		      {UINT64_C(0) - CELLS * 4096, 4096},
		      {16 * M, M}};
	uint32_t round;

	(void)state;
	for (round = 0; round < 6000; round++) {
		uint64_t origin = places[round % COUNT(places)].origin;
		uint64_t scale = places[round % COUNT(places)].scale;
		uint64_t ram = 0, best = 0, largest_run = 0;
		struct cell cells[CELLS];
		entry in[24], map[2 * CELLS], want[CELLS];
		uint32_t n = 1 + below(COUNT(in)), count, want_count, i, j, first, last, run;
		bool found = false;
		uint64_t base, boundary;

		seed = round * 2654435761u + 7;
		for (i = 0; i < CELLS; i++)
			cells[i] = (struct cell){UINT32_MAX, 0};
		for (i = 0; i < n; i++) {
			first = below(CELLS);
			last = first + below(CELLS - first);
			in[i] = (entry){origin + first * scale, (last - first + 1) * scale,
					types[below(COUNT(types))], below(8) ? 1 : 3};
			if (below(20) == 0) {
				in[i].size = 0;
				continue;
			}
			for (j = first; j <= last; j++) {
				if (wins(cells[j], in[i].type, in[i].attributes))
					cells[j] = (struct cell){in[i].type, in[i].attributes};
			}
		}
		want_count = model_map(cells, origin, scale, want);
		assert_int_equal(memmap_normalise(in, n, map, &count, COUNT(map)), 0);
		same_map(map, count, want, want_count);

		/* Any order gives the same. */
		for (i = n - 1; i > 0; i--) {
			entry swap = in[i];

			j = below(i + 1);
			in[i] = in[j];
			in[j] = swap;
		}
		assert_int_equal(memmap_normalise(in, n, map, &count, COUNT(map)), 0);
		same_map(map, count, want, want_count);

		/* Queries at each cell's first and last byte. */
		run = 0;
		for (i = 0; i < CELLS; i++) {
			uint64_t addr = origin + i * scale;
			uint32_t type = cells[i].type == UINT32_MAX ? 0 : cells[i].type;

			assert_int_equal(memmap_type_at(map, count, addr), type);
			assert_int_equal(memmap_type_at(map, count, addr + scale - 1), type);
			for (j = i + 1; j < CELLS; j++) {
				if ((cells[j].type == UINT32_MAX ? 0 : cells[j].type) != type)
					break;
			}
			boundary = 0;
			if (memmap_next_boundary(map, count, addr, &boundary))
				assert_true(boundary == origin + j * scale);
			else
				assert_true(j == CELLS &&
					    (type == 0 || origin + CELLS * scale == 0));
			run = cells[i].type == RAM ? run + 1 : 0;
			if (run * scale > largest_run)
				largest_run = run * scale;
			if (run) {
				assert_true(memmap_is_ram(map, count, addr - (run - 1) * scale,
							  run * scale));
				ram += scale;
			}
			if (run < CELLS && i >= run && type != RAM)
				assert_false(memmap_is_ram(map, count, addr, 1));
		}
		assert_true(memmap_total_ram(map, count) == ram);

		/* The region: highest cell from which `n` cells are RAM, not below 16 MiB, below
		 * the limit. */
		n = 1 + below(12);
		last = below(CELLS) + 1;
		for (i = 0; i + n <= last; i++) {
			for (j = i; j < i + n && cells[j].type == RAM; j++)
				;
			if (j == i + n && origin + i * scale >= MEMMAP_REGION_FLOOR) {
				best = origin + i * scale;
				found = true;
			}
		}
		if (scale != 1 && origin + last * scale != 0) {
			base = 0;
			assert_int_equal(memmap_choose_region(map, count, n * scale, scale,
							      origin + last * scale, &base),
					 found ? 0 : -ENOMEM);
			assert_true(base == best);
			assert_int_equal(memmap_largest_region(map, count, scale,
							       origin + last * scale) >= n * scale,
					 found);
		}

		/* A hole: only its cells change, and when there is no room nothing does. */
		first = below(CELLS);
		last = first + below(CELLS - first);
		for (i = first; i <= last; i++)
			cells[i] = (struct cell){RES, 1};
		{
			entry before[2 * CELLS];
			uint32_t before_count = count;

			want_count = model_map(cells, origin, scale, want);
			memcpy(before, map, sizeof(map));
			if (want_count > 0 && want_count > count) {
				assert_int_equal(memmap_reserve(map, &count, want_count - 1,
								origin + first * scale,
								(last - first + 1) * scale, RES),
						 -ENOSPC);
				assert_int_equal(count, before_count);
				assert_memory_equal(map, before, sizeof(map));
			}
			assert_int_equal(
			    memmap_reserve(map, &count, want_count > count ? want_count : count,
					   origin + first * scale, (last - first + 1) * scale, RES),
			    0);
			same_map(map, count, want, want_count);
		}
	}
}

/* The default, what was configured, and 64 KiB for each CPU beyond 16: never more than in
 * proportion. */
static void test_region_size(void **state)
{
	(void)state;
	assert_int_equal(memmap_region_size(0, 1), 16 * M);
	assert_int_equal(memmap_region_size(0, 16), 16 * M);
	assert_int_equal(memmap_region_size(0, 17), 18 * M);
	assert_int_equal(memmap_region_size(0, 64), 20 * M); /* 19 MiB, in pages of 2 MiB */
	assert_int_equal(memmap_region_size(0, 256), 32 * M);
	assert_int_equal(memmap_region_size(24 * M, 256), 24 * M);
	assert_int_equal(memmap_region_size(9 * M, 1), 10 * M);
	for (uint32_t n = 16; n < 256; n++) {
		uint64_t size = memmap_region_size(0, n);

		assert_true(size - 16 * M >= (n - 16) * 64 * K);
		assert_true(size - 16 * M < (n - 16) * 64 * K + 2 * M);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_normalise),     cmocka_unit_test(test_is_normal),
	    cmocka_unit_test(test_choose_region), cmocka_unit_test(test_reserve),
	    cmocka_unit_test(test_queries),       cmocka_unit_test(test_bios_views),
	    cmocka_unit_test(test_efi),           cmocka_unit_test(test_random_maps),
	    cmocka_unit_test(test_region_size),
	};

	return cmocka_run_group_tests_name("memmap", tests, NULL, NULL);
}
