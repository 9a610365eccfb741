/* Configuration mechanism 1: the guest's accesses to ports CF8 and CFC-CFF. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/ports.h"
#include "core/vm/io.h"
#include "core/x86/cpu.h"
#include "drivers/pci/guest.h"
#include "drivers/pci/space.h"

/* AMD: NB_CFG1.EnableCf8ExtCfg. BKDG for family 10h, 3.1, MSRC001_001F. */
#define MSR_NB_CFG1        0xc001001fu
#define NB_CFG1_CF8_EXTCFG (UINT64_C(1) << 46)

static bool extended;

static void address_port(void *arg, const struct io_access *io, uint32_t *value)
{
	(void)arg;
	if (!pci_is_address_port(io->port, io->size))
		io_pass(io,
			value); /* other sizes are other registers: PCI Local Bus 3.0, 3.2.2.3.2 */
	else if (io->write)
		pci_space_set_guest_address(*value);
	else
		*value = inl(PCI_PORT_ADDRESS);
}

static uint64_t address_in(void *arg, const struct io_access *io, uint32_t value)
{
	(void)arg;
	(void)value;
	return pci_is_address_port(io->port, io->size) ? inl(PCI_PORT_ADDRESS) : IO_LONG;
}

static uint64_t address_out(void *arg, const struct io_access *io, uint32_t value)
{
	(void)arg;
	if (!pci_is_address_port(io->port, io->size))
		return IO_LONG;
	pci_space_set_guest_address(value);
	return value;
}

static void data_port(void *arg, const struct io_access *io, uint32_t *value)
{
	uint32_t address = pci_space_guest_address();
	struct pci_address at = {.bus = (uint8_t)(address >> 16),
				 .device = address >> 11 & 31,
				 .function = address >> 8 & 7};
	struct pci_access parts[PCI_ACCESS_PARTS];
	unsigned count;

	(void)arg;
	if (!(address & PCI_ADDRESS_ENABLE) ||
	    !pci_guest_wants(at, (address & 0xfc) + (io->port & 3), io->write)) {
		io_pass(io, value); /* the register holds the guest's address */
		return;
	}
	count = pci_port_access(address, extended, io->port, io->size, parts);
	if (!io->write)
		*value = UINT32_MAX;
	for (unsigned i = 0; i < count; i++) {
		const struct pci_access *p = &parts[i];

		if (io->write)
			pci_guest_write(p->address, p->offset, p->size, pci_access_take(p, *value));
		else
			*value = (uint32_t)pci_access_put(
			    p, *value, pci_guest_read(p->address, p->offset, p->size));
	}
}

/* Is it within the register, and may it be made as it is: a function that no driver has? */
static inline bool data_passes(const struct io_access *io, bool write)
{
	uint32_t address = pci_space_guest_address();
	unsigned byte = io->port - (unsigned)PCI_PORT_DATA; /* large: it begins below */

	return byte <= 4u - io->size && address & PCI_ADDRESS_ENABLE &&
	       pci_guest_passes(address, (address & 0xfc) + byte, write);
}

static uint64_t data_in(void *arg, const struct io_access *io, uint32_t value)
{
	(void)arg;
	(void)value;
	if (!data_passes(io, false))
		return IO_LONG;
	return io->size == 4 ? inl(PCI_PORT_DATA) : io->size == 2 ? inw(io->port) : inb(io->port);
}

static uint64_t data_out(void *arg, const struct io_access *io, uint32_t value)
{
	(void)arg;
	if (!data_passes(io, true))
		return IO_LONG;
	if (io->size == 4)
		outl(PCI_PORT_DATA, value);
	else if (io->size == 2)
		outw(io->port, (uint16_t)value);
	else
		outb(io->port, (uint8_t)value);
	return value;
}

int pci_ports_init(void)
{
	uint64_t nb_cfg;

	extended =
	    !cpu_is_intel() && rdmsr_safe(MSR_NB_CFG1, &nb_cfg) && nb_cfg & NB_CFG1_CF8_EXTCFG;
	/* CF9 to CFB stay free: the reset register is there */
	int err = io_trap_lean(PCI_PORT_ADDRESS, 1, address_port, address_in, address_out, NULL);

	if (err > 0)
		err = io_trap_lean(PCI_PORT_DATA, 4, data_port, data_in, data_out, NULL);
	return err < 0 ? err : 0;
}
