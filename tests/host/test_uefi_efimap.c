/* Host tests of the conversion of UEFI's memory map (boot/uefi/efimap.c). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>
#include "boot/uefi/efimap.h"

/* EFI_MEMORY_DESCRIPTOR with the 8 bytes more per entry that EDK2 delivers (DescriptorSize 48). */
struct desc {
	uint32_t type, pad;
	uint64_t start, virt, pages, attribute, more;
};

/* Every type of UEFI 2.10, table 7.6, with a hole between, must come out as the ACPI type. */
static void test_types(void **state)
{
	(void)state;
	static const struct {
		uint32_t efi, want;
	} t[] = {
	    {0, 2},    {1, 1},  {2, 1},  {3, 1},  {4, 1},          {5, 2},
	    {6, 2},    {7, 1},  {8, 5},  {9, 3},  {10, 4},         {11, 100},
	    {12, 100}, {13, 2}, {14, 7}, {15, 2}, {0x70000001, 2}, {0x80000001, 2},
	};
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct desc d = {.type = t[i].efi, .start = 0x5000, .pages = 3};
		struct boot_mmap_entry out[2];
		assert_int_equal(efimap_convert(&d, sizeof(d), sizeof(d), out, 2), 1);
		assert_int_equal(out[0].type, t[i].want);
		assert_int_equal(out[0].base, 0x5000);
		assert_int_equal(out[0].size, 0x3000);
		assert_int_equal(out[0].attributes, 1);
	}
}

static void test_sort_and_join(void **state)
{
	(void)state;
	const struct desc d[] = {
	    {.type = 7, .start = 0x100000, .pages = 0x100},
	    {.type = 3, .start = 0x1000, .pages = 0x9f},
	    {.type = 4, .start = 0, .pages = 1},
	    {.type = 0, .start = 0x300000, .pages = 0x10},
	    {.type = 2, .start = 0x200000, .pages = 0x100}, /* joins what lies below */
	    {.type = 9, .start = 0x310000, .pages = 0},
	    {.type = 7, .start = 0x400000, .pages = 1},
	    {.type = 7, .start = 0x402000, .pages = 1},
	    {.type = 1, .start = 0x401000, .pages = 1}, /* joins both sides */
	};
	static const struct boot_mmap_entry want[] = {
	    {0, 0xa0000, BOOT_MMAP_RAM, 1},
	    {0x100000, 0x200000, BOOT_MMAP_RAM, 1},
	    {0x300000, 0x10000, BOOT_MMAP_RESERVED, 1},
	    {0x400000, 0x3000, BOOT_MMAP_RAM, 1},
	};
	struct boot_mmap_entry out[8];
	assert_int_equal(efimap_convert(d, sizeof(d), sizeof(d[0]), out, 8), 4);
	assert_memory_equal(out, want, sizeof(want));
}

static void test_full(void **state)
{
	(void)state;
	struct desc d[4];
	struct boot_mmap_entry out[4];
	memset(d, 0, sizeof(d));
	for (size_t i = 0; i < 4; i++)
		d[i] = (struct desc){.type = 7, .start = i * 0x10000, .pages = 1};
	assert_int_equal(efimap_convert(d, sizeof(d), sizeof(d[0]), out, 4), 4);
	assert_int_equal(efimap_convert(d, sizeof(d), sizeof(d[0]), out, 3), -ENOSPC);
}

static void test_bad(void **state)
{
	(void)state;
	struct boot_mmap_entry out[1];
	struct desc d = {.type = 7, .start = 0x1000, .pages = UINT64_C(1) << 52};
	assert_int_equal(efimap_convert(&d, sizeof(d), sizeof(d), out, 1), -EINVAL);
	d.pages = (UINT64_C(1) << 52) - 1; /* ends one page beyond 2^64 */
	assert_int_equal(efimap_convert(&d, sizeof(d), sizeof(d), out, 1), -EINVAL);
	d.pages = 1;
	assert_int_equal(efimap_convert(&d, sizeof(d), 39, out, 1), -EINVAL);
	assert_int_equal(efimap_convert(&d, 40, 40, out, 1), 1);
	assert_int_equal(efimap_convert(&d, 39, 40, out, 1),
			 0); /* an incomplete one does not count */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_types),
	    cmocka_unit_test(test_sort_and_join),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_bad),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
