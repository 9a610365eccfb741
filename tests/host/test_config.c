/* Tests of core/config.c: the key table, configuration files and command lines. */
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
#include "core/config.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct config_error seen[32];
static uint32_t seen_count;

static void record(void *arg, const struct config_error *error)
{
	assert_ptr_equal(arg, seen);
	assert_non_null(error->file);
	assert_true(error->text[0] != 0);
	assert_true(error->line >= 1 && error->column >= 1);
	if (seen_count < COUNT(seen))
		seen[seen_count] = *error;
	seen_count++;
}

static uint32_t parse_len(struct config *config, const char *text, size_t len)
{
	/* A copy without a byte to spare: the sanitizer sees each read past the end. */
	char *copy = malloc(len ? len : 1);
	uint32_t errors;

	assert_non_null(copy);
	memcpy(copy, text, len);
	seen_count = 0;
	errors = config_parse_text(config, "test.conf", copy, len, record, seen);
	assert_int_equal(errors, seen_count);
	free(copy);
	return errors;
}

static uint32_t parse(struct config *config, const char *text)
{
	return parse_len(config, text, strlen(text));
}

static uint32_t parse_words(struct config *config, const char *line)
{
	uint32_t errors;

	seen_count = 0;
	errors = config_parse_cmdline(config, line, record, seen);
	assert_int_equal(errors, seen_count);
	return errors;
}

static void test_defaults(void **state)
{
	struct config c;
	size_t i;

	(void)state;
	memset(&c, 0xff, sizeof(c));
	config_init(&c);
	assert_string_equal(c.driver_pci, "");
	assert_int_equal(c.iommu, CONFIG_IOMMU_ON);
	assert_int_equal(c.on_error, CONFIG_ON_ERROR_AUTO);
	assert_false(c.config_strict);
	assert_int_equal(c.serial, 0);
	assert_false(c.probe);
	assert_int_equal(c.memory, 0);
	assert_int_equal(c.boot_drive, 0);
	assert_false(c.boot_active);
	assert_string_equal(c.boot_next, "auto");
	assert_int_equal(c.startup, CONFIG_STARTUP_AUTO);
	assert_int_equal(c.apic, CONFIG_APIC_AUTO);
	assert_int_equal(c.cpuid_unknown, CONFIG_CPUID_UNKNOWN_HIDE);
	assert_false(c.cpuid_hypervisor);
	assert_int_equal(c.mitigations, CONFIG_MITIGATIONS_AUTO);
	assert_int_equal(c.auto_reboot, 1);
	for (i = 0; i < CONFIG_KEY_COUNT; i++)
		assert_false(c.given[i]);
	assert_false(config_must_ask(&c));
	assert_false(config_stop_on_error(&c));
}

