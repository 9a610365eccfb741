/* Tests of drivers/pci: rules, patterns, messages, options, old keys. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/errno.h"
#include "drivers/pci/compat.h"
#include "drivers/pci/match.h"
#include "drivers/pci/options.h"
#include "drivers/pci/pattern.h"
#include "drivers/pci/record.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The drivers of a full build, with fewer ids. */
static const struct pci_driver drivers[] = {
    {.name = "ata", .device = "class=0101"},
    {.name = "ahci", .device = "class_code=010601"},
    {.name = "raid", .device = "class=0104"},
    {.name = "uhci", .device = "class_code=0c0300"},
    {.name = "ehci_conceal", .device = "class_code=0c0320"},
    {.name = "ehci", .device = "class_code=0c0320"},
    {.name = "pro100", .device = "id=8086:1229", .driver_options = "net"},
    {.name = "pro1000",
     .device = "class_code=020000, id=8086:100e|8086:10d3|8086:10f5",
     .driver_options = "tty,net"},
    {.name = "rtl8169", .device = "id=10ec:8168|10ec:8169", .driver_options = "tty,net"},
    {.name = "x540", .device = "id=8086:1528, class_code=020000"},
    {.name = "ieee1394", .device = "class_code=0c0010"},
    {.name = "ieee1394log", .device = "class_code=0c0010"},
    {.name = "thunderbolt_conceal",
     .device = "class_code=060400, id=8086:1513|8086:1547|8086:1549"},
    {.name = "vga_intel", .device = "id=8086:*, class_code=030000"},
    {.name = "conceal", .device = "id=:", .driver_options = "stub"},
    {.name = NULL, .device = "class=02*"},
    {.name = "unmatched", .driver_options = " a , long_name,b"},
};

/*
 * The devices of a row's columns, in the order of the scan: D, A, C, B. A to D are those of the
 * specification; E to H have what they lack: a bridge, a second function with a subsystem, a
 * function outside segment 0, and high numbers.
 */
static const struct pci_function devices[] = {
    ['D' - 'A'] = {{0, 0x00, 0x02, 0}, 0x8086, 0x2a42, 0x17aa, 0x20e4, 0x030000, 0x07, 0x80},
    ['A' - 'A'] = {{0, 0x00, 0x19, 0}, 0x8086, 0x10f5, 0x17aa, 0x20ee, 0x020000, 0x03, 0x00},
    ['C' - 'A'] = {{0, 0x00, 0x1f, 2}, 0x8086, 0x2929, 0x17aa, 0x20f8, 0x010601, 0x03, 0x00},
    ['B' - 'A'] = {{0, 0x03, 0x00, 0}, 0x8086, 0x100e, 0x1af4, 0x1100, 0x020000, 0x03, 0x00},
    ['E' - 'A'] = {{0, 0x00, 0x1c, 0}, 0x8086, 0x2940, 0x0000, 0x0000, 0x060400, 0x93, 0x81},
    ['F' - 'A'] = {{0, 0x00, 0x1d, 7}, 0x8086, 0x293a, 0x17aa, 0x20f1, 0x0c0320, 0x03, 0x80},
    ['G' - 'A'] = {{1, 0x03, 0x00, 0}, 0x10ec, 0x8168, 0x1458, 0xe000, 0x020000, 0x0c, 0x00},
    ['H' - 'A'] = {{0, 0xff, 0x1f, 7}, 0xabcd, 0xef01, 0xffff, 0xfffe, 0xffffff, 0xff, 0xff},
};
static const char scan_order[] = "DAEFCBHG";

struct sink {
	unsigned errors, warnings;
	struct pci_match_report all[16];
};

static void record(void *arg, const struct pci_match_report *r)
{
	struct sink *s = arg;
	unsigned n = s->errors + s->warnings;

	assert_non_null(memchr(r->text, 0, sizeof(r->text)));
	assert_true(r->text[0] != 0 && r->rule >= 1 && r->column >= 1);
	if (n < ARRAY_SIZE(s->all))
		s->all[n] = *r;
	if (r->warning)
		s->warnings++;
	else
		s->errors++;
}

static void print(const struct sink *s)
{
	unsigned n;

	for (n = 0; n < s->errors + s->warnings && n < ARRAY_SIZE(s->all); n++)
		print_message("  rule %u, column %u: %s\n", s->all[n].rule, s->all[n].column,
			      s->all[n].text);
}

/* "pro1000 tty=1", "none" for a rule with driver=none, or "-" when no rule is for the device. */
static void describe(const struct pci_match_rules *rules, const struct pci_match_result *result,
		     char *out, size_t size)
{
	char text[PCI_MATCH_STRING_MAX + 1], *values[8];
	const char *names = result->driver ? result->driver->driver_options : NULL;
	size_t count = pci_record_option_count(names), i, at;

	if (!result->rule) {
		snprintf(out, size, "-");
		return;
	}
	assert_true(count <= ARRAY_SIZE(values));
	assert_true(pci_match_options(rules, result, values, count, text, sizeof(text)) >= 0);
	at = (size_t)snprintf(out, size, "%s", result->driver ? result->driver->name : "none");
	for (i = 0; i < count; i++) {
		size_t length;

		names += strspn(names, " ,");
		length = strcspn(names, " ,");
		if (values[i])
			at += (size_t)snprintf(out + at, size - at, " %.*s=%s", (int)length, names,
					       values[i]);
		names += length + strspn(names + length, " ");
	}
}

/* What becomes of the devices, a group for each, with '/' between. */
struct row {
	const char *string;
	const char *want; /* A/B/C/D, all four "-" when NULL */
	const char *more; /* E/F/G/H, all four "-" when NULL */
	unsigned warnings;
};

static const char *part(const char *list, unsigned number, char *out)
{
	size_t length;

	if (!list)
		return "-";
	while (number-- > 0)
		list = strchr(list, '/') + 1;
	length = strcspn(list, "/");
	memcpy(out, list, length);
	out[length] = 0;
	return out;
}

static void check_row(const struct row *row, size_t number)
{
	static struct pci_match_rules rules;
	struct pci_match_state state = {0};
	struct sink sink = {0};
	const char *s;

	pci_match_parse(&rules, PCI_MATCH_RULES, row->string, drivers, ARRAY_SIZE(drivers), record,
			&sink);
	if (sink.errors || sink.warnings != row->warnings) {
		print(&sink);
		fail_msg("row %zu: %s: %u errors, %u warnings", number, row->string, sink.errors,
			 sink.warnings);
	}
	for (s = scan_order; *s; s++) {
		struct pci_match_result result;
		char got[256], buffer[256];
		unsigned n = (unsigned)(*s - 'A');
		const char *want =
		    n < 4 ? part(row->want, n, buffer) : part(row->more, n - 4, buffer);

		pci_match(&rules, &state, &devices[n], &result);
		describe(&rules, &result, got, sizeof(got));
		if (strcmp(got, want) != 0)
			fail_msg("row %zu: %s: device %c: %s, not %s", number, row->string, *s, got,
				 want);
	}
}

/* The vectors of the specification, chapter 16, in its order; its scan finds D, A, C, B. */
static const struct row vectors[] = {
    {"", NULL, NULL, 0},
    {"driver=pro1000", "pro1000/pro1000/-/-", NULL, 0},
    {"device=pro1000, number=0, driver=pro1000, net=vpn", "pro1000 net=vpn/-/-/-", NULL, 0},
    {"device=pro1000, number=1, driver=conceal, and, device=pro1000, number=0, driver=pro1000",
     "pro1000/conceal/-/-", NULL, 0},
    {"device=pro1000, number=0, driver=conceal, and, device=pro1000, number=1, driver=pro1000",
     "conceal/pro1000/-/-", NULL, 0},
    {"slot=00:1f.2, driver=ata", "-/-/ata/-", NULL, 0},
    {"slot=03:00.0, device=pro1000, driver=pro1000, tty=1", "-/pro1000 tty=1/-/-", NULL, 0},
    {"class=02*, driver=conceal", "conceal/conceal/-/-", "-/-/conceal/-", 0},
    {"class=02*, driver=none, and, id=8086:*, driver=conceal", "none/none/conceal/conceal",
     "conceal/conceal/none/-", 0},
    {"id=8086:10f5|8086:2a42, driver=conceal", "conceal/-/-/conceal", NULL, 0},
    {"id=8086:10F5, driver=conceal", NULL, NULL, 1},
    {"slot=0?:??.0, class_code=02????, driver=conceal", "conceal/conceal/-/-", NULL, 0},
    {"driver=pro1000, net=pass, tty=1, and,", "pro1000 tty=1 net=pass/pro1000 tty=1 net=pass/-/-",
     NULL, 0},
};

