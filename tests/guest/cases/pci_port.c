/*
 * PCI configuration mechanism 1: every size at CFC to CFF, what RAX holds afterwards, and the
 * address register, again and again. A VMM that has a rule for a function watches these ports for
 * all of them (PCI Local Bus 3.0, 3.2.2.3.2).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc
#define ENABLE       BIT(31)
#define TIMES        3 /* the first of its kind takes another way in the VMM than the others */

SNIPPET(pci_inb, 64, "inb %dx, %al");
SNIPPET(pci_inw, 64, "inw %dx, %ax");
SNIPPET(pci_inl, 64, "inl %dx, %eax");
SNIPPET(pci_outl, 64, "outl %eax, %dx");
SNIPPET(pci_insl, 64, "insl");

#define RAX UINT64_C(0x1122334455667788)

static uint64_t run(const uint8_t *code, const uint8_t *end, uint16_t port)
{
	struct snippet s = {.code = code, .code_end = end, .in = {.rax = RAX, .rdx = port}};

	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "vector at %#x", port);
	CHECK_EQ(s.out.rdx, port, "RDX at %#x", port);
	return s.out.rax;
}

/* The parts of a register are its bytes. */
static void sizes(uint32_t address)
{
	uint32_t value;

	outl(PORT_ADDRESS, address);
	value = inl(PORT_DATA);
	case_value("%#x %#x", address, value);
	for (unsigned i = 0; i < TIMES; i++) {
		CHECK_EQ(run(pci_inl, pci_inl_end, PORT_DATA), value, "INL %#x %u", address, i);
		for (uint16_t at = 0; at < 4; at++)
			CHECK_EQ(run(pci_inb, pci_inb_end, PORT_DATA + at),
				 (RAX & ~UINT64_C(0xff)) | (value >> 8 * at & 0xff),
				 "INB+%u %#x %u", at, address, i);
		for (uint16_t at = 0; at < 4; at += 2)
			CHECK_EQ(run(pci_inw, pci_inw_end, PORT_DATA + at),
				 (RAX & ~UINT64_C(0xffff)) | (value >> 8 * at & 0xffff),
				 "INW+%u %#x %u", at, address, i);
		CHECK_EQ(inl(PORT_ADDRESS), address, "CF8 %#x %u", address, i);
	}
}

GUEST_CASE(pci_port, "PCI Local Bus 3.0, 3.2.2.3.2; SDM 2A IN")
{
	static uint32_t buffer;
	struct snippet s = {.code = pci_insl,
			    .code_end = pci_insl_end,
			    .in = {.rdx = PORT_DATA, .rdi = (uintptr_t)&buffer}};
	uint32_t id;

	for (uint32_t function = 0; function < 0x1000; function += 0x100) {
		sizes(ENABLE | function);
		sizes(ENABLE | function | 8);
	}
	outl(PORT_ADDRESS, ENABLE);
	id = inl(PORT_DATA);
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "INSL vector");
	CHECK_EQ(buffer, id, "INSL");
	for (unsigned i = 0; i < TIMES; i++) {
		CHECK_EQ(run(pci_outl, pci_outl_end, PORT_ADDRESS), RAX, "OUTL %u", i);
		/* reserved bits and the enable bit are the chip set's affair */
		case_value("CF8 %#x", inl(PORT_ADDRESS));
		case_value("disabled %#lx", run(pci_inl, pci_inl_end, PORT_DATA));
	}
}
