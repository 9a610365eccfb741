/*
 * Configuration mechanism 1, used by two CPUs at once: what was last written to CF8 counts, for
 * both. Then what is no address, an address that is not enabled, and accesses to CFC in all sizes
 * and places, beyond its borders as well. With the word ecam=ADDRESS the same bytes are looked for
 * in memory. A VMM with a rule watches all this, one without does not (bug class 36).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc
#define ENABLE       0x80000000u
#define LINE         0x3cu /* interrupt line: any value does nothing (PCI Local Bus 3.0, 6.2.4) */

#define DEVICES 32
#define ROUNDS  400u
#define STORM   1000u
#define STEPS   5u /* meetings in a round */

static const uint8_t offsets[] = {0, 8, 0x2c, LINE};
#define OFFSETS (sizeof(offsets) / sizeof(offsets[0]))

static uint32_t quiet[DEVICES][OFFSETS]; /* what one CPU alone reads */

static uint32_t in(uint16_t port, unsigned size)
{
	uint32_t value = 0;

	if (size == 1)
		__asm__ volatile("inb %w1, %b0" : "+a"(value) : "d"(port));
	else if (size == 2)
		__asm__ volatile("inw %w1, %w0" : "+a"(value) : "d"(port));
	else
		__asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(port));
	return value;
}

static void out(uint16_t port, unsigned size, uint32_t value)
{
	if (size == 1)
		__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port));
	else if (size == 2)
		__asm__ volatile("outw %w0, %w1" : : "a"(value), "d"(port));
	else
		__asm__ volatile("outl %0, %w1" : : "a"(value), "d"(port));
}

static uint32_t place(unsigned device, unsigned offset)
{
	return ENABLE | device << 11 | offset;
}

/* The address of a number, and what is there. */
static uint32_t address_of(unsigned n)
{
	return place(n / OFFSETS % DEVICES, offsets[n % OFFSETS]);
}

static uint32_t value_of(uint32_t address)
{
	for (unsigned i = 0; i < OFFSETS; i++) {
		if (offsets[i] == (address & 0xff))
			return quiet[address >> 11 & 31][i];
	}
	return 0;
}

/* All bytes at CFC, in all sizes, are those of `value`. */
static bool shows(uint32_t value)
{
	bool right = in(PORT_DATA, 4) == value;

	for (uint16_t i = 0; i < 4; i++)
		right = right && in(PORT_DATA + i, 1) == (value >> 8 * i & 0xff);
	for (uint16_t i = 0; i < 3; i++)
		right = right && (i == 1 || in(PORT_DATA + i, 2) == (value >> 8 * i & 0xffff));
	return right;
}

/* ---- two CPUs ---- */

static volatile uint32_t met[2], address[2], seen_address[2], seen[2], wrong[2];

static void meet(unsigned me, uint32_t n)
{
	met[me] = n;
	while (met[!me] < n)
		cpu_relax();
}

static uint32_t pick(uint32_t round, unsigned cpu)
{
	return address_of(round * 7 + cpu * (1 + round % 5));
}

/*
 * A round: both write their address, one after the other or at once; then both read. In the first
 * case it is known whose address counts.
 */
static void rounds(void *arg)
{
	unsigned me = cpu_index();

	(void)arg;
	for (uint32_t n = 0; n < ROUNDS; n++) {
		bool at_once = n % 3 == 2;
		uint32_t mine = pick(n, me), last = pick(n, n % 3 == 0);

		meet(me, n * STEPS + 1);
		if (at_once || n % 3 == me)
			out(PORT_ADDRESS, 4, mine);
		meet(me, n * STEPS + 2);
		if (!at_once && n % 3 != me)
			out(PORT_ADDRESS, 4, mine);
		meet(me, n * STEPS + 3);
		seen_address[me] = in(PORT_ADDRESS, 4);
		seen[me] = in(PORT_DATA, 4);
		if (!at_once && (seen_address[me] != last || !shows(value_of(last))))
			wrong[me]++;
		meet(me, n * STEPS + 4);
		if (seen_address[0] != seen_address[1] || seen[0] != seen[1] ||
		    (seen_address[me] != mine && seen_address[me] != pick(n, !me)) ||
		    seen[me] != value_of(seen_address[me]))
			wrong[me]++;
		meet(me, n * STEPS + 5);
	}
}

