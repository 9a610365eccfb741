/* Tests of the IVRS parser: tables built after the AMD IOMMU specification (48882), chapter 5. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/ivrs.h"
#include "core/errno.h"
#include "acpi_bytes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <cmocka.h>

static struct ivrs v;

static int parse(struct bytes *b)
{
	table_end(b);
	uint8_t *p = exact(b);
	int err = ivrs_parse(p, b->size, &v);

	free(p);
	return err;
}

/* IVinfo and eight reserved bytes. */
static void begin(struct bytes *b)
{
	table_begin(b, "IVRS");
	put(b, 4, 0x00203041);
	put(b, 8, 0);
}

/* Section 5.2.2.1; the length follows from ivhd_end(). */
static uint32_t ivhd(struct bytes *b, unsigned type, unsigned flags, unsigned device, uint64_t base,
		     unsigned segment)
{
	uint32_t at = b->size;

	put(b, 1, type);
	put(b, 1, flags);
	put(b, 2, 0);
	put(b, 2, device);
	put(b, 2, 0x40);
	put(b, 8, base);
	put(b, 2, segment);
	put(b, 2, 0);
	put(b, 4, 0x80048f6f);
	if (type != 0x10)
		put(b, 16, 0);
	return at;
}

static void ivhd_end(struct bytes *b, uint32_t at)
{
	patch16(b, at + 2, b->size - at);
}

/* A device entry of four bytes. */
static void entry(struct bytes *b, unsigned type, unsigned device, unsigned data)
{
	put(b, 1, type);
	put(b, 2, device);
	put(b, 1, data);
}

/* Section 5.2.2.3. */
static void ivmd(struct bytes *b, unsigned type, unsigned flags, uint64_t start, uint64_t length)
{
	put(b, 1, type);
	put(b, 1, flags);
	put(b, 2, 32);
	put(b, 2, 0);
	put(b, 2, 0);
	put(b, 8, 0);
	put(b, 8, start);
	put(b, 8, length);
}

static void setting(unsigned i, unsigned first, unsigned last, unsigned data)
{
	assert_true(i < v.setting_count);
	assert_int_equal(v.setting[i].first, first);
	assert_int_equal(v.setting[i].last, last);
	assert_int_equal(v.setting[i].data, data);
}

/* A desktop: one unit described three times, its I/O APIC and HPET, a unity region. */
static void test_usual(void **state)
{
	static const unsigned types[] = {0x10, 0x11, 0x40};
	struct bytes b;

	(void)state;
	begin(&b);
	for (unsigned i = 0; i < 3; i++) {
		uint32_t at = ivhd(&b, types[i], 0xb0, 0x0002, 0xfd200000, 0);

		entry(&b, 3, 0x0003, 0);
		entry(&b, 4, 0xfffe, 0);
		entry(&b, 72, 0, 0xd7); /* I/O APIC 21h sends as 00:14.0 */
		put(&b, 1, 0x21);
		put(&b, 2, 0x00a0);
		put(&b, 1, 1);
		ivhd_end(&b, at);
	}
	ivmd(&b, 0x21, 0x07, 0xbdf00000, 0x10800);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(v.unit_count, 1);
	assert_true(v.unit[0].base == 0xfd200000 && v.unit[0].device_id == 2);
	assert_int_equal(v.unit[0].type, 0x40);
	assert_int_equal(v.unit[0].capability, 0x40);
	assert_int_equal(v.unit[0].flags, 0xb0);
	assert_int_equal(v.setting_count, 3);
	setting(0, 0xa0, 0xa0, 0xd7);
	assert_true(v.has_ioapic);
	assert_int_equal(v.region_count, 1);
	assert_true(v.region[0].base == 0xbdf00000 && v.region[0].end == 0xbdf11000);
}

