/* Tests of the ACPI parsers: hand-built tables, right, cut, damaged and looping. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/acpi.h"
#include "core/acpi/dsdt.h"
#include "core/acpi/facs.h"
#include "core/acpi/fadt.h"
#include "core/acpi/hpet.h"
#include "core/acpi/madt.h"
#include "core/acpi/mcfg.h"
#include "core/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- physical memory: 2 MiB from 0, handed out as copies of exact size, so that ASan sees any
 * step outside ---- */

#define MEM_SIZE 0x200000u

static uint8_t ram[MEM_SIZE];
static uint64_t hole_start, hole_end; /* not readable */
static void *window;

static const void *map(void *arg, uint64_t pa, size_t len)
{
	assert_ptr_equal(arg, ram);
	assert_true(len > 0);
	free(window); /* an old pointer is dead now */
	window = NULL;
	if (pa >= MEM_SIZE || len > MEM_SIZE - pa || (pa < hole_end && pa + len > hole_start))
		return NULL;
	window = malloc(len);
	memcpy(window, ram + pa, len);
	return window;
}

static void put16(uint8_t *p, uint64_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint64_t v)
{
	put16(p, v);
	put16(p + 2, v >> 16);
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, v);
	put32(p + 4, v >> 32);
}

static void sum_to_zero(uint8_t *p, size_t len, size_t at)
{
	uint8_t s = 0;

	p[at] = 0;
	for (size_t i = 0; i < len; i++)
		s = (uint8_t)(s + p[i]);
	p[at] = (uint8_t)(0 - s);
}

/* Header at p, body already there. */
static void header(uint8_t *p, const char *sig, uint32_t len)
{
	memcpy(p, sig, 4);
	put32(p + 4, len);
	p[8] = 1;
	sum_to_zero(p, len, 9);
}

static void rsdp(uint64_t pa, uint8_t revision, uint32_t rsdt, uint64_t xsdt)
{
	uint8_t *p = ram + pa;

	memset(p, 0, 36);
	memcpy(p, "RSD PTR ", 8);
	p[15] = revision;
	put32(p + 16, rsdt);
	sum_to_zero(p, 20, 8);
	if (revision >= 2) {
		put32(p + 20, 36);
		put64(p + 24, xsdt);
		sum_to_zero(p, 36, 32);
	}
}

#define RSDT 0x110000u
#define XSDT 0x110401u /* not aligned */

static int setup(void **state)
{
	(void)state;
	memset(ram, 0, sizeof ram);
	hole_start = hole_end = 0;
	/* RSDT: one APIC table. XSDT: two of them, the second twice, and a HPET. */
	put32(ram + RSDT + 36, 0x120000);
	header(ram + RSDT, "RSDT", 40);
	put64(ram + XSDT + 36, 0x120000);
	put64(ram + XSDT + 44, 0x121003);
	put64(ram + XSDT + 52, 0x121003);
	put64(ram + XSDT + 60, 0x122000);
	header(ram + XSDT, "XSDT", 68);
	header(ram + 0x120000, "APIC", 44);
	header(ram + 0x121003, "APIC", 60);
	header(ram + 0x122000, "HPET", 56);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(window);
	window = NULL;
	return 0;
}

static void test_root(void **state)
{
	struct acpi a;
	uint64_t pa;
	uint32_t len;

	(void)state;
	rsdp(0xf1230, 2, RSDT, XSDT);
	assert_int_equal(acpi_init(&a, map, ram, 0), 0);
	assert_true(a.xsdt && a.rsdp == 0xf1230 && a.root == XSDT && a.root_count == 4 &&
		    a.revision == 2);
	assert_int_equal(acpi_find(&a, "APIC", 0, &pa, &len), 0);
	assert_true(pa == 0x120000 && len == 44);
	assert_int_equal(acpi_find(&a, "APIC", 1, &pa, &len), 0);
	assert_true(pa == 0x121003 && len == 60);
	assert_int_equal(acpi_find(&a, "APIC", 2, &pa, &len),
			 -ENOENT); /* listed twice, counted once */
	assert_int_equal(acpi_find(&a, "HPET", 0, NULL, NULL), 0);
	assert_int_equal(acpi_find(&a, "MCFG", 0, &pa, &len), -ENOENT);
	/* The address the firmware gave. */
	rsdp(0x180000, 2, RSDT, XSDT);
	assert_int_equal(acpi_init(&a, map, ram, 0x180000), 0);
	assert_true(a.rsdp == 0x180000);
	assert_int_equal(acpi_init(&a, map, ram, 0x190000), -EINVAL);
	assert_int_equal(acpi_init(&a, map, ram, 0x7fffffff0000), -EFAULT);
}

static void test_search(void **state)
{
	struct acpi a;

	(void)state;
	assert_int_equal(acpi_init(&a, map, ram, 0), -ENOENT);
	rsdp(0xe0008, 0, RSDT, 0); /* not on a 16-byte boundary */
	assert_int_equal(acpi_init(&a, map, ram, 0), -ENOENT);
	rsdp(0xfffe0, 0, RSDT, 0); /* the last place; its second half would end outside */
	assert_int_equal(acpi_init(&a, map, ram, 0), 0);
	assert_true(a.rsdp == 0xfffe0 && !a.xsdt && a.root_count == 1);
	/* A bad one before a good one is passed over. */
	rsdp(0xe0000, 0, RSDT, 0);
	ram[0xe0000 + 9] ^= 1;
	assert_int_equal(acpi_init(&a, map, ram, 0), 0);
	assert_true(a.rsdp == 0xfffe0);
	/* The EBDA is searched first, its first KiB only. */
	put16(ram + 0x40e, 0x9fc0);
	rsdp(0x9fc00 + 1024, 0, RSDT, 0);
	assert_int_equal(acpi_init(&a, map, ram, 0), 0);
	assert_true(a.rsdp == 0xfffe0);
	rsdp(0x9fc00 + 1008, 0, RSDT, 0);
	assert_int_equal(acpi_init(&a, map, ram, 0), 0);
	assert_true(a.rsdp == 0x9fc00 + 1008);
	/* Unreadable parts are no obstacle. */
	hole_start = 0x9f000;
	hole_end = 0xe8000;
	assert_int_equal(acpi_init(&a, map, ram, 0), 0);
	assert_true(a.rsdp == 0xfffe0);
}