/* Whole rules: drivers, options, their order, `and`. */
static const struct row rule_rows[] = {
    /* the seed's examples */
    {"driver=ata, and,driver=ehci, and,driver=pro1000, net=vpn, and,class=02*, driver=conceal",
     "pro1000 net=vpn/pro1000 net=vpn/-/-", "-/ehci/conceal/-", 0},
    {"slot=03:00.0, device=pro1000, driver=pro1000, net=pass, tty=1",
     "-/pro1000 tty=1 net=pass/-/-", NULL, 0},
    {"driver=ata, and, class=02*, driver=conceal, and, driver=pro100, net=vpn, and, "
     "device=pro1000, number=0, driver=pro1000, net=vpn, tty=1",
     "conceal/conceal/-/-", "-/-/conceal/-", 0},
    {"driver=ata, and, driver=pro100, net=vpn, and, device=pro1000, number=0, driver=pro1000, "
     "net=vpn, tty=1, and, class=02*, driver=conceal",
     "pro1000 tty=1 net=vpn/conceal/-/-", "-/-/conceal/-", 0},
    /* none, and who is first */
    {"slot=11:22.3, driver=none, and, id=1234:*, driver=conceal", NULL, NULL, 1},
    {"slot=00:19.0, driver=none, and, id=8086:*, driver=conceal", "none/conceal/conceal/conceal",
     "conceal/conceal/-/-", 0},
    {"class=02*, driver=none, and, driver=pro1000", "none/none/-/-", "-/-/none/-", 0},
    {"id=8086:*, driver=conceal, and, driver=ahci", "conceal/conceal/conceal/conceal",
     "conceal/conceal/-/-", 0},
    {"driver=ahci, and, id=8086:*, driver=conceal", "conceal/conceal/ahci/conceal",
     "conceal/conceal/-/-", 0},
    {"driver=pro1000, and, driver=pro1000, tty=1", "pro1000/pro1000/-/-", NULL, 0},
    {"slot=00:19.0, driver=none,", "none/-/-/-", NULL, 0},
    {"slot=00:19.0, driver=none, and,", "none/-/-/-", NULL, 0},
    {"slot=00:19.0,driver=\"none\"", "none/-/-/-", NULL, 0},
    /* without a selection */
    {"driver=none", NULL, NULL, 1},
    {"driver=conceal", NULL, NULL, 1},
    {"driver=unmatched", NULL, NULL, 1},
    {"driver=none, and, driver=ahci", "-/-/ahci/-", NULL, 1},
    {"driver=ahci", "-/-/ahci/-", NULL, 0},
    {"driver=vga_intel", "-/-/-/vga_intel", NULL, 0},
    {"driver=ehci_conceal, and, driver=ehci", NULL, "-/ehci_conceal/-/-", 0},
    {"driver=ehci, and, driver=ehci_conceal", NULL, "-/ehci/-/-", 0},
    {"driver=x540, and, driver=pro100, and, driver=raid, and, driver=uhci", NULL, NULL, 0},
    /* with a selection, the driver's own match string does not count */
    {"slot=00:02.0, driver=pro1000, net=pass", "-/-/-/pro1000 net=pass", NULL, 0},
    {"slot=00:1c.0, driver=ahci", NULL, "ahci/-/-/-", 0},
    {"slot=ff:1f.7, device=pro1000, driver=pro1000", NULL, NULL, 0},
    /* ends */
    {" ", NULL, NULL, 0},
    {" \t ", NULL, NULL, 0},
    {"driver=ahci,", "-/-/ahci/-", NULL, 0},
    {"driver=ahci, ", "-/-/ahci/-", NULL, 0},
    {"driver=ahci, and,", "-/-/ahci/-", NULL, 0},
    {"driver=ahci, and, ", "-/-/ahci/-", NULL, 0},
    {"driver=ahci, and,,", "-/-/ahci/-", NULL, 0},
    {"driver=ahci, and, , ", "-/-/ahci/-", NULL, 0},
    {" driver=ahci , and , ", "-/-/ahci/-", NULL, 0},
    {"driver = ahci", "-/-/ahci/-", NULL, 0},
    {"driver=\"ahci\"", "-/-/ahci/-", NULL, 0},
    {"driver=ah\\ci", "-/-/ahci/-", NULL, 0},
    {"driver=pro1000,and,driver=ahci", "pro1000/pro1000/ahci/-", NULL, 0},
    {"\tdriver=pro1000,\tand,\tdriver=\tahci", "pro1000/pro1000/ahci/-", NULL, 0},
    /* options */
    {"driver=pro1000, tty=1, tty=0", "pro1000 tty=0/pro1000 tty=0/-/-", NULL, 0},
    {"driver=pro1000, net=ip, tty=1", "pro1000 tty=1 net=ip/pro1000 tty=1 net=ip/-/-", NULL, 0},
    {"slot=00:19.0, driver=pro1000, net=\"a, b|c=d\"", "pro1000 net=a, b|c=d/-/-/-", NULL, 0},
    {"slot=00:19.0, driver=pro1000, net=\"\"", "pro1000 net=/-/-/-", NULL, 0},
    {"slot=00:19.0, driver=pro1000, net=a|b", "pro1000 net=a|b/-/-/-", NULL, 0},
    {"slot=00:19.0, driver=pro1000, net=a\\,b", "pro1000 net=a,b/-/-/-", NULL, 0},
    {"slot=00:19.0, driver=pro1000, net=a\\=b", "pro1000 net=a=b/-/-/-", NULL, 0},
    {"slot=00:19.0, driver=pro1000, net=a\\\"b", "pro1000 net=a\"b/-/-/-", NULL, 0},
    {"slot=00:19.0, driver=pro1000, net=\\\\", "pro1000 net=\\/-/-/-", NULL, 0},
    {"slot=00:19.0, driver=pro1000, net= x  y  ", "pro1000 net=x  y/-/-/-", NULL, 0},
    {"slot=00:19.0, driver=pro1000, net=\" x \" , tty = 1", "pro1000 tty=1 net= x /-/-/-", NULL, 0},
    {"slot=00:19.0, driver=pro1000, net=x\t", "pro1000 net=x\t/-/-/-", NULL, 0},
    {"slot=00:19.0, driver=pro1000, net=*?", "pro1000 net=*?/-/-/-", NULL, 0},
    {"slot=00:19.0, driver=pro1000, net=and", "pro1000 net=and/-/-/-", NULL, 0},
    {"slot=00:19.0, driver=unmatched, b=3, long_name=2, a=1", "unmatched a=1 long_name=2 b=3/-/-/-",
     NULL, 0},
    {"slot=00:19.0, driver=conceal, stub=1, and, slot=00:1f.2, driver=conceal",
     "conceal stub=1/-/conceal/-", NULL, 0},
    {"device=pro1000, number=*, driver=conceal, stub=1", "conceal stub=1/conceal stub=1/-/-", NULL,
     0},
    /* each number= counts on its own, also what an earlier rule has taken */
    {"class=02*, driver=conceal, and, class=02*, number=1, driver=none", "conceal/conceal/-/-",
     "-/-/conceal/-", 0},
    {"class=02*, number=1, driver=none, and, class=02*, driver=conceal", "conceal/none/-/-",
     "-/-/conceal/-", 0},
    {"class=02*, number=0, driver=none, and, class=02*, number=1, driver=conceal, and, "
     "class=02*, number=2, driver=rtl8169, net=x",
     "none/conceal/-/-", "-/-/rtl8169 net=x/-", 0},
    {"class=02*, number=2, driver=rtl8169, and, class=02*, number=1, driver=conceal, and, "
     "class=02*, number=0, driver=none",
     "none/conceal/-/-", "-/-/rtl8169/-", 0},
    {"slot=00:19.0, driver=none, and, class=02*, number=0, driver=conceal", "none/-/-/-", NULL, 0},
};

