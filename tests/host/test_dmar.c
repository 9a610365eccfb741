/* Tests of the DMAR parser: tables built after the VT-d specification 4.1, chapter 8. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/dmar.h"
#include "core/errno.h"
#include "acpi_bytes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct dmar d;

static int parse(struct bytes *b)
{
	table_end(b);
	uint8_t *p = exact(b);
	int err = dmar_parse(p, b->size, &d);

	free(p);
	return err;
}

/* Figure 8-1: width, flags, ten reserved bytes. */
static void begin(struct bytes *b, unsigned width, unsigned flags)
{
	table_begin(b, "DMAR");
	put(b, 1, width);
	put(b, 1, flags);
	put(b, 10, 0);
}

/* Section 8.3; `scopes` bytes follow. */
static void drhd(struct bytes *b, unsigned flags, unsigned size, unsigned segment, uint64_t base,
		 unsigned scopes)
{
	put(b, 2, 0);
	put(b, 2, 16 + scopes);
	put(b, 1, flags);
	put(b, 1, size);
	put(b, 2, segment);
	put(b, 8, base);
}

/* Section 8.4. */
static void rmrr(struct bytes *b, unsigned segment, uint64_t base, uint64_t limit, unsigned scopes)
{
	put(b, 2, 1);
	put(b, 2, 24 + scopes);
	put(b, 2, 0);
	put(b, 2, segment);
	put(b, 8, base);
	put(b, 8, limit);
}

/* Section 8.3.1: one path of two bytes for each step. */
static void scope(struct bytes *b, unsigned type, unsigned id, unsigned bus, unsigned steps)
{
	put(b, 1, type);
	put(b, 1, 6 + 2 * steps);
	put(b, 2, 0);
	put(b, 1, id);
	put(b, 1, bus);
	for (unsigned i = 0; i < steps; i++)
		put(b, 2, 0x0002 + i);
}

/* As a notebook has it: a unit for the graphics, one for the rest, two reserved regions. */
static void test_usual(void **state)
{
	struct bytes b;

	(void)state;
	begin(&b, 38, 5);
	drhd(&b, 0, 0, 0, 0xfed90000, 8);
	scope(&b, 1, 0, 0, 1);
	drhd(&b, 1, 0, 0, 0xfed91000, 16);
	scope(&b, 3, 2, 0xf0, 1);
	scope(&b, 4, 0, 0, 1);
	rmrr(&b, 0, 0x8b000000, 0x8f7fffff, 8);
	scope(&b, 1, 0, 0, 1);
	put(&b, 2, 2); /* ATSR: not looked at */
	put(&b, 2, 8);
	put(&b, 4, 0);
	rmrr(&b, 1, 0x7a0f3123, 0x7a1127ff, 10);
	scope(&b, 2, 0, 0, 2);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(d.address_bits, 39);
	assert_true(d.interrupt_remap && d.opt_in);
	assert_int_equal(d.unit_count, 2);
	assert_true(d.unit[0].base == 0xfed90000 && d.unit[0].size == 0x1000);
	assert_false(d.unit[0].include_all);
	assert_true(d.unit[1].base == 0xfed91000 && d.unit[1].include_all);
	assert_int_equal(d.region_count, 2);
	assert_true(d.region[0].base == 0x8b000000 && d.region[0].end == 0x8f800000);
	/* whole pages */
	assert_true(d.region[1].base == 0x7a0f3000 && d.region[1].end == 0x7a113000);
	assert_int_equal(d.region[1].segment, 1);
	assert_int_equal(d.regions_bad, 0);
}

/* The size field: 2^N pages of registers; its upper bits are reserved. */
static void test_sizes(void **state)
{
	struct bytes b;

	(void)state;
	begin(&b, 45, 0);
	drhd(&b, 1, 0xf3, 7, 0xfec10000, 0);
	drhd(&b, 0, 15, 2, 0x200000000, 0);
	assert_int_equal(parse(&b), 0);
	assert_false(d.interrupt_remap || d.opt_in);
	assert_true(d.unit[0].size == 0x8000 && d.unit[0].segment == 7);
	assert_true(d.unit[1].size == 0x8000000 && d.unit[1].segment == 2);
}