/* One call fails, from the first to the last: a search may miss what it then cannot see, no more.
 */
static unsigned calls, failing_call;

static const void *map_but_once(void *arg, uint64_t pa, size_t len)
{
	return ++calls == failing_call ? NULL : map(arg, pa, len);
}

static void test_search_failing(void **state)
{
	struct acpi a;
	unsigned count, found_second = 0;

	(void)state;
	/* A damaged RSDP in the EBDA makes the search look away from its window and back. */
	put16(ram + 0x40e, 0x9fc0);
	rsdp(0x9fc00, 0, RSDT, 0);
	ram[0x9fc00 + 9] ^= 1;
	rsdp(0x9fc40, 0, RSDT, 0);
	rsdp(0xf0000, 0, RSDT, 0);
	calls = failing_call = 0;
	assert_int_equal(acpi_init(&a, map_but_once, ram, 0), 0);
	assert_true(a.rsdp == 0x9fc40);
	count = calls;
	for (failing_call = 1; failing_call <= count; failing_call++) {
		int r;

		calls = 0;
		r = acpi_init(&a, map_but_once, ram, 0);
		/* Reads after the RSDP was found are those of the one root table there is. */
		assert_true(r == 0 || r == -EINVAL);
		if (r == 0) {
			assert_true(a.rsdp == 0x9fc40 || a.rsdp == 0xf0000);
			assert_int_equal(a.root_count, 1);
			found_second += a.rsdp == 0xf0000;
		}
	}
	/* The EBDA's pointer, the window, the window again, and the right RSDP itself. */
	assert_int_equal(found_second, 4);
	/* The same below 1 MiB, the right one far behind: only what it is read with hides it. */
	memset(ram + 0x9fc00, 0, 1024);
	put16(ram + 0x40e, 0);
	rsdp(0xe0000, 0, RSDT, 0);
	ram[0xe0000 + 9] ^= 1;
	calls = failing_call = 0;
	assert_int_equal(acpi_init(&a, map_but_once, ram, 0), 0);
	assert_true(a.rsdp == 0xf0000);
	for (failing_call = 1; failing_call <= 4; failing_call++) {
		calls = 0;
		assert_int_equal(acpi_init(&a, map_but_once, ram, 0), 0);
		assert_true(a.rsdp == 0xf0000);
	}
}

static void test_damaged_root(void **state)
{
	struct acpi a;
	uint64_t pa;
	uint32_t len;

	(void)state;
	/* Damaged XSDT: the RSDT is taken. */
	rsdp(0xf0000, 2, RSDT, XSDT);
	ram[XSDT + 20] ^= 1;
	assert_int_equal(acpi_init(&a, map, ram, 0), 0);
	assert_true(!a.xsdt && a.root == RSDT);
	ram[RSDT + 20] ^= 1;
	assert_int_equal(acpi_init(&a, map, ram, 0), -EINVAL);
	setup(NULL);
	/* Extended RSDP checksum wrong, lengths wrong: ACPI 1.0 part is used. */
	static const uint32_t lengths[] = {0, 20, 35, 4097, 0xffffffff};
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		rsdp(0xf0000, 2, RSDT, XSDT);
		put32(ram + 0xf0000 + 20, lengths[i]);
		sum_to_zero(ram + 0xf0000, 36, 32);
		assert_int_equal(acpi_init(&a, map, ram, 0), 0);
		assert_true(!a.xsdt && a.root == RSDT);
	}
	rsdp(0xf0000, 2, RSDT, XSDT);
	ram[0xf0000 + 33] ^= 1;
	assert_int_equal(acpi_init(&a, map, ram, 0), 0);
	assert_false(a.xsdt);
	/* Lengths of the root table. */
	static const uint32_t root_lengths[] = {0, 1, 35, 0x1000001, 0x7fffffff, 0xffffffff};
	rsdp(0xf0000, 0, RSDT, 0);
	for (size_t i = 0; i < sizeof root_lengths / sizeof root_lengths[0]; i++) {
		put32(ram + RSDT + 4, root_lengths[i]);
		assert_int_equal(acpi_init(&a, map, ram, 0), -EINVAL);
	}
	/* No entries, and a last entry that is cut off: both right as far as they go. */
	header(ram + RSDT, "RSDT", 36);
	assert_int_equal(acpi_init(&a, map, ram, 0), 0);
	assert_int_equal(a.root_count, 0);
	assert_int_equal(acpi_find(&a, "APIC", 0, &pa, &len), -ENOENT);
	header(ram + RSDT, "RSDT", 43);
	assert_int_equal(acpi_init(&a, map, ram, 0), 0);
	assert_int_equal(a.root_count, 1);
	/* Too many: bounded. */
	for (unsigned i = 0; i < 5000; i++)
		put32(ram + RSDT + 36 + 4 * i, 0x122000);
	header(ram + RSDT, "RSDT", 36 + 4 * 5000);
	assert_int_equal(acpi_init(&a, map, ram, 0), 0);
	assert_int_equal(a.root_count, ACPI_ROOT_MAX);
	assert_int_equal(acpi_find(&a, "HPET", 1, &pa, &len), -ENOENT);
	/* RSDT 0, XSDT beyond memory. */
	rsdp(0xf0000, 2, 0, UINT64_MAX - 8);
	assert_int_equal(acpi_init(&a, map, ram, 0), -EINVAL);
	rsdp(0xf0000, 2, 0, UINT64_C(0xfffffffff000));
	assert_int_equal(acpi_init(&a, map, ram, 0), -EINVAL);
}

