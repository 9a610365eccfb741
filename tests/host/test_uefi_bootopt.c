/* Host tests of boot options, device paths and load options. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>
#include "boot/uefi/bootopt.h"
#include "boot/uefi/devpath.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* UEFI 2.10: PciRoot is ACPI(2,1) HID PNP0A03; Pci(1,1); Sata is messaging 18; HD media 1; file
 * media 4. */
#define PCI_ROOT   0x02, 0x01, 0x0c, 0x00, 0xd0, 0x41, 0x03, 0x0a, 0, 0, 0, 0
#define PCI(d, f)  0x01, 0x01, 0x06, 0x00, f, d
#define SATA(port) 0x03, 0x12, 0x0a, 0x00, port, 0, 0xff, 0xff, 0, 0
#define HD(number, type, sig)                                                                      \
	0x04, 0x01, 0x2a, 0x00, number, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0,   \
	    0, sig, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, (type) == 2 ? 2 : 1, type
#define FILE_A    0x04, 0x04, 0x0a, 0x00, '\\', 0, 'a', 0, 0, 0
#define FILE_DIR  0x04, 0x04, 0x0a, 0x00, '\\', 0, 'd', 0, 0, 0
#define FILE_B    0x04, 0x04, 0x08, 0x00, 'b', 0, 0, 0
#define FILE_OPEN 0x04, 0x04, 0x08, 0x00, '\\', 0, 'x', 0 /* no NUL */
#define FV_FILE   0x04, 0x06, 0x14, 0x00, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#define END       0x7f, 0xff, 0x04, 0x00

static const uint8_t full[] = {PCI_ROOT, PCI(31, 2), SATA(1), HD(1, 2, 0x77), FILE_A, END};
static const uint8_t whole_disk[] = {PCI_ROOT, PCI(31, 2), SATA(1), END};
static const uint8_t other_disk[] = {PCI_ROOT, PCI(31, 2), SATA(2), END};
static const uint8_t short_hd[] = {HD(1, 2, 0x77), FILE_A, END};
static const uint8_t file_only[] = {FILE_DIR, FILE_B, END};

static void test_size(void **state)
{
	(void)state;
	assert_int_equal(devpath_size(full, sizeof(full)), sizeof(full));
	for (size_t n = 0; n < sizeof(full); n++) {
		uint8_t *copy = malloc(n + 1);
		assert_non_null(copy);
		memcpy(copy, full, n);
		assert_int_equal(devpath_size(copy, n), 0);
		free(copy);
	}
	static const uint8_t tiny_node[] = {0x01, 0x01, 0x03, 0x00, END};
	static const uint8_t two[] = {PCI_ROOT, 0x7f, 0x01, 0x04, 0x00, PCI_ROOT, END};
	static const uint8_t more[] = {PCI_ROOT, END, PCI_ROOT};
	assert_int_equal(devpath_size(tiny_node, sizeof(tiny_node)), 0);
	assert_int_equal(devpath_size(two, sizeof(two)), 0);
	assert_int_equal(devpath_size(more, sizeof(more)), 16);
}

static void test_parts(void **state)
{
	(void)state;
	struct devpath_partition p;
	assert_int_equal(devpath_kind(full), DEVPATH_FULL);
	assert_int_equal(devpath_kind(short_hd), DEVPATH_PARTITION);
	assert_int_equal(devpath_kind(file_only), DEVPATH_FILE);
	assert_int_equal(devpath_first_size(short_hd), 42);
	assert_int_equal(devpath_disk_size(full), 12 + 6 + 10);
	assert_int_equal(devpath_disk_size(whole_disk), 12 + 6 + 10);
	assert_int_equal(devpath_disk_size(short_hd), 0);
	assert_true(devpath_names_file(full));
	assert_false(devpath_names_file(whole_disk));
	static const uint8_t fv[] = {FV_FILE, END};
	assert_true(devpath_names_file(fv));
	assert_true(devpath_partition(full, &p));
	assert_int_equal(p.number, 1);
	assert_int_equal(p.signature_type, 2);
	assert_int_equal(p.signature[0], 0x77);
	assert_int_equal(p.signature[15], 15);
	assert_false(devpath_partition(whole_disk, &p));
}

static void test_prefix(void **state)
{
	(void)state;
	size_t disk = devpath_disk_size(full);
	assert_true(devpath_starts_with(full, whole_disk, disk));
	assert_true(devpath_starts_with(whole_disk, full, disk));
	assert_false(devpath_starts_with(other_disk, full, disk));
	assert_false(devpath_starts_with(whole_disk, full, disk + 42));
	assert_false(devpath_starts_with(full, full, 5)); /* not between nodes */
	assert_true(devpath_starts_with(full, full, 0));
}

