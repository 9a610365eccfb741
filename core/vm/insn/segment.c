/* Segmentation of data accesses: offset to linear address, with limits and rights. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/insn/segment.h"

#define VECTOR_STACK   12 /* #SS */
#define VECTOR_GENERAL 13 /* #GP */

/* Type bits of code and data segments, SDM 3A 3.4.5.1. */
#define TYPE_CODE        0x8u
#define TYPE_EXPAND_DOWN 0x4u /* data */
#define TYPE_WRITABLE    0x2u /* data */
#define TYPE_READABLE    0x2u /* code */

static bool is_canonical(uint64_t la, unsigned bits)
{
	uint64_t top = la >> (bits - 1);

	return top == 0 || top == UINT64_MAX >> (bits - 1);
}

static bool type_allows(unsigned type, bool write)
{
	if (type & TYPE_CODE)
		return !write && (type & TYPE_READABLE);
	return !write || (type & TYPE_WRITABLE);
}

static bool within_limit(const struct seg_state *s, uint64_t offset, uint64_t last)
{
	if ((s->attr & (TYPE_CODE | TYPE_EXPAND_DOWN)) != TYPE_EXPAND_DOWN)
		return last <= s->limit;
	return offset > s->limit && last <= (s->attr & SEG_ATTR_DB ? UINT32_MAX : UINT16_MAX);
}

unsigned segment_linear(const struct segment_cpu *cpu, enum insn_seg seg, const struct seg_state *s,
			uint64_t offset, unsigned size, bool write, uint64_t *la)
{
	unsigned fault = seg == INSN_SS ? VECTOR_STACK : VECTOR_GENERAL;
	uint64_t last = offset + size - 1;

	if (cpu->mode == INSN_MODE64) {
		*la = offset + (seg == INSN_FS || seg == INSN_GS ? s->base : 0);
		if (!is_canonical(*la, cpu->la_bits) || !is_canonical(*la + size - 1, cpu->la_bits))
			return fault;
		return 0;
	}
	if (cpu->rights && (!(s->attr & SEG_ATTR_P) || !type_allows(s->attr & 0xfu, write)))
		return s->attr & SEG_ATTR_P ? VECTOR_GENERAL : fault;
	if (!within_limit(s, offset, last))
		return fault;
	*la = (uint32_t)(s->base + offset);
	return 0;
}
