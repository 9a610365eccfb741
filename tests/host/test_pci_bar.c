/* Tests of drivers/pci: header, base address registers, capabilities, and how accesses are split.
 */
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
#include "drivers/pci/access.h"
#include "drivers/pci/bar.h"
#include "drivers/pci/caps.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A function's configuration space: bytes, the bits that writes change, and what was written. */
struct model {
	uint8_t byte[4096], writable[4096];
	unsigned reads, writes;
	struct {
		uint16_t offset;
		unsigned size;
		uint32_t value;
		bool decoding; /* at the time of the write */
	} write[64];
};

static uint32_t model_read(void *arg, uint16_t offset, unsigned size)
{
	struct model *m = arg;
	uint32_t value = 0;

	assert_true(size == 1 || size == 2 || size == 4);
	assert_int_equal(offset % size, 0);
	assert_true(offset + size <= sizeof(m->byte));
	m->reads++;
	while (size-- > 0)
		value = value << 8 | m->byte[offset + size];
	return value;
}

static void model_write(void *arg, uint16_t offset, unsigned size, uint32_t value)
{
	struct model *m = arg;
	unsigned i;

	assert_true(size == 1 || size == 2 || size == 4);
	assert_int_equal(offset % size, 0);
	assert_true(m->writes < ARRAY_SIZE(m->write));
	m->write[m->writes].offset = offset;
	m->write[m->writes].size = size;
	m->write[m->writes].value = value;
	m->write[m->writes++].decoding = m->byte[PCI_COMMAND] & 3;
	for (i = 0; i < size; i++) {
		uint8_t bits = m->writable[offset + i];

		m->byte[offset + i] =
		    (uint8_t)((m->byte[offset + i] & ~bits) | (value >> (8 * i) & bits));
	}
}

static void poke(struct model *m, unsigned offset, unsigned size, uint32_t value, uint32_t writable)
{
	unsigned i;

	for (i = 0; i < size; i++) {
		m->byte[offset + i] = (uint8_t)(value >> (8 * i));
		m->writable[offset + i] = (uint8_t)(writable >> (8 * i));
	}
}

static uint32_t peek(const struct model *m, unsigned offset)
{
	return m->byte[offset] | (uint32_t)m->byte[offset + 1] << 8 |
	       (uint32_t)m->byte[offset + 2] << 16 | (uint32_t)m->byte[offset + 3] << 24;
}

/*
 * BAR0 128 KiB of memory, BAR1 32 ports, BAR2/3 16 KiB prefetchable with 64 bits, BAR4/5 8 GiB with
 * 64 bits, ROM 256 KiB, enabled.
 */
static void build(struct model *m)
{
	memset(m, 0, sizeof(*m));
	poke(m, 0x00, 4, 0x100e8086, 0);
	poke(m, PCI_COMMAND, 2, 0x0507, 0x07ff);
	poke(m, PCI_STATUS, 2, 0x0210, 0xf900);
	poke(m, 0x08, 4, 0x02000003, 0);
	poke(m, 0x0c, 4, 0x00000010, 0x000000ff);
	poke(m, 0x10, 4, 0xfebc0000, 0xfffe0000);
	poke(m, 0x14, 4, 0x0000c041, 0x0000ffe0);
	poke(m, 0x18, 4, 0xd000000c, 0xffffc000);
	poke(m, 0x1c, 4, 0x00000001, 0xffffffff);
	poke(m, 0x20, 4, 0x0000000c, 0x00000000);
	poke(m, 0x24, 4, 0x00000040, 0xfffffffe);
	poke(m, 0x2c, 4, 0x11001af4, 0);
	poke(m, 0x30, 4, 0xfeb80001, 0xfffc0001);
}

static struct pci_config config_of(struct model *m)
{
	return (struct pci_config){model_read, model_write, m};
}

static void check_bar(const struct pci_bars *bars, unsigned n, enum pci_bar_type type, bool wide,
		      bool prefetchable, uint64_t base, uint64_t size)
{
	const struct pci_bar *bar = pci_bars_get(bars, n);

	assert_non_null(bar);
	assert_int_equal(bar->type, type);
	assert_int_equal(bar->wide, wide);
	assert_int_equal(bar->prefetchable, prefetchable);
	assert_int_equal(bar->base, base);
	assert_int_equal(bar->size, size);
}

static void test_header(void **state)
{
	struct pci_address address = {0, 3, 0, 0};
	struct pci_function f;
	struct model m;
	struct pci_config config = config_of(&m);

	(void)state;
	build(&m);
	poke(&m, PCI_HEADER_TYPE, 1, 0x80, 0);
	assert_int_equal(pci_function_read(&config, address, &f), 0);
	assert_int_equal(f.address.bus, 3);
	assert_int_equal(f.vendor, 0x8086);
	assert_int_equal(f.device, 0x100e);
	assert_int_equal(f.sub_vendor, 0x1af4);
	assert_int_equal(f.sub_device, 0x1100);
	assert_int_equal(f.class_code, 0x020000);
	assert_int_equal(f.revision, 3);
	assert_int_equal(f.header_type, 0x80);
	poke(&m, PCI_HEADER_TYPE, 1, 0x01, 0);
	assert_int_equal(pci_function_read(&config, address, &f), 0);
	assert_int_equal(f.sub_vendor, 0);
	poke(&m, PCI_HEADER_TYPE, 1, 0x02, 0);
	poke(&m, 0x40, 4, 0x56781234, 0);
	assert_int_equal(pci_function_read(&config, address, &f), 0);
	assert_int_equal(f.sub_vendor, 0x1234);
	assert_int_equal(f.sub_device, 0x5678);
	poke(&m, 0, 4, 0xffffffff, 0);
	assert_int_equal(pci_function_read(&config, address, &f), -ENODEV);
	assert_int_equal(m.writes, 0);
}

