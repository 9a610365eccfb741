/* Host tests of the UEFI loader's view of PCI: the drivers' records in the image, and which
 * functions will be taken. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "boot/uefi/pcidrivers.h"
#include "boot/uefi/pciscan.h"
#include "core/boot.h"
#include "core/errno.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* --- records --- */

#define VIRT BOOT_IMAGE_VIRT

/* Two segments that lie 0x400 apart in the image, and 0x1000 apart where the VMM runs. */
struct image {
	struct boot_image head;
	struct pci_driver record[3];
	char text[0x400 - sizeof(struct boot_image) - 3 * sizeof(struct pci_driver)];
	char data[0x40];
};
_Static_assert(offsetof(struct image, data) == 0x400, "second segment");

static const char *at(uint64_t offset)
{
	return (const char *)(uintptr_t)(VIRT + offset);
}

#define TEXT(offset) at(offsetof(struct image, text) + (offset))
#define DATA(offset) at(0x1000 + (offset))

static struct elf_plan good_plan(void)
{
	return (struct elf_plan){
	    .image_size = sizeof(struct image),
	    .drivers = offsetof(struct image, record),
	    .drivers_end = offsetof(struct image, record) + 3 * sizeof(struct pci_driver),
	    .segment_count = 2,
	    .segments = {{.offset = 0, .mem_size = 0x400, .address = VIRT},
			 {.offset = 0x400, .mem_size = 0x40, .address = VIRT + 0x1000}},
	};
}

static int a_function(struct pci_device *dev)
{
	(void)dev;
	return 0;
}

/* On the heap, so that ASan sees what is outside. */
static struct image *good_image(void)
{
	struct image *i = calloc(1, sizeof(*i));
	assert_non_null(i);
	memcpy(i->text, "ahci\0class_code=010601\0", 23);
	memcpy(i->data, "conceal\0stub", 13);
	i->record[0] = (struct pci_driver){.name = TEXT(0), .device = TEXT(5), .new = a_function};
	i->record[1] = (struct pci_driver){.name = DATA(0), .driver_options = DATA(8)};
	i->record[2] = (struct pci_driver){.longname = TEXT(0)};
	return i;
}

static void test_records(void **state)
{
	(void)state;
	struct image *i = good_image();
	struct elf_plan plan = good_plan();
	struct pci_driver d[3];
	assert_int_equal(pcidrivers_read(i, &plan, d, 3), 3);
	assert_string_equal(d[0].name, "ahci");
	assert_string_equal(d[0].device, "class_code=010601");
	assert_null(d[0].longname);
	assert_null(d[0].driver_options);
	assert_true(d[0].new == NULL);
	assert_ptr_equal(d[1].name, i->data);
	assert_string_equal(d[1].driver_options, "stub");
	assert_null(d[1].device);
	assert_null(d[2].name);
	assert_string_equal(d[2].longname, "ahci");

	assert_int_equal(pcidrivers_read(i, &plan, d, 2), -ENOSPC);
	plan.drivers_end = plan.drivers;
	assert_int_equal(pcidrivers_read(i, &plan, d, 0), 0);
	free(i);
}

static void test_bad_records(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		uint64_t name; /* of record 1 */
		uint64_t end;  /* taken off the table's end */
	} rows[] = {
	    {"half a record", VIRT, 1},
	    {"below", VIRT - 1, 0},
	    {"behind the first segment", VIRT + 0x400, 0},
	    {"behind the second", VIRT + 0x1040, 0},
	    {"physical address", BOOT_IMAGE_PHYS, 0},
	    {"the highest address", UINT64_MAX, 0},
	    {"no end in the segment", VIRT + 0x1020, 0},
	};
	for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
		struct image *i = good_image();
		struct elf_plan plan = good_plan();
		struct pci_driver d[3];
		memset(i->data + 0x20, 'x', 0x20);
		i->record[1].name = (const char *)(uintptr_t)rows[r].name;
		plan.drivers_end -= rows[r].end;
		if (pcidrivers_read(i, &plan, d, 3) != -EINVAL)
			fail_msg("%s", rows[r].what);
		free(i);
	}
}