/* Each row: a line, the key, and the value's printed form afterwards; no error. */
static const struct {
	const char *line;
	const char *key;
	const char *value;
} good[] = {
    /* switches */
    {"vmm.probe=1", "vmm.probe", "yes"},
    {"vmm.probe=0", "vmm.probe", "no"},
    {"vmm.probe=2", "vmm.probe", "yes"},
    {"vmm.probe=-1", "vmm.probe", "yes"},
    {"vmm.probe=+1", "vmm.probe", "yes"},
    {"vmm.probe=0x10", "vmm.probe", "yes"},
    {"vmm.probe=00", "vmm.probe", "no"},
    {"vmm.probe=yes", "vmm.probe", "yes"},
    {"vmm.probe=YES", "vmm.probe", "yes"},
    {"vmm.probe=y", "vmm.probe", "yes"},
    {"vmm.probe=T", "vmm.probe", "yes"},
    {"vmm.probe=True", "vmm.probe", "yes"},
    {"vmm.probe=on", "vmm.probe", "yes"},
    {"vmm.probe=no", "vmm.probe", "no"},
    {"vmm.probe=N", "vmm.probe", "no"},
    {"vmm.probe=f", "vmm.probe", "no"},
    {"vmm.probe=False", "vmm.probe", "no"},
    {"vmm.probe=oFF", "vmm.probe", "no"},
    {"vmm.boot_active=on", "vmm.boot_active", "yes"},
    {"vmm.cpuid_hypervisor=1", "vmm.cpuid_hypervisor", "yes"},
    {"vmm.config_strict=y", "vmm.config_strict", "yes"},
    /* blanks, case, comments, quotes */
    {"  vmm.probe=1", "vmm.probe", "yes"},
    {"\tvmm.probe=1  \t", "vmm.probe", "yes"},
    {"vmm.probe = 1", "vmm.probe", "yes"},
    {"VMM.Probe=1", "vmm.probe", "yes"},
    {"vmm.probe=1#x", "vmm.probe", "yes"},
    {"vmm.probe=1 # a=b \"", "vmm.probe", "yes"},
    {"vmm.probe=\"1\"", "vmm.probe", "yes"},
    {"vmm.probe=\" 1 \"", "vmm.probe", "yes"},
    {"#vmm.probe=0\nvmm.probe=1", "vmm.probe", "yes"},
    {"vmm.probe=0\nvmm.probe=1", "vmm.probe", "yes"},
    {"vmm.probe=1\r\n", "vmm.probe", "yes"},
    {"\r\nvmm.probe=1\r\n\r\n", "vmm.probe", "yes"},
    {"\rvmm.probe=1\r", "vmm.probe", "yes"},
    {"\xef\xbb\xbfvmm.probe=1\n", "vmm.probe", "yes"},
    {"# \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\nvmm.probe=1", "vmm.probe", "yes"},
    /* choices */
    {"vmm.startup=auto", "vmm.startup", "auto"},
    {"vmm.startup=sipi", "vmm.startup", "sipi"},
    {"vmm.startup=ICR", "vmm.startup", "icr"},
    {"vmm.apic=trap", "vmm.apic", "trap"},
    {"vmm.apic=pass", "vmm.apic", "pass"},
    {"vmm.on_error=stop", "vmm.on_error", "stop"},
    {"vmm.on_error=continue", "vmm.on_error", "continue"},
    {"vmm.on_error=auto", "vmm.on_error", "auto"},
    {"vmm.cpuid_unknown=show", "vmm.cpuid_unknown", "show"},
    {"vmm.cpuid_unknown=hide", "vmm.cpuid_unknown", "hide"},
    {"vmm.iommu=guest", "vmm.iommu", "guest"},
    {"vmm.iommu=on", "vmm.iommu", "on"},
    {"vmm.mitigations=off", "vmm.mitigations", "off"},
    {"vmm.mitigations=auto", "vmm.mitigations", "auto"},
    /* names or numbers */
    {"vmm.serial=none", "vmm.serial", "none"},
    {"vmm.serial=com1", "vmm.serial", "com1"},
    {"vmm.serial=COM2", "vmm.serial", "com2"},
    {"vmm.serial=com3", "vmm.serial", "com3"},
    {"vmm.serial=com4", "vmm.serial", "com4"},
    {"vmm.serial=0x3f8", "vmm.serial", "com1"},
    {"vmm.serial=0x3E8", "vmm.serial", "com3"},
    {"vmm.serial=1016", "vmm.serial", "com1"},
    {"vmm.serial=01770", "vmm.serial", "com1"}, /* C octal */
    {"vmm.serial=0xe010", "vmm.serial", "0xe010"},
    {"vmm.serial=0x100", "vmm.serial", "0x100"},
    {"vmm.serial=0xfff8", "vmm.serial", "0xfff8"},
    {"vmm.boot_drive=0x80", "vmm.boot_drive", "0x80"},
    {"vmm.boot_drive=128", "vmm.boot_drive", "0x80"},
    {"vmm.boot_drive=0xFF", "vmm.boot_drive", "0xff"},
    {"vmm.boot_drive=0x81\nvmm.boot_drive=auto", "vmm.boot_drive", "auto"},
    /* sizes */
    {"vmm.memory=auto", "vmm.memory", "auto"},
    {"vmm.memory=16", "vmm.memory", "16M"},
    {"vmm.memory=0x20", "vmm.memory", "32M"},
    {"vmm.memory=8M", "vmm.memory", "8M"},
    {"vmm.memory=128m", "vmm.memory", "128M"},
    {"vmm.memory=16384K", "vmm.memory", "16M"},
    {"vmm.memory=16386k", "vmm.memory", "16386K"},
    {"vmm.memory=1G", "vmm.memory", "1G"},
    {"vmm.memory=2g", "vmm.memory", "2G"},
    {"vmm.memory=2048", "vmm.memory", "2G"},
    /* numbers */
    {"vmm.auto_reboot=0", "vmm.auto_reboot", "0"},
    {"vmm.auto_reboot=60", "vmm.auto_reboot", "60"},
    {"vmm.auto_reboot=0x2", "vmm.auto_reboot", "2"},
    {"vmm.auto_reboot=010", "vmm.auto_reboot", "8"},
    {"vmm.auto_reboot=+5", "vmm.auto_reboot", "5"},
    /* strings: the seed's own example, quotes and '#' */
    {"vmm.driver.pci=slot=11:22.3, driver=none, and, id=1234:*, driver=conceal", "vmm.driver.pci",
     "slot=11:22.3, driver=none, and, id=1234:*, driver=conceal"},
    {"vmm.driver.pci=driver=conceal # all", "vmm.driver.pci", "driver=conceal"},
    {"vmm.driver.pci=", "vmm.driver.pci", ""},
    {"vmm.driver.pci=#x", "vmm.driver.pci", ""},
    {"vmm.driver.pci=\"class=02*, driver=conceal\"", "vmm.driver.pci", "class=02*, driver=conceal"},
    {"vmm.driver.pci=a=\"b # c\", d # e", "vmm.driver.pci", "a=\"b # c\", d"},
    {"vmm.driver.pci=\"a\"=\"b\"", "vmm.driver.pci", "\"a\"=\"b\""},
    {"vmm.driver.pci=\"a=\\\"b\\\"\"", "vmm.driver.pci", "a=\"b\""},
    {"vmm.driver.pci=a\\\"b # c", "vmm.driver.pci", "a\\\"b"},
    {"vmm.driver.pci=a\\\\", "vmm.driver.pci", "a\\\\"},
    {"vmm.driver.pci=\"\"", "vmm.driver.pci", ""},
    {"vmm.driver.pci=a\tb", "vmm.driver.pci", "a\tb"},
    {"vmm.boot_next=menu", "vmm.boot_next", "menu"},
    {"vmm.boot_next=\\EFI\\BOOT\\BOOTX64.EFI", "vmm.boot_next", "\\EFI\\BOOT\\BOOTX64.EFI"},
    {"vmm.boot_next=\"\\EFI\\a b#c.efi\"", "vmm.boot_next", "\\EFI\\a b#c.efi"},
    {"vmm.boot_next=\" x \"", "vmm.boot_next", " x "},
    {"vmm.boot_next=a=b", "vmm.boot_next", "a=b"},
    {"vmm.boot_next=\xc3\xa9", "vmm.boot_next", "\xc3\xa9"},
};

