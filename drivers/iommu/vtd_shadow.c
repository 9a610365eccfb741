/* VT-d registers as firmware finds them whose unit the VMM has taken: they do what they should, and
 * nothing happens. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/iommu/vtd_shadow.h"
#include <stddef.h>
#include "drivers/iommu/vtd_regs.h"

/* Commands that are states: the status follows them. The others are done at once. */
#define STATES   (VTD_TE | VTD_AFL | VTD_QIE | VTD_IRE | UINT32_C(1) << 23 /* CFI */)
#define SIRTP    (UINT32_C(1) << 24)
#define POINTERS (VTD_SRTP | UINT32_C(1) << 29 /* SFL */ | SIRTP)

static uint64_t bytes(unsigned size)
{
	return size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;
}

void vtd_shadow_init(struct vtd_shadow *s, uint64_t version, uint64_t cap, uint64_t ecap,
		     uint32_t status, uint32_t iotlb_offset)
{
	*s = (struct vtd_shadow){.iotlb = iotlb_offset};
	s->word[VTD_VER / 8] = version;
	s->word[VTD_CAP / 8] = cap;
	s->word[VTD_ECAP / 8] = ecap;
	s->word[VTD_GCMD / 8] = (uint64_t)status << 32;
}

uint64_t vtd_shadow_read(const struct vtd_shadow *s, uint64_t offset, unsigned size)
{
	uint64_t word = 0;

	if (offset / 8 == s->iotlb / 8)
		word = s->iotlb_value;
	else if (offset / 8 < VTD_SHADOW_WORDS)
		word = s->word[offset / 8];
	return word >> 8 * (offset % 8) & bytes(size);
}

void vtd_shadow_write(struct vtd_shadow *s, uint64_t offset, unsigned size, uint64_t value)
{
	unsigned shift = 8 * (unsigned)(offset % 8);
	uint64_t *word = offset / 8 == s->iotlb / 8      ? &s->iotlb_value
			 : offset / 8 < VTD_SHADOW_WORDS ? &s->word[offset / 8]
							 : NULL;

	if (!word)
		return;
	uint64_t old = *word, new = (old & ~(bytes(size) << shift)) | (value & bytes(size))
									  << shift;

	if (word == &s->iotlb_value) {
		*word = new & ~VTD_IOTLB_IVT;
		return;
	}
	switch (offset / 8) {
	case VTD_GCMD / 8: { /* status in its upper half */
		uint32_t command = (uint32_t) new, status = (uint32_t)(old >> 32);

		if (offset % 8 < 4)
			status = (status & ~STATES) | (command & STATES) | (status & POINTERS) |
				 (command & POINTERS);
		*word = (uint64_t)status << 32; /* the command reads 0 */
		return;
	}
	case VTD_CCMD / 8:
		*word = new & ~VTD_CCMD_ICC;
		return;
	case VTD_FSTS / 8: /* faults are not the firmware's: their status stays 0 */
		*word = new &UINT64_C(0xffffffff);
		return;
	case VTD_PMEN / 8: /* in the upper half */
		new &= ~((uint64_t)VTD_PMEN_PRS << 32);
		*word = new | (new >> 63 ? (uint64_t)VTD_PMEN_PRS << 32 : 0);
		return;
	case VTD_IQT / 8:
		*word = new;
		s->word[VTD_IQH / 8] = new; /* all is done at once */
		return;
	case VTD_VER / 8:
	case VTD_CAP / 8:
	case VTD_ECAP / 8:
	case VTD_IQH / 8:
		return;
	default:
		*word = new;
	}
}
