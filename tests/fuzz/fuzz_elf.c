/* Fuzz target: the UEFI loader's ELF check and load. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include "boot/uefi/elf.h"
#include "core/boot.h"

#define IMAGE_MAX 0x100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_plan plan;
	if (elf_plan(data, size, &plan) != ELF_OK)
		return 0;
	if (plan.entry >= plan.image_size || plan.segment_count > ELF_SEGMENTS_MAX)
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
		if (image != NULL)
			elf_load(data, &plan, image);
		free(image);
	}
	return 0;
}