static void test_size(void **state)
{
	struct model m, before;
	struct pci_config config = config_of(&m);
	struct pci_bars bars;
	unsigned i;

	(void)state;
	build(&m);
	before = m;
	pci_bars_size(&bars, &config);
	check_bar(&bars, 0, PCI_BAR_MEMORY, false, false, 0xfebc0000, 0x20000);
	check_bar(&bars, 1, PCI_BAR_IO, false, false, 0xc040, 0x20);
	check_bar(&bars, 2, PCI_BAR_MEMORY, true, true, 0x1d0000000, 0x4000);
	assert_null(pci_bars_get(&bars, 3));
	check_bar(&bars, 4, PCI_BAR_MEMORY, true, true, 0x4000000000, 0x200000000);
	assert_null(pci_bars_get(&bars, 5));
	check_bar(&bars, PCI_BAR_ROM, PCI_BAR_MEMORY, false, false, 0xfeb80000, 0x40000);
	assert_true(pci_bars_get(&bars, PCI_BAR_ROM)->enabled);
	assert_null(pci_bars_get(&bars, PCI_BAR_COUNT));

	/* All is as before; ones were only written while nothing was decoded; status never was. */
	assert_memory_equal(m.byte, before.byte, sizeof(m.byte));
	assert_int_equal(m.write[0].offset, PCI_COMMAND);
	assert_int_equal(m.write[0].value, 0x0504);
	for (i = 0; i < m.writes; i++) {
		if (m.write[i].offset == PCI_ROM && m.write[i].value != 0xfeb80001)
			assert_int_equal(m.write[i].value, 0xfffff800); /* not enabled */
		if (m.write[i].offset == PCI_COMMAND)
			assert_int_equal(m.write[i].size, 2);
		else
			assert_false(m.write[i].decoding);
	}
	assert_int_equal(m.write[m.writes - 1].offset, PCI_COMMAND);
	assert_int_equal(m.write[m.writes - 1].value, 0x0507);
}

static void test_read_only(void **state)
{
	struct model m;
	struct pci_config config = config_of(&m);
	struct pci_bars bars;

	(void)state;
	build(&m);
	poke(&m, 0x10, 4, 0, 0xfffe0000);
	pci_bars_read(&bars, &config);
	assert_int_equal(m.writes, 0);
	assert_null(pci_bars_get(&bars, 0));
	check_bar(&bars, 1, PCI_BAR_IO, false, false, 0xc040, 0);
	check_bar(&bars, 2, PCI_BAR_MEMORY, true, true, 0x1d0000000, 0);
	check_bar(&bars, 4, PCI_BAR_MEMORY, true, true, 0x4000000000, 0);
	check_bar(&bars, PCI_BAR_ROM, PCI_BAR_MEMORY, false, false, 0xfeb80000, 0);
}

/* One register with its writable bits: what it is and how large. */
static void test_sizes(void **state)
{
	static const struct {
		uint32_t value, writable;
		enum pci_bar_type type;
		bool prefetchable;
		uint64_t base, size;
	} rows[] = {
	    {0x00000000, 0x00000000, PCI_BAR_NONE, false, 0, 0},
	    {0x00000000, 0xfffff000, PCI_BAR_MEMORY, false, 0, 0x1000},
	    {0xfe000000, 0xfffffff0, PCI_BAR_MEMORY, false, 0xfe000000, 0x10},
	    {0x80000008, 0x80000000, PCI_BAR_MEMORY, true, 0x80000000, 0x80000000},
	    {0x000d0002, 0x000fc000, PCI_BAR_MEMORY, false, 0x000d0000, 0x4000}, /* below 1 MiB */
	    {0x0000c001, 0x0000fffc, PCI_BAR_IO, false, 0xc000, 4},
	    {0x0000c001, 0xffffff00, PCI_BAR_IO, false, 0xc000, 0x100}, /* 32-bit decoder */
	    {0x0000c001, 0x0000ff00, PCI_BAR_IO, false, 0xc000, 0x100},
	    {0x00000001, 0x00000000, PCI_BAR_NONE, false, 0, 0},
	    {0x00000000, 0xff0ff000, PCI_BAR_MEMORY, false, 0, 0x1000}, /* lowest bit decides */
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model m;
		struct pci_config config = config_of(&m);
		struct pci_bars bars;

		build(&m);
		poke(&m, 0x10, 4, rows[i].value, rows[i].writable);
		pci_bars_size(&bars, &config);
		if (rows[i].type == PCI_BAR_NONE)
			assert_null(pci_bars_get(&bars, 0));
		else
			check_bar(&bars, 0, rows[i].type, false, rows[i].prefetchable, rows[i].base,
				  rows[i].size);
		assert_int_equal(peek(&m, 0x10), rows[i].value);
	}
}

/* 64-bit registers, by their two sets of writable bits. */
static void test_wide_sizes(void **state)
{
	static const struct {
		uint32_t low, high;
		uint64_t size;
	} rows[] = {
	    {0xfffff000, 0xffffffff, 0x1000},
	    {0x80000000, 0xffffffff, UINT64_C(1) << 31},
	    {0x00000000, 0xffffffff, UINT64_C(1) << 32},
	    {0x00000000, 0xfffffff0, UINT64_C(1) << 36},
	    {0x00000000, 0x80000000, UINT64_C(1) << 63},
	    {0xffff0000, 0x00000000, 0x10000},
	    {0x00000000, 0x00000000, 0},
	};
	struct model m;
	struct pci_config config = config_of(&m);
	struct pci_bars bars;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		build(&m);
		poke(&m, 0x10, 4, 0x4, rows[i].low);
		poke(&m, 0x14, 4, 0, rows[i].high);
		pci_bars_size(&bars, &config);
		assert_null(pci_bars_get(&bars, 1));
		if (rows[i].size)
			check_bar(&bars, 0, PCI_BAR_MEMORY, true, false, 0, rows[i].size);
		else
			assert_null(pci_bars_get(&bars, 0));
	}

	/* The last register cannot be a lower half. */
	build(&m);
	poke(&m, 0x20, 4, 0, 0);
	poke(&m, 0x24, 4, 0x4, 0xfffff000);
	pci_bars_size(&bars, &config);
	assert_null(pci_bars_get(&bars, 5));
}