static void test_good_lines(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		struct config c;
		char buf[256];
		int number = config_key_find(good[i].key);

		assert_true(number >= 0);
		config_init(&c);
		if (parse(&c, good[i].line) != 0)
			fail_msg("\"%s\": %s", good[i].line, seen[0].text);
		assert_int_equal(config_value_text(&c, (uint32_t)number, buf, sizeof(buf)),
				 strlen(good[i].value));
		assert_string_equal(buf, good[i].value);
		assert_true(c.given[number]);
		assert_false(config_must_ask(&c));
	}
}

/* Each row: a text with one error, its place, and whether the boot must stop for it. */
static const struct {
	const char *text;
	uint32_t line, column;
	const char *key;
	enum config_error_code code;
	bool protective;
	const char *says; /* part of the message */
} bad[] = {
    {"vmm.nothing=1", 1, 1, "vmm.nothing", CONFIG_E_UNKNOWN, false, "no such key"},
    {"\n\n  nothing=1", 3, 3, "nothing", CONFIG_E_UNKNOWN, false, "no such key"},
    {"vmm.serail=com1", 1, 1, "vmm.serail", CONFIG_E_UNKNOWN, false, "vmm.serial"},
    {"vm.probe=1", 1, 1, "vm.probe", CONFIG_E_UNKNOWN, false, "vmm.probe"},
    {"vmm.pro\"be=\"1", 1, 1, "vmm.pro\"be", CONFIG_E_UNKNOWN, false, "vmm.probe"},
    {"=1", 1, 1, "", CONFIG_E_UNKNOWN, false, "key is missing"},
    {"storage.conf0.keyindex=0", 1, 1, "storage.conf0.keyindex", CONFIG_E_UNKNOWN, true, ""},
    {"STORAGE.x=0", 1, 1, "STORAGE.x", CONFIG_E_UNKNOWN, true, ""},
    {"vpn.mode=L3IPsec", 1, 1, "vpn.mode", CONFIG_E_UNKNOWN, true, ""},
    {"vmm.driver.pci_hidden=x", 1, 1, "vmm.driver.pci_hidden", CONFIG_E_UNKNOWN, true, ""},
    {"vmm.driver.concealXHCI=1", 1, 1, "vmm.driver.concealXHCI", CONFIG_E_UNKNOWN, true, ""},
    {"vmm.iommu2=on", 1, 1, "vmm.iommu2", CONFIG_E_UNKNOWN, true, ""},
    {"vmm.iomu=on", 1, 1, "vmm.iomu", CONFIG_E_UNKNOWN, true, "vmm.iommu"},
    {"vmm.drivr.pci=driver=x", 1, 1, "vmm.drivr.pci", CONFIG_E_UNKNOWN, true, "vmm.driver.pci"},
    {"storge.encryptionKey0=x", 1, 1, "storge.encryptionKey0", CONFIG_E_UNKNOWN, true, ""},
    {"vmm.iommu=", 1, 11, "vmm.iommu", CONFIG_E_VALUE, true, "on or guest"},
    {"vmm.iommu=off", 1, 11, "vmm.iommu", CONFIG_E_VALUE, true, "on or guest"},
    {"vmm.iommu=1", 1, 11, "vmm.iommu", CONFIG_E_VALUE, true, "\"1\""},
    {"vmm.startup=fast", 1, 13, "vmm.startup", CONFIG_E_VALUE, false, "auto, sipi or icr"},
    {"vmm.startup=auto icr", 1, 13, "vmm.startup", CONFIG_E_VALUE, false, "auto icr"},
    {"vmm.apic = sipi", 1, 12, "vmm.apic", CONFIG_E_VALUE, false, "auto, trap or pass"},
    {"vmm.probe=", 1, 11, "vmm.probe", CONFIG_E_VALUE, false, "yes, no"},
    {"vmm.probe=maybe", 1, 11, "vmm.probe", CONFIG_E_VALUE, false, "maybe"},
    {"vmm.probe=1 2", 1, 11, "vmm.probe", CONFIG_E_VALUE, false, "yes"},
    {"vmm.probe=yess", 1, 11, "vmm.probe", CONFIG_E_VALUE, false, "yes"},
    {"vmm.probe=0x", 1, 11, "vmm.probe", CONFIG_E_VALUE, false, "yes"},
    {"vmm.probe=-", 1, 11, "vmm.probe", CONFIG_E_VALUE, false, "yes"},
    {"vmm.probe=\"1", 1, 1, "vmm.probe", CONFIG_E_QUOTE, false, "quote"},
    {"vmm.serial=com5", 1, 12, "vmm.serial", CONFIG_E_VALUE, false,
     "none, com1, com2, com3, com4 or a number from 0x100 to 0xfff8"},
    {"vmm.serial=0x3fg", 1, 12, "vmm.serial", CONFIG_E_VALUE, false, "com1"},
    {"vmm.serial=0", 1, 12, "vmm.serial", CONFIG_E_RANGE, false, "0x100"},
    {"vmm.serial=0xff", 1, 12, "vmm.serial", CONFIG_E_RANGE, false, "0x100"},
    {"vmm.serial=0xfff9", 1, 12, "vmm.serial", CONFIG_E_RANGE, false, "0xfff8"},
    {"vmm.serial=0x1000003f8", 1, 12, "vmm.serial", CONFIG_E_RANGE, false, "0xfff8"},
    {"vmm.serial=-1016", 1, 12, "vmm.serial", CONFIG_E_VALUE, false, "0xfff8"},
    {"vmm.boot_drive=0", 1, 16, "vmm.boot_drive", CONFIG_E_RANGE, false, "auto"},
    {"vmm.boot_drive=0x7f", 1, 16, "vmm.boot_drive", CONFIG_E_RANGE, false, "0x80 to 0xff"},
    {"vmm.boot_drive=0x100", 1, 16, "vmm.boot_drive", CONFIG_E_RANGE, false, "0x80 to 0xff"},
    {"vmm.boot_drive=hd0", 1, 16, "vmm.boot_drive", CONFIG_E_VALUE, false, "0x80 to 0xff"},
    {"vmm.memory=7", 1, 12, "vmm.memory", CONFIG_E_RANGE, false, "8M"},
    {"vmm.memory=8191K", 1, 12, "vmm.memory", CONFIG_E_RANGE, false, "8M"},
    {"vmm.memory=2049", 1, 12, "vmm.memory", CONFIG_E_RANGE, false, "2G"},
    {"vmm.memory=3G", 1, 12, "vmm.memory", CONFIG_E_RANGE, false, "2G"},
    {"vmm.memory=0", 1, 12, "vmm.memory", CONFIG_E_RANGE, false, "8M"},
    {"vmm.memory=16T", 1, 12, "vmm.memory", CONFIG_E_VALUE, false, "8M"},
    {"vmm.memory=16MB", 1, 12, "vmm.memory", CONFIG_E_VALUE, false, "8M"},
    {"vmm.memory=M", 1, 12, "vmm.memory", CONFIG_E_VALUE, false, "counts 1M"},
    {"vmm.memory=16 M", 1, 12, "vmm.memory", CONFIG_E_VALUE, false, "8M"},
    {"vmm.memory=17592186044416", 1, 12, "vmm.memory", CONFIG_E_RANGE, false,
     "2G"}, /* * 2^20 = 2^64 */
    {"vmm.memory=17592186044432", 1, 12, "vmm.memory", CONFIG_E_RANGE, false, "2G"},
    {"vmm.memory=17179869184G", 1, 12, "vmm.memory", CONFIG_E_RANGE, false, "2G"},
    {"vmm.memory=18446744073709551616", 1, 12, "vmm.memory", CONFIG_E_RANGE, false, "2G"},
    {"vmm.auto_reboot=-1", 1, 17, "vmm.auto_reboot", CONFIG_E_RANGE, false, "0 to 60"},
    {"vmm.auto_reboot=61", 1, 17, "vmm.auto_reboot", CONFIG_E_RANGE, false, "0 to 60"},
    {"vmm.auto_reboot=4294967296", 1, 17, "vmm.auto_reboot", CONFIG_E_RANGE, false, "60"},
    {"vmm.auto_reboot=18446744073709551617", 1, 17, "vmm.auto_reboot", CONFIG_E_RANGE, false, "60"},
    {"vmm.auto_reboot=9223372036854775808", 1, 17, "vmm.auto_reboot", CONFIG_E_RANGE, false, "60"},
    {"vmm.auto_reboot=08", 1, 17, "vmm.auto_reboot", CONFIG_E_VALUE, false, "60"},
    {"vmm.auto_reboot=5s", 1, 17, "vmm.auto_reboot", CONFIG_E_VALUE, false, "60"},
    {"vmm.auto_reboot=yes", 1, 17, "vmm.auto_reboot", CONFIG_E_VALUE, false, "60"},
    {"vmm.auto_reboot=+-5", 1, 17, "vmm.auto_reboot", CONFIG_E_VALUE, false, "60"},
    {"hello", 1, 1, "hello", CONFIG_E_NO_EQUALS, false, "key=value"},
    {"vmm.probe 1", 1, 1, "vmm.probe", CONFIG_E_NO_EQUALS, false, "key=value"},
    {"vmm.driver.pci driver:conceal", 1, 1, "vmm.driver.pci", CONFIG_E_NO_EQUALS, true,
     "key=value"},
    {"vmm.driver.pci driver=conceal", 1, 1, "vmm.driver.pci driver", CONFIG_E_UNKNOWN, true, ""},
    {"vmm.driver.pci # =x", 1, 1, "vmm.driver.pci", CONFIG_E_NO_EQUALS, true, "key=value"},
    {"vmm.driver.pci=\"driver=conceal", 1, 1, "vmm.driver.pci", CONFIG_E_QUOTE, true, "quote"},
    {"vmm.driver.pci=driver=\"x # y", 1, 1, "vmm.driver.pci", CONFIG_E_QUOTE, true, "quote"},
    {"vmm.driver.pci=a\x01", 1, 16, "vmm.driver.pci", CONFIG_E_NOT_TEXT, true, "control"},
    {"vmm.boot_next=a\x7f", 1, 15, "vmm.boot_next", CONFIG_E_NOT_TEXT, false, "control"},
    {"vmm.pro\x1b"
     "be=1",
     1, 8, "vmm.pro?be", CONFIG_E_NOT_TEXT, true, "control"},
};

