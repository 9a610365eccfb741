/* Configuration space of the hardware, and how it is reached. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/space.h"
#include "core/acpi/mcfg.h"
#include "core/log.h"
#include "core/mm/vmmap.h"
#include "core/start.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"

struct pci_ecam pci_windows[PCI_WINDOWS];
unsigned pci_window_count;
uint32_t pci_space_guest;

static void read_mcfg(void)
{
	struct mcfg_segment s;
	uint64_t pa;
	uint32_t len;

	if (!start_acpi() || acpi_find(start_acpi(), "MCFG", 0, &pa, &len) != 0)
		return;
	const void *table = acpi_table(start_acpi(), pa, "MCFG", &len);
	int count = table ? mcfg_count(table, len) : -1;

	if (count < 0)
		log_printf("PCI: MCFG is damaged and not used\n");
	for (int i = 0; i < count; i++) {
		if (mcfg_get(table, len, (unsigned)i, &s) != 0 || pci_window_count == PCI_WINDOWS) {
			log_printf("PCI: MCFG %d: not used\n", i);
			continue;
		}
		pci_windows[pci_window_count++] = (struct pci_ecam){
		    .base = s.base,
		    .segment = s.segment,
		    .first_bus = s.first_bus,
		    .last_bus = s.last_bus,
		};
		log_printf("PCI: MCFG %d: segment %u, bus %02x-%02x, %#lx, %lu MiB\n", i, s.segment,
			   s.first_bus, s.last_bus, mcfg_window_base(&s),
			   mcfg_window_size(&s) >> 20);
	}
}

void pci_space_init(void)
{
	pci_space_guest = inl(PCI_PORT_ADDRESS);
	read_mcfg();
}

void pci_space_wake(void)
{
	pci_space_guest = inl(PCI_PORT_ADDRESS);
}

static uint32_t port_address(struct pci_address at, uint16_t offset)
{
	return PCI_ADDRESS_ENABLE | (uint32_t)at.bus << 16 | (uint32_t)at.device << 11 |
	       (uint32_t)at.function << 8 | (offset & 0xfcu);
}

static void *window(struct pci_address at, uint16_t offset)
{
	const struct cpu *cpu = cpu_current(); /* NULL during start-up: the boot CPU */

	for (unsigned i = 0; i < pci_window_count; i++) {
		const struct pci_ecam *w = &pci_windows[i];

		if (w->segment == at.segment && at.bus >= w->first_bus && at.bus <= w->last_bus)
			return vmmap_window(cpu ? cpu->index : 0,
					    w->base + ((uint64_t)at.bus << 20) +
						((uint64_t)at.device << 15) +
						((uint64_t)at.function << 12) + offset);
	}
	return NULL;
}

static bool by_ports(struct pci_address at, uint16_t offset)
{
	return at.segment == 0 && offset < 0x100;
}

uint32_t pci_space_read(struct pci_address at, uint16_t offset, unsigned size)
{
	uint32_t value;

	if (by_ports(at, offset)) {
		uint16_t port = (uint16_t)(PCI_PORT_DATA + (offset & 3));

		outl(PCI_PORT_ADDRESS, port_address(at, offset));
		value = size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
		outl(PCI_PORT_ADDRESS, pci_space_guest);
		return value;
	}
	const volatile void *p = window(at, offset);

	if (!p)
		return size == 4 ? UINT32_MAX : (1u << 8 * size) - 1;
	return size == 1   ? *(const volatile uint8_t *)p
	       : size == 2 ? *(const volatile uint16_t *)p
			   : *(const volatile uint32_t *)p;
}

void pci_space_write(struct pci_address at, uint16_t offset, unsigned size, uint32_t value)
{
	if (by_ports(at, offset)) {
		uint16_t port = (uint16_t)(PCI_PORT_DATA + (offset & 3));

		outl(PCI_PORT_ADDRESS, port_address(at, offset));
		if (size == 1)
			outb(port, (uint8_t)value);
		else if (size == 2)
			outw(port, (uint16_t)value);
		else
			outl(port, value);
		outl(PCI_PORT_ADDRESS, pci_space_guest);
		return;
	}
	volatile void *p = window(at, offset);

	if (!p)
		return;
	if (size == 1)
		*(volatile uint8_t *)p = (uint8_t)value;
	else if (size == 2)
		*(volatile uint16_t *)p = (uint16_t)value;
	else
		*(volatile uint32_t *)p = value;
}
