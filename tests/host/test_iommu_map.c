/* Tests of the tables for DMA: what devices reach, with which entries, in how many pages. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/iommu/map.h"
#include "core/addr.h"
#include "core/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Tables get addresses from 7000000000h on, so that none is taken for what it maps. */
#define POOL_BASE  UINT64_C(0x7000000000)
#define POOL_PAGES 600u

static uint64_t (*pool)[512];
static uint32_t pool_used, pool_end;

static uint64_t take(void *arg)
{
	(void)arg;
	return pool_used == pool_end ? 0 : POOL_BASE + PAGE_SIZE * pool_used++;
}

static uint64_t *at(void *arg, uint64_t pa)
{
	(void)arg;
	assert_true(pa >= POOL_BASE && pa % PAGE_SIZE == 0 &&
		    pa < POOL_BASE + pool_used * PAGE_SIZE);
	return pool[(pa - POOL_BASE) / PAGE_SIZE];
}

static void begin(struct iommu_map *m, const struct iommu_format *f, unsigned max_leaf,
		  uint64_t end)
{
	*m = (struct iommu_map){
	    .format = f, .max_leaf = max_leaf, .end = end, .alloc = take, .at = at};
	memset(pool, 0, POOL_PAGES * PAGE_SIZE);
	pool_used = 0;
	pool_end = POOL_PAGES;
}

static void reach(const struct iommu_map *m, uint64_t root, uint64_t address, bool expected)
{
	uint64_t pa = 0;

	if (iommu_map_lookup(m, root, address, &pa) != expected)
		fail_msg("%#lx", address);
	if (expected)
		assert_true(pa == address);
}

/* The walk of the hardware, written down by itself: VT-d 4.1, sections 3.7 and 9.8.
 */
static bool vtd_walk(uint64_t root, unsigned levels, uint64_t address, uint64_t *size)
{
	uint64_t table = root;

	for (unsigned level = levels;; level--) {
		uint64_t e = at(NULL, table)[address >> (12 + 9 * (level - 1)) & 511];

		if ((e & 3) != 3) {
			assert_int_equal(e, 0);
			return false;
		}
		assert_int_equal(e & 0xff00000000000f7c, 0); /* SNP, TM, reserved and ignored */
		if (level == 1 || (e & 0x80)) {
			assert_true(level <= 3);
			*size = UINT64_C(1) << (12 + 9 * (level - 1));
			assert_int_equal(e & ~UINT64_C(0x83), address & ~(*size - 1));
			if (level == 1)
				assert_int_equal(e & 0x80, 0);
			return true;
		}
		table = e & ~UINT64_C(0xfff);
	}
}

static void test_vtd(void **state)
{
	struct iommu_map m;
	uint64_t root, root3, size;

	(void)state;
	begin(&m, &iommu_format_vtd, 3, UINT64_C(1) << 39);
	assert_int_equal(iommu_map_hole(&m, 0x3ee00000, 0x3fe00000), 0);
	assert_int_equal(iommu_map_hole(&m, 0xfed90000, 0xfed90001), 0); /* a whole page */
	/* top, 512 GiB, the 2 MiB pages of two GiB, the pages of two MiB */
	assert_int_equal(iommu_map_count(&m, 100), 5);
	assert_int_equal(iommu_map_count(&m, 5), 5);
	assert_int_equal(iommu_map_count(&m, 4), 5);
	assert_int_equal(iommu_map_count(&m, 1), 2);
	assert_int_equal(iommu_map_build(&m, &root, &root3), 0);
	assert_int_equal(m.tables, 5);
	assert_int_equal(pool_used, 5);
	static const struct {
		uint64_t address;
		uint64_t size; /* of its page; 0: no access */
	} rows[] = {
	    {0, SIZE_2M},           {0x3edfffff, SIZE_2M},   {0x3ee00000, 0},
	    {0x3f000000, 0},        {0x3fdfffff, 0},         {0x3fe00000, SIZE_2M},
	    {0x40000000, SIZE_1G},  {0xfed8ffff, PAGE_SIZE}, {0xfed90000, 0},
	    {0xfed90fff, 0},        {0xfed91000, PAGE_SIZE}, {0xfee00000, SIZE_2M},
	    {0x100000000, SIZE_1G}, {0x7fffffffff, SIZE_1G},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (unsigned levels = 3; levels <= 4; levels++) {
			bool there =
			    vtd_walk(levels == 3 ? root3 : root, levels, rows[i].address, &size);

			assert_int_equal(there, rows[i].size != 0);
			if (there)
				assert_int_equal(size, rows[i].size);
		}
		reach(&m, root, rows[i].address, rows[i].size != 0);
	}
	assert_false(vtd_walk(root, 4, 0x8000000000, &size)); /* behind the end */
	assert_false(vtd_walk(root, 4, 0xffffffffffff, &size));
}