/* A selection with driver=conceal behind it: the devices that it selects. */
static const struct {
	const char *selection, *devices;
	unsigned warnings;
} selection_rows[] = {
    {"slot=00:19.0", "A", 0},
    {"slot=03:00.0", "B", 0},
    {"slot=0001:03:00.0", "G", 0},
    {"slot=*03:00.0", "BG", 0},
    {"slot=????:03:00.0", "G", 0},
    {"slot=00:1f.2", "C", 0},
    {"slot=00:1f.?", "C", 0},
    {"slot=00:1f.*", "C", 0},
    {"slot=00:1?.?", "ACEF", 0},
    {"slot=00:*", "ACDEF", 0},
    {"slot=*.0", "ABDEG", 0},
    {"slot=*.7", "FH", 0},
    {"slot=ff:1f.7", "H", 0},
    {"slot=??:??.?", "ABCDEFH", 0},
    {"slot=??:1f.?", "CH", 0},
    {"slot=*", "ABCDEFGH", 0},
    {"slot=**", "ABCDEFGH", 0},
    {"slot=***:***.***", "ABCDEFGH", 0},
    {"slot=*:*", "ABCDEFGH", 0},
    {"slot=*:*:*", "G", 0},
    {"slot=00:19.0|03:00.0", "AB", 0},
    {"slot=00:19.0|03:00.0|00:02.0", "ABD", 0},
    {"slot=00:19.0|00:19.0", "A", 0},
    {"slot=00:19.0 | 03:00.0", "AB", 0},
    {"slot=00:19.0|", "A", 1},
    {"slot=|00:19.0", "A", 1},
    {"slot=00:19.?|??:00.0", "AB", 0},
    {"slot=0*9.0", "A", 0},
    {"slot=*1*", "ACEFGH", 0},
    {"slot=*0", "ABDEG", 0},
    {"slot=0?:??.0", "ABDE", 0},
    {"slot=00:19.0*", "A", 0},
    {"slot=*00:19.0*", "A", 0},
    {"slot=00:1a.0", "", 0},
    {"slot=00:19", "", 1},
    {"slot=0:19.0", "", 1},
    {"slot=00:19.00", "", 1},
    {"slot=00-19.0", "", 1},
    {"slot=00:1F.2", "", 1},
    {"slot=00:29.0", "", 1},
    {"slot=00:19.8", "", 1},
    {"slot=FF:*", "", 1},
    {"slot=?00:19.0", "", 1},
    {"class=0200", "ABG", 0},
    {"class=02*", "ABG", 0},
    {"class=02??", "ABG", 0},
    {"class=0?00", "ABDG", 0},
    {"class=0604", "E", 0},
    {"class=0c03", "F", 0},
    {"class=0106", "C", 0},
    {"class=ffff", "H", 0},
    {"class=0C03", "", 1},
    {"class=020", "", 1},
    {"class=02000", "", 1},
    {"class=020000", "", 1},
    {"class=*0", "ABDG", 0},
    {"class=*04", "E", 0},
    {"class=0*4", "E", 0},
    {"class=0*", "ABCDEFG", 0},
    {"class=?c*", "F", 0},
    {"class=0100|0106|0200", "ABCG", 0},
    {"class=02*|03*", "ABDG", 0},
    {"class=ff*|06*", "EH", 0},
    {"id=8086:10f5", "A", 0},
    {"id=8086:*", "ABCDEF", 0},
    {"id=*:10??", "AB", 0},
    {"id=*:8168", "G", 0},
    {"id=8086:29??", "CEF", 0},
    {"id=8086:29*", "CEF", 0},
    {"id=8086:29[0-9]*", "", 1},
    {"id=8086:293a|8086:2940", "EF", 0},
    {"id=abcd:ef01", "H", 0},
    {"id=ABCD:EF01", "", 1},
    {"id=abcd:*", "H", 0},
    {"id=????:????", "ABCDEFGH", 0},
    {"id=?????????", "ABCDEFGH", 0},
    {"id=????????", "", 1},
    {"id=*8*", "ABCDEFG", 0},
    {"id=10ec:*|abcd:*", "GH", 0},
    {"id=*a*", "DFH", 0},
    {"id=*e*", "BGH", 0},
    {"id=8086", "", 1},
    {"id=80:86", "", 1},
    {"id=:", "", 1},
    {"id=*:", "", 1},
    {"id=8086:10f5|8086:10F6", "A", 1},
    {"id=8086:10F5|8086:10F6", "", 2},
    {"subsystem=17aa:*", "ACDF", 0},
    {"subsystem=17aa:20ee", "A", 0},
    {"subsystem=0000:0000", "E", 0},
    {"subsystem=1af4:1100", "B", 0},
    {"subsystem=*:20??", "ACDF", 0},
    {"subsystem=ffff:fffe", "H", 0},
    {"subsystem=1458:e000|1af4:1100", "BG", 0},
    {"subsystem=17aa:20EE", "", 1},
    {"subsystem=*:0000", "E", 0},
    {"revision=03", "ABCF", 0},
    {"rev=03", "ABCF", 0},
    {"rev=93", "E", 0},
    {"revision=0?", "ABCDFG", 0},
    {"rev=0[37]", "", 1},
    {"rev=3", "", 1},
    {"rev=07|0c", "DG", 0},
    {"rev=?3", "ABCEF", 0},
    {"rev=ff", "H", 0},
    {"rev=FF", "", 1},
    {"rev=*", "ABCDEFGH", 0},
    {"rev=003", "", 1},
    {"programming_interface=00", "ABDEG", 0},
    {"if=00", "ABDEG", 0},
    {"if=01", "C", 0},
    {"if=20", "F", 0},
    {"if=ff", "H", 0},
    {"if=2?", "F", 0},
    {"if=?0", "ABDEFG", 0},
    {"programming_interface=01|20", "CF", 0},
    {"class_code=020000", "ABG", 0},
    {"class_code=02????", "ABG", 0},
    {"class_code=0c0320", "F", 0},
    {"class_code=0C0320", "", 1},
    {"class_code=06*", "E", 0},
    {"class_code=*01", "C", 0},
    {"class_code=??06*", "C", 0},
    {"class_code=*00", "ABDEG", 0},
    {"class_code=ffffff", "H", 0},
    {"class_code=0200", "", 1},
    {"class_code=0*0", "ABDEFG", 0},
    {"class_code=*0*0*0*", "ABCDEFG", 0},
    {"header_type=00", "ABCG", 0},
    {"header_type=80", "DF", 0},
    {"header_type=81", "E", 0},
    {"header_type=8?", "DEF", 0},
    {"header_type=?0", "ABCDFG", 0},
    {"header_type=ff", "H", 0},
    {"header_type=?1|?f", "EH", 0},
    {"device=pro1000", "AB", 0},
    {"device=ahci", "C", 0},
    {"device=ata", "", 0},
    {"device=vga_intel", "D", 0},
    {"device=ehci", "F", 0},
    {"device=rtl8169", "G", 0},
    {"device=conceal", "", 1},
    {"device=\"ahci\"", "C", 0},
    {"device=unmatched", "", 1},
    {"device=thunderbolt_conceal", "", 0},
    {"device=pro1000, slot=03:*", "B", 0},
    {"class=02*, id=8086:*", "AB", 0},
    {"class=02*, id=10ec:*", "G", 0},
    {"class=02*, class=03*", "", 0},
    {"class=02*,class=0200", "ABG", 0},
    {"id=8086:*, rev=03, header_type=00", "ABC", 0},
    {"slot=00:*, if=00", "ADE", 0},
    {"id=8086:*, class=0?0?, if=0?", "ABCDE", 0},
    {"class=*, number=0", "D", 0},
    {"class=*, number=1", "A", 0},
    {"class=*, number=7", "G", 0},
    {"class=*, number=8", "", 0},
    {"class=02*, number=0", "A", 0},
    {"class=02*, number=1", "B", 0},
    {"class=02*, number=2", "G", 0},
    {"class=02*, number=*", "ABG", 0},
    {"class=02*, number=?", "ABG", 0},
    {"class=02*, number=0|2", "AG", 0},
    {"class=02*, number=1|2", "BG", 0},
    {"class=02*, number=10", "", 0},
    {"class=02*, number=00", "", 1},
    {"class=02*, number=-1", "", 1},
    {"class=02*, number=0x1", "", 1},
    {"class=02*, number=A", "", 1},
    {"id=8086:*, number=3, class=0c03", "F", 0},
    {"id=8086:*, number=3, class=02*", "", 0},
    {"id=8086:*, class=02*, number=1", "B", 0},
    {"device=pro1000, number=1", "B", 0},
    {"device=pro1000, number=0, slot=03:*", "", 0},
    {"class=02*, number=1|2, number=0", "B", 0},
    {"class=02*, number=1|2, number=1", "G", 0},
    {"class=02*, number=*, number=2", "G", 0},
    {"slot=00:*, number=4", "C", 0},
    {"id=\"8086:10f5\"", "A", 0},
    {"id=\"8086:10f5|8086:100e\"", "", 1},
    {"id=\"8086:10f5\"|\"8086:100e\"", "AB", 0},
    {"id=80\"86:10\"f5", "A", 0},
    {"id=\"8086:*\"", "ABCDEF", 0},
    {"id=8086:\\*", "", 1},
    {"id=8086:\\?", "", 1},
    {"id=8086:10\\f5", "A", 0},
    {"id=\"8086:10f5 \"", "", 1},
    {"class=02*|\"06*\"", "ABEG", 0},
    {"class=\"\"", "", 1},
    {"class=02*|\"\"", "ABG", 1},
    {"class=\\0\\2*", "ABG", 0},
    {"class=\"02\"*", "ABG", 0},
    {"class=0\"2*\"", "ABG", 0},
    {"slot=\"00:19.0\" | \"00:1f.2\"", "AC", 0},
    {"id=8086:10f5\\|8086:100e", "", 1},
    {"id=8086\\:10f5", "A", 0},
    {"  class=02*", "ABG", 0},
    {"\tclass=02*", "ABG", 0},
    {" class = 02* ", "ABG", 0},
    {"class=\t02*", "ABG", 0},
    {"class= \t 02*  ", "ABG", 0},
    {"class=02 *", "", 1},
    {"class=0 200", "", 1},
    {"class=02*\t", "", 1},
    {"class=02* |\t03*", "ABDG", 0},
    {"class= 02* | 03* | 06*", "ABDEG", 0},
    {"class =02*,id= 8086:*", "AB", 0},
    {"class=02*   ,   id=8086:*", "AB", 0},
};

