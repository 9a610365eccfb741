/* Tests of drivers/pci/devlist.c: the listing and the pager, byte by byte. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/pci/devlist.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct pci_driver drivers[] = {
    {.name = "ahci", .device = "class_code=010601"},
    {.name = "ata", .device = "class=0101"},
    {.name = "conceal", .device = "id=:"},
    {.name = "ehci_conceal", .device = "class_code=0c0320"},
    {.name = "ehci", .device = "class_code=0c0320"},
    {.name = "pro1000", .device = "class_code=020000, id=8086:10f5", .driver_options = "tty,net"},
    {.name = "uhci", .device = "class_code=0c0300"},
    {.name = "vga_intel", .device = "id=8086:*, class_code=030000"},
    {.name = NULL, .device = "class=*"},
};

#define PRO1000 &drivers[5]
#define AHCI    &drivers[0]

/* The machine of the talk that presented this list, and its 23 lines. */
static const struct {
	struct pci_function function;
	const struct pci_driver *assigned;
	const char *line;
} machine[] = {
    {{{0, 0x00, 0x00, 0}, 0x8086, 0x2a40, 0, 0, 0x060000, 7, 0},
     NULL,
     "[00:00.0] 060000: 8086:2A40"},
    {{{0, 0x00, 0x02, 0}, 0x8086, 0x2a42, 0, 0, 0x030000, 7, 0x80},
     NULL,
     "[00:02.0] 030000: 8086:2A42 (vga_intel)"},
    {{{0, 0x00, 0x02, 1}, 0x8086, 0x2a43, 0, 0, 0x038000, 7, 0x80},
     NULL,
     "[00:02.1] 038000: 8086:2A43"},
    {{{0, 0x00, 0x03, 0}, 0x8086, 0x2a44, 0, 0, 0x078000, 7, 0},
     NULL,
     "[00:03.0] 078000: 8086:2A44"},
    {{{0, 0x00, 0x19, 0}, 0x8086, 0x10f5, 0, 0, 0x020000, 3, 0},
     PRO1000,
     "[00:19.0] 020000: 8086:10F5 (pro1000) pro1000"},
    {{{0, 0x00, 0x1a, 0}, 0x8086, 0x2937, 0, 0, 0x0c0300, 3, 0x80},
     NULL,
     "[00:1A.0] 0C0300: 8086:2937 (uhci)"},
    {{{0, 0x00, 0x1a, 1}, 0x8086, 0x2938, 0, 0, 0x0c0300, 3, 0},
     NULL,
     "[00:1A.1] 0C0300: 8086:2938 (uhci)"},
    {{{0, 0x00, 0x1a, 2}, 0x8086, 0x2939, 0, 0, 0x0c0300, 3, 0},
     NULL,
     "[00:1A.2] 0C0300: 8086:2939 (uhci)"},
    {{{0, 0x00, 0x1a, 7}, 0x8086, 0x293c, 0, 0, 0x0c0320, 3, 0},
     NULL,
     "[00:1A.7] 0C0320: 8086:293C (ehci_conceal) (ehci)"},
    {{{0, 0x00, 0x1b, 0}, 0x8086, 0x293e, 0, 0, 0x040300, 3, 0},
     NULL,
     "[00:1B.0] 040300: 8086:293E"},
    {{{0, 0x00, 0x1c, 0}, 0x8086, 0x2940, 0, 0, 0x060400, 3, 0x81},
     NULL,
     "[00:1C.0] 060400: 8086:2940"},
    {{{0, 0x00, 0x1c, 1}, 0x8086, 0x2942, 0, 0, 0x060400, 3, 0x81},
     NULL,
     "[00:1C.1] 060400: 8086:2942"},
    {{{0, 0x00, 0x1c, 2}, 0x8086, 0x2944, 0, 0, 0x060400, 3, 0x81},
     NULL,
     "[00:1C.2] 060400: 8086:2944"},
    {{{0, 0x00, 0x1c, 3}, 0x8086, 0x2946, 0, 0, 0x060400, 3, 0x81},
     NULL,
     "[00:1C.3] 060400: 8086:2946"},
    {{{0, 0x00, 0x1d, 0}, 0x8086, 0x2934, 0, 0, 0x0c0300, 3, 0x80},
     NULL,
     "[00:1D.0] 0C0300: 8086:2934 (uhci)"},
    {{{0, 0x00, 0x1d, 1}, 0x8086, 0x2935, 0, 0, 0x0c0300, 3, 0},
     NULL,
     "[00:1D.1] 0C0300: 8086:2935 (uhci)"},
    {{{0, 0x00, 0x1d, 2}, 0x8086, 0x2936, 0, 0, 0x0c0300, 3, 0},
     NULL,
     "[00:1D.2] 0C0300: 8086:2936 (uhci)"},
    {{{0, 0x00, 0x1d, 7}, 0x8086, 0x293a, 0, 0, 0x0c0320, 3, 0},
     NULL,
     "[00:1D.7] 0C0320: 8086:293A (ehci_conceal) (ehci)"},
    {{{0, 0x00, 0x1e, 0}, 0x8086, 0x2448, 0, 0, 0x060401, 0x93, 1},
     NULL,
     "[00:1E.0] 060401: 8086:2448"},
    {{{0, 0x00, 0x1f, 0}, 0x8086, 0x2917, 0, 0, 0x060100, 3, 0x80},
     NULL,
     "[00:1F.0] 060100: 8086:2917"},
    {{{0, 0x00, 0x1f, 2}, 0x8086, 0x2929, 0, 0, 0x010601, 3, 0},
     AHCI,
     "[00:1F.2] 010601: 8086:2929 (ahci) ahci"},
    {{{0, 0x00, 0x1f, 3}, 0x8086, 0x2930, 0, 0, 0x0c0500, 3, 0},
     NULL,
     "[00:1F.3] 0C0500: 8086:2930"},
    {{{0, 0x03, 0x00, 0}, 0x8086, 0x4236, 0, 0, 0x028000, 0, 0},
     NULL,
     "[03:00.0] 028000: 8086:4236"},
    /* not in the talk: forced on a foreign function; another segment */
    {{{0, 0xff, 0x1f, 7}, 0xffff, 0x0001, 0, 0, 0xffffff, 0, 0},
     AHCI,
     "[FF:1F.7] FFFFFF: FFFF:0001 ahci"},
    {{{0x1a, 0x03, 0x0b, 0}, 0x10ec, 0x8168, 0, 0, 0x020000, 0, 0},
     NULL,
     "[001A:03:0B.0] 020000: 10EC:8168"},
};
#define MACHINE ARRAY_SIZE(machine)