/* A unit without 1 GiB pages, and one with 4 levels that are all full. */
static void test_sizes(void **state)
{
	struct iommu_map m;
	uint64_t root, root3;

	(void)state;
	begin(&m, &iommu_format_vtd, 2, UINT64_C(4) << 30);
	assert_int_equal(iommu_map_count(&m, 100), 2 + 4);
	assert_int_equal(iommu_map_build(&m, &root, &root3), 0);
	assert_int_equal(m.tables, 6);
	reach(&m, root, 0, true);
	reach(&m, root, 0xffffffff, true);
	reach(&m, root, 0x100000000, false);
	/* 2^48 bytes: 512 tables and the top */
	begin(&m, &iommu_format_vtd, 3, UINT64_C(1) << 48);
	assert_int_equal(iommu_map_count(&m, 2048), 513);
	assert_int_equal(iommu_map_build(&m, &root, &root3), 0);
	reach(&m, root, 0xffffffffffff, true);
	/* in 2 MiB pages more than 2^18 tables: the count stops early */
	begin(&m, &iommu_format_vtd, 2, UINT64_C(1) << 48);
	assert_int_equal(iommu_map_count(&m, 2048), 2049);
	/* an end that is no multiple of a page size of its own */
	begin(&m, &iommu_format_vtd, 3, 0x40201000);
	assert_int_equal(iommu_map_count(&m, 100), 4);
	assert_int_equal(iommu_map_build(&m, &root, &root3), 0);
	reach(&m, root, 0x40200fff, true);
	reach(&m, root, 0x40201000, false);
}

/* 48882 section 2.2.3: PR 0, next level 11:9, IR 61, IW 62. */
static void test_amd(void **state)
{
	struct iommu_map m;
	uint64_t root, root3;

	(void)state;
	begin(&m, &iommu_format_amd, 3, UINT64_C(1) << 40);
	iommu_map_hole(&m, 0x3ee00000, 0x3fe00000);
	iommu_map_hole(&m, 0xfd00000000, 0x10000000000); /* the last 12 GiB */
	assert_int_equal(iommu_map_count(&m, 100), 4);
	assert_int_equal(iommu_map_build(&m, &root, &root3), 0);
	uint64_t *top = at(NULL, root), *first = at(NULL, root3);

	assert_true(top[0] == (root3 | 0x6000000000000601)); /* leads to level 3 */
	assert_int_equal(top[1] >> 9 & 7, 3);
	assert_int_equal(top[2] & 1, 0);
	assert_int_equal(first[0] >> 9 & 7, 2);
	assert_true(first[1] == 0x6000000040000001); /* 1 GiB: next level 0 */
	uint64_t *second = at(NULL, first[0] & 0xffffffffff000);

	assert_true(second[1] == 0x6000000000200001);
	for (unsigned i = 0; i < 512; i++) /* 2 MiB pages of the hole: not present */
		assert_int_equal(second[i] & 1, i < 0x1f7 || i > 0x1fe);
	uint64_t *high = at(NULL, top[1] & 0xffffffffff000);

	assert_true(high[499] == 0x600000fcc0000001);
	for (unsigned i = 500; i < 512; i++)
		assert_int_equal(high[i] & 1, 0);
	reach(&m, root, 0xfcffffffff, true);
	reach(&m, root, 0xfd00000000, false);
}

static void test_holes(void **state)
{
	struct iommu_map m;
	uint64_t root, root3;

	(void)state;
	begin(&m, &iommu_format_vtd, 3, SIZE_4G);
	/* overlapping, touching, empty, in any order, at both ends */
	iommu_map_hole(&m, 0x5000, 0x7000);
	iommu_map_hole(&m, 0x9000, 0x9000);
	iommu_map_hole(&m, 0xa000, 0x9000);
	iommu_map_hole(&m, 0x3000, 0x6000);
	iommu_map_hole(&m, 0x7000, 0x8000);
	iommu_map_hole(&m, 0, 0x1000);
	iommu_map_hole(&m, 0xfffff000, 0x180000000);
	assert_int_equal(m.hole_count, 5);
	assert_int_equal(iommu_map_build(&m, &root, &root3), 0);
	assert_int_equal(m.tables, iommu_map_count(&m, 100));
	for (uint64_t page = 0; page < 0x10; page++)
		reach(&m, root, page << 12, page != 0 && (page < 3 || page > 7));
	reach(&m, root, 0xffffefff, true);
	reach(&m, root, 0xfffff000, false);
	reach(&m, root, 0x100000000, false);
	while (m.hole_count < IOMMU_MAX_HOLES)
		assert_int_equal(iommu_map_hole(&m, 0, 1), 0);
	assert_int_equal(iommu_map_hole(&m, 0, 1), -ENOSPC);
}

static void test_no_memory(void **state)
{
	struct iommu_map m;
	uint64_t root, root3;

	(void)state;
	for (uint32_t n = 0; n <= 5; n++) {
		begin(&m, &iommu_format_vtd, 3, SIZE_4G);
		iommu_map_hole(&m, 0x1000, 0x2000);
		iommu_map_hole(&m, 0xc0000000, 0xc0001000);
		pool_end = n;
		assert_int_equal(iommu_map_build(&m, &root, &root3), n < 6 ? -ENOMEM : 0);
	}
	begin(&m, &iommu_format_vtd, 3, SIZE_4G);
	iommu_map_hole(&m, 0x1000, 0x2000);
	iommu_map_hole(&m, 0xc0000000, 0xc0001000);
	pool_end = 6;
	assert_int_equal(iommu_map_build(&m, &root, &root3), 0);
}

static int setup(void **state)
{
	(void)state;
	pool = malloc(POOL_PAGES * PAGE_SIZE);
	return pool ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(pool);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vtd),       cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_amd),       cmocka_unit_test(test_holes),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
