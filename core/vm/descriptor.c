/* Segment registers outside of 64-bit mode: what a descriptor gives them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/descriptor.h"

#define BYTE6_G 0x80u

struct seg_state descriptor_segment(uint16_t selector, const uint8_t d[8])
{
	uint32_t limit = (uint32_t)d[0] | (uint32_t)d[1] << 8 | (uint32_t)(d[6] & 0xf) << 16;

	return (struct seg_state){
	    .selector = selector,
	    /* L means nothing outside of IA-32e mode */
	    .attr = (uint16_t)((d[5] | (unsigned)(d[6] & 0xf0) << 4) & ~SEG_ATTR_L),
	    .limit = d[6] & BYTE6_G ? limit << 12 | 0xfff : limit,
	    .base =
		(uint32_t)d[2] | (uint32_t)d[3] << 8 | (uint32_t)d[4] << 16 | (uint32_t)d[7] << 24,
	};
}

struct seg_state descriptor_v86(uint16_t selector)
{
	return (struct seg_state){
	    .selector = selector,
	    .attr = SEG_ATTR_P | SEG_ATTR_DPL | SEG_ATTR_S | SEG_TYPE_WRITE | SEG_TYPE_ACCESS,
	    .limit = 0xffff,
	    .base = (uint32_t)selector << 4,
	};
}