static void test_damaged_tables(void **state)
{
	struct acpi a;
	uint64_t pa;
	uint32_t len;
	char sig[4];
	bool good;

	(void)state;
	rsdp(0xf0000, 2, RSDT, XSDT);
	/* Root that lists itself, zero, something unreadable, and the table. */
	put64(ram + XSDT + 36, XSDT);
	put64(ram + XSDT + 44, 0);
	put64(ram + XSDT + 52, UINT64_MAX - 3);
	put64(ram + XSDT + 60, 0x122000);
	header(ram + XSDT, "XSDT", 68);
	assert_int_equal(acpi_init(&a, map, ram, 0), 0);
	assert_int_equal(acpi_find(&a, "HPET", 0, &pa, &len), 0);
	assert_true(pa == 0x122000);
	assert_int_equal(acpi_find(&a, "XSDT", 0, &pa, &len), 0);
	assert_int_equal(acpi_entry(&a, 3, sig, &pa, &len, &good), 0);
	assert_memory_equal(sig, "HPET", 4);
	assert_true(good && len == 56);
	assert_int_equal(acpi_entry(&a, 1, sig, &pa, &len, &good), -EFAULT);
	assert_int_equal(acpi_entry(&a, 2, sig, &pa, &len, &good), -EFAULT);
	assert_int_equal(acpi_entry(&a, 4, sig, &pa, &len, &good), -ENOENT);
	ram[0x122000 + 50] ^= 4;
	assert_int_equal(acpi_find(&a, "HPET", 0, &pa, &len), -ENOENT);
	assert_int_equal(acpi_entry(&a, 3, sig, &pa, &len, &good), 0);
	assert_false(good);
	static const uint32_t lengths[] = {0, 1, 35, 0xe0000, 0x1000001, 0xffffffff};
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		put32(ram + 0x122000 + 4, lengths[i]);
		assert_int_equal(acpi_find(&a, "HPET", 0, &pa, &len), -ENOENT);
		assert_null(acpi_table(&a, 0x122000, NULL, &len));
	}
	/* The header is readable, the rest is not. */
	header(ram + 0x122000, "HPET", 56);
	assert_non_null(acpi_table(&a, 0x122000, "HPET", &len));
	hole_start = 0x122000 + 55;
	hole_end = 0x123000;
	assert_null(acpi_table(&a, 0x122000, "HPET", &len));
	assert_null(acpi_table(&a, 0x122000 + 30, NULL, &len));
	/* The root's entries vanish after the start. */
	hole_start = XSDT;
	assert_int_equal(acpi_find(&a, "HPET", 0, &pa, &len), -ENOENT);
	assert_int_equal(acpi_entry(&a, 3, sig, &pa, &len, &good), -EFAULT);
	/* The root is there, the table's header is not. */
	hole_start = 0x122000 + 35;
	assert_int_equal(acpi_entry(&a, 3, sig, &pa, &len, &good), -EFAULT);
}

/* ---- single tables ---- */

/* Calls with copies of every length, the last byte at the end of a heap block. */
static void cut_all(const uint8_t *table, size_t len, void (*call)(void *, size_t))
{
	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = malloc(n ? n : 1);

		memcpy(copy, table, n);
		call(copy, n); /* length field says more than there is */
		if (n >= 8) {
			put32(copy + 4, n);
			call(copy, n);
		}
		free(copy);
	}
	static const uint32_t lengths[] = {0, 1, 35, 0xffffffff};
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		uint8_t *copy = malloc(len);

		memcpy(copy, table, len);
		put32(copy + 4, lengths[i]);
		call(copy, len);
		free(copy);
	}
}

static void call_madt(void *t, size_t n)
{
	static struct madt m;

	madt_parse(t, n, &m);
	assert_true(m.cpu_count <= MADT_MAX_CPUS && m.cpus_enabled <= m.cpu_count);
}

