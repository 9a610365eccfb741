/* Segmentation of data accesses: offset to linear address, with limits and rights. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/insn/mode.h"
#include "core/vm/vcpu.h"

/* What the checks depend on besides the segment register. */
struct segment_cpu {
	enum insn_mode mode; /* INSN_MODE64: 64-bit mode, most checks are off */
	bool
	    rights; /* protected mode: type and presence count; not in real and virtual-8086 mode */
	uint8_t la_bits; /* 64-bit mode: 48, or 57 with CR4.LA57 */
};

/*
 * Linear address of the `size` (1 to 8) bytes at `offset` of the segment in `s`, which register
 * `seg` holds. `offset` is truncated to the address size already. Returns 0; else the vector of the
 * exception, 12 (#SS) or 13 (#GP), with error code 0: SDM 3A 5.3 to 5.5, SDM 1 3.3.7.1.
 */
unsigned segment_linear(const struct segment_cpu *cpu, enum insn_seg seg, const struct seg_state *s,
			uint64_t offset, unsigned size, bool write, uint64_t *la);
