/* Fuzzer of drivers/pci: a guest sees the BARs of bare hardware; lists end; accesses come apart. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/pci/access.h"
#include "drivers/pci/bar.h"
#include "drivers/pci/caps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#define REGISTERS_END 0x40

struct model {
	uint8_t byte[4096], writable[REGISTERS_END];
};

static uint32_t model_read(void *arg, uint16_t offset, unsigned size)
{
	const struct model *m = arg;
	uint32_t value = 0;

	CHECK((size == 1 || size == 2 || size == 4) && offset % size == 0);
	CHECK(offset + size <= sizeof(m->byte));
	while (size-- > 0)
		value = value << 8 | m->byte[offset + size];
	return value;
}

static void put_byte(struct model *m, unsigned at, uint8_t value)
{
	m->byte[at] = (uint8_t)((m->byte[at] & ~m->writable[at]) | (value & m->writable[at]));
}

static void model_write(void *arg, uint16_t offset, unsigned size, uint32_t value)
{
	struct model *m = arg;
	unsigned i;

	CHECK((size == 1 || size == 2 || size == 4) && offset % size == 0);
	CHECK(offset + size <= REGISTERS_END);
	for (i = 0; i < size; i++)
		put_byte(m, offset + i, (uint8_t)(value >> (8 * i)));
}

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t next(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

/* A register that hardware could have: flags that stay, and upper bits that take a value. */
static void build_register(struct model *m, struct input *in, unsigned offset, bool upper)
{
	uint8_t kind = next(in), bits = next(in);
	uint32_t writable = bits % 33 == 32 ? 0 : ~0u << bits % 33, flags = 0;
	unsigned i;

	if (offset == PCI_ROM || offset == PCI_BRIDGE_ROM)
		writable = (writable & 0xfffff800) | (writable ? 1 : 0);
	else if (upper)
		flags = 0;
	else if (kind & 1)
		flags = 1, writable &= kind & 2 ? 0xfffc : 0xfffffffc;
	else
		flags = kind & 0xe, writable &= 0xfffffff0;
	for (i = 0; i < 4; i++) {
		m->byte[offset + i] = (uint8_t)(flags >> (8 * i));
		m->writable[offset + i] = (uint8_t)(writable >> (8 * i));
		put_byte(m, offset + i, next(in));
	}
}

static void build(struct model *m, struct input *in)
{
	bool upper = false;
	unsigned offset;

	memset(m, 0, sizeof(*m));
	m->byte[PCI_HEADER_TYPE] = next(in);
	m->writable[PCI_COMMAND] = 7;
	m->byte[PCI_COMMAND] = 7;
	for (offset = PCI_BAR0; offset < 0x28; offset += 4) {
		build_register(m, in, offset, upper);
		upper = !upper && (m->byte[offset] & 7) == 4;
	}
	build_register(m, in, PCI_ROM, false);
	build_register(m, in, PCI_BRIDGE_ROM, false);
}

static uint64_t bare_read(const struct model *m, unsigned offset, unsigned size)
{
	uint64_t value = 0;

	while (size-- > 0)
		value = value << 8 | m->byte[offset + size];
	return value;
}

static void check_bars(struct input *in)
{
	static struct model bare, under;
	struct pci_config config = {model_read, model_write, &under};
	struct pci_bars bars;
	unsigned i, rounds;

	build(&bare, in);
	under = bare;
	pci_bars_size(&bars, &config);
	CHECK(memcmp(bare.byte, under.byte, sizeof(bare.byte)) == 0);
	for (rounds = 0; in->left > 0 && rounds < 200; rounds++) {
		uint8_t op = next(in);
		unsigned size = 1u << (op & 3), offset = next(in) % (REGISTERS_END - 8);
		struct pci_bar_write w;
		uint64_t data = 0;

		for (i = 0; i < size; i++)
			data |= (uint64_t)(op & 4 ? 0xff : next(in)) << (8 * i);
		if (op & 8)
			data &= ~UINT64_C(0xff);
		if (!pci_bars_touched(&bars, (uint16_t)offset, size))
			continue;
		pci_bars_write(&bars, &config, (uint16_t)offset, size, data, &w);
		CHECK(w.writes <= PCI_BAR_CHANGES && w.moves <= PCI_BAR_CHANGES);
		for (i = 0; i < w.moves; i++) {
			const struct pci_bar *bar = pci_bars_get(&bars, w.move[i].number);

			CHECK(bar && bar->base == w.move[i].to && w.move[i].from != bar->base);
			CHECK(bar->base >> 63 == 0);
		}
		for (i = 0; i < w.writes; i++)
			model_write(&under, w.write[i].offset, 4, w.write[i].value);

		/* Bare: the bytes that lie in registers of BARs. */
		for (i = 0; i < size; i++) {
			if (pci_bars_touched(&bars, (uint16_t)(offset + i), 1))
				put_byte(&bare, offset + i, (uint8_t)(data >> (8 * i)));
		}
		for (i = 0; i < PCI_BAR_COUNT; i++) {
			const struct pci_bar *bar = pci_bars_get(&bars, i);

			if (bars.offset[i])
				CHECK(pci_bars_guest_read(&bars, &config, bars.offset[i], 4) ==
				      bare_read(&bare, bars.offset[i], 4));
			CHECK(!bar || (bar->size && (bar->size & (bar->size - 1)) == 0));
		}
		CHECK(pci_bars_guest_read(&bars, &config, (uint16_t)offset, size) ==
		      bare_read(&bare, offset, size));
	}
	pci_bars_read(&bars, &config);
}