static void test_bad_lines(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		struct config c, before;
		char text[512];

		/* The error must not keep the entries around it from being read. */
		config_init(&c);
		before = c;
		before.cpuid_hypervisor = true;
		snprintf(text, sizeof(text), "%s\nvmm.cpuid_hypervisor=1\n", bad[i].text);
		if (parse(&c, text) != 1)
			fail_msg("\"%s\": %u errors", bad[i].text, seen_count);
		assert_string_equal(seen[0].file, "test.conf");
		if (seen[0].line != bad[i].line || seen[0].column != bad[i].column ||
		    seen[0].code != bad[i].code || seen[0].protective != bad[i].protective ||
		    !strstr(seen[0].text, bad[i].says))
			fail_msg("\"%s\": %u:%u code %d protective %d: %s", bad[i].text,
				 seen[0].line, seen[0].column, (int)seen[0].code,
				 seen[0].protective, seen[0].text);
		assert_string_equal(seen[0].key, bad[i].key);
		assert_int_equal(c.protective_error, bad[i].protective);
		assert_int_equal(config_must_ask(&c), bad[i].protective);
		assert_int_equal(config_stop_on_error(&c), bad[i].protective);

		/* Nothing but the other entry has changed. */
		before.errors = 1;
		before.protective_error = bad[i].protective;
		before.given[CONFIG_KEY_cpuid_hypervisor] = true;
		assert_memory_equal(&c, &before, sizeof(c));
	}
}