static void test_header_types(void **state)
{
	struct model m;
	struct pci_config config = config_of(&m);
	struct pci_bars bars;
	unsigned i;

	(void)state;
	/* A bridge has two registers and its ROM elsewhere; 0x18 holds bus numbers. */
	build(&m);
	poke(&m, PCI_HEADER_TYPE, 1, 0x81, 0);
	poke(&m, 0x38, 4, 0xfea00000, 0xfffff801);
	pci_bars_read(&bars, &config);
	assert_non_null(pci_bars_get(&bars, 0));
	assert_non_null(pci_bars_get(&bars, 1));
	assert_null(pci_bars_get(&bars, 2));
	assert_null(pci_bars_get(&bars, 4));
	assert_int_equal(pci_bars_get(&bars, PCI_BAR_ROM)->base, 0xfea00000);
	assert_false(pci_bars_get(&bars, PCI_BAR_ROM)->enabled);
	assert_false(pci_bars_touched(&bars, 0x18, 4));
	assert_false(pci_bars_touched(&bars, 0x30, 4));
	assert_true(pci_bars_touched(&bars, 0x38, 1));

	/* Sizing writes to these three and the command register, and to no bus number. */
	poke(&m, 0x18, 4, 0x40030200, 0x00ffffff);
	pci_bars_size(&bars, &config);
	check_bar(&bars, 0, PCI_BAR_MEMORY, false, false, 0xfebc0000, 0x20000);
	check_bar(&bars, 1, PCI_BAR_IO, false, false, 0xc040, 0x20);
	check_bar(&bars, PCI_BAR_ROM, PCI_BAR_MEMORY, false, false, 0xfea00000, 0x800);
	for (i = 0; i < m.writes; i++)
		assert_true(m.write[i].offset == PCI_COMMAND || m.write[i].offset == 0x10 ||
			    m.write[i].offset == 0x14 || m.write[i].offset == 0x38);
	assert_int_equal(peek(&m, 0x18), 0x40030200);
	assert_int_equal(peek(&m, 0x38), 0xfea00000);

	poke(&m, PCI_HEADER_TYPE, 1, 0x02, 0);
	pci_bars_read(&bars, &config);
	assert_non_null(pci_bars_get(&bars, 0));
	assert_null(pci_bars_get(&bars, 1));
	assert_null(pci_bars_get(&bars, PCI_BAR_ROM));

	poke(&m, PCI_HEADER_TYPE, 1, 0x7f, 0);
	pci_bars_read(&bars, &config);
	assert_null(pci_bars_get(&bars, 0));
	assert_false(pci_bars_touched(&bars, 0, 256));

	build(&m);
	pci_bars_read(&bars, &config);
	assert_false(pci_bars_touched(&bars, 0x0f, 1));
	assert_true(pci_bars_touched(&bars, 0x0c, 8));
	assert_true(pci_bars_touched(&bars, 0x10, 1));
	assert_true(pci_bars_touched(&bars, 0x27, 1));
	assert_false(pci_bars_touched(&bars, 0x28, 8));
	assert_true(pci_bars_touched(&bars, 0x33, 1));
	assert_false(pci_bars_touched(&bars, 0x34, 1));
}

/* A guest's access carried out as the owner of the function would do it. */
static void guest_write(struct pci_bars *bars, struct model *m, uint16_t offset, unsigned size,
			uint64_t data, struct pci_bar_write *w)
{
	struct pci_config config = config_of(m);
	unsigned i;

	pci_bars_write(bars, &config, offset, size, data, w);
	for (i = 0; i < w->writes; i++)
		model_write(m, w->write[i].offset, 4, w->write[i].value);
}

static uint64_t guest_read(struct pci_bars *bars, struct model *m, uint16_t offset, unsigned size)
{
	struct pci_config config = config_of(m);

	return pci_bars_guest_read(bars, &config, offset, size);
}

static void check_move(const struct pci_bar_write *w, unsigned number, uint64_t from, uint64_t to)
{
	assert_int_equal(w->moves, 1);
	assert_int_equal(w->move[0].number, number);
	assert_int_equal(w->move[0].from, from);
	assert_int_equal(w->move[0].to, to);
}

/* What a guest does to learn the size must look as without us, and must not reach the hardware. */
static void test_probe(void **state)
{
	static const struct {
		uint16_t offset;
		uint32_t ones; /* what guests write there */
		uint32_t answer;
	} rows[] = {
	    {0x10, 0xffffffff, 0xfffe0000}, {0x10, 0xfffffff0, 0xfffe0000},
	    {0x14, 0xffffffff, 0x0000ffe1}, {0x18, 0xffffffff, 0xffffc00c},
	    {0x1c, 0xffffffff, 0xffffffff}, {0x20, 0xffffffff, 0x0000000c},
	    {0x24, 0xffffffff, 0xfffffffe}, {0x30, 0xfffff800, 0xfffc0000},
	    {0x30, 0xfffffffe, 0xfffc0000}, {0x30, 0xffffffff, 0xfffc0001},
	};
	struct model m, before;
	struct pci_config config = config_of(&m);
	struct pci_bars bars;
	struct pci_bar_write w;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		uint16_t at = rows[i].offset;
		uint32_t old;

		build(&m);
		pci_bars_size(&bars, &config);
		before = m;
		old = peek(&m, at);
		assert_int_equal(guest_read(&bars, &m, at, 4), old);
		guest_write(&bars, &m, at, 4, rows[i].ones, &w);
		assert_int_equal(w.writes, 0);
		assert_int_equal(w.moves, 0);
		assert_int_equal(m.writes, before.writes);
		assert_int_equal(guest_read(&bars, &m, at, 4), rows[i].answer);
		assert_int_equal(guest_read(&bars, &m, at, 1), rows[i].answer & 0xff);
		assert_int_equal(guest_read(&bars, &m, (uint16_t)(at + 3), 1),
				 rows[i].answer >> 24);
		assert_int_equal(guest_read(&bars, &m, (uint16_t)(at + 2), 2),
				 rows[i].answer >> 16);
		/* The old value back: nothing has moved. */
		guest_write(&bars, &m, at, 4, old, &w);
		assert_int_equal(w.writes, 1);
		assert_int_equal(w.moves, 0);
		assert_int_equal(guest_read(&bars, &m, at, 4), old);
		assert_memory_equal(m.byte, before.byte, sizeof(m.byte));
	}
}

/* Registers that are not there read as 0 whatever is written. */
static void test_probe_nothing(void **state)
{
	struct model m;
	struct pci_config config = config_of(&m);
	struct pci_bars bars;
	struct pci_bar_write w;

	(void)state;
	build(&m);
	poke(&m, 0x10, 4, 0, 0);
	poke(&m, 0x30, 4, 0, 0);
	pci_bars_size(&bars, &config);
	assert_null(pci_bars_get(&bars, 0));
	assert_null(pci_bars_get(&bars, PCI_BAR_ROM));
	guest_write(&bars, &m, 0x10, 4, 0xffffffff, &w);
	guest_write(&bars, &m, 0x30, 4, 0xffffffff, &w);
	assert_int_equal(guest_read(&bars, &m, 0x10, 4), 0);
	assert_int_equal(guest_read(&bars, &m, 0x30, 4), 0);
	guest_write(&bars, &m, 0x30, 4, 0xfeb80001, &w);
	assert_int_equal(w.moves, 0);
	assert_int_equal(guest_read(&bars, &m, 0x30, 4), 0);
}

