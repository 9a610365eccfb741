/* Order of the initialisation calls: whatever the linker did, by stage and then by file name. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/initcall.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "tests/host/random.h"

/* In the order asked for: stage, then the file name's bytes as unsigned numbers. */
static const struct initcall sorted[] = {
    {INITCALL_EARLY, "Core/z.c", NULL},        {INITCALL_EARLY, "core/a.c", NULL},
    {INITCALL_EARLY, "core/a.c.c", NULL},      {INITCALL_EARLY, "core/b-a.c", NULL},
    {INITCALL_EARLY, "core/b.c", NULL},        {INITCALL_EARLY, "core/b/a.c", NULL},
    {INITCALL_EARLY, "core/b_a.c", NULL},      {INITCALL_EARLY, "core/ba.c", NULL},
    {INITCALL_EARLY, "core/\xc3\xa4.c", NULL}, {INITCALL_PLATFORM, "a.c", NULL},
    {INITCALL_PLATFORM, "core/10.c", NULL},    {INITCALL_PLATFORM, "core/9.c", NULL},
    {INITCALL_PLATFORM, "drivers/x.c", NULL},  {INITCALL_DRIVERS, "", NULL},
    {INITCALL_DRIVERS, "core/a.c", NULL},      {INITCALL_DRIVERS, "drivers/pci/pci.c", NULL},
};
#define COUNT (sizeof(sorted) / sizeof(sorted[0]))

static void any_order_becomes_the_same(void **state)
{
	(void)state;
	for (int round = 0; round < 100; round++) {
		struct initcall records[COUNT]; /* the addresses are shuffled, too */
		const struct initcall *calls[COUNT];

		memcpy(records, sorted, sizeof(records));
		for (size_t i = COUNT - 1; i > 0; i--) {
			size_t k = random64() % (i + 1);
			struct initcall t = records[i];

			records[i] = records[k];
			records[k] = t;
		}
		for (size_t i = 0; i < COUNT; i++)
			calls[i] = &records[i];
		initcall_sort(calls, COUNT);
		for (size_t i = 0; i < COUNT; i++) {
			assert_int_equal(calls[i]->stage, sorted[i].stage);
			assert_string_equal(calls[i]->file, sorted[i].file);
		}
	}
}

static void equal_ones_stay_in_order(void **state)
{
	static const struct initcall same[4] = {
	    {INITCALL_DRIVERS, "b.c", NULL},
	    {INITCALL_DRIVERS, "a.c", NULL},
	    {INITCALL_DRIVERS, "a.c", NULL},
	    {INITCALL_DRIVERS, "b.c", NULL},
	};
	const struct initcall *calls[4] = {&same[0], &same[1], &same[2], &same[3]};

	(void)state;
	initcall_sort(calls, 4);
	assert_ptr_equal(calls[0], &same[1]);
	assert_ptr_equal(calls[1], &same[2]);
	assert_ptr_equal(calls[2], &same[0]);
	assert_ptr_equal(calls[3], &same[3]);
	initcall_sort(calls, 0);
	initcall_sort(calls, 1);
	assert_ptr_equal(calls[0], &same[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_order_becomes_the_same),
	    cmocka_unit_test(equal_ones_stay_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