static struct devlist_entry entries[MACHINE];
static struct devlist list = {entries, MACHINE, drivers, ARRAY_SIZE(drivers)};

static char shown[16384], want[16384];

static void show(void *arg, const char *text, size_t length)
{
	size_t at = strlen(shown);

	assert_ptr_equal(arg, &list);
	assert_true(at + length < sizeof(shown));
	assert_int_equal(strlen(text), length);
	memcpy(shown + at, text, length + 1);
}

static int set_up(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < MACHINE; i++)
		entries[i] = (struct devlist_entry){&machine[i].function, machine[i].assigned};
	list.count = MACHINE;
	shown[0] = want[0] = 0;
	return 0;
}

static void expect(const char *text)
{
	strcat(want, text);
}

static void expect_lines(size_t first, size_t count)
{
	for (; count > 0; first++, count--) {
		expect(machine[first].line);
		expect("\n");
	}
}

/* The two prompts as they are specified, and what erases them. */
static void expect_prompt(bool end)
{
	expect(end ? "-- end --   q:continue  g:go to 1st line  r:reboot"
		   : "-- more --  q:continue  g:go to 1st line  r:reboot  SPC:next page  "
		     "CR:next line");
}

static void expect_erase(bool end)
{
	int i;

	for (i = end ? 50 : 79; i > 0; i--)
		expect("\b \b");
}

static void check_shown(void)
{
	assert_string_equal(shown, want);
	shown[0] = want[0] = 0;
}

static void start(struct devlist_pager *pager, uint32_t timeout)
{
	devlist_start(pager, &list, timeout, show, &list);
	expect("\nDUMP_PCI_DEV_LIST:\n");
	expect_prompt(list.count == 0);
	check_shown();
}

static void test_lines(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < MACHINE; i++) {
		devlist_line(&list, i, show, &list);
		expect_lines(i, 1);
		check_shown();
	}
	devlist_print(&list, show, &list);
	expect("\nDUMP_PCI_DEV_LIST:\n");
	expect_lines(0, MACHINE);
	check_shown();
}