/* Each byte that a guest writes one by one, and both halves before the first is restored. */
static void test_probe_pieces(void **state)
{
	struct model m;
	struct pci_config config = config_of(&m);
	struct pci_bars bars;
	struct pci_bar_write w;

	(void)state;
	build(&m);
	pci_bars_size(&bars, &config);

	guest_write(&bars, &m, 0x12, 2, 0xffff, &w); /* with 0000 below: a real value */
	assert_int_equal(w.writes, 1);
	check_move(&w, 0, 0xfebc0000, 0xfffe0000);
	guest_write(&bars, &m, 0x10, 2, 0xffff, &w); /* over fffe: still no probe */
	assert_int_equal(w.writes, 1);
	assert_int_equal(w.moves, 0);
	guest_write(&bars, &m, 0x12, 1, 0xbc, &w);
	check_move(&w, 0, 0xfffe0000, 0xffbc0000);
	guest_write(&bars, &m, 0x13, 1, 0xfe, &w);
	check_move(&w, 0, 0xffbc0000, 0xfebc0000);
	assert_int_equal(peek(&m, 0x10), 0xfebc0000);

	/* A probe that ends with single bytes: they go over what the probe reads as. */
	guest_write(&bars, &m, 0x10, 4, 0xffffffff, &w);
	guest_write(&bars, &m, 0x13, 1, 0xfd, &w);
	assert_int_equal(w.writes, 1);
	assert_int_equal(w.write[0].value, 0xfdfe0000);
	check_move(&w, 0, 0xfebc0000, 0xfdfe0000);

	/* 64 bits: low ones, high ones, low back, high back. */
	guest_write(&bars, &m, 0x18, 4, 0xffffffff, &w);
	assert_int_equal(w.writes + w.moves, 0);
	guest_write(&bars, &m, 0x1c, 4, 0xffffffff, &w);
	assert_int_equal(w.writes + w.moves, 0);
	assert_int_equal(guest_read(&bars, &m, 0x18, 8), 0xffffffffffffc00c);
	guest_write(&bars, &m, 0x18, 4, 0xd000000c, &w);
	assert_int_equal(w.moves, 0);
	guest_write(&bars, &m, 0x1c, 4, 1, &w);
	assert_int_equal(w.moves, 0);
	assert_int_equal(guest_read(&bars, &m, 0x18, 8), 0x1d000000c);

	/* The same by 8 bytes. */
	guest_write(&bars, &m, 0x20, 8, UINT64_MAX, &w);
	assert_int_equal(w.writes + w.moves, 0);
	assert_int_equal(guest_read(&bars, &m, 0x20, 8), 0xfffffffe0000000c);
	guest_write(&bars, &m, 0x20, 8, 0x400000000c, &w);
	assert_int_equal(w.moves, 0);

	/* Unknown sizes: everything reaches the hardware, which answers itself. */
	pci_bars_read(&bars, &config);
	guest_write(&bars, &m, 0x1c, 4, 0xffffffff, &w);
	assert_int_equal(w.writes, 1);
	assert_int_equal(w.moves, 0); /* 2^63 and above */
	guest_write(&bars, &m, 0x1c, 4, 1, &w);
	assert_int_equal(w.moves, 0);
}

static void test_move(void **state)
{
	struct model m;
	struct pci_config config = config_of(&m);
	struct pci_bars bars;
	struct pci_bar_write w;

	(void)state;
	build(&m);
	pci_bars_size(&bars, &config);

	/* The same base again, and bits that are no base. */
	guest_write(&bars, &m, 0x10, 4, 0xfebc0000, &w);
	assert_int_equal(w.moves, 0);
	guest_write(&bars, &m, 0x10, 4, 0xfebd1fff, &w);
	assert_int_equal(w.moves, 0);
	assert_int_equal(w.writes, 1);
	assert_int_equal(w.write[0].offset, 0x10);
	assert_int_equal(w.write[0].value, 0xfebd1fff);

	guest_write(&bars, &m, 0x10, 4, 0xe0000000, &w);
	check_move(&w, 0, 0xfebc0000, 0xe0000000);
	assert_int_equal(pci_bars_get(&bars, 0)->base, 0xe0000000);
	guest_write(&bars, &m, 0x10, 4, 0, &w);
	check_move(&w, 0, 0xe0000000, 0);
	guest_write(&bars, &m, 0x10, 4, 0xe0000000, &w);
	check_move(&w, 0, 0, 0xe0000000);

	/* Ports: by 2 bytes, and by 4 with the upper half set, which no port has. */
	guest_write(&bars, &m, 0x14, 2, 0xd000, &w);
	check_move(&w, 1, 0xc040, 0xd000);
	guest_write(&bars, &m, 0x14, 4, 0x1234d020, &w);
	check_move(&w, 1, 0xd000, 0xd020);
	assert_int_equal(peek(&m, 0x14), 0xd021);

	/* 64 bits: the upper half, the lower half, one byte of it, both at once. */
	guest_write(&bars, &m, 0x1c, 4, 2, &w);
	check_move(&w, 2, 0x1d0000000, 0x2d0000000);
	guest_write(&bars, &m, 0x18, 4, 0xc0000000, &w);
	check_move(&w, 2, 0x2d0000000, 0x2c0000000);
	guest_write(&bars, &m, 0x1d, 1, 1, &w);
	check_move(&w, 2, 0x2c0000000, 0x102c0000000);
	guest_write(&bars, &m, 0x18, 8, 0x7780000000, &w);
	assert_int_equal(w.writes, 2);
	check_move(&w, 2, 0x102c0000000, 0x7780000000);
	guest_write(&bars, &m, 0x1c, 4, 0x80000000, &w);
	assert_int_equal(w.writes, 1);
	assert_int_equal(w.moves, 0);
	guest_write(&bars, &m, 0x1c, 4, 0x78, &w);
	check_move(&w, 2, 0x7780000000, 0x7880000000);

	/* Two at once, and parts of the registers around. */
	guest_write(&bars, &m, 0x10, 8, 0x0000e000d0000000, &w);
	assert_int_equal(w.writes, 2);
	assert_int_equal(w.moves, 2);
	assert_int_equal(w.move[0].number, 0);
	assert_int_equal(w.move[0].to, 0xd0000000);
	assert_int_equal(w.move[1].number, 1);
	assert_int_equal(w.move[1].to, 0xe000);
	guest_write(&bars, &m, 0x0c, 8, 0xc000000000000010, &w);
	assert_int_equal(w.writes, 1);
	check_move(&w, 0, 0xd0000000, 0xc0000000);
	assert_int_equal(m.byte[0x0c], 0x10);
	guest_write(&bars, &m, 0x12, 8, 0xc0080000f100b000, &w);
	assert_int_equal(w.writes, 3);
	assert_int_equal(w.moves, 3);
	assert_int_equal(w.move[0].to, 0xb0000000);
	assert_int_equal(w.move[1].to, 0xf100);
	assert_int_equal(w.move[2].to, 0x788000c000);

	/* ROM: enabling is no move. */
	guest_write(&bars, &m, 0x30, 4, 0xfeb80000, &w);
	assert_int_equal(w.moves, 0);
	assert_false(pci_bars_get(&bars, PCI_BAR_ROM)->enabled);
	guest_write(&bars, &m, 0x30, 4, 0xfe000001, &w);
	check_move(&w, PCI_BAR_ROM, 0xfeb80000, 0xfe000000);
	assert_true(pci_bars_get(&bars, PCI_BAR_ROM)->enabled);
	assert_int_equal(peek(&m, 0x30), 0xfe000001);
}