/* Each damage by itself; `at` and `value` change one byte of a right table. */
static void test_damaged(void **state)
{
	static const struct {
		const char *what;
		uint32_t at;
		uint8_t value;
		int err;
	} rows[] = {
	    {"none", 0, 'D', 0},
	    {"signature", 0, 'E', -EINVAL},
	    {"address width 65", 36, 64, -EINVAL},
	    {"unit shorter than its fields", 48 + 2, 15, -EINVAL},
	    {"length 0", 48 + 2, 0, -EINVAL},
	    {"length 3", 48 + 2, 3, -EINVAL},
	    {"longer than the table", 48 + 3, 1, -EINVAL},
	    {"unit not at a page", 48 + 8, 1, -EINVAL},
	    {"unit above 52 bits", 48 + 14, 0x10, -EINVAL},
	    {"unit up to 52 bits", 48 + 14, 0x0f, 0},
	    {"scope of length 0", 64 + 1, 0, -EINVAL},
	    {"scope of length 5", 64 + 1, 5, -EINVAL},
	    {"scope longer than its unit", 64 + 1, 10, -EINVAL},
	    {"bytes behind the scope", 64 + 1, 6, -EINVAL},
	    {"unit is something unknown", 48, 77, -ENOENT},
	    {"region shorter than its fields", 72 + 2, 23, -EINVAL},
	    {"region ends before it starts", 72 + 8 + 3, 0xff, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bytes b;

		begin(&b, 38, 0);
		drhd(&b, 1, 0, 0, 0xfed90000, 8);
		scope(&b, 1, 0, 0, 1);
		rmrr(&b, 0, 0x8b000000, 0x8b0fffff, 0);
		b.data[rows[i].at] = rows[i].value;
		if (parse(&b) != rows[i].err)
			fail_msg("%s: %d", rows[i].what, parse(&b));
	}
}

static void test_units(void **state)
{
	struct bytes b;

	(void)state;
	begin(&b, 38, 0);
	assert_int_equal(parse(&b), -ENOENT); /* nothing behind the header */
	begin(&b, 38, 0);
	drhd(&b, 1, 0, 0, 0, 0);
	assert_int_equal(parse(&b), -EINVAL); /* the address of a unit that is switched off */
	begin(&b, 38, 0);
	drhd(&b, 1, 0, 0, 0xfed90000, 0);
	drhd(&b, 0, 0, 1, 0xfed90000, 0);
	assert_int_equal(parse(&b), -EINVAL);
	begin(&b, 38, 0);
	drhd(&b, 1, 1, 0, 0xfed90000, 0);
	drhd(&b, 0, 0, 1, 0xfed91000, 0); /* in the registers of the first */
	assert_int_equal(parse(&b), -EINVAL);
	/* cut in the middle of the fixed part */
	table_begin(&b, "DMAR");
	put(&b, 11, 38);
	assert_int_equal(parse(&b), -EINVAL);
	/* the last structure has no room for its length */
	begin(&b, 38, 0);
	drhd(&b, 1, 0, 0, 0xfed90000, 0);
	put(&b, 3, 1);
	assert_int_equal(parse(&b), -EINVAL);
	begin(&b, 38, 0);
	for (unsigned i = 0; i < DMAR_MAX_UNITS; i++)
		drhd(&b, 1, 0, (unsigned)i, 0xfed00000 + 0x1000 * (uint64_t)i, 0);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(d.unit_count, DMAR_MAX_UNITS);
	drhd(&b, 1, 0, 0, 0xfee00000, 0);
	assert_int_equal(parse(&b), -ENOSPC); /* none is left out silently */
}

static void test_regions(void **state)
{
	struct bytes b;

	(void)state;
	begin(&b, 38, 0);
	drhd(&b, 1, 0, 0, 0xfed90000, 0);
	rmrr(&b, 0, 0, 0, 0);               /* empty: firmware's way to leave one out */
	rmrr(&b, 0, 0x1000, 0xfff, 0);      /* the same */
	rmrr(&b, 0, 0x1000, UINT64_MAX, 0); /* no end */
	rmrr(&b, 0, 0xfffff00000000, 0x10000000000000, 0); /* beyond 52 bits */
	rmrr(&b, 0, 0, 0xfff, 0);                          /* the first page */
	assert_int_equal(parse(&b), 0);
	assert_int_equal(d.regions_bad, 4);
	assert_int_equal(d.region_count, 1);
	assert_true(d.region[0].base == 0 && d.region[0].end == 0x1000);
	for (unsigned i = 1; i < DMAR_MAX_REGIONS; i++)
		rmrr(&b, 0, 0x100000 * (uint64_t)i, 0x100000 * (uint64_t)i + 0xfff, 0);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(d.region_count, DMAR_MAX_REGIONS);
	rmrr(&b, 0, 0x90000000, 0x90000fff, 0);
	assert_int_equal(parse(&b), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_usual),   cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_damaged), cmocka_unit_test(test_units),
	    cmocka_unit_test(test_regions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
