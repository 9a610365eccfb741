/* Guest accesses to configuration space: through ports CF8 and CFC, and through memory (ECAM). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/access.h"

/* The largest aligned piece at `at` that ends by `end`; three bytes become two pieces. */
static unsigned piece(uint64_t at, uint64_t end)
{
	if ((at & 3) == 0 && end - at >= 4)
		return 4;
	return (at & 1) == 0 && end - at >= 2 ? 2 : 1;
}

unsigned pci_port_access(uint32_t address, bool extended, uint16_t port, unsigned size,
			 struct pci_access parts[PCI_ACCESS_PARTS])
{
	unsigned at = port, end = port + size, count = 0;

	if (!(address & PCI_ADDRESS_ENABLE))
		return 0;
	if (at < PCI_PORT_DATA)
		at = PCI_PORT_DATA;
	if (end > PCI_PORT_DATA + 4)
		end = PCI_PORT_DATA + 4;
	while (at < end) {
		unsigned bytes = piece(at, end), offset = (address & 0xfc) + (at & 3);

		if (extended)
			offset |= address >> 16 & 0xf00;
		parts[count++] = (struct pci_access){
		    .address = {.bus = (uint8_t)(address >> 16),
				.device = address >> 11 & 31,
				.function = address >> 8 & 7},
		    .offset = (uint16_t)offset,
		    .size = (uint8_t)bytes,
		    .shift = (uint8_t)(8 * (at - port)),
		};
		at += bytes;
	}
	return count;
}

unsigned pci_ecam_access(const struct pci_ecam *ecam, uint64_t address, unsigned size,
			 struct pci_access parts[PCI_ACCESS_PARTS])
{
	uint64_t first = ecam->base + ((uint64_t)ecam->first_bus << 20);
	uint64_t last = ecam->base + ((uint64_t)ecam->last_bus << 20) + 0xfffff;
	uint64_t at = address, end = address + size;
	unsigned count = 0;

	if (at < first)
		at = first;
	if (end > last + 1)
		end = last + 1;
	while (at < end) {
		unsigned bytes = piece(at, end);
		uint64_t in = at - ecam->base;

		parts[count++] = (struct pci_access){
		    .address = {.segment = ecam->segment,
				.bus = (uint8_t)(in >> 20),
				.device = in >> 15 & 31,
				.function = in >> 12 & 7},
		    .offset = in & 0xfff,
		    .size = (uint8_t)bytes,
		    .shift = (uint8_t)(8 * (at - address)),
		};
		at += bytes;
	}
	return count;
}

static uint64_t ones(const struct pci_access *part)
{
	return (UINT64_C(1) << (8 * part->size)) - 1;
}

uint32_t pci_access_take(const struct pci_access *part, uint64_t data)
{
	return (uint32_t)(data >> part->shift & ones(part));
}

uint64_t pci_access_put(const struct pci_access *part, uint64_t data, uint32_t value)
{
	return (data & ~(ones(part) << part->shift)) | (value & ones(part)) << part->shift;
}