static void test_long_text(void **state)
{
	(void)state;
	/* no padding behind the text: ASan sees the first byte too many */
	struct __attribute__((packed)) {
		struct pci_driver record;
		char text[PCIDRIVERS_TEXT_MAX + 1];
	} *i = calloc(1, sizeof(*i));
	size_t size = sizeof(*i);
	struct elf_plan plan = {.image_size = size,
				.drivers_end = sizeof(struct pci_driver),
				.segment_count = 1,
				.segments = {{.mem_size = size, .address = VIRT}}};
	struct pci_driver d[1];
	assert_non_null(i);
	i->record.device = at(sizeof(struct pci_driver));
	memset(i->text, 'x', PCIDRIVERS_TEXT_MAX);
	assert_int_equal(pcidrivers_read(i, &plan, d, 1), -EINVAL);
	i->text[PCIDRIVERS_TEXT_MAX - 1] = 0;
	assert_int_equal(pcidrivers_read(i, &plan, d, 1), 1);
	assert_int_equal(strlen(d[0].device), PCIDRIVERS_TEXT_MAX - 1);
	free(i);
}

/* --- scan --- */

/* Ordered as no scan is. Header type, class and subsystem as PCI Local Bus 3.0, 6.1, places them.
 */
static const struct pci_function machine[] = {
    {{1, 0x00, 0x00, 0}, 0x8086, 0x10d3, 0, 0, 0x020000, 0, 0},
    {{0, 0xff, 0x1f, 0}, 0x8086, 0x10d3, 0x8086, 0xa01f, 0x020000, 0, 0x80},
    {{0, 0xff, 0x1f, 7}, 0x8086, 0x10d3, 0x8086, 0xa01f, 0x020000, 0, 0},
    {{0, 0x00, 0x03, 0}, 0x8086, 0x100e, 0x1af4, 0x1100, 0x020000, 3, 0},
    {{0, 0x00, 0x03, 1}, 0x8086, 0x100e, 0x1af4, 0x1100, 0x020000, 3, 0}, /* an echo of 0 */
    {{0, 0x00, 0x02, 1}, 0x8086, 0x100e, 0x1af4, 0x1100, 0x020000, 3, 0}, /* no function 0 */
    {{0, 0x01, 0x00, 0}, 0x8086, 0x10d3, 0x8086, 0xa01f, 0x020000, 0, 0},
    {{0, 0x00, 0x1f, 2}, 0x8086, 0x2922, 0x1af4, 0x1100, 0x010601, 2, 0},
    {{0, 0x00, 0x1f, 0}, 0x8086, 0x2918, 0x1af4, 0x1100, 0x060100, 2, 0x80},
    {{0, 0x00, 0x1c, 0}, 0x8086, 0x3420, 0, 0, 0x060400, 2, 0x01},
    {{0, 0x00, 0x00, 0}, 0x8086, 0x29c0, 0x1af4, 0x1100, 0x060000, 0, 0},
};

static uint32_t dword(const struct pci_function *f, unsigned offset)
{
	switch (offset) {
	case 0x00:
		return (uint32_t)f->device << 16 | f->vendor;
	case 0x08:
		return f->class_code << 8 | f->revision;
	case 0x0c:
		return (uint32_t)f->header_type << 16;
	case 0x2c:
		return (uint32_t)f->sub_device << 16 | f->sub_vendor;
	default:
		return 0;
	}
}

static uint32_t read_config(void *arg, struct pci_address a, uint16_t offset, unsigned size)
{
	unsigned *reads = arg;
	++*reads;
	assert_true(offset < 256 && (size == 1 || size == 2 || size == 4) && offset % size == 0);
	for (size_t i = 0; i < ARRAY_SIZE(machine); i++) {
		const struct pci_address b = machine[i].address;
		if (a.segment == b.segment && a.bus == b.bus && a.device == b.device &&
		    a.function == b.function) {
			uint64_t mask = (UINT64_C(1) << 8 * size) - 1;
			return (uint32_t)(dword(&machine[i], offset & ~3U) >> 8 * (offset & 3) &
					  mask);
		}
	}
	return size == 4 ? 0xffffffff : size == 2 ? 0xffff : 0xff;
}