static void test_madt(void **state)
{
	static struct madt m;
	static const uint8_t entries[] = {
	    0,    8,  0,    0,    1,    0,    0,    0, /* CPU 0, APIC id 0, enabled */
	    0,    8,  1,    2,    0,    0,    0,    0, /* not usable */
	    0,    8,  2,    4,    2,    0,    0,    0, /* online capable */
	    0,    8,  3,    0xff, 1,    0,    0,    0, /* no APIC id */
	    0,    8,  4,    6,    3,    0,    0,    0, /* both flags: enabled */
	    1,    12, 9,    0,    0x00, 0x00, 0xc0, 0xfe, 0x18, 0, 0, 0, /* I/O APIC 9 at fec00000,
									    GSI 24 */
	    2,    10, 0,    0,    2,    0,    0,    0,    0,    0, /* interrupt override: not looked
								      at */
	    3,    8,  0x0d, 0,    5,    0,    0,    0,             /* NMI source GSI 5 */
	    4,    6,  0xff, 5,    0,    1,                         /* LINT1 is NMI on all */
	    9,    16, 0,    0,    0x45, 0x23, 0x01, 0,    1,    0, 0, 0, 0x34,
	    0x12, 0,  0, /* x2APIC id 0x12345, UID 0x1234 */
	    9,    16, 0,    0,    4,    0,    0,    0,    1,    0, 0, 0, 2,
	    0,    0,  0, /* the same CPU as APIC id 4, enabled here */
	    9,    16, 0,    0,    0xff, 0xff, 0xff, 0xff, 1,    0, 0, 0, 2,
	    0,    0,  0,                                                 /* broadcast id */
	    10,   12, 5,    0,    0xff, 0xff, 0xff, 0xff, 1,    0, 0, 0, /* x2APIC NMI: LINT1 on all
									  */
	    5,    12, 0,    0,    0x78, 0x56, 0x34, 0x12, 1,    0, 0, 0, /* local APIC at 112345678
									  */
	    0,    4,  7,    7,                         /* too short for its type */
	    0x80, 3,  0,                               /* of the firmware's own */
	    0,    8,  5,    8,    1,    0,    0,    0, /* one more CPU after them */
	};
	uint8_t t[44 + sizeof entries] = {0};

	(void)state;
	put32(t + 36, 0xfee00000);
	put32(t + 40, 1);
	memcpy(t + 44, entries, sizeof entries);
	header(t, "APIC", sizeof t);
	assert_int_equal(madt_parse(t, sizeof t, &m), 0);
	assert_int_equal(m.cpu_count, 5);
	assert_int_equal(m.cpus_enabled, 5);
	assert_true(m.cpu[0].apic_id == 0 && m.cpu[0].enabled && !m.cpu[0].x2apic);
	assert_true(m.cpu[1].apic_id == 4 && m.cpu[1].uid == 2 && m.cpu[1].enabled &&
		    !m.cpu[1].online_capable);
	assert_true(m.cpu[2].apic_id == 6 && m.cpu[2].enabled && !m.cpu[2].online_capable);
	assert_true(m.cpu[3].apic_id == 0x12345 && m.cpu[3].uid == 0x1234 && m.cpu[3].x2apic);
	assert_true(m.cpu[4].apic_id == 8);
	assert_int_equal(m.ioapic_count, 1);
	assert_true(m.ioapic[0].id == 9 && m.ioapic[0].address == 0xfec00000 &&
		    m.ioapic[0].gsi_base == 24);
	assert_int_equal(m.nmi_count, 3);
	assert_true(!m.nmi[0].local && m.nmi[0].gsi == 5 && m.nmi[0].flags == 0x0d);
	assert_true(m.nmi[1].local && m.nmi[1].uid == MADT_UID_ALL && m.nmi[1].flags == 5 &&
		    m.nmi[1].lint == 1);
	assert_true(m.nmi[2].local && m.nmi[2].uid == MADT_UID_ALL && m.nmi[2].flags == 5 &&
		    m.nmi[2].lint == 1);
	assert_true(m.override && m.lapic_address == UINT64_C(0x112345678) && m.pcat_compat);

	/* Without the entries after the third: online capable is kept apart. */
	put32(t + 4, 44 + 24);
	assert_int_equal(madt_parse(t, sizeof t, &m), 0);
	assert_true(m.cpu_count == 2 && m.cpus_enabled == 1 && m.cpu[1].online_capable &&
		    !m.cpu[1].enabled);
	assert_true(m.lapic_address == 0xfee00000 && !m.override);
	put32(t + 4, sizeof t);

	cut_all(t, sizeof t, call_madt);
	assert_int_equal(madt_parse(t, 43, &m), -EINVAL);
	memcpy(t, "XPIC", 4);
	assert_int_equal(madt_parse(t, sizeof t, &m), -EINVAL);
	memcpy(t, "APIC", 4);
	/* Entry lengths 0 and 1 would loop for ever; 200 leaves the table. */
	static const uint8_t bad[] = {0, 1, 200};
	for (size_t i = 0; i < 3; i++) {
		t[44 + 8 + 1] = bad[i];
		assert_int_equal(madt_parse(t, sizeof t, &m), 0);
		assert_int_equal(m.cpu_count, 1);
	}
}

static void test_madt_many(void **state)
{
	static struct madt m;
	static uint8_t t[44 + 400 * 16];

	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		uint8_t *e = t + 44 + 16 * i;

		e[0] = 9;
		e[1] = 16;
		put32(e + 4, 1000 + i);
		put32(e + 8, 1);
	}
	header(t, "APIC", sizeof t);
	assert_int_equal(madt_parse(t, sizeof t, &m), 0);
	assert_int_equal(m.cpu_count, MADT_MAX_CPUS);
	assert_int_equal(m.cpus_left_out, 400 - MADT_MAX_CPUS);
	for (unsigned i = 0; i < 400; i++) {
		uint8_t *e = t + 44 + 16 * i;

		e[0] = 1;
		e[8] = 1;
	}
	assert_int_equal(madt_parse(t, sizeof t, &m), 0);
	assert_int_equal(m.ioapic_count, MADT_MAX_IOAPICS);
}

static void gas(uint8_t *p, uint8_t space, uint8_t width, uint64_t address)
{
	p[0] = space;
	p[1] = width;
	p[2] = 0;
	p[3] = 0;
	put64(p + 4, address);
}

static void call_fadt(void *t, size_t n)
{
	struct fadt f;

	fadt_parse(t, n, &f);
}