/* A reset has cleared the registers: the guest reads that, and what it writes counts from there. */
static void test_reset(void **state)
{
	struct model m;
	struct pci_config config = config_of(&m);
	struct pci_bars bars;
	struct pci_bar_write w;

	(void)state;
	build(&m);
	pci_bars_size(&bars, &config);
	poke(&m, 0x10, 4, 0, 0xfffe0000);
	poke(&m, 0x18, 4, 0x0000000c, 0xffffc000);
	poke(&m, 0x1c, 4, 0, 0xffffffff);
	assert_int_equal(guest_read(&bars, &m, 0x10, 4), 0);
	guest_write(&bars, &m, 0x10, 4, 0xfebc0000, &w);
	assert_int_equal(w.writes, 1);
	assert_int_equal(w.moves, 0);
	guest_write(&bars, &m, 0x12, 2, 0xfebc, &w);
	assert_int_equal(w.moves, 0);
	/* The lower half alone: the upper one is 0 by now. */
	guest_write(&bars, &m, 0x18, 4, 0xd000000c, &w);
	check_move(&w, 2, 0x1d0000000, 0xd0000000);
	guest_write(&bars, &m, 0x1c, 4, 1, &w);
	check_move(&w, 2, 0xd0000000, 0x1d0000000);
	assert_int_equal(peek(&m, 0x1c), 1);
}

/* Bytes of a capability, and the walk that they are part of. */
static void cap(struct model *m, unsigned at, unsigned id, unsigned next, uint32_t control)
{
	poke(m, at, 4, id | next << 8 | control << 16, 0);
}

static void build_caps(struct model *m)
{
	build(m);
	poke(m, PCI_CAPABILITIES, 1, 0x50, 0);
	cap(m, 0x50, PCI_CAP_PM, 0x60, 0x0003);
	cap(m, 0x60, PCI_CAP_MSI, 0x80, 0x0188); /* 16 vectors, 64 bits, mask bits */
	cap(m, 0x80, 0x09, 0xa3, 0);             /* vendor; lower bits of the pointer are set */
	cap(m, 0xa0, PCI_CAP_PCIE, 0xd0, 0x0042);
	cap(m, 0xd0, PCI_CAP_MSIX, 0x00, 0x8004);
	poke(m, 0xd4, 4, 0x00002003, 0);
	poke(m, 0xd8, 4, 0x00003004, 0);
}

static unsigned count_caps(const struct pci_config *config)
{
	struct pci_cap_walk walk = {0};
	struct pci_cap c;
	unsigned n = 0;

	while (pci_cap_next(config, &walk, &c))
		n++;
	return n;
}

static void test_caps(void **state)
{
	static const uint16_t ids[] = {0x01, 0x05, 0x09, 0x10, 0x11};
	static const uint16_t offsets[] = {0x50, 0x60, 0x80, 0xa0, 0xd0};
	struct model m;
	struct pci_config config = config_of(&m);
	struct pci_cap_walk walk = {0};
	struct pci_caps caps;
	struct pci_cap c;
	size_t i;

	(void)state;
	build_caps(&m);
	for (i = 0; pci_cap_next(&config, &walk, &c); i++) {
		assert_true(i < ARRAY_SIZE(ids));
		assert_int_equal(c.id, ids[i]);
		assert_int_equal(c.offset, offsets[i]);
	}
	assert_int_equal(i, ARRAY_SIZE(ids));
	assert_false(pci_cap_next(&config, &walk, &c));
	assert_int_equal(pci_cap_find(&config, PCI_CAP_PCIE), 0xa0);
	assert_int_equal(pci_cap_find(&config, 0x0d), 0);

	pci_caps_read(&config, &caps);
	assert_int_equal(caps.pm, 0x50);
	assert_int_equal(caps.pcie, 0xa0);
	assert_int_equal(caps.pcie_version, 2);
	assert_int_equal(caps.pcie_type, 4);
	assert_int_equal(caps.msi.offset, 0x60);
	assert_int_equal(caps.msi.vectors, 16);
	assert_true(caps.msi.wide);
	assert_int_equal(caps.msi.data, 0x6c);
	assert_int_equal(caps.msi.mask, 0x70);
	assert_int_equal(caps.msi.end, 0x78);
	assert_int_equal(caps.msix.offset, 0xd0);
	assert_int_equal(caps.msix.vectors, 5);
	assert_int_equal(caps.msix.table_bar, 3);
	assert_int_equal(caps.msix.table_offset, 0x2000);
	assert_int_equal(caps.msix.pending_bar, 4);
	assert_int_equal(caps.msix.pending_offset, 0x3000);
	assert_int_equal(m.writes, 0);

	/* Each kind a second time, behind all others: it does not count. */
	cap(&m, 0xd0, PCI_CAP_MSIX, 0xe0, 0x8004);
	cap(&m, 0xe0, PCI_CAP_PCIE, 0xe4, 0x0091);
	cap(&m, 0xe4, PCI_CAP_PM, 0xe8, 0x0002);
	cap(&m, 0xe8, PCI_CAP_MSIX, 0xf4, 0x0001);
	poke(&m, 0xec, 4, 0x1001, 0);
	cap(&m, 0xf4, PCI_CAP_MSI, 0x00, 0x0000);
	assert_int_equal(count_caps(&config), 9);
	struct pci_caps again;

	pci_caps_read(&config, &again);
	assert_memory_equal(&again, &caps, sizeof(caps));

	/* No list without the status bit; CardBus has its pointer elsewhere. */
	build_caps(&m);
	poke(&m, PCI_STATUS, 2, 0x0200, 0);
	assert_int_equal(pci_cap_find(&config, PCI_CAP_PM), 0);
	poke(&m, PCI_STATUS, 2, 0x0210, 0);
	poke(&m, PCI_HEADER_TYPE, 1, PCI_HEADER_CARDBUS, 0);
	poke(&m, PCI_CAPABILITIES, 1, 0, 0);
	poke(&m, PCI_CARDBUS_CAPABILITIES, 1, 0x60, 0);
	assert_int_equal(pci_cap_find(&config, PCI_CAP_MSI), 0x60);
	assert_int_equal(pci_cap_find(&config, PCI_CAP_PM), 0);
}