static const struct pci_driver drivers[] = {
    {.name = "ahci", .device = "class_code=010601"},
    {.name = "conceal", .device = "id=:"},
};

static const uint16_t segments[] = {0, 1};

/* The functions taken as text, "b:d.f=driver ..." with the segment where it is not 0. */
static const char *taken(const char *first, const char *second, size_t max)
{
	static char text[512];
	static struct pci_match_rules parsed[2];
	static struct pci_match_state counters[2];
	unsigned reads = 0;
	const struct pci_match_rules *rules[] = {&parsed[0], &parsed[1]};
	struct pci_match_state *states[] = {&counters[0], &counters[1]};
	const struct pciscan_machine m = {.read = read_config, .arg = &reads};
	const struct pciscan_rules r = {rules, states, second ? 2 : 1};
	struct pciscan_taken out[ARRAY_SIZE(machine)];

	memset(counters, 0, sizeof(counters));
	assert_int_equal(pci_match_parse(&parsed[0], PCI_MATCH_RULES, first, drivers,
					 ARRAY_SIZE(drivers), NULL, NULL),
			 0);
	if (second)
		assert_int_equal(pci_match_parse(&parsed[1], PCI_MATCH_CONCEAL, second, drivers,
						 ARRAY_SIZE(drivers), NULL, NULL),
				 0);
	int count = pciscan_find(&m, segments, ARRAY_SIZE(segments), &r, out, max);
	if (count < 0)
		return count == -ENOSPC ? "ENOSPC" : "?";
	assert_true(reads >= 2 * 256 * 32);
	text[0] = 0;
	for (int i = 0; i < count; i++) {
		const struct pci_address a = out[i].id.address;
		char one[64];
		snprintf(one, sizeof(one), "%s%x:%02x:%02x.%u=%s", i ? " " : "", a.segment, a.bus,
			 a.device, a.function, out[i].driver->name);
		strncat(text, one, sizeof(text) - strlen(text) - 1);
	}
	return text;
}

static void test_scan(void **state)
{
	(void)state;
	static const struct {
		const char *first, *second, *want;
		size_t max;
	} rows[] = {
	    {"", NULL, "", 0},
	    {"class=02*, driver=conceal", NULL,
	     "0:00:03.0=conceal 0:01:00.0=conceal 0:ff:1f.0=conceal 0:ff:1f.7=conceal "
	     "1:00:00.0=conceal",
	     5},
	    {"class=02*, driver=conceal", NULL, "ENOSPC", 4},
	    /* number= counts in the order of the scan. */
	    {"class=02*, number=0, driver=conceal", NULL, "0:00:03.0=conceal", 9},
	    {"class=02*, number=1, driver=conceal", NULL, "0:01:00.0=conceal", 9},
	    {"class=02*, number=4, driver=conceal", NULL, "1:00:00.0=conceal", 9},
	    {"slot=00:*, class=02*, number=1, driver=conceal", NULL, "", 9},
	    {"driver=ahci, and, class=02*, number=3, driver=conceal", NULL,
	     "0:00:1f.2=ahci 0:ff:1f.7=conceal", 9},
	    /* What each key sees. */
	    {"subsystem=8086:a01f, driver=conceal", NULL,
	     "0:01:00.0=conceal 0:ff:1f.0=conceal 0:ff:1f.7=conceal", 9},
	    {"header_type=80, driver=conceal", NULL, "0:00:1f.0=conceal 0:ff:1f.0=conceal", 9},
	    {"header_type=01, revision=02, driver=conceal", NULL, "0:00:1c.0=conceal", 9},
	    /* none is final, for a second string as well, whose counters go on. */
	    {"slot=01:*, driver=none", "class=02*,action=deny",
	     "0:00:03.0=conceal 0:ff:1f.0=conceal 0:ff:1f.7=conceal 1:00:00.0=conceal", 9},
	    {"slot=00:03.0, driver=none", "class=02*,number=1,action=deny", "0:01:00.0=conceal", 9},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(taken(rows[i].first, rows[i].second, rows[i].max),
				    rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_records),
	    cmocka_unit_test(test_bad_records),
	    cmocka_unit_test(test_long_text),
	    cmocka_unit_test(test_scan),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