/* Without any order: what one reads is at one of the two addresses. */
static void storm(void *arg)
{
	unsigned me = cpu_index();

	(void)arg;
	meet(me, 1);
	for (uint32_t n = 0; n < STORM; n++) {
		out(PORT_ADDRESS, 4, address[me]);
		uint32_t value = in(PORT_DATA, 4), byte = in(PORT_DATA + 1, 1),
			 now = in(PORT_ADDRESS, 4);
		uint32_t a = value_of(address[0]), b = value_of(address[1]);

		if ((value != a && value != b) ||
		    (byte != (a >> 8 & 0xff) && byte != (b >> 8 & 0xff)) ||
		    (now != address[0] && now != address[1]))
			wrong[me]++;
	}
	meet(me, 2);
}

static void both(void (*f)(void *arg))
{
	met[0] = met[1] = wrong[0] = wrong[1] = 0;
	cpu_start(1, f, NULL);
	f(NULL);
	cpu_wait(1);
}

static void write_address(void *arg)
{
	out(PORT_ADDRESS, 4, *(const uint32_t *)arg);
}

static uint32_t line_of(unsigned device)
{
	out(PORT_ADDRESS, 4, place(device, LINE));
	return in(PORT_DATA, 1);
}

static void set_line(unsigned device, uint32_t value)
{
	out(PORT_ADDRESS, 4, place(device, LINE));
	out(PORT_DATA, 1, value);
}

/* The next device behind `device` whose interrupt line can be written; DEVICES: none. */
static unsigned writable(unsigned device)
{
	for (device++; device < DEVICES; device++) {
		uint32_t old = line_of(device);

		set_line(device, old ^ 0x5a);
		bool keeps = line_of(device) == (old ^ 0x5a);

		set_line(device, old);
		if (keeps)
			return device;
	}
	return DEVICES;
}

/* A write goes where the other CPU has pointed meanwhile. */
static void writes(unsigned first, unsigned second)
{
	uint32_t old[2] = {line_of(first), line_of(second)}, to = place(second, LINE);
	unsigned bad = 0;

	for (uint32_t n = 0; n < 20; n++) {
		out(PORT_ADDRESS, 4, place(first, LINE));
		cpu_call(1, write_address, &to);
		out(PORT_DATA, 1, n + 1);
		bad += line_of(first) != old[0];
		bad += line_of(second) != n + 1;
	}
	set_line(second, old[1]);
	CHECK_EQ(bad, 0, "writes");
}

/* ---- one CPU ---- */

/* Less than four bytes at CF8 are no address, and neither are four bytes beside it. */
static void no_address(void)
{
	static const struct {
		uint16_t port;
		uint8_t size;
	} table[] = {{0xcf8, 1}, {0xcf8, 2}, {0xcfa, 1}, {0xcfa, 2}, {0xcfb, 1}};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		out(PORT_ADDRESS, 4, place(1, 8));
		/* zero: CF9 resets the machine for other values */
		out(table[i].port, table[i].size, 0);
		CHECK_EQ(in(PORT_ADDRESS, 4), place(1, 8), "CF8 after %u bytes at %#x",
			 table[i].size, table[i].port);
		CHECK(shows(quiet[1][1]), "CFC after %u bytes at %#x", table[i].size,
		      table[i].port);
		case_value("%#x of %u: %#x", table[i].port, table[i].size,
			   in(table[i].port, table[i].size));
	}
}

/* The CPU makes several accesses of one that is not aligned (SDM 1, 19.3). */
static const char *kind(uint16_t port, unsigned size)
{
	return port % size ? "unaligned" : "aligned";
}

/* Bits of an access at `port` that are bytes of CFC to CFF. */
static uint32_t data_bits(uint16_t port, unsigned size)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < size; i++) {
		if (port + i >= PORT_DATA && port + i < PORT_DATA + 4)
			bits |= 0xffu << 8 * i;
	}
	return bits;
}