/* The layouts of MSI: offsets within the capability (PCI Local Bus 3.0, figure 6-9). */
static void test_msi(void **state)
{
	static const struct {
		uint16_t control;
		unsigned vectors;
		bool wide;
		unsigned data, mask, end;
	} rows[] = {
	    {0x0000, 1, false, 8, 0, 10},  {0x0080, 1, true, 12, 0, 14},
	    {0x0100, 1, false, 8, 12, 20}, {0x0180, 1, true, 12, 16, 24},
	    {0x0002, 2, false, 8, 0, 10},  {0x0004, 4, false, 8, 0, 10},
	    {0x0006, 8, false, 8, 0, 10},  {0x000a, 32, false, 8, 0, 10},
	    {0x000e, 32, false, 8, 0, 10}, {0x0071, 1, false, 8, 0, 10}, /* enabled, 128 asked */
	};
	struct model m;
	struct pci_config config = config_of(&m);
	struct pci_caps caps;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		build(&m);
		poke(&m, PCI_CAPABILITIES, 1, 0x40, 0);
		cap(&m, 0x40, PCI_CAP_MSI, 0, rows[i].control);
		pci_caps_read(&config, &caps);
		assert_int_equal(caps.msi.offset, 0x40);
		assert_int_equal(caps.msi.vectors, rows[i].vectors);
		assert_int_equal(caps.msi.wide, rows[i].wide);
		assert_int_equal(caps.msi.data, 0x40 + rows[i].data);
		assert_int_equal(caps.msi.mask, rows[i].mask ? 0x40 + rows[i].mask : 0);
		assert_int_equal(caps.msi.end, 0x40 + rows[i].end);
	}

	/* Over the end of the first 256 bytes, and with a register number that is reserved. */
	poke(&m, PCI_CAPABILITIES, 1, 0xf8, 0);
	cap(&m, 0xf8, PCI_CAP_MSI, 0xf4, 0);
	cap(&m, 0xf4, PCI_CAP_MSIX, 0x40, 0x07ff);
	poke(&m, 0xf8, 1, PCI_CAP_MSI, 0);
	poke(&m, 0x40, 4, PCI_CAP_MSIX, 0);
	poke(&m, 0x44, 4, 0x6, 0);
	poke(&m, 0x48, 4, 0x0, 0);
	pci_caps_read(&config, &caps);
	assert_int_equal(caps.msi.offset, 0);
	assert_int_equal(caps.msix.offset, 0xf4);
	assert_int_equal(caps.msix.vectors, 2048);
	poke(&m, 0xfc, 4, 0x7, 0);
	pci_caps_read(&config, &caps);
	assert_int_equal(caps.msix.offset, 0);
}

/* Lists that do not end. */
static void test_loops(void **state)
{
	struct model m;
	struct pci_config config = config_of(&m);
	struct pci_cap_walk walk;
	struct pci_cap c;
	unsigned at, count;

	(void)state;
	build_caps(&m);
	cap(&m, 0xd0, PCI_CAP_MSIX, 0x50, 4); /* back to the first */
	assert_int_equal(pci_cap_find(&config, 0x7f), 0);
	cap(&m, 0xd0, PCI_CAP_MSIX, 0xd1, 4); /* to itself */
	assert_int_equal(pci_cap_find(&config, 0x7f), 0);
	cap(&m, 0xd0, PCI_CAP_MSIX, 0x3c, 4); /* into the header */
	assert_int_equal(pci_cap_find(&config, 0x7f), 0);
	poke(&m, 0xd0, 4, 0xffffffff, 0); /* to where nobody answers */
	assert_int_equal(pci_cap_find(&config, 0xff), 0);

	/* The longest list there is: all 48 places. */
	build(&m);
	poke(&m, PCI_CAPABILITIES, 1, 0x40, 0);
	for (at = 0x40; at < 0x100; at += 4)
		cap(&m, at, 0x09, at == 0xfc ? 0x40 : at + 4, 0);
	memset(&walk, 0, sizeof(walk));
	for (count = 0; pci_cap_next(&config, &walk, &c); count++)
		;
	assert_int_equal(count, 48);
}

static void extended(struct model *m, unsigned at, unsigned id, unsigned next)
{
	poke(m, at, 4, id | 1u << 16 | next << 20, 0);
}

