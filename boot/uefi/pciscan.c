/* Which PCI functions the VMM will take: the scan and the rules, as the VMM does both (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/pciscan.h"
#include "core/errno.h"
#include "drivers/pci/config.h"

#define BUSES     256
#define DEVICES   32
#define FUNCTIONS 8
#define MULTI_BIT 0x80 /* of the header type */

struct place {
	const struct pciscan_machine *machine;
	struct pci_address address;
};

static uint32_t read(void *arg, uint16_t offset, unsigned size)
{
	const struct place *place = arg;
	return place->machine->read(place->machine->arg, place->address, offset, size);
}

static void no_write(void *arg, uint16_t offset, unsigned size, uint32_t value)
{
	(void)arg;
	(void)offset;
	(void)size;
	(void)value;
}

struct scan {
	const struct pciscan_machine *machine;
	const struct pciscan_rules *rules;
	struct pciscan_taken *taken;
	size_t count, max;
};

static int scan_device(struct scan *scan, struct pci_address address)
{
	for (uint8_t function = 0; function < FUNCTIONS; function++) {
		struct pci_match_result result;
		struct pci_function id;
		address.function = function;
		struct place place = {scan->machine, address};
		const struct pci_config config = {.read = read, .write = no_write, .arg = &place};
		bool present = pci_function_read(&config, address, &id) == 0;
		if (present) {
			pci_match_first(scan->rules->rules, scan->rules->states, scan->rules->count,
					&id, &result);
			if (result.driver != NULL) {
				if (scan->count == scan->max)
					return -ENOSPC;
				scan->taken[scan->count++] =
				    (struct pciscan_taken){.id = id, .driver = result.driver};
			}
		}
		if (function == 0 && (!present || (id.header_type & MULTI_BIT) == 0))
			break;
	}
	return 0;
}

int pciscan_find(const struct pciscan_machine *machine, const uint16_t *segments,
		 size_t segment_count, const struct pciscan_rules *rules,
		 struct pciscan_taken *taken, size_t max)
{
	struct scan scan = {.machine = machine, .rules = rules, .taken = taken, .max = max};
	for (size_t i = 0; i < segment_count; i++) {
		for (unsigned slot = 0; slot < BUSES * DEVICES; slot++) {
			struct pci_address address = {.segment = segments[i],
						      .bus = (uint8_t)(slot / DEVICES),
						      .device = slot % DEVICES};
			int err = scan_device(&scan, address);
			if (err != 0)
				return err;
		}
	}
	return (int)scan.count;
}