static void test_vectors(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(vectors); i++)
		check_row(&vectors[i], i);
}

static void test_rules(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rule_rows); i++)
		check_row(&rule_rows[i], i);
}

static void test_selections(void **state)
{
	size_t i, at;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(selection_rows); i++) {
		char string[128], want[128] = "";
		struct row row = {.string = string, .want = want};
		const char *c;

		snprintf(string, sizeof(string), "%s, driver=conceal", selection_rows[i].selection);
		for (c = "ABCDEFGH", at = 0; *c; c++) {
			const char *word = strchr(selection_rows[i].devices, *c) ? "conceal" : "-";

			at += (size_t)snprintf(want + at, sizeof(want) - at, "%s/", word);
			if (*c == 'D')
				row.more = want + at;
		}
		row.warnings = selection_rows[i].warnings;
		check_row(&row, i);
	}
}

/* The first finding of a string with errors, and how many there are. Columns counted by hand. */
static const struct {
	const char *string;
	enum pci_match_code code;
	unsigned rule, column, errors;
	const char *text;
} error_rows[] = {
    {"driver=pro1000, mtu=9000", PCI_MATCH_E_OPTION, 1, 17, 1,
     "\"mtu\"; valid here: tty, net or and"},
    {"driver=foo", PCI_MATCH_E_DRIVER, 1, 8, 1, "\"foo\"; valid here: ata, ahci, raid, "},
    {"number=0, driver=pro1000", PCI_MATCH_E_NUMBER_FIRST, 1, 1, 1,
     "header_type, device or driver"},
    {"slot, driver=ata", PCI_MATCH_E_NO_EQUALS, 1, 1, 1,
     "slot, class, id, subsystem, revision, rev"},
    {"driver=none, x=1", PCI_MATCH_E_NONE_OPTION, 1, 14, 1, "valid here: and"},
    {"driver=ata, and", PCI_MATCH_E_AND, 1, 16, 1, "a comma"},
    {"driver=ata, and, driver=ahci, and", PCI_MATCH_E_AND, 2, 34, 1, "a comma"},
    {"class=02*", PCI_MATCH_E_NO_DRIVER, 1, 10, 1, "driver=name or driver=none"},
    {"class=02*,", PCI_MATCH_E_NO_DRIVER, 1, 11, 1, "driver=name or driver=none"},
    {"class=02*, id=8086:*", PCI_MATCH_E_NO_DRIVER, 1, 21, 1, "driver=name or driver=none"},
    {"class=02*, and, driver=ahci", PCI_MATCH_E_NO_DRIVER, 1, 12, 1, "driver=name"},
    {"and, driver=ata", PCI_MATCH_E_NO_DRIVER, 1, 1, 1, "driver=name"},
    {"driver=ata, and, and, driver=ahci", PCI_MATCH_E_NO_DRIVER, 2, 18, 1, "driver=name"},
    {"driver=ata, and, class=02*", PCI_MATCH_E_NO_DRIVER, 2, 27, 1, "driver=name"},
    {"and", PCI_MATCH_E_NO_EQUALS, 1, 1, 2, "\"and\"; valid here: slot"},
    {",", PCI_MATCH_E_EMPTY, 1, 1, 2, "valid here: slot"},
    {",driver=ata", PCI_MATCH_E_EMPTY, 1, 1, 1, "valid here: slot"},
    {"driver=ata,,", PCI_MATCH_E_EMPTY, 1, 12, 1, "valid here: and"},
    {"driver=pro1000, , and,", PCI_MATCH_E_EMPTY, 1, 17, 1, "valid here: tty, net or and"},
    {"driver=ata, and,,,", PCI_MATCH_E_EMPTY, 2, 17, 3, "valid here: slot"},
    {"driver=ata,,driver=ahci", PCI_MATCH_E_EMPTY, 1, 12, 2, "valid here: and"},
    {"driver=ata and, driver=ahci", PCI_MATCH_E_DRIVER, 1, 8, 1, "\"ata and\""},
    {"driver=", PCI_MATCH_E_DRIVER, 1, 8, 1, "x540, "},
    {"driver=, and, driver=ata", PCI_MATCH_E_DRIVER, 1, 8, 1, "unmatched or none"},
    {"driver", PCI_MATCH_E_NO_EQUALS, 1, 1, 2, "\"driver\""},
    {"=ata", PCI_MATCH_E_NAME, 1, 1, 2, "valid here: slot"},
    {"driver=pro1000, =x", PCI_MATCH_E_NAME, 1, 17, 1, "valid here: tty, net or and"},
    {"class=, driver=ata", PCI_MATCH_E_VALUE, 1, 7, 1, "a pattern for %04x"},
    {"id= , driver=ata", PCI_MATCH_E_VALUE, 1, 5, 1, "%04x:%04x"},
    {"class_code=020000, number=, driver=ata", PCI_MATCH_E_VALUE, 1, 27, 1, "%d"},
    {"driver=pro1000, net=", PCI_MATCH_E_VALUE, 1, 21, 1, "any text"},
    {"class=02*=x, driver=ata", PCI_MATCH_E_TWO_EQUALS, 1, 10, 1, "a comma"},
    {"slot=00:1f.2 class=01*, driver=ata", PCI_MATCH_E_TWO_EQUALS, 1, 19, 1, "a comma"},
    {"driver=a=b, and, driver=ata", PCI_MATCH_E_TWO_EQUALS, 1, 9, 1, "a comma"},
    {"driver=pro1000, net=a=b", PCI_MATCH_E_TWO_EQUALS, 1, 22, 1, "quotes"},
    {"class=\"02*, driver=ata", PCI_MATCH_E_QUOTE, 1, 7, 1, "not closed"},
    {"class=02*, driver=ata, \"", PCI_MATCH_E_QUOTE, 1, 24, 1, "not closed"},
    {"class=\"02*\"\", driver=ata", PCI_MATCH_E_QUOTE, 1, 12, 1, "not closed"},
    {"driver=ata\\", PCI_MATCH_E_BACKSLASH, 1, 11, 1, "any character"},
    {"driver=ata, and, class=02*\\", PCI_MATCH_E_BACKSLASH, 2, 27, 2, "any character"},
    {"slott=00:19.0, driver=ata", PCI_MATCH_E_KEY, 1, 1, 1, "slot, class, id"},
    {"s*=00:19.0, driver=ata", PCI_MATCH_E_KEY, 1, 1, 1, "slot, class, id"},
    {"SLOT=00:19.0, driver=ata", PCI_MATCH_E_KEY, 1, 1, 1, "slot, class, id"},
    {"\"slot\"=00:19.0, driver=ata", PCI_MATCH_E_KEY, 1, 1, 1, "slot, class, id"},
    {"slot\t=00:19.0, driver=ata", PCI_MATCH_E_KEY, 1, 1, 1, "\"slot?\"; valid here: slot"},
    {"class=02*, action=deny, driver=ata", PCI_MATCH_E_KEY, 1, 12, 1, "device, number or driver"},
    {"device=foo, driver=ata", PCI_MATCH_E_DRIVER, 1, 8, 1, "valid here: ata, ahci"},
    {"device=none, driver=ata", PCI_MATCH_E_DRIVER, 1, 8, 1, "conceal or unmatched"},
    {"device=, driver=ata", PCI_MATCH_E_DRIVER, 1, 8, 1, "valid here: ata, ahci"},
    {"device=pro*, driver=conceal", PCI_MATCH_E_DRIVER, 1, 8, 1, "\"pro*\""},
    {"driver=pro*", PCI_MATCH_E_DRIVER, 1, 8, 1, "\"pro*\""},
    {"driver=PRO1000", PCI_MATCH_E_DRIVER, 1, 8, 1, "\"PRO1000\""},
    {"driver=ata|ahci", PCI_MATCH_E_DRIVER, 1, 8, 1, "\"ata|ahci\""},
    {"driver=ata\t", PCI_MATCH_E_DRIVER, 1, 8, 1, "\"ata?\""},
    {"driver=ata, x=1", PCI_MATCH_E_OPTION, 1, 13, 1, "\"x\"; valid here: and"},
    {"driver=pro1000, TTY=1", PCI_MATCH_E_OPTION, 1, 17, 1, "tty, net or and"},
    {"driver=pro1000, driver=ahci", PCI_MATCH_E_OPTION, 1, 17, 1, "behind \"and\""},
    {"driver=pro1000, class=02*", PCI_MATCH_E_OPTION, 1, 17, 1, "before driver="},
    {"driver=pro1000, tty", PCI_MATCH_E_NO_EQUALS, 1, 17, 1, "tty, net or and"},
    {"driver=pro1000, adn, driver=ata", PCI_MATCH_E_NO_EQUALS, 1, 17, 2, "tty, net or and"},
    {"driver=ata, and, driver=foo, and, driver=bar", PCI_MATCH_E_DRIVER, 2, 25, 2, "\"foo\""},
    {"driver=foo, net=1, tty", PCI_MATCH_E_DRIVER, 1, 8, 2, "\"foo\""},
};