static void test_extended(void **state)
{
	struct model m;
	struct pci_config config = config_of(&m);
	struct pci_cap_walk walk = {0};
	struct pci_cap c;
	unsigned at, count;

	(void)state;
	build(&m);
	assert_false(pci_extended_next(&config, &walk, &c)); /* all zero */
	extended(&m, 0x100, 0x0001, 0x140);
	extended(&m, 0x140, 0x0003, 0xffc);
	extended(&m, 0xffc, 0x000d, 0);
	assert_int_equal(pci_extended_find(&config, 0x0001), 0x100);
	assert_int_equal(pci_extended_find(&config, 0x0003), 0x140);
	assert_int_equal(pci_extended_find(&config, 0x000d), 0xffc);
	assert_int_equal(pci_extended_find(&config, 0x0010), 0);
	extended(&m, 0xffc, 0x000d, 0x100);
	assert_int_equal(pci_extended_find(&config, 0x0010), 0);
	extended(&m, 0xffc, 0x000d, 0x0fc);
	assert_int_equal(pci_extended_find(&config, 0x0010), 0);
	poke(&m, 0x140, 4, 0xffffffff, 0);
	assert_int_equal(pci_extended_find(&config, 0x000d), 0);
	for (at = 0x100; at < 0x1000; at += 4)
		extended(&m, at, 0x000b, at == 0xffc ? 0x100 : at + 4);
	memset(&walk, 0, sizeof(walk));
	for (count = 0; pci_extended_next(&config, &walk, &c); count++)
		;
	assert_int_equal(count, 960);
}

/* Parts as "bus:device.function+offset/size<<shift". */
static void describe(const struct pci_access *parts, unsigned count, char *out, size_t size)
{
	size_t at = 0;
	unsigned i;

	out[0] = 0;
	assert_true(count <= PCI_ACCESS_PARTS);
	for (i = 0; i < count; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%02x:%02x.%u+%03x/%u<<%u",
				       i ? " " : "", parts[i].address.bus, parts[i].address.device,
				       parts[i].address.function, parts[i].offset, parts[i].size,
				       parts[i].shift);
}

static void test_ports(void **state)
{
	static const struct {
		uint32_t address;
		bool extended;
		uint16_t port;
		unsigned size;
		const char *want;
	} rows[] = {
	    {0x80000000, false, 0xcfc, 4, "00:00.0+000/4<<0"},
	    {0x8000fa10, false, 0xcfc, 4, "00:1f.2+010/4<<0"},
	    {0x80ffffff, false, 0xcfc, 4, "ff:1f.7+0fc/4<<0"},
	    {0x80030004, false, 0xcfc, 2, "03:00.0+004/2<<0"},
	    {0x80030004, false, 0xcfe, 2, "03:00.0+006/2<<0"},
	    {0x8003003c, false, 0xcff, 1, "03:00.0+03f/1<<0"},
	    {0x80030007, false, 0xcfd, 1, "03:00.0+005/1<<0"}, /* low bits come from the port */
	    {0x00030004, false, 0xcfc, 4, ""},
	    {0x7fffffff, false, 0xcfc, 4, ""},
	    {0x80030004, false, 0xcf8, 4, ""},
	    {0x80030004, false, 0xd00, 4, ""},
	    /* off their boundaries */
	    {0x80030004, false, 0xcfd, 2, "03:00.0+005/1<<0 03:00.0+006/1<<8"},
	    {0x80030004, false, 0xcfd, 4, "03:00.0+005/1<<0 03:00.0+006/2<<8"},
	    {0x80030004, false, 0xcfe, 4, "03:00.0+006/2<<0"},
	    {0x80030004, false, 0xcff, 4, "03:00.0+007/1<<0"},
	    {0x80030004, false, 0xcff, 2, "03:00.0+007/1<<0"},
	    {0x80030004, false, 0xcfb, 4, "03:00.0+004/2<<8 03:00.0+006/1<<24"},
	    {0x80030004, false, 0xcfb, 2, "03:00.0+004/1<<8"},
	    {0x80030004, false, 0xcf9, 4, "03:00.0+004/1<<24"},
	    {0x80030004, false, 0xcf9, 1, ""},
	    /* bits 27-24 */
	    {0x81000010, false, 0xcfc, 4, "00:00.0+010/4<<0"},
	    {0x81000010, true, 0xcfc, 4, "00:00.0+110/4<<0"},
	    {0x8f0300fc, true, 0xcfe, 2, "03:00.0+ffe/2<<0"},
	};
	struct pci_access parts[PCI_ACCESS_PARTS];
	char got[256];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		describe(parts,
			 pci_port_access(rows[i].address, rows[i].extended, rows[i].port,
					 rows[i].size, parts),
			 got, sizeof(got));
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("row %zu: %s, not %s", i, got, rows[i].want);
	}
	assert_true(pci_is_address_port(0xcf8, 4));
	assert_false(pci_is_address_port(0xcf8, 2));
	assert_false(pci_is_address_port(0xcf8, 1));
	assert_false(pci_is_address_port(0xcf9, 1));
	assert_false(pci_is_address_port(0xcf9, 4));
	assert_false(pci_is_address_port(0xcfc, 4));
}