static void test_fadt(void **state)
{
	uint8_t t[276] = {0};
	struct fadt f;

	(void)state;
	/* As QEMU's q35 has it, at ACPI 1.0's length. */
	put32(t + 36, 0x7fe0000); /* FACS */
	put32(t + 40, 0x7fe0040); /* DSDT */
	put16(t + 46, 9);
	put32(t + 48, 0xb2);
	t[52] = 2;
	t[53] = 3;
	put32(t + 56, 0x600);
	put32(t + 64, 0x604);
	put32(t + 76, 0x608);
	t[88] = 4;
	t[89] = 2;
	t[91] = 4;
	put32(t + 112, 0x84a5);
	header(t, "FACP", 116);
	assert_int_equal(fadt_parse(t, sizeof t, &f), 0);
	assert_true(f.facs == 0x7fe0000 && f.facs_32 == 0x7fe0000 && f.dsdt == 0x7fe0040 &&
		    f.smi_cmd == 0xb2 && f.sci_int == 9);
	assert_true(f.acpi_enable == 2 && f.acpi_disable == 3);
	assert_true(f.pm1a_evt.address == 0x600 && f.pm1a_evt.space == ACPI_SPACE_IO &&
		    f.pm1a_evt.bit_width == 32);
	assert_true(f.pm1a_cnt.address == 0x604 && f.pm1a_cnt.bit_width == 16);
	assert_true(f.pm1b_evt.address == 0 && f.pm1b_cnt.address == 0);
	assert_true(f.pm_tmr.address == 0x608 && f.pm_tmr_bits == 24);
	assert_true(!f.has_reset &&
		    f.flags == 0x84a5); /* the flag is set, the register is beyond the end */

	/* X_ forms, reset register, 32-bit timer; X_DSDT 0 leaves the old one. */
	put32(t + 112, 0x84a5 | FADT_FLAG_TMR_VAL_EXT | FADT_FLAG_RESET_REG_SUP);
	gas(t + 116, ACPI_SPACE_IO, 8, 0xcf9);
	t[128] = 0x0f;
	put64(t + 132, UINT64_C(0x100000000));
	gas(t + 148, ACPI_SPACE_IO, 32, 0x1800);
	gas(t + 160, ACPI_SPACE_IO, 32, 0x1810);
	gas(t + 172, ACPI_SPACE_MEMORY, 16, UINT64_C(0x1fed40004));
	gas(t + 184, ACPI_SPACE_IO, 16, 0x1814);
	gas(t + 208, ACPI_SPACE_IO, 32, 0x1808);
	gas(t + 244, ACPI_SPACE_IO, 8, 0x1820);
	gas(t + 256, ACPI_SPACE_IO, 8, 0x1821);
	header(t, "FACP", 276);
	assert_int_equal(fadt_parse(t, sizeof t, &f), 0);
	assert_true(f.facs == UINT64_C(0x100000000) && f.facs_32 == 0x7fe0000 &&
		    f.dsdt == 0x7fe0040);
	assert_true(f.pm1a_evt.address == 0x1800 && f.pm1b_evt.address == 0x1810);
	assert_true(f.pm1a_cnt.address == UINT64_C(0x1fed40004) &&
		    f.pm1a_cnt.space == ACPI_SPACE_MEMORY);
	assert_true(f.pm1b_cnt.address == 0x1814 && f.pm_tmr.address == 0x1808 &&
		    f.pm_tmr_bits == 32);
	assert_true(f.has_reset && f.reset.address == 0xcf9 && f.reset_value == 0x0f);
	assert_true(f.sleep_control.address == 0x1820 && f.sleep_status.address == 0x1821);
	put64(t + 140, UINT64_C(0x200000000));
	assert_int_equal(fadt_parse(t, sizeof t, &f), 0);
	assert_true(f.dsdt == UINT64_C(0x200000000));
	/* No timer when its length is 0, whatever the addresses say. */
	t[91] = 0;
	assert_int_equal(fadt_parse(t, sizeof t, &f), 0);
	assert_true(f.pm_tmr.address == 0 && f.pm_tmr_bits == 0);
	/* The reset register is there, its value is not. */
	put32(t + 4, 128);
	assert_int_equal(fadt_parse(t, sizeof t, &f), 0);
	assert_false(f.has_reset);
	put32(t + 4, 129);
	assert_int_equal(fadt_parse(t, sizeof t, &f), 0);
	assert_true(f.has_reset);
	/* A table that ends within X_PM1a_EVT_BLK: the bytes behind its end do not count. */
	put32(t + 4, 148 + 4);
	assert_int_equal(fadt_parse(t, sizeof t, &f), 0);
	assert_true(f.pm1a_evt.address == 0x600 && f.pm1a_cnt.address == 0x604 && f.has_reset);
	put32(t + 4, 115);
	assert_int_equal(fadt_parse(t, sizeof t, &f), -EINVAL);
	put32(t + 4, 276);
	cut_all(t, sizeof t, call_fadt);
}

static void call_facs(void *t, size_t n)
{
	struct facs f;

	assert_true(facs_parse(t, n, &f) == 0 || facs_set_waking_vector(t, n, 0x1000) == -EINVAL);
}

static void test_facs(void **state)
{
	uint8_t t[64] = "FACS";
	struct facs f;

	(void)state;
	put32(t + 4, 64);
	put32(t + 12, 0x98000);
	put32(t + 20, 2);
	put64(t + 24, UINT64_C(0x123456789));
	put32(t + 36, 1);
	t[32] = 2;
	assert_int_equal(facs_parse(t, sizeof t, &f), 0);
	assert_true(f.waking_vector == 0x98000 && f.x_waking_vector == UINT64_C(0x123456789) &&
		    f.has_x);
	assert_true(f.flags == FACS_64BIT_WAKE_SUPPORTED && f.ospm_flags == FACS_64BIT_WAKE &&
		    f.version == 2);
	assert_int_equal(facs_set_waking_vector(t, sizeof t, 0x100000), -ERANGE);
	assert_int_equal(facs_set_waking_vector(t, sizeof t, 0x9a120), 0);
	assert_int_equal(facs_parse(t, sizeof t, &f), 0);
	assert_true(f.waking_vector == 0x9a120 && f.x_waking_vector == 0);
	t[32] = 0; /* ACPI 1.0: those bytes are reserved and stay */
	put64(t + 24, 77);
	assert_int_equal(facs_set_waking_vector(t, sizeof t, 0x1000), 0);
	assert_int_equal(t[24], 77);
	cut_all(t, sizeof t, call_facs);
	assert_int_equal(facs_parse(t, 63, &f), -EINVAL);
}

static void call_mcfg(void *t, size_t n)
{
	struct mcfg_segment s;

	for (unsigned i = 0; i < 4; i++)
		mcfg_get(t, n, i, &s);
}