static void test_errors(void **state)
{
	static struct pci_match_rules rules;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(error_rows); i++) {
		struct sink s = {0};
		uint32_t errors = pci_match_parse(&rules, PCI_MATCH_RULES, error_rows[i].string,
						  drivers, ARRAY_SIZE(drivers), record, &s);
		const struct pci_match_report *r = &s.all[0];

		if (errors != error_rows[i].errors || s.errors != errors ||
		    r->code != error_rows[i].code || r->rule != error_rows[i].rule ||
		    r->column != error_rows[i].column || !strstr(r->text, error_rows[i].text)) {
			print(&s);
			fail_msg("row %zu: %s: %u errors, the first: %u in rule %u, column %u", i,
				 error_rows[i].string, s.errors, r->code, r->rule, r->column);
		}
	}
}

/* A build without drivers still has none, and says what else there is. */
static void test_no_drivers(void **state)
{
	static const struct {
		const char *string;
		unsigned column; /* 0: no error */
		const char *text;
	} rows[] = {
	    {"class=02*, driver=none", 0, NULL},
	    {"driver=ata", 8, "no such driver: \"ata\"; valid here: none"},
	    {"device=ata, driver=none", 8,
	     "no such driver: \"ata\"; valid here: nothing, for there is no driver"},
	};
	static const struct pci_driver nameless = {.device = "class=02*"};
	static struct pci_match_rules rules;
	size_t i, count;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (count = 0; count <= 1; count++) {
			struct sink s = {0};

			assert_int_equal(pci_match_parse(&rules, PCI_MATCH_RULES, rows[i].string,
							 &nameless, count, record, &s),
					 rows[i].column != 0);
			assert_int_equal(s.warnings, 0);
			if (!rows[i].column)
				continue;
			assert_int_equal(s.all[0].code, PCI_MATCH_E_DRIVER);
			assert_int_equal(s.all[0].column, rows[i].column);
			assert_string_equal(s.all[0].text, rows[i].text);
		}
	}
}

/* A rule with an error is dropped, the others keep their numbers. */
static void test_dropped_rule(void **state)
{
	static struct pci_match_rules rules;
	struct pci_match_state counters = {0};
	struct pci_match_result result;
	struct sink s = {0};

	(void)state;
	assert_int_equal(
	    pci_match_parse(&rules, PCI_MATCH_RULES,
			    "class=*, driver=foo, and, id=8086:*, number=1, driver=ahci", drivers,
			    ARRAY_SIZE(drivers), record, &s),
	    1);
	pci_match(&rules, &counters, &devices[0], &result);
	assert_int_equal(result.rule, 0);
	assert_null(result.driver);
	pci_match(&rules, &counters, &devices[1], &result);
	assert_int_equal(result.rule, 2);
	assert_ptr_equal(result.driver, &drivers[1]);
}

static void test_warnings(void **state)
{
	static const struct {
		const char *string;
		enum pci_match_code code;
		unsigned rule, column;
		const char *text;
	} rows[] = {
	    {"driver=ahci, and, id=8086:10f5|8086:10F6, driver=ata", PCI_MATCH_W_UPPER, 2, 32,
	     "\"8086:10F6\" matches nothing: write a-f in small letters"},
	    {"class=020000, driver=ata", PCI_MATCH_W_NEVER, 1, 7, "class is compared as %04x"},
	    {"class=*, number=A, driver=ata", PCI_MATCH_W_NEVER, 1, 17, "number is compared as %d"},
	    {"driver=none", PCI_MATCH_W_NOTHING, 1, 8, "a selection before it"},
	    {"driver=conceal, stub=1", PCI_MATCH_W_NOTHING, 1, 8, "a selection before it"},
	};
	static struct pci_match_rules rules;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sink s = {0};
		const struct pci_match_report *r = &s.all[0];

		assert_int_equal(pci_match_parse(&rules, PCI_MATCH_RULES, rows[i].string, drivers,
						 ARRAY_SIZE(drivers), record, &s),
				 0);
		assert_int_equal(s.warnings, 1);
		if (!r->warning || r->code != rows[i].code || r->rule != rows[i].rule ||
		    r->column != rows[i].column || !strstr(r->text, rows[i].text)) {
			print(&s);
			fail_msg("row %zu: %s", i, rows[i].string);
		}
	}
}

