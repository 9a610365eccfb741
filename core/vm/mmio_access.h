/* Performs an instruction whose operands may lie in ranges of emulated memory. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/addr.h"
#include "core/vm/gwalk.h"
#include "core/vm/insn/decode.h"
#include "core/vm/insn/segment.h"
#include "core/vm/mmio_range.h"
#include <stdbool.h>
#include <stdint.h>

/* The CPU and its memory. */
struct mmio_env {
	uint64_t (*reg_get)(void *arg, unsigned reg);
	void (*reg_set)(void *arg, unsigned reg, uint64_t value);
	uint64_t (*rflags_get)(void *arg);
	void (*rflags_set)(void *arg, uint64_t value);
	void (*seg)(void *arg, enum insn_seg seg, struct seg_state *s);
	/* As gwalk(), with the guest's own rights; sets accessed and dirty flags. */
	int (*translate)(void *arg, gva_t la, enum gwalk_access access, struct gwalk_out *out);
	/* Memory outside of the ranges: 1 to 8 bytes in one page. What is not there reads as ones.
	 */
	void (*read)(void *arg, gpa_t gpa, unsigned size, uint64_t *value);
	void (*write)(void *arg, gpa_t gpa, unsigned size, uint64_t value);
	/* Atomic, 1, 2, 4 or 8 bytes: 0 = stored; 1 = *expected is what was there instead. */
	int (*cmpxchg)(void *arg, gpa_t gpa, unsigned size, uint64_t *expected, uint64_t value);
};

#define MMIO_FAULT 2 /* the instruction faults */

#define MMIO_PAGES                                                                                 \
	4 /* translations kept for one call of mmio_access(): source and target, two each */

struct mmio_access {
	/* set by the caller */
	const struct mmio_ranges *ranges;
	const struct mmio_env *env;
	void *arg; /* of env */
	struct segment_cpu segment;
	uint8_t stack_size; /* bytes, as in struct insn_cpu */
	bool alignment;     /* CR0.AM, RFLAGS.AC and CPL 3: misaligned accesses fault */
	uint64_t next_rip;
	/* results, with MMIO_FAULT */
	uint8_t vector;
	uint32_t error_code;
	uint64_t cr2; /* #PF */
	/* private */
	struct {
		uint64_t la, gpa; /* pages */
		bool write;
	} pages[MMIO_PAGES];
	unsigned page_count, page_next;
	struct {
		gpa_t gpa;
		unsigned size; /* 0: none */
		uint64_t value;
	} seen; /* what the last read found, for an atomic update */
};

/*
 * Perform `insn`. All that can fault is asked before the first access that a handler or a device
 * sees. Returns 0, INSN_AGAIN after `limit` elements of a repeated string, MMIO_FAULT (vector,
 * error_code and cr2 are set; registers and flags as the manual says), -EBUSY (start again), or a
 * negative error of env->translate. Context: the lock of core/vm/mmio.h, which makes updates of the
 * ranges atomic between CPUs.
 */
int mmio_access(struct mmio_access *a, const struct insn *insn, unsigned limit);
