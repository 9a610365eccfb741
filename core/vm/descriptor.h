/* Segment registers outside of 64-bit mode: what a descriptor gives them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/vcpu.h"

/* Attribute bits of struct seg_state beside SEG_ATTR_*. */
#define SEG_ATTR_TYPE   0x0fu
#define SEG_ATTR_S      0x10u /* code or data, not system */
#define SEG_ATTR_DPL    0x60u
#define SEG_TYPE_CODE   0x08u
#define SEG_TYPE_DOWN   0x04u /* data: expand-down */
#define SEG_TYPE_CONF   0x04u /* code: conforming */
#define SEG_TYPE_WRITE  0x02u /* data: writable */
#define SEG_TYPE_READ   0x02u /* code: readable */
#define SEG_TYPE_ACCESS 0x01u

static inline unsigned descriptor_dpl(const struct seg_state *s)
{
	return s->attr >> 5 & 3;
}

/* A segment register as `descriptor` (8 bytes, SDM 3A figure 3-8) gives it to `selector`. */
struct seg_state descriptor_segment(uint16_t selector, const uint8_t descriptor[8]);
/* As virtual-8086 mode has them: base 16 * selector, limit ffffh, DPL 3 (SDM 3B 21.2). */
struct seg_state descriptor_v86(uint16_t selector);