static void test_limits(void **state)
{
	static struct pci_match_rules rules;
	static char text[PCI_MATCH_STRING_MAX + 2];
	struct pci_match_state counters = {0};
	struct pci_match_result result;
	struct sink s = {0};
	size_t at;

	(void)state;
	/* 2048 characters are read, 2049 are not; of the old key, 1024 and 1025. */
	memset(text, ' ', PCI_MATCH_STRING_MAX + 1);
	memcpy(text, "driver=ahci", 11);
	assert_int_equal(pci_match_parse(&rules, PCI_MATCH_RULES, text, drivers,
					 ARRAY_SIZE(drivers), record, &s),
			 1);
	assert_int_equal(s.all[0].code, PCI_MATCH_E_LONG);
	assert_int_equal(s.all[0].column, PCI_MATCH_STRING_MAX + 1);
	text[PCI_MATCH_STRING_MAX] = 0;
	assert_int_equal(pci_match_parse(&rules, PCI_MATCH_RULES, text, drivers,
					 ARRAY_SIZE(drivers), record, &s),
			 0);
	memcpy(text, "class=02*,action=deny", 21);
	text[PCI_MATCH_CONCEAL_MAX] = ' ';
	text[PCI_MATCH_CONCEAL_MAX + 1] = 0;
	assert_int_equal(pci_match_parse(&rules, PCI_MATCH_CONCEAL, text, drivers,
					 ARRAY_SIZE(drivers), record, &s),
			 1);
	text[PCI_MATCH_CONCEAL_MAX] = 0;
	assert_int_equal(pci_match_parse(&rules, PCI_MATCH_CONCEAL, text, drivers,
					 ARRAY_SIZE(drivers), record, &s),
			 0);

	/* As many items as fit: 509 of 4 characters, then the driver. */
	for (at = 0; at + 4 + 10 <= PCI_MATCH_STRING_MAX; at += 5)
		memcpy(text + at, "if=*,", 5);
	strcpy(text + at, "driver=ata");
	assert_int_equal(pci_match_parse(&rules, PCI_MATCH_RULES, text, drivers,
					 ARRAY_SIZE(drivers), record, &s),
			 0);
	pci_match(&rules, &counters, &devices[0], &result);
	assert_int_equal(result.rule, 1);

	/* As many rules, and as many counters. */
	static const struct pci_driver x = {
	    .name = "x", .device = "id=8086:10f5", .driver_options = "o"};
	for (at = 0; at + 13 <= PCI_MATCH_STRING_MAX; at += 13)
		memcpy(text + at, "driver=x,and,", 13);
	text[at] = 0;
	assert_int_equal(pci_match_parse(&rules, PCI_MATCH_RULES, text, &x, 1, record, &s), 0);
	assert_int_equal(rules.rule_count, 157);
	for (at = 5; at + 9 + 8 <= PCI_MATCH_STRING_MAX; at += 9)
		memcpy(text + at, "number=*,", 9);
	memcpy(text, "if=*,", 5);
	strcpy(text + at, "driver=x");
	assert_int_equal(pci_match_parse(&rules, PCI_MATCH_RULES, text, &x, 1, record, &s), 0);
	assert_int_equal(rules.counter_count, 226);
	pci_match(&rules, &counters, &devices[0], &result);
	assert_int_equal(result.rule, 1);

	/* As much option text, and room for exactly that. */
	char *values[1], *copy = malloc(PCI_MATCH_STRING_MAX + 1);

	memset(text, 'v', PCI_MATCH_STRING_MAX);
	memcpy(text, "driver=x,o=", 11);
	text[PCI_MATCH_STRING_MAX] = 0;
	assert_int_equal(pci_match_parse(&rules, PCI_MATCH_RULES, text, &x, 1, record, &s), 0);
	pci_match(&rules, &counters, &devices[0], &result);
	assert_int_equal(pci_match_options(&rules, &result, values, 1, copy, 2038), 2038);
	assert_int_equal(strlen(values[0]), 2037);
	assert_int_equal(pci_match_options(&rules, &result, values, 1, copy, 2037), -ENOSPC);
	assert_int_equal(pci_match_options(&rules, &result, values, 1, copy, 0), -ENOSPC);
	free(copy);
}

/* The dialect of vmm.driver.pci_conceal. */
static void test_conceal(void **state)
{
	static const struct {
		const char *string, *denied, *allowed;
		unsigned warnings;
	} rows[] = {
	    {"", "", "", 0},
	    {"class=02*, action=deny", "ABG", "", 0},
	    {"class=02*,action=deny,", "ABG", "", 0},
	    {"class=02*, action=allow", "", "ABG", 0},
	    {"class=02*, action=allow, id=8086:*, action=deny", "CDEF", "ABG", 0},
	    {"slot=00:02.0, action=allow, slot=00:1c.0, action=allow, slot=00:*, action=deny",
	     "ACF", "DE", 0},
	    {"class=02*, id=8086:*, action=deny", "AB", "", 0},
	    {"class = 02* , action = \"deny\"", "ABG", "", 0},
	    {"action=deny", "", "", 1},
	    {"class=0C*, action=deny", "", "", 1},
	};
	static const struct {
		const char *string;
		enum pci_match_code code;
		unsigned rule, column, errors;
	} bad[] = {
	    {"class=02*", PCI_MATCH_E_NO_DRIVER, 1, 10, 1},
	    {"class=02*, action=hide", PCI_MATCH_E_ACTION, 1, 19, 1},
	    {"class=02*, action=", PCI_MATCH_E_ACTION, 1, 19, 1},
	    {"class=02*, driver=conceal", PCI_MATCH_E_KEY, 1, 12, 2},
	    {"class=02*, action=deny, and, class=03*, action=deny", PCI_MATCH_E_NO_EQUALS, 2, 25,
	     1},
	    {"class=02*, action=deny, class=03*", PCI_MATCH_E_NO_DRIVER, 2, 34, 1},
	};
	static struct pci_match_rules rules;
	struct sink s = {0};
	size_t i;
	const char *c;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pci_match_state counters = {0};

		memset(&s, 0, sizeof(s));
		assert_int_equal(pci_match_parse(&rules, PCI_MATCH_CONCEAL, rows[i].string, drivers,
						 ARRAY_SIZE(drivers), record, &s),
				 0);
		assert_int_equal(s.warnings, rows[i].warnings);
		for (c = scan_order; *c; c++) {
			struct pci_match_result r;
			const char *want = strchr(rows[i].denied, *c)    ? "conceal"
					   : strchr(rows[i].allowed, *c) ? "none"
									 : "-";
			const char *got;

			pci_match(&rules, &counters, &devices[*c - 'A'], &r);
			got = !r.rule ? "-" : r.driver ? r.driver->name : "none";
			if (strcmp(got, want) != 0)
				fail_msg("row %zu: device %c: %s, not %s", i, *c, got, want);
		}
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(&s, 0, sizeof(s));
		pci_match_parse(&rules, PCI_MATCH_CONCEAL, bad[i].string, drivers,
				ARRAY_SIZE(drivers), record, &s);
		if (s.errors != bad[i].errors || s.all[0].code != bad[i].code ||
		    s.all[0].rule != bad[i].rule || s.all[0].column != bad[i].column) {
			print(&s);
			fail_msg("row %zu: %s", i, bad[i].string);
		}
	}
	/* deny needs the driver conceal. */
	memset(&s, 0, sizeof(s));
	assert_int_equal(pci_match_parse(&rules, PCI_MATCH_CONCEAL, "class=02*, action=deny",
					 drivers, 2, record, &s),
			 1);
	assert_int_equal(s.all[0].code, PCI_MATCH_E_DRIVER);
}