static void test_pages(void **state)
{
	struct devlist_pager p;

	(void)state;
	start(&p, 0);
	assert_int_equal(devlist_key(&p, ' '), DEVLIST_WAIT);
	expect_erase(false);
	expect_lines(0, 23);
	expect_prompt(false);
	check_shown();
	assert_int_equal(devlist_key(&p, ' '), DEVLIST_WAIT);
	expect_erase(false);
	expect_lines(23, 2);
	expect_prompt(true);
	check_shown();

	/* Only q, g and r are left. */
	assert_int_equal(devlist_key(&p, ' '), DEVLIST_WAIT);
	assert_int_equal(devlist_key(&p, '\r'), DEVLIST_WAIT);
	assert_int_equal(devlist_key(&p, '\n'), DEVLIST_WAIT);
	check_shown();
	assert_int_equal(devlist_key(&p, 'g'), DEVLIST_WAIT);
	expect_erase(true);
	expect("DUMP_PCI_DEV_LIST:\n");
	expect_prompt(false);
	check_shown();
	assert_int_equal(devlist_key(&p, ' '), DEVLIST_WAIT);
	expect_erase(false);
	expect_lines(0, 23);
	expect_prompt(false);
	check_shown();
	assert_int_equal(devlist_key(&p, 'q'), DEVLIST_CONTINUE);
	expect_erase(false);
	check_shown();

	/* It is over. */
	assert_int_equal(devlist_key(&p, 'r'), DEVLIST_CONTINUE);
	assert_int_equal(devlist_time(&p, 1000000), DEVLIST_CONTINUE);
	check_shown();
}

static void test_single_lines(void **state)
{
	struct devlist_pager p;
	size_t i;

	(void)state;
	start(&p, 0);
	for (i = 0; i < MACHINE; i++) {
		assert_int_equal(devlist_key(&p, i % 2 ? '\n' : '\r'), DEVLIST_WAIT);
		expect_erase(false);
		expect_lines(i, 1);
		expect_prompt(i + 1 == MACHINE);
		check_shown();
	}
	assert_int_equal(devlist_key(&p, 'r'), DEVLIST_REBOOT);
	expect_erase(true);
	check_shown();
	assert_int_equal(devlist_key(&p, 'q'), DEVLIST_REBOOT);
	check_shown();
}

static void test_other_keys(void **state)
{
	struct devlist_pager p;
	int key;

	(void)state;
	start(&p, 0);
	for (key = -1; key < 256; key++) {
		if (key > 0 && strchr(" \r\nqgr", key))
			continue;
		assert_int_equal(devlist_key(&p, key), DEVLIST_WAIT);
	}
	check_shown();
}

/* A page that ends with the last function, one that does not, and an empty list. */
static void test_borders(void **state)
{
	struct devlist_pager p;

	(void)state;
	list.count = 23;
	start(&p, 0);
	devlist_key(&p, ' ');
	expect_erase(false);
	expect_lines(0, 23);
	expect_prompt(true);
	check_shown();

	list.count = 24;
	start(&p, 0);
	devlist_key(&p, ' ');
	expect_erase(false);
	expect_lines(0, 23);
	expect_prompt(false);
	check_shown();
	devlist_key(&p, '\r');
	expect_erase(false);
	expect_lines(23, 1);
	expect_prompt(true);
	check_shown();

	list.count = 0;
	start(&p, 0);
	devlist_key(&p, ' ');
	devlist_key(&p, '\r');
	check_shown();
	assert_int_equal(devlist_key(&p, 'q'), DEVLIST_CONTINUE);
	expect_erase(true);
	check_shown();
}

static void test_timeout(void **state)
{
	struct devlist_pager p;

	(void)state;
	assert_int_equal(DEVLIST_TIMEOUT_MS, 30000);
	start(&p, 30000);
	assert_int_equal(devlist_time(&p, 29999), DEVLIST_WAIT);
	check_shown();
	assert_int_equal(devlist_time(&p, 1), DEVLIST_CONTINUE);
	expect_erase(false);
	check_shown();

	/* Any key, also one that does nothing, starts the time anew. */
	start(&p, 30000);
	assert_int_equal(devlist_time(&p, 29999), DEVLIST_WAIT);
	assert_int_equal(devlist_key(&p, 'x'), DEVLIST_WAIT);
	assert_int_equal(devlist_time(&p, 29999), DEVLIST_WAIT);
	assert_int_equal(devlist_time(&p, UINT32_MAX), DEVLIST_CONTINUE);
	expect_erase(false);
	check_shown();

	/* 0: it waits for ever. */
	start(&p, 0);
	assert_int_equal(devlist_time(&p, UINT32_MAX), DEVLIST_WAIT);
	assert_int_equal(devlist_time(&p, UINT32_MAX), DEVLIST_WAIT);
	check_shown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_lines, set_up),
	    cmocka_unit_test_setup(test_pages, set_up),
	    cmocka_unit_test_setup(test_single_lines, set_up),
	    cmocka_unit_test_setup(test_other_keys, set_up),
	    cmocka_unit_test_setup(test_borders, set_up),
	    cmocka_unit_test_setup(test_timeout, set_up),
	};

	return cmocka_run_group_tests_name("pci_devlist", tests, NULL, NULL);
}
