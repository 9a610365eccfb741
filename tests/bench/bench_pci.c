/* PCI configuration mechanism 1: an access is an address and the data. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bench/bench.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc
#define HOST_BRIDGE  0x80000000u /* 00:00.0 */
#define IDE          0x80000900u /* 00:01.1; bench.py has a rule for it */
#define COMMAND      4
#define CLASS        8

static inline uint32_t config_read(uint32_t address)
{
	outl(PORT_ADDRESS, address);
	return inl(PORT_DATA);
}

static inline void config_write(uint32_t address, uint32_t value)
{
	outl(PORT_ADDRESS, address);
	outl(PORT_DATA, value);
}

GUEST_CASE(bench_pci, "")
{
	uint32_t command = config_read(HOST_BRIDGE | COMMAND) & 0xffff; /* the status stays */

	BENCH("pci-address", outl(PORT_ADDRESS, HOST_BRIDGE | CLASS));
	BENCH("pci-read", config_read(HOST_BRIDGE | CLASS));
	BENCH("pci-read-ide", config_read(IDE | CLASS));
	BENCH("pci-write", config_write(HOST_BRIDGE | COMMAND, command));
}
