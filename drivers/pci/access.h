/* Guest accesses to configuration space: through ports CF8 and CFC, and through memory (ECAM). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "drivers/pci_driver.h"

/* PCI Local Bus 3.0, 3.2.2.3.2. */
#define PCI_PORT_ADDRESS            0xcf8
#define PCI_PORT_DATA               0xcfc
#define PCI_ADDRESS_ENABLE          0x80000000u
#define PCI_ADDRESS_FUNCTION        0x00ffff00u /* bus, device and function */
#define PCI_ADDRESS_FUNCTION_NUMBER 0x00000700u

/* An access of 8 bytes at an odd address is this many. */
#define PCI_ACCESS_PARTS 5

/* A piece of an access that the hardware carries out as one: aligned, 1, 2 or 4 bytes. */
struct pci_access {
	struct pci_address address;
	uint16_t offset; /* in the configuration space of that function, below 4096 */
	uint8_t size;
	uint8_t shift; /* bits of the guest's data below it */
};

/* The memory that maps the configuration space of some buses. See core/acpi/mcfg.h. */
struct pci_ecam {
	uint64_t base; /* physical address of bus 0, also when first_bus is not 0 */
	uint16_t segment;
	uint8_t first_bus, last_bus;
};

/*
 * True when the access sets the address register: only 4 bytes at CF8 do. All others there go to
 * the hardware (CF9 is the reset register of many chipsets).
 */
static inline bool pci_is_address_port(uint16_t port, unsigned size)
{
	return port == PCI_PORT_ADDRESS && size == 4;
}

/*
 * Takes an access of 1, 2 or 4 bytes to I/O ports apart, `address` being the last one written to
 * CF8. Bytes outside CFC-CFF are in no part: they are other ports. Returns the number of parts, 0
 * also when the register's enable bit is 0: then the access belongs to the hardware.
 *
 * Bits 30-24 of the register are reserved. AMD processors can take bits 27-24 as bits 11-8 of the
 * offset (NB_CFG1.EnableCf8ExtCfg); `extended` says that they do.
 */
unsigned pci_port_access(uint32_t address, bool extended, uint16_t port, unsigned size,
			 struct pci_access parts[PCI_ACCESS_PARTS]);

/*
 * The same for an access of 1, 2, 4 or 8 bytes at a physical address. Bytes outside the window are
 * in no part. An access that crosses a multiple of 4 is split there, as the root complex does
 * (PCI Express Base 3.0, 7.2.2).
 */
unsigned pci_ecam_access(const struct pci_ecam *ecam, uint64_t address, unsigned size,
			 struct pci_access parts[PCI_ACCESS_PARTS]);

/* The part's bytes of the guest's data, and data with these bytes put in. */
uint32_t pci_access_take(const struct pci_access *part, uint64_t data);
uint64_t pci_access_put(const struct pci_access *part, uint64_t data, uint32_t value);