static void test_lengths(void **state)
{
	static char text[3 * CONFIG_LINE_MAX];
	struct config c;
	size_t n;

	(void)state;
	/* driver.pci takes 2048 characters, not 2049. */
	config_init(&c);
	strcpy(text, "vmm.driver.pci=");
	n = strlen(text);
	memset(text + n, 'x', 2048);
	text[n + 2048] = 0;
	assert_int_equal(parse(&c, text), 0);
	assert_int_equal(strlen(c.driver_pci), 2048);
	text[n + 2048] = 'x';
	text[n + 2049] = 0;
	config_init(&c);
	assert_int_equal(parse(&c, text), 1);
	assert_int_equal(seen[0].code, CONFIG_E_VALUE_LONG);
	assert_true(seen[0].protective);
	assert_non_null(strstr(seen[0].text, "2049"));
	assert_non_null(strstr(seen[0].text, "at most 2048"));
	assert_string_equal(c.driver_pci, "");

	/* A value of any length in front of the type that cannot have it. */
	config_init(&c);
	strcpy(text, "vmm.probe=");
	memset(text + 10, '0', 79);
	strcpy(text + 89, "1");
	assert_int_equal(parse(&c, text), 0);
	assert_true(c.probe);
	strcpy(text + 89, "01");
	assert_int_equal(parse(&c, text), 1);
	assert_int_equal(seen[0].code, CONFIG_E_VALUE);

	/* Lines: 4096 characters pass, one more does not; comments may be longer. */
	config_init(&c);
	memset(text, ' ', sizeof(text));
	memcpy(text, "vmm.probe=1", 11);
	assert_int_equal(parse_len(&c, text, CONFIG_LINE_MAX), 0);
	assert_true(c.probe);
	config_init(&c);
	assert_int_equal(parse_len(&c, text, CONFIG_LINE_MAX + 1), 1);
	assert_int_equal(seen[0].code, CONFIG_E_LINE_LONG);
	assert_string_equal(seen[0].key, "vmm.probe");
	assert_false(seen[0].protective);
	memcpy(text, "storage.x=1", 11);
	assert_int_equal(parse_len(&c, text, CONFIG_LINE_MAX + 1), 1);
	assert_int_equal(seen[0].code, CONFIG_E_LINE_LONG);
	assert_true(seen[0].protective);
	text[0] = '#';
	assert_int_equal(parse_len(&c, text, sizeof(text)), 0);

	/* A name longer than messages show. */
	config_init(&c);
	memset(text, 'a', 200);
	strcpy(text + 200, "=1");
	assert_int_equal(parse(&c, text), 1);
	assert_int_equal(strlen(seen[0].key), CONFIG_NAME_MAX);
	memcpy(text, "vpn.", 4);
	assert_int_equal(parse(&c, text), 1);
	assert_true(seen[0].protective);
	assert_int_equal(parse_words(&c, text), 1);
	assert_true(seen[0].protective);
}