static void test_partition_same(void **state)
{
	(void)state;
	static const uint8_t gpt2[] = {HD(2, 2, 0x77), END}, mbr1[] = {HD(1, 1, 0x77), END},
			     mbr2[] = {HD(2, 1, 0x77), END}, gpt_x[] = {HD(1, 2, 0x78), END};
	struct devpath_partition a, b;
	assert_true(devpath_partition(short_hd, &a));
	assert_true(devpath_partition_same(&a, &a));
	devpath_partition(gpt2, &b); /* a partition's GUID is enough */
	assert_true(devpath_partition_same(&a, &b));
	devpath_partition(gpt_x, &b);
	assert_false(devpath_partition_same(&a, &b));
	devpath_partition(mbr1, &b);
	assert_false(devpath_partition_same(&a, &b));
	a = b;
	assert_true(devpath_partition_same(&a, &b));
	devpath_partition(mbr2, &b); /* the MBR's signature is the disk's */
	assert_false(devpath_partition_same(&a, &b));
}

static void check_text(const uint8_t *path, const char *want)
{
	uint16_t out[32];
	int n = devpath_file_text(path, out, COUNT(out));
	assert_int_equal(n, strlen(want));
	for (size_t i = 0; i <= (size_t)n; i++)
		assert_int_equal(out[i], want[i]);
	/* exactly enough room, and less */
	assert_int_equal(devpath_file_text(path, out, (size_t)n + 1), n);
	for (size_t max = 0; max <= (size_t)n; max++)
		assert_int_equal(devpath_file_text(path, out, max), -ENOSPC);
}

static void test_file_text(void **state)
{
	(void)state;
	static const uint8_t both[] = {FILE_DIR, FILE_A, END}, open[] = {FILE_OPEN, END},
			     slash[] = {0x04, 0x04, 0x08, 0x00, '\\', 0, 0, 0, FILE_A, END};
	check_text(full, "\\a");
	check_text(file_only, "\\d\\b");
	check_text(both, "\\d\\a");
	check_text(open, "\\x");
	check_text(slash, "\\a");
	check_text(whole_disk, "");
}