/* Old keys come behind vmm.driver.pci, and "none" there is final. */
static void test_first(void **state)
{
	static struct pci_match_rules rules[3];
	const struct pci_match_rules *sets[] = {&rules[0], &rules[1], &rules[2]};
	struct pci_match_state counters[3] = {0};
	struct pci_match_state *states[] = {&counters[0], &counters[1], &counters[2]};
	static const char *const strings[] = {
	    "slot=00:19.0, driver=none, and, class=02*, number=1, driver=pro1000",
	    "class=03*, action=allow, class=02*, action=deny",
	    "driver=ahci, and, driver=vga_intel, and, driver=pro1000",
	};
	static const struct {
		char device;
		int set;
		const char *driver;
	} want[] = {{'D', 1, NULL},      {'A', 0, NULL},      {'E', -ENOENT, NULL},
		    {'C', 2, "ahci"},    {'B', 0, "pro1000"}, {'G', 1, "conceal"},
		    {'H', -ENOENT, NULL}};
	struct sink s = {0};
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(
		    pci_match_parse(&rules[i], i == 1 ? PCI_MATCH_CONCEAL : PCI_MATCH_RULES,
				    strings[i], drivers, ARRAY_SIZE(drivers), record, &s),
		    0);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		struct pci_match_result r;

		assert_int_equal(
		    pci_match_first(sets, states, 3, &devices[want[i].device - 'A'], &r),
		    want[i].set);
		if (want[i].driver)
			assert_string_equal(r.driver->name, want[i].driver);
		else
			assert_null(r.driver);
		assert_int_equal(r.rule != 0, want[i].set >= 0);
	}
}

/* Which of three places have to be watched, although nothing is there: 00:19.0, 03:00.0, 1:03:00.0.
 */
static void test_possible(void **state)
{
	static const struct {
		const char *string;
		bool places[3];
	} rows[] = {
	    {"", {false, false, false}},
	    {"driver=none", {false, false, false}},
	    {"driver=conceal", {false, false, false}},
	    {"driver=pro1000", {true, true, true}},
	    {"class=02*, driver=conceal", {true, true, true}},
	    {"class=02*, driver=none", {false, false, false}},
	    {"slot=00:19.0, driver=ahci", {true, false, false}},
	    {"slot=00:19.0|03:00.0, driver=ahci", {true, true, false}},
	    {"slot=*:03:00.0, class=02*, driver=ahci", {false, false, true}},
	    {"slot=*, class=020000, driver=ahci",
	     {false, false, false}}, /* no class is that long */
	    {"class=0C*, driver=ahci", {false, false, false}},
	    {"device=pro1000, number=0, driver=pro1000", {true, true, true}},
	    {"device=conceal, driver=pro1000", {false, false, false}},
	    {"slot=00:*, number=x, driver=ahci", {false, false, false}},
	    {"slot=00:19.0, driver=none, and, driver=ahci", {false, true, true}},
	    {"slot=00:19.0, class=02*, driver=none, and, driver=ahci", {true, true, true}},
	    {"slot=00:19.0, number=0, driver=none, and, driver=ahci", {true, true, true}},
	    {"driver=ahci, and, slot=00:19.0, driver=none", {true, true, true}},
	    {"slot=*, driver=none, and, driver=ahci", {false, false, false}},
	    {"slot=03:*, driver=none, and, slot=0?:*, driver=conceal", {true, false, false}},
	};
	static const struct pci_address places[] = {{0, 0, 0x19, 0}, {0, 3, 0, 0}, {1, 3, 0, 0}};
	static struct pci_match_rules rules;
	size_t i, place;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(pci_match_parse(&rules, PCI_MATCH_RULES, rows[i].string, drivers,
						 ARRAY_SIZE(drivers), NULL, NULL),
				 0);
		for (place = 0; place < ARRAY_SIZE(places); place++) {
			if (pci_match_possible(&rules, places[place]) != rows[i].places[place])
				fail_msg("row %zu: %s: place %zu", i, rows[i].string, place);
		}
	}
}

/* The table of old keys, a row of it each. */
static void test_compat(void **state)
{
	static const struct {
		struct pci_compat_keys keys;
		const char *want;
	} rows[] = {
	    {{0}, ""},
	    {{.uhci = true}, "driver=uhci"},
	    {{.conceal_ehci = true}, "driver=ehci_conceal"},
	    {{.ehci = true}, "driver=ehci"},
	    {{.conceal_ehci = true, .ehci = true}, "driver=ehci_conceal, and, driver=ehci"},
	    {{.vga_intel = true}, "driver=vga_intel"},
	    {{.conceal_1394 = true}, "driver=ieee1394"},
	    {{.conceal_1394 = true, .tty_ieee1394 = true},
	     "driver=ieee1394log, and, driver=thunderbolt_conceal"},
	    {{.ata = true}, "driver=ata, and, driver=ahci, and, driver=raid"},
	    {{.conceal_pro1000 = true}, "device=pro1000, driver=conceal"},
	    {{.conceal_pro1000 = true, .tty_pro1000 = true}, "driver=pro1000, tty=1"},
	    {{.conceal_pro1000 = true, .vpn_pro1000 = true}, "device=pro1000, driver=conceal"},
	    {{.conceal_pro1000 = true, .vpn_pro1000 = true, .tty_pro1000 = true},
	     "driver=pro1000, tty=1"},
	    {{.vpn_pro1000 = true}, "driver=pro1000, net=vpn"},
	    {{.vpn_pro1000 = true, .tty_pro1000 = true}, "driver=pro1000, net=vpn, tty=1"},
	    {{.tty_pro1000 = true}, "driver=pro1000, tty=1"},
	    {{.vpn_pro100 = true}, "driver=pro100, net=vpn"},
	    {{.vpn_rtl8169 = true}, "driver=rtl8169, net=vpn"},
	    {{.tty_rtl8169 = true}, "driver=rtl8169, tty=1"},
	    {{.vpn_rtl8169 = true, .tty_rtl8169 = true}, "driver=rtl8169, net=vpn, tty=1"},
	    {{.tty_ieee1394 = true}, "driver=ieee1394log, and, driver=thunderbolt_conceal"},
	    {{.tty_x540 = true}, "driver=x540"},
	    {{.uhci = true, .ata = true, .vpn_pro100 = true},
	     "driver=uhci, and, driver=ata, and, driver=ahci, and, driver=raid, and, "
	     "driver=pro100, net=vpn"},
	};
	static struct pci_match_rules rules;
	char text[PCI_COMPAT_MAX], cut[8];
	struct pci_compat_keys all;
	struct sink s = {0};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(pci_compat_rules(&rows[i].keys, text, sizeof(text)),
				 strlen(rows[i].want));
		assert_string_equal(text, rows[i].want);
		assert_int_equal(pci_match_parse(&rules, PCI_MATCH_RULES, text, drivers,
						 ARRAY_SIZE(drivers), record, &s),
				 0);
		assert_int_equal(s.warnings, 0);
	}
	assert_int_equal(pci_compat_rules(&rows[2].keys, cut, sizeof(cut)), 19);
	assert_string_equal(cut, "driver=");
	assert_int_equal(pci_compat_rules(&rows[2].keys, NULL, 0), 19);

	memset(&all, 1, sizeof(all));
	all.conceal_pro1000 = false;
	assert_true(pci_compat_rules(&all, text, sizeof(text)) < PCI_COMPAT_MAX);
}