static void all_reads(unsigned device, unsigned which, uint32_t enable)
{
	uint32_t value = quiet[device][which];

	out(PORT_ADDRESS, 4, (place(device, offsets[which]) & ~ENABLE) | enable);
	for (uint16_t port = 0xcf9; port < 0xd00; port++) {
		uint32_t want = port < PORT_DATA ? value << 8 * (PORT_DATA - port)
						 : value >> 8 * (port - PORT_DATA);

		for (unsigned size = 1; size <= 4; size *= 2) {
			uint32_t bits = data_bits(port, size);

			if (!bits)
				continue;
			if (enable)
				CHECK_EQ(in(port, size) & bits, want & bits,
					 "%s read %#x of %u, %u %#x", kind(port, size), port, size,
					 device, offsets[which]);
			else
				case_value("not enabled %#x of %u: %#x", port, size,
					   in(port, size));
		}
	}
}

/* Writes of all sizes that reach CFC; the bytes beside it are ports that nothing uses. */
static void all_writes(unsigned device, uint32_t enable)
{
	uint32_t old = line_of(device);

	for (uint16_t port = 0xcfa; port < 0xd00; port++) {
		for (unsigned size = 1; size <= 4; size *= 2) {
			uint32_t value = 0x04030201u * (port + size), want = old;

			if (!data_bits(port, size))
				continue;
			if (enable && port <= PORT_DATA)
				want = value >> 8 * (PORT_DATA - port) & 0xff;
			out(PORT_ADDRESS, 4, (place(device, LINE) & ~ENABLE) | enable);
			out(port, size, value);
			CHECK_EQ(line_of(device), want, "%s write %#x of %u%s", kind(port, size),
				 port, size, enable ? "" : ", not enabled");
			set_line(device, old);
		}
	}
}

static void in_memory(uint64_t ecam)
{
	unsigned bad = 0;

	for (unsigned device = 0; device < DEVICES; device++) {
		for (unsigned offset = 0; offset < 64; offset += 8) {
			volatile const uint8_t *at =
			    (const uint8_t *)(uintptr_t)(ecam + device * 0x8000 + offset);
			uint64_t by_ports = 0;

			for (unsigned i = 0; i < 8; i++) {
				out(PORT_ADDRESS, 4, place(device, offset + (i & 4)));
				by_ports |= (uint64_t)in(PORT_DATA + (i & 3), 1) << 8 * i;
			}
			for (unsigned i = 0; i < 8; i++)
				bad += at[i] != (by_ports >> 8 * i & 0xff);
			for (unsigned i = 0; i < 8; i += 2)
				bad +=
				    *(volatile const uint16_t *)(volatile const void *)(at + i) !=
				    (by_ports >> 8 * i & 0xffff);
			for (unsigned i = 0; i < 8; i += 4)
				bad +=
				    *(volatile const uint32_t *)(volatile const void *)(at + i) !=
				    (by_ports >> 8 * i & UINT32_MAX);
			bad += *(volatile const uint64_t *)(volatile const void *)at != by_ports;
		}
	}
	CHECK_EQ(bad, 0, "bytes that differ in memory");
}

GUEST_CASE(pci_interleave, "PCI Local Bus 3.0, 3.2.2.3.2; SDM 1 19.3")
{
	uint64_t ecam = word_number("ecam", 0);
	unsigned first, second;

	for (unsigned device = 0; device < DEVICES; device++) {
		for (unsigned i = 0; i < OFFSETS; i++) {
			out(PORT_ADDRESS, 4, place(device, offsets[i]));
			quiet[device][i] = in(PORT_DATA, 4);
			CHECK(shows(quiet[device][i]), "%u %#x", device, offsets[i]);
		}
	}
	no_address();
	/* the first of its kind takes another way in the VMM than the others */
	all_reads(0, 0, ENABLE);
	all_reads(0, 1, ENABLE);
	all_reads(1, 1, ENABLE);
	all_reads(1, 1, 0);
	first = writable(0);
	second = writable(first);
	if (second < DEVICES) {
		all_writes(first, ENABLE);
		all_writes(first, 0);
	}
	if (ecam)
		in_memory(ecam);
	if (cpu_count() < 2)
		return;
	both(rounds);
	CHECK_EQ(wrong[0] + wrong[1], 0, "in turn");
	for (unsigned n = 0; n < 8; n++) {
		address[0] = pick(n, 0);
		address[1] = pick(n + 3, 1);
		both(storm);
		CHECK_EQ(wrong[0] + wrong[1], 0, "at once %u", n);
	}
	if (second < DEVICES)
		writes(first, second);
}