static void test_mcfg(void **state)
{
	uint8_t t[44 + 3 * 16 + 7] = {0};
	struct mcfg_segment s;

	(void)state;
	put64(t + 44, 0xb0000000); /* q35's PCIEXBAR */
	t[44 + 11] = 0xff;
	put64(t + 60, UINT64_C(0x4000000000));
	put16(t + 60 + 8, 0x1234);
	t[60 + 10] = 0x10;
	t[60 + 11] = 0x1f;
	put64(t + 76, 0xc0000000);
	t[76 + 10] = 2; /* first bus after the last */
	t[76 + 11] = 1;
	header(t, "MCFG", sizeof t);
	assert_int_equal(mcfg_count(t, sizeof t), 3); /* seven bytes are no entry */
	assert_int_equal(mcfg_get(t, sizeof t, 0, &s), 0);
	assert_true(s.base == 0xb0000000 && s.segment == 0 && s.first_bus == 0 &&
		    s.last_bus == 255);
	assert_true(mcfg_window_base(&s) == 0xb0000000 && mcfg_window_size(&s) == 0x10000000);
	assert_int_equal(mcfg_get(t, sizeof t, 1, &s), 0);
	assert_true(s.segment == 0x1234 && mcfg_window_base(&s) == UINT64_C(0x4001000000) &&
		    mcfg_window_size(&s) == 0x1000000);
	assert_int_equal(mcfg_get(t, sizeof t, 2, &s), -EINVAL);
	assert_int_equal(mcfg_get(t, sizeof t, 3, &s), -ENOENT);
	static const uint64_t bases[] = {0, 0xb0080000, UINT64_MAX & ~UINT64_C(0xfffff)};
	for (size_t i = 0; i < 3; i++) {
		put64(t + 44, bases[i]);
		assert_int_equal(mcfg_get(t, sizeof t, 0, &s), -EINVAL);
	}
	assert_int_equal(mcfg_count(t, 43), -EINVAL);
	put32(t + 4, 44);
	assert_int_equal(mcfg_count(t, sizeof t), 0);
	put32(t + 4, sizeof t);
	cut_all(t, sizeof t, call_mcfg);
}

static void call_hpet(void *t, size_t n)
{
	struct hpet h;

	hpet_parse(t, n, &h);
}

static void test_hpet(void **state)
{
	uint8_t t[56] = {0};
	struct hpet h;

	(void)state;
	put32(t + 36, 0x8086a201); /* QEMU: three comparators, 64 bits, legacy route */
	gas(t + 40, ACPI_SPACE_MEMORY, 0, 0xfed00000);
	t[52] = 1;
	put16(t + 53, 0x1234);
	header(t, "HPET", sizeof t);
	assert_int_equal(hpet_parse(t, sizeof t, &h), 0);
	assert_true(h.base == 0xfed00000 && h.number == 1 && h.min_tick == 0x1234 &&
		    h.comparators == 3 && h.event_timer_block_id == 0x8086a201);
	cut_all(t, sizeof t, call_hpet);
	assert_int_equal(hpet_parse(t, 55, &h), -EINVAL);
	t[40] = ACPI_SPACE_IO;
	assert_int_equal(hpet_parse(t, sizeof t, &h), -EINVAL);
}

/* ---- AML ---- */

static uint8_t aml[512];
static size_t aml_len;

static void aml_start(void)
{
	memset(aml, 0, sizeof aml);
	aml_len = 36;
}

static void aml_add(const void *bytes, size_t n)
{
	memcpy(aml + aml_len, bytes, n);
	aml_len += n;
}
#define AML(text) aml_add(text, sizeof text - 1)

static void aml_end(void)
{
	header(aml, "DSDT", (uint32_t)aml_len);
}

static void call_dsdt(void *t, size_t n)
{
	struct dsdt_sleep s;

	for (unsigned i = 0; i <= 6; i++)
		dsdt_sleep_type(t, n, i, &s);
	dsdt_hide_s3(t, n);
}

static void test_dsdt(void **state)
{
	struct dsdt_sleep s;
	static uint8_t copy[512];

	(void)state;
	/* iasl of: Name (_S3, Package () {One, One, Zero, Zero}), _S4 {2, 2, 0, 0}, \_S5 {Zero x
	 * 4}, as QEMU has them. */
	aml_start();
	AML("\x10\x0a\\_SB_\x08_ADR\x00"); /* something before */
	AML("\x08_S3_\x12\x06\x04\x01\x01\x00\x00");
	AML("\x08_S4_\x12\x08\x04\x0a\x02\x0a\x02\x00\x00");
	AML("\x08\\_S5_\x12\x06\x04\x00\x00\x00\x00");
	aml_end();
	assert_int_equal(dsdt_find_sx(aml, aml_len, 3), 36 + 13 + 1);
	assert_int_equal(dsdt_find_sx(aml, aml_len, 1), -ENOENT);
	assert_int_equal(dsdt_find_sx(aml, aml_len, 6), -EINVAL);
	assert_int_equal(dsdt_sleep_type(aml, aml_len, 3, &s), 0);
	assert_true(s.valid && s.slp_typ_a == 1 && s.slp_typ_b == 1);
	assert_int_equal(dsdt_sleep_type(aml, aml_len, 4, &s), 0);
	assert_true(s.valid && s.slp_typ_a == 2 && s.slp_typ_b == 2);
	assert_int_equal(dsdt_sleep_type(aml, aml_len, 5, &s), 0);
	assert_true(s.valid && s.slp_typ_a == 0 && s.slp_typ_b == 0);
	memcpy(copy, aml, sizeof aml);
	assert_int_equal(acpi_sum(aml, aml_len), 0);
	assert_int_equal(dsdt_hide_s3(aml, aml_len), 1);
	assert_int_equal(acpi_sum(aml, aml_len), 0);
	assert_memory_equal(aml + 50, "_S3X", 4);
	assert_int_equal(dsdt_find_sx(aml, aml_len, 3), -ENOENT);
	assert_int_equal(dsdt_hide_s3(aml, aml_len), 0);
	/* Nothing else changed but that character and the checksum. */
	aml[53] = '_';
	aml[9] = copy[9];
	assert_memory_equal(aml, copy, sizeof aml);
	cut_all(aml, aml_len, call_dsdt);
}

