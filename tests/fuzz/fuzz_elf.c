/* Fuzz target: the UEFI loader's ELF check and load, and its look at the drivers' records. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include "boot/uefi/elf.h"
#include "boot/uefi/pcidrivers.h"
#include "core/boot.h"

#define IMAGE_MAX 0x100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *image, const struct elf_plan *plan, const char *text)
{
	if (text == NULL)
		return;
	if (text < image || text >= image + plan->image_size ||
	    strnlen(text, (size_t)(image + plan->image_size - text)) >= PCIDRIVERS_TEXT_MAX)
		abort();
}

static void check_drivers(const char *image, const struct elf_plan *plan)
{
	struct pci_driver drivers[4];
	int count = pcidrivers_read(image, plan, drivers, 4);
	if (count > 4)
		abort();
	for (int i = 0; i < count; i++) {
		check_text(image, plan, drivers[i].name);
		check_text(image, plan, drivers[i].longname);
		check_text(image, plan, drivers[i].device);
		check_text(image, plan, drivers[i].driver_options);
		if (drivers[i].new != NULL || drivers[i].config_read != NULL)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_plan plan;
	if (elf_plan(data, size, &plan) != ELF_OK)
		return 0;
	if (plan.entry >= plan.image_size || plan.segment_count > ELF_SEGMENTS_MAX ||
	    plan.drivers > plan.drivers_end || plan.drivers_end > plan.image_size)
		abort();
	for (uint32_t i = 0; i < plan.segment_count; i++) {
		const struct elf_segment *s = &plan.segments[i];
		if (s->file_size > s->mem_size || s->file_offset > size ||
		    s->file_size > size - s->file_offset || s->offset > plan.image_size ||
		    s->mem_size > plan.image_size - s->offset)
			abort();
		for (uint32_t j = 0; j < i; j++) {
			const struct elf_segment *o = &plan.segments[j];
			if (s->offset < o->offset + o->mem_size &&
			    o->offset < s->offset + s->mem_size)
				abort();
		}
	}
	if (plan.image_size <= IMAGE_MAX) {
		void *image = malloc(plan.image_size);
		if (image != NULL) {
			elf_load(data, &plan, image);
			check_drivers(image, &plan);
		}
		free(image);
	}
	return 0;
}