static void test_files_that_are_not_text(void **state)
{
	static const char utf16le[] = "\xff\xfev\0m\0m\0.\0i\0o\0m\0m\0u\0=\0o\0n\0";
	static const char utf16be[] = "\xfe\xff\0v\0m\0m";
	static const char unmarked[] = "v\0m\0m\0=\0";
	static const char padded[] = "vmm.probe=1\n\0\0\0";
	struct config c;

	(void)state;
	config_init(&c);
	assert_int_equal(parse_len(&c, utf16le, sizeof(utf16le) - 1), 1);
	assert_int_equal(seen[0].code, CONFIG_E_NOT_TEXT);
	assert_true(seen[0].protective);
	assert_non_null(strstr(seen[0].text, "UTF-16"));
	assert_int_equal(parse_len(&c, utf16be, sizeof(utf16be) - 1), 1);
	assert_true(seen[0].protective);
	assert_int_equal(parse_len(&c, unmarked, sizeof(unmarked) - 2), 1);
	assert_int_equal(seen[0].code, CONFIG_E_NOT_TEXT);
	assert_true(seen[0].protective);
	assert_int_equal(c.errors, 3);

	/* Zeros behind the text are padding. */
	config_init(&c);
	assert_int_equal(parse_len(&c, padded, sizeof(padded)), 0);
	assert_true(c.probe);
	assert_int_equal(parse_len(&c, "", 0), 0);
	assert_int_equal(parse_len(&c, "\0\0", 2), 0);
	assert_int_equal(parse_len(&c, "\xef\xbb\xbf", 3), 0);
	assert_int_equal(parse_len(&c, "\xef\xbb", 2), 1);
}

static void test_lines_are_counted(void **state)
{
	struct config c;

	(void)state;
	config_init(&c);
	assert_int_equal(parse(&c, "a=1\r\nb=1\rc=1\n\nd=1\n\re=1"), 5);
	assert_int_equal(seen[0].line, 1);
	assert_int_equal(seen[1].line, 2);
	assert_int_equal(seen[2].line, 3);
	assert_int_equal(seen[3].line, 5);
	assert_int_equal(seen[4].line, 7);
	assert_int_equal(c.errors, 5);
	assert_false(c.protective_error);

	/* Without anyone to report to. */
	assert_int_equal(config_parse_text(&c, "x", "a=1\n", 4, NULL, NULL), 1);
}

static const struct {
	const char *line;
	const char *key;
	const char *value;
} good_words[] = {
    {"vmm.serial=com1", "vmm.serial", "com1"},
    {"  vmm.serial=com1  vmm.probe=1", "vmm.probe", "yes"},
    {"VMM.SERIAL=0x2f8", "vmm.serial", "com2"},
    {"\"vmm.driver.pci=class=02*, driver=conceal\"", "vmm.driver.pci", "class=02*, driver=conceal"},
    {"\"vmm.driver.pci=a=\\\"b c\\\", d\"", "vmm.driver.pci", "a=\"b c\", d"},
    {"vmm.driver.pci='a=\"b c\", d'", "vmm.driver.pci", "a=\"b c\", d"},
    {"vmm.driver.pci=\"x, y\" vmm.probe=1", "vmm.driver.pci", "x, y"},
    {"\"vmm.driver.pci\"=x", "vmm.driver.pci", "x"},
    {"vmm.driver.pci=", "vmm.driver.pci", ""},
    {"vmm.driver.pci=a#b", "vmm.driver.pci", "a#b"},
    {"vmm.boot_next=\\\\EFI\\\\x.efi", "vmm.boot_next", "\\EFI\\x.efi"},
    {"vmm.boot_next=\\EFI\\x.efi", "vmm.boot_next", "\\EFI\\x.efi"},
    {"\"vmm.iommu= guest \"", "vmm.iommu", "guest"},
    {"vmm.memory=32 vmm.memory=64", "vmm.memory", "64M"},
};