static void test_ecam(void **state)
{
	static const struct pci_ecam all = {0xb0000000, 0, 0x00, 0xff};
	static const struct pci_ecam some = {0xb0000000, 2, 0x40, 0x41};
	static const struct {
		const struct pci_ecam *ecam;
		uint64_t address;
		unsigned size;
		const char *want;
	} rows[] = {
	    {&all, 0xb0000000, 4, "00:00.0+000/4<<0"},
	    {&all, 0xb00fa010, 4, "00:1f.2+010/4<<0"},
	    {&all, 0xbfffffff, 1, "ff:1f.7+fff/1<<0"},
	    {&all, 0xb0300100, 2, "03:00.0+100/2<<0"},
	    {&all, 0xb0300102, 2, "03:00.0+102/2<<0"},
	    {&all, 0xb0300018, 8, "03:00.0+018/4<<0 03:00.0+01c/4<<32"},
	    {&all, 0xb030001c, 8, "03:00.0+01c/4<<0 03:00.0+020/4<<32"},
	    {&all, 0xb0300011, 2, "03:00.0+011/1<<0 03:00.0+012/1<<8"},
	    {&all, 0xb0300013, 2, "03:00.0+013/1<<0 03:00.0+014/1<<8"},
	    {&all, 0xb0300011, 4, "03:00.0+011/1<<0 03:00.0+012/2<<8 03:00.0+014/1<<24"},
	    {&all, 0xb0300012, 4, "03:00.0+012/2<<0 03:00.0+014/2<<16"},
	    {&all, 0xb0300013, 4, "03:00.0+013/1<<0 03:00.0+014/2<<8 03:00.0+016/1<<24"},
	    {&all, 0xb0300011, 8,
	     "03:00.0+011/1<<0 03:00.0+012/2<<8 03:00.0+014/4<<24 03:00.0+018/1<<56"},
	    {&all, 0xb0300012, 8, "03:00.0+012/2<<0 03:00.0+014/4<<16 03:00.0+018/2<<48"},
	    {&all, 0xb0300013, 8,
	     "03:00.0+013/1<<0 03:00.0+014/4<<8 03:00.0+018/2<<40 03:00.0+01a/1<<56"},
	    /* into the next function, device, bus */
	    {&all, 0xb0000ffe, 4, "00:00.0+ffe/2<<0 00:00.1+000/2<<16"},
	    {&all, 0xb0007ffc, 8, "00:00.7+ffc/4<<0 00:01.0+000/4<<32"},
	    {&all, 0xb00ffffc, 8, "00:1f.7+ffc/4<<0 01:00.0+000/4<<32"},
	    /* the window's borders */
	    {&all, 0xaffffffe, 4, "00:00.0+000/2<<16"},
	    {&all, 0xbffffffc, 8, "ff:1f.7+ffc/4<<0"},
	    {&all, 0xaffffff8, 8, ""},
	    {&all, 0xc0000000, 4, ""},
	    {&some, 0xb0000000, 4, ""},
	    {&some, 0xb4000000, 4, "40:00.0+000/4<<0"},
	    {&some, 0xb3fffffc, 8, "40:00.0+000/4<<32"},
	    {&some, 0xb41fffff, 2, "41:1f.7+fff/1<<0"},
	    {&some, 0xb4200000, 4, ""},
	    {&all, UINT64_MAX - 1, 4, ""},
	};
	struct pci_access parts[PCI_ACCESS_PARTS];
	char got[256];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned count =
		    pci_ecam_access(rows[i].ecam, rows[i].address, rows[i].size, parts);

		describe(parts, count, got, sizeof(got));
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("row %zu: %s, not %s", i, got, rows[i].want);
		if (count)
			assert_int_equal(parts[0].address.segment, rows[i].ecam->segment);
	}
}

/* Taken apart and put together again, data is what it was, and no other bytes are touched. */
static void test_parts(void **state)
{
	static const struct pci_ecam ecam = {0, 0, 0, 0xff};
	static const uint64_t data = 0x8877665544332211;
	struct pci_access parts[PCI_ACCESS_PARTS];
	unsigned at, size, i;

	(void)state;
	for (at = 0; at < 8; at++) {
		for (size = 1; size <= 8; size *= 2) {
			uint64_t mask = size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;
			uint64_t out = 0xa5a5a5a5a5a5a5a5;
			unsigned count = pci_ecam_access(&ecam, 0x1000 + at, size, parts), sum = 0;

			for (i = 0; i < count; i++) {
				assert_int_equal(parts[i].offset % parts[i].size, 0);
				sum += parts[i].size;
				out = pci_access_put(&parts[i], out,
						     pci_access_take(&parts[i], data));
			}
			assert_int_equal(sum, size);
			assert_int_equal(out, (data & mask) | (0xa5a5a5a5a5a5a5a5 & ~mask));
		}
	}
	pci_ecam_access(&ecam, 2, 4, parts);
	assert_int_equal(pci_access_take(&parts[0], data), 0x2211);
	assert_int_equal(pci_access_take(&parts[1], data), 0x4433);
	assert_int_equal(pci_access_put(&parts[1], 0, 0xffffabcd), 0xabcd0000);
}

/* RAM as on a PC with 4 GiB: below the hole of legacy devices, to 3 GiB in two pieces, above 4 GiB.
 */
static bool model_ram(uint64_t address, uint64_t *base, uint64_t *end)
{
	static const uint64_t ram[][2] = {
	    {0, 0xa0000},
	    {0x100000, 0x6e00000},
	    {0x6e00000, 0xc0000000},
	    {UINT64_C(0x100000000), UINT64_C(0x140000000)},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(ram); i++) {
		if (address >= ram[i][0] && address < ram[i][1]) {
			*base = ram[i][0];
			*end = ram[i][1];
			return true;
		}
	}
	return false;
}

static void test_beside_ram(void **state)
{
	static const struct {
		uint64_t base, end, want_base, want_end;
	} rows[] = {
	    {0xfebc0000, 0xfebe0000, 0xfebc0000, 0xfebe0000},           /* beside it */
	    {0x2000000, 0x2020000, 0, 0},                               /* all over it */
	    {0x6df0000, 0x6e10000, 0, 0},                               /* two pieces */
	    {0xbffff000, 0xc0001000, 0xc0000000, 0xc0001000},           /* across its end */
	    {0xffff0000, 0x100010000, 0xffff0000, 0x100000000},         /* and its start */
	    {0xc0000000, 0xc0001000, 0xc0000000, 0xc0001000},           /* behind it */
	    {0x80000, 0x180000, 0xa0000, 0x100000},                     /* a hole in it */
	    {0, UINT64_C(0x200000000), 0xa0000, UINT64_C(0x200000000)}, /* more than all */
	    {UINT64_C(0xa0000), UINT64_C(0x140000000), 0xa0000,
	     UINT64_C(0x100000000)}, /* two holes */
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t base = rows[i].base, end = rows[i].end;

		pci_bar_beside_ram(&base, &end, model_ram);
		assert_true(base <= end && end <= rows[i].end && base >= rows[i].base);
		if (rows[i].want_end) {
			assert_int_equal(base, rows[i].want_base);
			assert_int_equal(end, rows[i].want_end);
		} else {
			assert_int_equal(base, end);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_beside_ram),   cmocka_unit_test(test_header),
	    cmocka_unit_test(test_size),         cmocka_unit_test(test_read_only),
	    cmocka_unit_test(test_sizes),        cmocka_unit_test(test_wide_sizes),
	    cmocka_unit_test(test_header_types), cmocka_unit_test(test_probe),
	    cmocka_unit_test(test_probe_pieces), cmocka_unit_test(test_probe_nothing),
	    cmocka_unit_test(test_move),         cmocka_unit_test(test_reset),
	    cmocka_unit_test(test_caps),         cmocka_unit_test(test_msi),
	    cmocka_unit_test(test_loops),        cmocka_unit_test(test_extended),
	    cmocka_unit_test(test_ports),        cmocka_unit_test(test_ecam),
	    cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests_name("pci_bar", tests, NULL, NULL);
}