/* Each kind of device entry. */
static void test_entries(void **state)
{
	struct bytes b;

	(void)state;
	begin(&b);
	uint32_t at = ivhd(&b, 0x10, 0, 0x0002, 0xfd200000, 3);

	entry(&b, 0, 0, 0xff);      /* padding */
	entry(&b, 1, 0, 0x04);      /* all */
	entry(&b, 2, 0x0100, 0x40); /* select */
	entry(&b, 2, 0x0108, 0x00); /* nothing wanted: not kept */
	entry(&b, 3, 0x0200, 0x30); /* range */
	entry(&b, 0, 0, 0);
	entry(&b, 4, 0x02ff, 0);
	entry(&b, 66, 0x0310, 0x01); /* alias: 03:02.0 sends as 03:00.0 */
	put(&b, 1, 0);
	put(&b, 2, 0x0300);
	put(&b, 1, 0);
	entry(&b, 67, 0x0400, 0x02); /* range with an alias */
	put(&b, 1, 0);
	put(&b, 2, 0x03f8);
	put(&b, 1, 0);
	entry(&b, 4, 0x0407, 0);
	entry(&b, 70, 0x0500, 0x80); /* extended select */
	put(&b, 4, 0x80000000);
	entry(&b, 71, 0x0600, 0x20); /* extended range */
	put(&b, 4, 0);
	entry(&b, 4, 0x0600, 0);
	entry(&b, 72, 0, 0); /* a HPET */
	put(&b, 1, 0);
	put(&b, 2, 0x00a0);
	put(&b, 1, 2);
	entry(&b, 240, 0x00a5, 0x40); /* ACPI HID: 8 + 8 + 1 bytes, then the length of the UID */
	put(&b, 8, 0);
	put(&b, 8, 0);
	put(&b, 1, 2);
	put(&b, 1, 9);
	put(&b, 9, 0x5f);
	put(&b, 1, 130); /* unknown, 16 bytes */
	put(&b, 15, 0xff);
	put(&b, 1, 200); /* unknown, 32 bytes */
	put(&b, 31, 0xff);
	ivhd_end(&b, at);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(v.unit[0].segment, 3);
	assert_int_equal(v.setting_count, 10);
	setting(0, 0x0000, 0xffff, 0x04);
	setting(1, 0x0100, 0x0100, 0x40);
	setting(2, 0x0200, 0x02ff, 0x30);
	setting(3, 0x0310, 0x0310, 0x01);
	setting(4, 0x0300, 0x0300, 0x01);
	setting(5, 0x0400, 0x0407, 0x02);
	setting(6, 0x03f8, 0x03f8, 0x02);
	setting(7, 0x0500, 0x0500, 0x80);
	setting(8, 0x0600, 0x0600, 0x20);
	setting(9, 0x00a5, 0x00a5, 0x40);
	assert_int_equal(v.setting[9].segment, 3);
	assert_false(v.has_ioapic);
}

/* One byte of a right table changed: the unit's block is at 48, its entries at 72, a region at 80.
 */