static void test_cmdline(void **state)
{
	static const struct {
		const char *line;
		uint32_t column;
		const char *key;
		enum config_error_code code;
		bool protective;
	} bad_words[] = {
	    {"quiet", 1, "quiet", CONFIG_E_NO_EQUALS, false},
	    {"vmm.probe=1 quiet", 13, "quiet", CONFIG_E_NO_EQUALS, false},
	    {"vmm.iommu guest=1", 1, "vmm.iommu", CONFIG_E_NO_EQUALS, true},
	    {"  root=/dev/sda1", 3, "root", CONFIG_E_UNKNOWN, false},
	    {"vpn.x=1", 1, "vpn.x", CONFIG_E_UNKNOWN, true},
	    {"\"\"", 1, "", CONFIG_E_NO_EQUALS, false},
	    {"=x", 1, "", CONFIG_E_UNKNOWN, false},
	    {"vmm.serial=com9", 12, "vmm.serial", CONFIG_E_VALUE, false},
	    {"vmm.iommu=off", 11, "vmm.iommu", CONFIG_E_VALUE, true},
	    {"vmm.auto_reboot=99", 17, "vmm.auto_reboot", CONFIG_E_RANGE, false},
	    {"\"vmm.driver.pci=driver=x", 1, "vmm.driver.pci", CONFIG_E_QUOTE, true},
	    {"vmm.boot_next='a", 1, "vmm.boot_next", CONFIG_E_QUOTE, false},
	    {"vmm.boot_next=\x02", 15, "vmm.boot_next", CONFIG_E_NOT_TEXT, false},
	    {"v\x02=", 1, "v?", CONFIG_E_NOT_TEXT, true},
	};
	struct config c;
	char buf[256];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good_words); i++) {
		int number = config_key_find(good_words[i].key);

		config_init(&c);
		if (parse_words(&c, good_words[i].line) != 0)
			fail_msg("\"%s\": %s", good_words[i].line, seen[0].text);
		config_value_text(&c, (uint32_t)number, buf, sizeof(buf));
		assert_string_equal(buf, good_words[i].value);
	}
	for (i = 0; i < COUNT(bad_words); i++) {
		config_init(&c);
		/* "vmm.iommu guest=1" has a second bad word; only the first is looked at. */
		assert_true(parse_words(&c, bad_words[i].line) >= 1);
		assert_string_equal(seen[0].file, "command line");
		assert_int_equal(seen[0].line, 1);
		if (seen[0].column != bad_words[i].column || seen[0].code != bad_words[i].code ||
		    seen[0].protective != bad_words[i].protective)
			fail_msg("\"%s\": column %u code %d protective %d: %s", bad_words[i].line,
				 seen[0].column, (int)seen[0].code, seen[0].protective,
				 seen[0].text);
		assert_string_equal(seen[0].key, bad_words[i].key);
	}
}

static void test_order(void **state)
{
	struct config c;

	(void)state;
	config_init(&c);
	assert_int_equal(parse(&c, "vmm.serial=com1\nvmm.auto_reboot=7\n"), 0);
	assert_int_equal(parse_words(&c, "vmm.serial=com2"), 0);
	assert_int_equal(c.serial, CONFIG_SERIAL_COM2);
	assert_int_equal(c.auto_reboot, 7);
	/* A bad word leaves what the file said. */
	assert_int_equal(parse_words(&c, "vmm.serial=com7"), 1);
	assert_int_equal(c.serial, CONFIG_SERIAL_COM2);
}

static void test_stop_or_continue(void **state)
{
	static const struct {
		const char *text;
		bool stop, ask;
	} stop_rows[] = {
	    {"", false, false},
	    {"vmm.serial=com1", false, false},
	    {"vmm.driver.pci=driver=conceal", true, false},
	    {"vmm.driver.pci=", false, false},
	    {"vmm.driver.pci=driver=x\nvmm.driver.pci=", false, false},
	    {"vmm.iommu=on", true, false},
	    {"vmm.iommu=guest", true, false},
	    {"storage.x=1", true, true},
	    {"vpn.x=1", true, true},
	    {"x=1", false, false},
	    {"x=1\nvmm.config_strict=1", false, true},
	    {"vmm.config_strict=1", false, false},
	    {"vmm.on_error=continue\nvmm.iommu=on", false, false},
	    {"vmm.on_error=continue\nvpn.x=1", false, true},
	    {"vmm.on_error=stop", true, false},
	};
	struct config c;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(stop_rows); i++) {
		config_init(&c);
		parse(&c, stop_rows[i].text);
		if (config_stop_on_error(&c) != stop_rows[i].stop ||
		    config_must_ask(&c) != stop_rows[i].ask)
			fail_msg("\"%s\"", stop_rows[i].text);
	}
}