static void test_dsdt_forms(void **state)
{
	struct dsdt_sleep s;

	(void)state;
	/* Word, dword and qword integers, two-byte package length, values of different registers.
	 */
	aml_start();
	AML("\x08_S3_"
	    "\x12\x45\x01\x04\x0b\x05\x00\x0c\x06\x00\x00\x00\x0e\x00\x00\x00\x00\x00\x00\x00\x00"
	    "\x00");
	aml_end();
	assert_int_equal(dsdt_sleep_type(aml, aml_len, 3, &s), 0);
	assert_true(s.valid && s.slp_typ_a == 5 && s.slp_typ_b == 6);
	/* One element holds both. */
	aml_start();
	AML("\x08_S5_\x12\x05\x01\x0b\x07\x03");
	aml_end();
	assert_int_equal(dsdt_sleep_type(aml, aml_len, 5, &s), 0);
	assert_true(s.valid && s.slp_typ_a == 7 && s.slp_typ_b == 3);
	/* A value that does not fit into three bits. */
	aml_start();
	AML("\x08_S5_\x12\x07\x02\x0a\x08\x0a\x01\x00");
	aml_end();
	assert_int_equal(dsdt_sleep_type(aml, aml_len, 5, &s), 0);
	assert_false(s.valid);
	/* Not a name, no package, package longer than the table, empty, no integer in it, a
	 * reference. */
	static const struct {
		const char *b;
		size_t n;
	} none[] = {
#define N(text) {text, sizeof text - 1}
	    N("_S3_\x12\x06\x04\x01\x01\x00\x00"),
	    N("\x08_S3_\x01\x06\x04\x01\x01\x00\x00"),
	    N("\x08_S3_\x12\x07\x04\x01\x01\x00\x00"),
	    N("\x08_S3_\x12\x02\x00"),
	    N("\x08_S3_\x12\x06\x04\x0d\x41\x00\x00"),
	    N("\x08_S3_\x12\x01\x04\x01\x01\x00\x00"),
	    N("\x08_S3_\x12\x00\x04\x01\x01\x00\x00"),
	    N("\x08_S3_\x12\xff\xff\xff\xff\x04\x01\x01"),
	    N("\x08_S3_\x12\x71\x00\x04\x01\x01\x00\x00"),
	    N("\x08_S3_"),
	    N("\x08_S3_\x12"),
	    N("\x08_S3_\x12\x46"),
	    N("\x08_S3_\x12\x03\x02\x01"),
	    N("\x08_S3_\x12\x04\x02\x0a\x01"),
	};
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		aml_start();
		aml_add(none[i].b, none[i].n);
		aml_end();
		if (dsdt_find_sx(aml, aml_len, 3) != -ENOENT || dsdt_hide_s3(aml, aml_len) != 0)
			fail_msg("row %zu was taken for \\_S3", i);
	}
	/* The first false match does not hide the true one; a method and a second package are
	 * renamed, too. */
	aml_start();
	AML("_S3_\x08_S3_\x70\x12");
	AML("\x08_S3_\x12\x06\x04\x01\x01\x00\x00");
	AML("\x14\x08_S3_\x00\xa4\x01"); /* Method (_S3) { Return (One) } */
	AML("\x08\\_S3_\x12\x06\x04\x00\x01\x00\x00");
	aml_end();
	assert_int_equal(dsdt_find_sx(aml, aml_len, 3), 36 + 4 + 7 + 1);
	assert_int_equal(dsdt_hide_s3(aml, aml_len), 3);
	assert_int_equal(acpi_sum(aml, aml_len), 0);
	/* A table whose sum was wrong stays wrong. */
	aml_start();
	AML("\x08_S3_\x12\x06\x04\x01\x01\x00\x00");
	aml_end();
	aml[9] ^= 1;
	uint8_t before = acpi_sum(aml, aml_len);
	assert_int_equal(dsdt_hide_s3(aml, aml_len), 1);
	assert_int_equal(acpi_sum(aml, aml_len), before);
	/* acpi_fix_checksum() makes any right. */
	acpi_fix_checksum(aml, aml_len);
	assert_int_equal(acpi_sum(aml, aml_len), 0);
}

