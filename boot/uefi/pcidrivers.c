/* The records of the image's PCI drivers, as a loader can use them (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/pcidrivers.h"
#include "core/errno.h"
#include "core/string.h"
#include <stdbool.h>
#include <stdint.h>

/* Makes a pointer of the VMM one of the loader; false when the text does not end in its segment, or
 * too late. */
static bool translate(const uint8_t *image, const struct elf_plan *plan, const char **text)
{
	uint64_t address = (uint64_t)(uintptr_t)*text;

	if (address == 0)
		return true;
	for (uint32_t i = 0; i < plan->segment_count; i++) {
		const struct elf_segment *seg = &plan->segments[i];
		if (address < seg->address || address - seg->address >= seg->mem_size)
			continue;
		uint64_t at = address - seg->address;
		*text = (const char *)image + seg->offset + at;
		for (uint64_t n = 0; n < PCIDRIVERS_TEXT_MAX && at + n < seg->mem_size; n++) {
			if (image[seg->offset + at + n] == 0)
				return true;
		}
		return false;
	}
	return false;
}

int pcidrivers_read(const void *image, const struct elf_plan *plan, struct pci_driver *drivers,
		    size_t max)
{
	uint64_t size = plan->drivers_end - plan->drivers;
	size_t count = size / sizeof(*drivers);

	if (size % sizeof(*drivers) != 0)
		return -EINVAL;
	if (count > max)
		return -ENOSPC;
	for (size_t i = 0; i < count; i++) {
		struct pci_driver record;
		memcpy(&record, (const uint8_t *)image + plan->drivers + i * sizeof(record),
		       sizeof(record));
		drivers[i] = (struct pci_driver){.name = record.name,
						 .longname = record.longname,
						 .device = record.device,
						 .driver_options = record.driver_options};
		if (!translate(image, plan, &drivers[i].name) ||
		    !translate(image, plan, &drivers[i].longname) ||
		    !translate(image, plan, &drivers[i].device) ||
		    !translate(image, plan, &drivers[i].driver_options))
			return -EINVAL;
	}
	return (int)count;
}