static void test_protective_names(void **state)
{
	static const struct {
		const char *name;
		bool protective;
	} name_rows[] = {
	    {"vmm.driver.pci", true},
	    {"VMM.DRIVER.PCI", true},
	    {"vmm.driver.pci_virtual", true},
	    {"vmm.driver", false},
	    {"vmm.drive", false},
	    {"storage.", true},
	    {"storage", false},
	    {"vpn.ipaddr", true},
	    {"vpn", false},
	    {"vpnx", false},
	    {"vmm.iommu", true},
	    {"vmm.iomm", false},
	    {"", false},
	    {"vmm.boot_drive", false},
	    {"xvpn.", false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(name_rows); i++) {
		if (config_is_protective(name_rows[i].name) != name_rows[i].protective)
			fail_msg("%s", name_rows[i].name);
	}
}

/* Each key's printed value must be accepted again and change nothing; the table must make sense. */
static void test_table(void **state)
{
	struct config c, again;
	uint32_t i, j;

	(void)state;
	config_init(&c);
	for (i = 0; i < CONFIG_KEY_COUNT; i++) {
		const struct config_key *key = config_key_at(i);
		char value[300], line[400];

		assert_non_null(key);
		assert_int_equal(config_key_find(key->name), i);
		assert_true(strlen(key->name) <= CONFIG_NAME_MAX);
		assert_true(strlen(key->help) > 10);
		assert_true(key->offset < sizeof(struct config));
		assert_true(key->min <= key->max);
		for (j = 0; j < i; j++)
			assert_string_not_equal(key->name, config_key_at(j)->name);
		assert_true(config_value_text(&c, i, value, sizeof(value)) >= 0);
		snprintf(line, sizeof(line), "%s=%s", key->name, value);
		config_init(&again);
		assert_int_equal(parse(&again, line), 0);
		again.given[i] = false;
		assert_memory_equal(&again, &c, sizeof(c));
	}
	assert_null(config_key_at(CONFIG_KEY_COUNT));
	assert_int_equal(config_key_find("vmm.none"), -ENOENT);
	assert_int_equal(config_key_find("vmm.prob"), -ENOENT);
	assert_int_equal(config_key_find("vmm.probes"), -ENOENT);
	assert_int_equal(config_key_find("VMM.PROBE"), CONFIG_KEY_probe);
}

static void test_value_text_bounds(void **state)
{
	struct config c;
	char buf[4] = "zzz";

	(void)state;
	config_init(&c);
	assert_int_equal(config_value_text(&c, CONFIG_KEY_boot_next, buf, 3), 4);
	assert_string_equal(buf, "au");
	assert_int_equal(config_value_text(&c, CONFIG_KEY_boot_next, buf, 1), 4);
	assert_string_equal(buf, "");
	assert_int_equal(config_value_text(&c, CONFIG_KEY_boot_next, NULL, 0), 4);
	assert_int_equal(config_value_text(&c, CONFIG_KEY_COUNT, buf, 4), -EINVAL);
}

static void test_value_text_numbers(void **state)
{
	static const struct {
		int32_t value;
		const char *text;
	} rows[] = {
	    {0, "0"},
	    {-1, "-1"},
	    {-10, "-10"},
	    {INT32_MAX, "2147483647"},
	    {INT32_MIN, "-2147483648"},
	};
	struct config c;
	char buf[16];
	size_t i;

	(void)state;
	config_init(&c);
	for (i = 0; i < COUNT(rows); i++) {
		c.auto_reboot = rows[i].value;
		assert_int_equal(config_value_text(&c, CONFIG_KEY_auto_reboot, buf, sizeof(buf)),
				 strlen(rows[i].text));
		assert_string_equal(buf, rows[i].text);
	}
}

static void test_valid_text(void **state)
{
	static const struct {
		enum config_key_number key;
		const char *text;
	} rows[] = {
	    {CONFIG_KEY_startup, "auto, sipi or icr"},
	    {CONFIG_KEY_iommu, "on or guest"},
	    {CONFIG_KEY_memory, "auto or a size from 8M to 2G (a bare number counts 1M)"},
	    {CONFIG_KEY_boot_drive, "auto or a number from 0x80 to 0xff"},
	    {CONFIG_KEY_auto_reboot, "a number from 0 to 60"},
	    {CONFIG_KEY_driver_pci, "at most 2048 characters"},
	};
	char buf[CONFIG_TEXT_MAX + 1];
	size_t i;
	uint32_t n;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(config_valid_text((uint32_t)rows[i].key, buf, sizeof(buf)),
				 strlen(rows[i].text));
		assert_string_equal(buf, rows[i].text);
	}
	/* With a shown value in front of it, it fits into a message. */
	for (n = 0; n < CONFIG_KEY_COUNT; n++)
		assert_true(config_valid_text(n, buf, sizeof(buf)) + 90 < CONFIG_TEXT_MAX);
	assert_int_equal(config_valid_text(CONFIG_KEY_COUNT, buf, sizeof(buf)), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_good_lines),
	    cmocka_unit_test(test_bad_lines),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_files_that_are_not_text),
	    cmocka_unit_test(test_lines_are_counted),
	    cmocka_unit_test(test_cmdline),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_stop_or_continue),
	    cmocka_unit_test(test_protective_names),
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_value_text_bounds),
	    cmocka_unit_test(test_value_text_numbers),
	    cmocka_unit_test(test_valid_text),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