/* DataObjects of ACPI 6.5, 20.2.3: prefix and little-endian value, or Zero, One, Ones. */
static void test_dsdt_integers(void **state)
{
	static const struct {
		const char *b; /* the package: length, number of elements, elements */
		size_t n;
		int result;
		bool valid;
		uint8_t slp_typ_a, slp_typ_b;
	} rows[] = {
#define P(text, ...) {text, sizeof text - 1, __VA_ARGS__}
	    P("\x04\x02\x00\x01", 0, true, 0, 1),
	    P("\x06\x02\x0a\x07\x0a\x05", 0, true, 7, 5),
	    P("\x08\x02\x0b\x06\x00\x0b\x05\x00", 0, true, 6, 5),
	    P("\x0c\x02\x0c\x05\x00\x00\x00\x0c\x04\x00\x00\x00", 0, true, 5, 4),
	    P("\x0c\x02\x01\x0e\x07\x00\x00\x00\x00\x00\x00\x00", 0, true, 1, 7),
	    P("\x0c\x02\x0e\x05\x00\x00\x00\x00\x00\x00\x00\x01", 0, true, 5, 1),
	    /* Two values, but none of 3 bits. */
	    P("\x04\x02\xff\x00", 0, false, 0, 0),
	    P("\x04\x02\x00\xff", 0, false, 0, 0),
	    P("\x06\x02\x0b\x00\x01\x00", 0, false, 0, 0),
	    P("\x08\x02\x0c\x00\x00\x01\x00\x00", 0, false, 0, 0),
	    P("\x0c\x02\x0e\x01\x00\x00\x00\x01\x00\x00\x00\x00", 0, false, 0, 0),
	    /* The package ends within its second integer, or within its first. */
	    P("\x04\x02\x00\x0a\x00", -ENOENT, false, 0, 0),
	    P("\x05\x02\x00\x0b\x00\x00", -ENOENT, false, 0, 0),
	    P("\x07\x02\x00\x0c\x00\x00\x00\x00", -ENOENT, false, 0, 0),
	    P("\x0b\x02\x00\x0e\x00\x00\x00\x00\x00\x00\x00\x00", -ENOENT, false, 0, 0),
	    P("\x03\x02\x0a\x00\x00", -ENOENT, false, 0, 0),
	    P("\x04\x02\x0b\x00\x00\x00", -ENOENT, false, 0, 0),
	    P("\x06\x02\x0c\x00\x00\x00\x00\x00", -ENOENT, false, 0, 0),
	    P("\x0a\x02\x0e\x00\x00\x00\x00\x00\x00\x00\x00\x00", -ENOENT, false, 0, 0),
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct dsdt_sleep s;

		aml_start();
		AML("\x08_S4_\x12");
		aml_add(rows[i].b, rows[i].n);
		aml_end();
		if (dsdt_sleep_type(aml, aml_len, 4, &s) != rows[i].result)
			fail_msg("row %zu: found or not found", i);
		if (s.valid != rows[i].valid || (s.valid && (s.slp_typ_a != rows[i].slp_typ_a ||
							     s.slp_typ_b != rows[i].slp_typ_b)))
			fail_msg("row %zu: %d %u %u", i, s.valid, s.slp_typ_a, s.slp_typ_b);
	}
}

/* A table that no operating system shall find: by its name, or by the root's pointers. */
static void test_hide(void **state)
{
	struct acpi a;
	uint8_t table[64];
	uint64_t pa;

	(void)state;
	memset(table, 0x5a, sizeof table);
	header(table, "DMAR", 60);
	assert_int_equal(acpi_blank(table, 59), -EINVAL);
	assert_int_equal(acpi_blank(table, sizeof table), 0);
	assert_memory_equal(table, "OEM0", 4);
	assert_int_equal(acpi_sum(table, 60), 0);
	assert_int_equal(acpi_le32(table + 4), 60);
	assert_int_equal(table[10], 0x5a); /* whose table it was stays */
	for (unsigned i = 36; i < 60; i++)
		assert_int_equal(table[i], 0);
	assert_int_equal(table[60], 0x5a);

	/* XSDT of setup(): 120000h, 121003h twice, 122000h */
	assert_int_equal(acpi_root_drop(ram + XSDT, 67, 0x121003), -EINVAL);
	assert_int_equal(acpi_root_drop(ram + XSDT, 68, 0x121004), 0);
	assert_int_equal(acpi_le32(ram + XSDT + 4), 68);
	assert_int_equal(acpi_root_drop(ram + XSDT, 68, 0x121003), 2);
	assert_int_equal(acpi_le32(ram + XSDT + 4), 52);
	assert_int_equal(acpi_le64(ram + XSDT + 36), 0x120000);
	assert_int_equal(acpi_le64(ram + XSDT + 44), 0x122000);
	assert_int_equal(acpi_le64(ram + XSDT + 52), 0); /* nothing is left behind the end */
	assert_int_equal(acpi_le64(ram + XSDT + 60), 0);
	rsdp(0xf1230, 2, RSDT, XSDT);
	assert_int_equal(acpi_init(&a, map, ram, 0), 0);
	assert_true(a.xsdt && a.root_count == 2);
	assert_int_equal(acpi_find(&a, "APIC", 0, &pa, NULL), 0);
	assert_int_equal(pa, 0x120000);
	assert_int_equal(acpi_find(&a, "APIC", 1, NULL, NULL), -ENOENT);
	assert_int_equal(acpi_find(&a, "HPET", 0, NULL, NULL), 0);

	/* an RSDT has entries of four bytes */
	put32(ram + RSDT + 40, 0x121003);
	header(ram + RSDT, "RSDT", 44);
	assert_int_equal(acpi_root_drop(ram + RSDT, 44, 0x120000), 1);
	assert_int_equal(acpi_le32(ram + RSDT + 4), 40);
	assert_int_equal(acpi_le32(ram + RSDT + 36), 0x121003);
	assert_int_equal(acpi_sum(ram + RSDT, 40), 0);
	/* the last one goes, too */
	assert_int_equal(acpi_root_drop(ram + RSDT, 44, 0x121003), 1);
	assert_int_equal(acpi_le32(ram + RSDT + 4), 36);
	assert_int_equal(acpi_root_drop(ram + 0x122000, 56, 0), -EINVAL); /* HPET: no root */
	assert_int_equal(acpi_root_drop(ram + RSDT, 3, 0), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_hide, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_root, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_search, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_search_failing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_damaged_root, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_damaged_tables, setup, teardown),
	    cmocka_unit_test(test_madt),
	    cmocka_unit_test(test_madt_many),
	    cmocka_unit_test(test_fadt),
	    cmocka_unit_test(test_facs),
	    cmocka_unit_test(test_mcfg),
	    cmocka_unit_test(test_hpet),
	    cmocka_unit_test(test_dsdt),
	    cmocka_unit_test(test_dsdt_forms),
	    cmocka_unit_test(test_dsdt_integers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