static void test_damaged(void **state)
{
	static const struct {
		const char *what;
		uint32_t at;
		uint8_t value;
		int err;
	} rows[] = {
	    {"none", 0, 'I', 0},
	    {"signature", 0, 'J', -EINVAL},
	    {"length 0", 48 + 2, 0, -EINVAL},
	    {"length 3", 48 + 2, 3, -EINVAL},
	    {"shorter than its fields", 48 + 2, 23, -EINVAL},
	    {"ends in an entry", 48 + 2, 31, -EINVAL},
	    {"longer than the table", 48 + 3, 1, -EINVAL},
	    {"unit at an odd page", 48 + 8 + 1, 0x10, -EINVAL},
	    {"unit above 52 bits", 48 + 8 + 6, 0x10, -EINVAL},
	    {"type 11h needs 40 bytes", 48, 0x11, -EINVAL},
	    {"unknown block", 48, 0x12, -ENOENT},
	    {"entry longer than the block", 72, 130, -EINVAL},
	    {"ACPI HID entry without room", 72, 240, -EINVAL},
	    {"end without a start", 72, 4, -EINVAL},
	    {"start without an end", 76, 0, -EINVAL},
	    {"another start in a range", 76, 3, -EINVAL},
	    {"a range that ends before it starts", 76 + 2, 0, -EINVAL},
	    {"region shorter than its fields", 80 + 2, 31, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bytes b;

		begin(&b);
		uint32_t at = ivhd(&b, 0x10, 0, 2, 0xfd200000, 0);

		entry(&b, 3, 0x0110, 0);
		entry(&b, 4, 0x01ff, 0);
		ivhd_end(&b, at);
		ivmd(&b, 0x20, 0x08, 0x1000, 0x1000);
		b.data[rows[i].at] = rows[i].value;
		if (parse(&b) != rows[i].err)
			fail_msg("%s: %d", rows[i].what, parse(&b));
	}
}

static void test_units(void **state)
{
	struct bytes b;

	(void)state;
	begin(&b);
	assert_int_equal(parse(&b), -ENOENT);
	begin(&b);
	ivhd_end(&b, ivhd(&b, 0x11, 0, 2, 0xfd200000, 0));
	ivhd_end(&b, ivhd(&b, 0x10, 1, 2, 0xfd200000, 0)); /* older: does not count */
	ivhd_end(&b, ivhd(&b, 0x10, 2, 0x2002, 0xfd300000, 0));
	assert_int_equal(parse(&b), 0);
	assert_int_equal(v.unit_count, 2);
	assert_true(v.unit[0].type == 0x11 && v.unit[0].flags == 0);
	assert_true(v.unit[1].device_id == 0x2002 && v.unit[1].flags == 2);
	/* one address, two units */
	begin(&b);
	ivhd_end(&b, ivhd(&b, 0x10, 0, 2, 0xfd200000, 0));
	ivhd_end(&b, ivhd(&b, 0x10, 0, 0x2002, 0xfd200000, 0));
	assert_int_equal(parse(&b), -EINVAL);
	begin(&b);
	ivhd_end(&b, ivhd(&b, 0x10, 0, 2, 0xfd200000, 0));
	ivhd_end(&b, ivhd(&b, 0x11, 0, 2, 0xfd200000, 1));
	assert_int_equal(parse(&b), -EINVAL);
	begin(&b);
	ivhd_end(&b, ivhd(&b, 0x10, 0, 2, 0, 0));
	assert_int_equal(parse(&b), -EINVAL);
	begin(&b);
	for (unsigned i = 0; i < IVRS_MAX_UNITS; i++)
		ivhd_end(&b, ivhd(&b, 0x10, 0, i, 0xfd000000 + 0x4000 * (uint64_t)i, 0));
	assert_int_equal(parse(&b), 0);
	ivhd_end(&b, ivhd(&b, 0x10, 0, 0x100, 0xfe000000, 0));
	assert_int_equal(parse(&b), -ENOSPC);
	/* the last block has no room for its length */
	begin(&b);
	ivhd_end(&b, ivhd(&b, 0x10, 0, 2, 0xfd200000, 0));
	put(&b, 2, 0x10);
	assert_int_equal(parse(&b), -EINVAL);
	table_begin(&b, "IVRS");
	put(&b, 11, 0);
	assert_int_equal(parse(&b), -EINVAL);
}

static void test_limits(void **state)
{
	struct bytes b;

	(void)state;
	begin(&b);
	ivhd_end(&b, ivhd(&b, 0x10, 0, 2, 0xfd200000, 0));
	ivmd(&b, 0x20, 1, 0x1000, 0);                  /* empty */
	ivmd(&b, 0x22, 1, 0xfffffffffffff000, 0x1000); /* beyond 52 bits */
	ivmd(&b, 0x22, 1, 0x1000, 0xfffffffffffff000); /* the same */
	ivmd(&b, 0x22, 1, 0xffffffffff000, 0x1000);    /* the last page */
	assert_int_equal(parse(&b), 0);
	assert_int_equal(v.regions_bad, 3);
	assert_int_equal(v.region_count, 1);
	assert_true(v.region[0].base == 0xffffffffff000 && v.region[0].end == 0x10000000000000);
	for (unsigned i = 1; i < IVRS_MAX_REGIONS; i++)
		ivmd(&b, 0x20, 1, 0x1000, 0x1000);
	assert_int_equal(parse(&b), 0);
	ivmd(&b, 0x20, 1, 0x1000, 0x1000);
	assert_int_equal(parse(&b), -ENOSPC);

	begin(&b);
	uint32_t at = ivhd(&b, 0x10, 0, 2, 0xfd200000, 0);

	for (unsigned i = 0; i < IVRS_MAX_SETTINGS; i++)
		entry(&b, 2, i, 1);
	ivhd_end(&b, at);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(v.setting_count, IVRS_MAX_SETTINGS);
	entry(&b, 2, 0x1000, 0); /* nothing to keep */
	ivhd_end(&b, at);
	assert_int_equal(parse(&b), 0);
	entry(&b, 2, 0x1000, 1);
	ivhd_end(&b, at);
	assert_int_equal(parse(&b), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_usual),   cmocka_unit_test(test_entries),
	    cmocka_unit_test(test_damaged), cmocka_unit_test(test_units),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