static void test_records(void **state)
{
	static const struct {
		struct pci_driver driver;
		enum pci_match_code code; /* 0: the record is right */
		unsigned column;
	} rows[] = {
	    {{.name = "a"}, 0, 0},
	    {{.name = "a", .device = ""}, 0, 0},
	    {{.name = "a_1", .device = "id=:"}, 0, 0},
	    {{.name = NULL, .device = "class=02*, id=8086:*|10ec:*"}, 0, 0},
	    {{.name = "a", .driver_options = "tty,net"}, 0, 0},
	    {{.name = "a", .driver_options = ""}, 0, 0},
	    {{.name = ""}, PCI_MATCH_E_RECORD, 1},
	    {{.name = "none"}, PCI_MATCH_E_RECORD, 1},
	    {{.name = "first"}, PCI_MATCH_E_RECORD, 1},
	    {{.name = "a b"}, PCI_MATCH_E_RECORD, 1},
	    {{.name = "A"}, PCI_MATCH_E_RECORD, 1},
	    {{.name = "a", .driver_options = "x,x"}, PCI_MATCH_E_RECORD, 1},
	    {{.name = "a", .driver_options = "x,,y"}, PCI_MATCH_E_RECORD, 1},
	    {{.name = "a", .driver_options = "and"}, PCI_MATCH_E_RECORD, 1},
	    {{.name = "a", .driver_options = "x, driver"}, PCI_MATCH_E_RECORD, 1},
	    {{.name = "a", .device = "class"}, PCI_MATCH_E_NO_EQUALS, 1},
	    {{.name = "a", .device = "class=02*,"}, PCI_MATCH_E_EMPTY, 11},
	    {{.name = "a", .device = "class=02*, device=first"}, PCI_MATCH_E_KEY, 12},
	    {{.name = "a", .device = "class=02*, number=1"}, PCI_MATCH_E_KEY, 12},
	    {{.name = "a", .device = "driver=first"}, PCI_MATCH_E_KEY, 1},
	    {{.name = "a", .device = "id="}, PCI_MATCH_E_VALUE, 4},
	    {{.name = "a", .device = "id=\"8086:*"}, PCI_MATCH_E_QUOTE, 4},
	    {{.name = "a", .device = "id=8086:100E"}, PCI_MATCH_W_UPPER, 4},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct pci_driver two[] = {{.name = "first"}, rows[i].driver};
		struct sink s = {0};
		uint32_t errors = pci_match_check_drivers(two, 2, record, &s);
		unsigned count = rows[i].code != 0;

		if (s.errors + s.warnings != count || errors != s.errors ||
		    (count && (s.all[0].code != rows[i].code || s.all[0].rule != 2 ||
			       s.all[0].column != rows[i].column))) {
			print(&s);
			fail_msg("row %zu: %u errors", i, s.errors);
		}
	}
	struct sink s = {0};

	assert_int_equal(pci_match_check_drivers(drivers, ARRAY_SIZE(drivers), record, &s), 0);
	assert_int_equal(s.warnings, 0);
}

static void test_accepts(void **state)
{
	static const struct {
		const char *device, *devices;
	} rows[] = {
	    {NULL, ""},
	    {"", ""},
	    {"id=:", ""},
	    {"class=02*", "ABG"},
	    {"class=02*, id=8086:*", "AB"},
	    {"class_code=020000, id=8086:105e|8086:1081|8086:10f5", "A"},
	    {"class=02*, bad", ""},
	    {"class=02*, device=x", ""},
	    {"class=02*,", ""},
	};
	size_t i;
	const char *c;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pci_driver d = {.name = "x", .device = rows[i].device};

		for (c = "ABCDEFGH"; *c; c++)
			assert_int_equal(pci_record_accepts(&d, &devices[*c - 'A']),
					 strchr(rows[i].devices, *c) != NULL);
	}
	assert_int_equal(pci_record_option_count(NULL), 0);
	assert_int_equal(pci_record_option_count(""), 0);
	assert_int_equal(pci_record_option_count("tty"), 1);
	assert_int_equal(pci_record_option_count(" tty , net"), 2);
}

/* Expected values: what strtol(base 0) says, cut to 32 bits. */
static void test_option_int(void **state)
{
	static const struct {
		const char *text;
		int err; /* with end == NULL */
		int32_t value;
		int rest; /* offset of *end */
	} rows[] = {
	    {"0", 0, 0, 1},
	    {"1", 0, 1, 1},
	    {"-1", 0, -1, 2},
	    {"+7", 0, 7, 2},
	    {" \t42", 0, 42, 4},
	    {"010", 0, 8, 3},
	    {"0x10", 0, 16, 4},
	    {"0XfF", 0, 255, 4},
	    {"-0x10", 0, -16, 5},
	    {"2147483647", 0, INT32_MAX, 10},
	    {"2147483648", 0, INT32_MAX, 10},
	    {"-2147483648", 0, INT32_MIN, 11},
	    {"-2147483649", 0, INT32_MIN, 11},
	    {"99999999999999999999999999", 0, INT32_MAX, 26},
	    {"0xffffffffffffffffffff", 0, INT32_MAX, 22},
	    {"9x", -EINVAL, 9, 1},
	    {"08", -EINVAL, 0, 1},
	    {"0x", -EINVAL, 0, 1},
	    {"0xg", -EINVAL, 0, 1},
	    {"1 ", -EINVAL, 1, 1},
	    {"12,13", -EINVAL, 12, 2},
	};
	static const char *const none[] = {"", " ", "-", "+", "x", "--1", "- 1", "yes"};
	const char *end;
	int32_t value;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		value = 12345;
		assert_int_equal(pci_option_int(rows[i].text, &value, NULL), rows[i].err);
		assert_int_equal(value, rows[i].err ? 12345 : rows[i].value);
		assert_int_equal(pci_option_int(rows[i].text, &value, &end), 0);
		assert_int_equal(value, rows[i].value);
		assert_int_equal(end - rows[i].text, rows[i].rest);
	}
	for (i = 0; i < ARRAY_SIZE(none); i++) {
		value = 12345;
		assert_int_equal(pci_option_int(none[i], &value, NULL), -EINVAL);
		assert_int_equal(pci_option_int(none[i], &value, &end), -EINVAL);
		assert_ptr_equal(end, none[i]);
		assert_int_equal(value, 12345);
	}
	assert_int_equal(pci_option_int(NULL, &value, &end), 0);
	assert_null(end);
	assert_int_equal(value, 12345);
}

static void test_option_bool(void **state)
{
	static const char *const yes[] = {"1",    "yes",  "YES",  "Yes",       "on", "On",
					  "true", "TRUE", "y",    "Y",         "t",  "T",
					  "2",    "-1",   "0x10", "4294967296"};
	static const char *const no[] = {"0", "no", "NO", "off", "OFF", "false", "False",
					 "n", "N",  "f",  "F",   "00",  "0x0"};
	static const char *const bad[] = {"",  "ye", "yess", "o",  "tru",  "1x",
					  "-", "j",  "yes ", "0x", "maybe"};
	bool value;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(yes); i++) {
		value = false;
		assert_int_equal(pci_option_bool(yes[i], &value), 0);
		assert_true(value);
	}
	for (i = 0; i < ARRAY_SIZE(no); i++) {
		value = true;
		assert_int_equal(pci_option_bool(no[i], &value), 0);
		assert_false(value);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		value = i % 2;
		assert_int_equal(pci_option_bool(bad[i], &value), -EINVAL);
		assert_int_equal(value, i % 2);
	}
	value = true;
	assert_int_equal(pci_option_bool(NULL, &value), 0);
	assert_true(value);
}

/* Patterns against any text: the answer of a plain recursive definition. */
static bool slow_match(const char *p, const char *t)
{
	if (*p == 0)
		return *t == 0;
	if (*p == '*')
		return slow_match(p + 1, t) || (*t && slow_match(p, t + 1));
	return *t && (*p == '?' || *p == *t) && slow_match(p + 1, t + 1);
}

static void test_patterns(void **state)
{
	uint32_t seed = 1;
	unsigned round, i, matched = 0;

	(void)state;
	for (round = 0; round < 20000; round++) {
		char p[9], t[9];

		for (i = 0; i < 16; i++) {
			seed = seed * 1664525 + 1013904223;
			if (i < 8)
				p[i] = "ab*?"[seed >> 30];
			else
				t[i - 8] = "abab"[seed >> 30];
		}
		seed = seed * 1664525 + 1013904223;
		p[seed >> 29] = 0;
		t[seed >> 26 & 7] = 0;
		p[8] = t[8] = 0;
		assert_int_equal(pattern_match(p, strlen(p), t, strlen(t), NULL), slow_match(p, t));
		matched += slow_match(p, t);
	}
	assert_in_range(matched, 1000, 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_selections), cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_no_drivers), cmocka_unit_test(test_dropped_rule),
	    cmocka_unit_test(test_warnings),   cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_conceal),    cmocka_unit_test(test_first),
	    cmocka_unit_test(test_possible),   cmocka_unit_test(test_compat),
	    cmocka_unit_test(test_records),    cmocka_unit_test(test_accepts),
	    cmocka_unit_test(test_option_int), cmocka_unit_test(test_option_bool),
	    cmocka_unit_test(test_patterns),
	};

	return cmocka_run_group_tests_name("pci_match", tests, NULL, NULL);
}