static void test_make(void **state)
{
	(void)state;
	static const uint8_t want[] = {PCI_ROOT, FILE_A, END};
	static const uint8_t root[] = {PCI_ROOT, END};
	uint8_t out[sizeof(want)];
	assert_int_equal(devpath_make_file(root, 12, "\\a", out, sizeof(out)), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
	assert_int_equal(devpath_make_file(root, 12, "\\a", out, sizeof(out) - 1), 0);
	memset(out, 0, sizeof(out));
	assert_int_equal(devpath_join(root, 12, want + 12, 14, out, sizeof(out)), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
	assert_int_equal(devpath_join(root, 12, want + 12, 14, out, sizeof(out) - 1), 0);
}

static const uint8_t option[] = {
    1,   0, 0, 0, sizeof(short_hd), 0, 'O', 0, 'S', 0, 0, 0, HD(1, 2, 0x77), FILE_A, END, 'h', 0,
    'i', 0, 0, 0};

static void test_option(void **state)
{
	(void)state;
	struct bootopt o;
	assert_int_equal(bootopt_parse(option, sizeof(option), &o), 0);
	assert_int_equal(o.attributes, 1);
	assert_int_equal(o.path_size, sizeof(short_hd));
	assert_memory_equal(o.path, short_hd, sizeof(short_hd));
	assert_int_equal(o.data_size, 6);
	assert_int_equal(o.data[2], 'i');
	assert_int_equal(o.description[2], 'S');
	size_t whole = sizeof(option) - 6;
	for (size_t n = 0; n < whole; n++) {
		uint8_t *copy = malloc(n + 1);
		assert_non_null(copy);
		memcpy(copy, option, n);
		assert_int_equal(bootopt_parse(copy, n, &o), -EINVAL);
		free(copy);
	}
	assert_int_equal(bootopt_parse(option, whole, &o), 0);
	assert_int_equal(o.data_size, 0);
	assert_null(o.data);
	/* FilePathListLength without the path's end, and within a node. */
	for (size_t list = 0; list < sizeof(short_hd); list++) {
		uint8_t bad[sizeof(option)];
		memcpy(bad, option, sizeof(bad));
		bad[4] = (uint8_t)list;
		assert_int_equal(bootopt_parse(bad, sizeof(bad), &o), -EINVAL);
	}
}

static void test_bootable(void **state)
{
	(void)state;
	/* ACTIVE 1, FORCE_RECONNECT 2, HIDDEN 8, CATEGORY_APP 0x100 */
	static const struct {
		uint32_t attributes;
		bool want;
	} t[] = {{1, true}, {0, false}, {9, true}, {3, true}, {0x101, false}, {0x100, false}};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct bootopt o = {.attributes = t[i].attributes};
		assert_int_equal(bootopt_is_bootable(&o), t[i].want);
	}
}

static void test_order(void **state)
{
	(void)state;
	static const struct {
		uint16_t order[5];
		size_t count;
		int current;
		uint16_t want[5];
		size_t want_count;
	} t[] = {
	    {{3, 1, 2}, 3, 3, {1, 2}, 2},
	    {{3, 1, 2}, 3, 1, {2, 3}, 2},
	    {{3, 1, 2}, 3, 2, {3, 1}, 2},
	    {{3, 1, 2}, 3, 9, {3, 1, 2}, 3},
	    {{3, 1, 2}, 3, -1, {3, 1, 2}, 3},
	    {{3}, 1, 3, {0}, 0},
	    {{0}, 0, 3, {0}, 0},
	    {{1, 1, 2, 1, 2}, 5, 1, {2}, 1},
	    {{4, 1, 2, 4, 2}, 5, 1, {2, 4}, 2},
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		uint16_t out[5];
		size_t n = bootopt_order(t[i].order, t[i].count, t[i].current >= 0,
					 (uint16_t)t[i].current, out);
		assert_int_equal(n, t[i].want_count);
		assert_memory_equal(out, t[i].want, n * sizeof(out[0]));
	}
}

static void test_words(void **state)
{
	(void)state;
	static const struct {
		const char *in; /* ASCII; given as UCS-2 too */
		bool skip;
		const char *want;
	} t[] = {
	    {"loadvmm.efi", true, ""},
	    {"loadvmm.efi a=1 b", true, "a=1 b"},
	    {"  fs0:\\x\\loadvmm.efi   a=1  ", true, "a=1"},
	    {"\"fs0:\\my dir\\loadvmm.efi\" a=1", true, "a=1"},
	    {"loadvmm.efi \"vmm.driver.pci=class=02*, driver=conceal\"", true,
	     "\"vmm.driver.pci=class=02*, driver=conceal\""},
	    {"a=1 b=2", false, "a=1 b=2"},
	    {"", false, ""},
	    {"", true, ""},
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		char out[64];
		size_t n = strlen(t[i].in);
		uint8_t *wide = calloc(n + 1, 2);
		assert_non_null(wide);
		for (size_t j = 0; j < n; j++)
			wide[2 * j] = (uint8_t)t[i].in[j];
		assert_int_equal(bootopt_words(wide, 2 * n + 2, t[i].skip, out, sizeof(out)), 0);
		assert_string_equal(out, t[i].want);
		assert_int_equal(bootopt_words(wide, 2 * n, t[i].skip, out, sizeof(out)), 0);
		assert_string_equal(out, t[i].want);
		assert_int_equal(bootopt_words(t[i].in, n, t[i].skip, out, sizeof(out)), 0);
		assert_string_equal(out, t[i].want);
		free(wide);
	}
	char out[4] = "zzz";
	assert_int_equal(bootopt_words("abc", 3, false, out, 4), 0);
	assert_int_equal(bootopt_words("abcd", 4, false, out, 4), -ENOSPC);
	assert_string_equal(out, "");
	/* no room, not even for the NUL */
	memcpy(out, "zzz", 4);
	assert_int_equal(bootopt_words("", 0, false, out, 0), -ENOSPC);
	assert_string_equal(out, "zzz");
	/* EDK2 marks entries that it made itself with a GUID */
	static const uint8_t guid[16] = {0x4e, 0xac, 0x08, 0x81, 0x11, 0x9f, 0x59, 0x4d,
					 0x85, 0x0e, 0xe2, 0x1a, 0x52, 0x2c, 0x59, 0xb2};
	assert_int_equal(bootopt_words(guid, 16, false, out, 4), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_size),      cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_prefix),    cmocka_unit_test(test_partition_same),
	    cmocka_unit_test(test_file_text), cmocka_unit_test(test_make),
	    cmocka_unit_test(test_option),    cmocka_unit_test(test_bootable),
	    cmocka_unit_test(test_order),     cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
