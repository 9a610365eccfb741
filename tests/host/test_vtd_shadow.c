/* Tests of the registers that firmware gets in the place of a VT-d unit: what it waits for comes.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/iommu/vtd_shadow.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define CAP  UINT64_C(0xd2008c40660462)
#define ECAP UINT64_C(0xf050da)

static struct vtd_shadow s;

static int setup(void **state)
{
	(void)state;
	vtd_shadow_init(&s, 0x10, CAP, ECAP, 0xc4000000, 0x508); /* TES, RTPS, QIES */
	return 0;
}

static uint64_t get(uint64_t offset, unsigned size)
{
	return vtd_shadow_read(&s, offset, size);
}

/* Offsets and bits of the VT-d specification 4.1, section 11.4. */
static void test_commands(void **state)
{
	(void)state;
	assert_int_equal(get(0, 4), 0x10);
	assert_true(get(8, 8) == CAP && get(0x10, 8) == ECAP);
	assert_int_equal(get(0xc, 4), CAP >> 32);
	assert_int_equal(get(0x1c, 4), 0xc4000000);
	vtd_shadow_write(&s, 0x18, 4, 0x04000000); /* translation off, the queue stays */
	assert_int_equal(get(0x1c, 4), 0x44000000);
	assert_int_equal(get(0x18, 4), 0);         /* write only */
	vtd_shadow_write(&s, 0x18, 4, 0x0c000000); /* WBF: done at once */
	assert_int_equal(get(0x1c, 4), 0x44000000);
	vtd_shadow_write(&s, 0x18, 4, 0x83000000); /* TE, IRE, SIRTP; the queue off */
	assert_int_equal(get(0x1c, 4), 0xc3000000);
	vtd_shadow_write(&s, 0x1c, 4, 0); /* read only */
	assert_int_equal(get(0x1c, 4), 0xc3000000);
	vtd_shadow_write(&s, 8, 8, 0);
	assert_true(get(8, 8) == CAP);
	vtd_shadow_write(&s, 0x20, 8, 0x123456000); /* root table */
	assert_int_equal(get(0x20, 8), 0x123456000);
	vtd_shadow_write(&s, 0x24, 4, 7);
	assert_int_equal(get(0x20, 8), 0x723456000);
}

static void test_invalidation(void **state)
{
	(void)state;
	vtd_shadow_write(&s, 0x28, 8, 0xa000000000000000); /* ICC, global */
	assert_int_equal(get(0x28, 8) >> 63, 0);
	vtd_shadow_write(&s, 0x2c, 4, 0xa0000000);
	assert_int_equal(get(0x2c, 4) >> 31, 0);
	vtd_shadow_write(&s, 0x508, 8, 0x9003000000000000); /* IVT */
	assert_true(get(0x508, 8) == 0x1003000000000000);
	vtd_shadow_write(&s, 0x88, 8, 0x30); /* the head follows the tail */
	assert_int_equal(get(0x80, 8), 0x30);
	vtd_shadow_write(&s, 0x80, 8, 0x10);
	assert_int_equal(get(0x80, 8), 0x30);
}

static void test_others(void **state)
{
	(void)state;
	vtd_shadow_write(&s, 0x34, 4, 0xff);
	assert_int_equal(get(0x34, 4), 0); /* no faults */
	vtd_shadow_write(&s, 0x38, 4, 0x80000000);
	assert_int_equal(get(0x38, 4), 0x80000000);
	vtd_shadow_write(&s, 0x64, 4, 0x80000000); /* protected memory on, and off */
	assert_int_equal(get(0x64, 4), 0x80000001);
	vtd_shadow_write(&s, 0x64, 4, 0);
	assert_int_equal(get(0x64, 4), 0);
	for (uint64_t offset = 0x100; offset < 0x1000; offset += 8) {
		vtd_shadow_write(&s, offset, 8, UINT64_MAX);
		assert_true(get(offset, 8) == (offset == 0x508 ? UINT64_MAX >> 1 : 0));
	}
	assert_int_equal(get(UINT64_MAX - 7, 8), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_commands, setup),
	    cmocka_unit_test_setup(test_invalidation, setup),
	    cmocka_unit_test_setup(test_others, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