static void check_caps(struct input *in)
{
	static struct model m;
	struct pci_config config = {model_read, model_write, &m};
	struct pci_cap_walk walk = {0};
	struct pci_caps caps;
	struct pci_cap cap;
	unsigned count;

	memset(&m, 0, sizeof(m));
	memcpy(m.byte, in->at, in->left < sizeof(m.byte) ? in->left : sizeof(m.byte));
	m.byte[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
	for (count = 0; pci_cap_next(&config, &walk, &cap); count++)
		CHECK(cap.offset >= 0x40 && cap.offset <= 0xfc && cap.offset % 4 == 0);
	CHECK(count <= 48);
	memset(&walk, 0, sizeof(walk));
	/* A second list, made of the same bytes. */
	memcpy(m.byte + 0x100, in->at, in->left < 0xf00 ? in->left : 0xf00);
	for (count = 0; pci_extended_next(&config, &walk, &cap); count++)
		CHECK(cap.offset >= 0x100 && cap.offset <= 0xffc && cap.offset % 4 == 0);
	CHECK(count <= 960);
	pci_caps_read(&config, &caps);
	CHECK(!caps.msi.offset || (caps.msi.vectors >= 1 && caps.msi.vectors <= 32 &&
				   caps.msi.end > caps.msi.data && caps.msi.end <= 0x100));
	CHECK(!caps.msix.offset || (caps.msix.vectors >= 1 && caps.msix.table_bar <= 5));
}

static void check_accesses(struct input *in)
{
	struct pci_access parts[PCI_ACCESS_PARTS];
	struct pci_ecam ecam = {.segment = next(in)};
	uint64_t address = 0, data = UINT64_C(0x8877665544332211), out = 0;
	unsigned size = 1u << (next(in) & 3), count, i;
	uint16_t port = (uint16_t)(0xcf0 + next(in) % 32);

	ecam.first_bus = next(in);
	ecam.last_bus = (uint8_t)(ecam.first_bus | next(in));
	ecam.base = (uint64_t)next(in) << 28;
	for (i = 0; i < 5; i++)
		address = address << 8 | next(in);
	count = pci_ecam_access(&ecam, address, size, parts);
	CHECK(count <= PCI_ACCESS_PARTS);
	for (i = 0; i < count; i++) {
		CHECK(parts[i].offset % parts[i].size == 0 && parts[i].offset < 4096);
		CHECK(parts[i].address.bus >= ecam.first_bus &&
		      parts[i].address.bus <= ecam.last_bus);
		out = pci_access_put(&parts[i], out, pci_access_take(&parts[i], data));
	}
	for (i = 0; i < size; i++) {
		uint64_t at = address + i - ecam.base;
		bool inside = at >> 20 >= ecam.first_bus && at >> 20 <= ecam.last_bus;

		CHECK((out >> (8 * i) & 0xff) == (inside ? data >> (8 * i) & 0xff : 0));
	}
	count = pci_port_access((uint32_t)address | (size & 1) << 31, size & 2, port,
				size > 4 ? 4 : size, parts);
	CHECK(count <= 2);
	for (i = 0; i < count; i++)
		CHECK(parts[i].offset % parts[i].size == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	check_caps(&in);
	check_accesses(&in);
	in = (struct input){data, size};
	check_bars(&in);
	return 0;
}
