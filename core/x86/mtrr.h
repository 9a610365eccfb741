/* Memory-type range registers: a copy of their state, the memory type it gives to an address, guest
 * writes. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/addr.h"

/* Memory types as MTRRs, PAT and EPT encode them (SDM 3A table 12-2). */
enum mtrr_type { MTRR_UC = 0, MTRR_WC = 1, MTRR_WT = 4, MTRR_WP = 5, MTRR_WB = 6 };

#define MTRR_VAR_MAX   32 /* pairs that are modelled; no CPU has more than 10 today */
#define MTRR_FIXED_MAX 11

#define MSR_MTRRCAP       UINT32_C(0xfe)
#define MSR_MTRR_PHYSBASE UINT32_C(0x200) /* pairs: base, mask */
#define MSR_MTRR_FIX64K   UINT32_C(0x250) /* 00000, then 16K: 0x258, 0x259, then 4K: 0x268..0x26f */
#define MSR_MTRR_FIX16K   UINT32_C(0x258)
#define MSR_MTRR_FIX4K    UINT32_C(0x268)
#define MSR_MTRR_DEF_TYPE UINT32_C(0x2ff)

#define MTRR_CAP_VCNT       UINT64_C(0xff)
#define MTRR_CAP_FIX        (UINT64_C(1) << 8)
#define MTRR_CAP_WC         (UINT64_C(1) << 10)
#define MTRR_DEF_TYPE_FE    (UINT64_C(1) << 10)
#define MTRR_DEF_TYPE_E     (UINT64_C(1) << 11)
#define MTRR_PHYSMASK_VALID (UINT64_C(1) << 11)

struct mtrr_state {
	uint64_t cap;                   /* IA32_MTRRCAP: VCNT pairs, FIX, WC */
	uint64_t def_type;              /* IA32_MTRR_DEF_TYPE: type, FE, E */
	uint64_t fixed[MTRR_FIXED_MAX]; /* in the order of their addresses: 64K, 16K x 2, 4K x 8 */
	struct {
		uint64_t base, mask; /* as in the registers */
	} var[MTRR_VAR_MAX];
	unsigned int phys_bits; /* MAXPHYADDR, 32..52 */
};

/*
 * Memory type of one address: SDM 3A 12.11.4.1. Fixed ranges first; UC wins; WT and WB give WT;
 * other overlaps of different types, which the manual leaves undefined, give UC; MTRRs off give UC;
 * a type value that does not exist gives UC. Masks with holes are honoured bit by bit as hardware
 * does.
 */
enum mtrr_type mtrr_type_of(const struct mtrr_state *m, gpa_t gpa);

/*
 * Bytes from `gpa` to the first byte of another type, at most `limit` (an address, exclusive);
 * `*type` is that one type. 0 when gpa >= limit. Work is bounded: masks full of holes, which only a
 * hostile guest writes, may get a shorter run, never a wrong one.
 */
uint64_t mtrr_uniform_range(const struct mtrr_state *m, gpa_t gpa, gpa_t limit,
			    enum mtrr_type *type);

/*
 * True when both surely give the same types to all addresses: nothing differs but registers that
 * have no effect in either (all are off, fixed ranges are, a pair is not valid). For states of one
 * CPU.
 */
bool mtrr_same_types(const struct mtrr_state *a, const struct mtrr_state *b);

struct mtrr_range {
	uint64_t base, end;
};

/*
 * Where the two give different types, below 1 << phys_bits: at most `max` ranges in `range`, in
 * order; returns how many. There are none when mtrr_same_types(). What is between the last one and
 * others, when there are more, counts as different as well. Work is bounded as above. For states of
 * one CPU.
 */
unsigned int mtrr_differences(const struct mtrr_state *a, const struct mtrr_state *b,
			      struct mtrr_range *range, unsigned int max);

/* Index into fixed[] of a fixed-range register, or -1. */
static inline int mtrr_fixed_index(const struct mtrr_state *m, uint32_t index)
{
	if ((m->cap & MTRR_CAP_FIX) == 0)
		return -1;
	if (index == MSR_MTRR_FIX64K)
		return 0;
	if (index == MSR_MTRR_FIX16K || index == MSR_MTRR_FIX16K + 1)
		return (int)(index - MSR_MTRR_FIX16K) + 1;
	if (index >= MSR_MTRR_FIX4K && index < MSR_MTRR_FIX4K + 8)
		return (int)(index - MSR_MTRR_FIX4K) + 3;
	return -1;
}

/* True when `index` is one of the registers this state holds (MTRRCAP included). */
bool mtrr_msr_known(const struct mtrr_state *m, uint32_t index);

/* RDMSR of a known register: 0, or -EINVAL (#GP). */
int mtrr_msr_read(const struct mtrr_state *m, uint32_t index, uint64_t *value);

/*
 * WRMSR: 0 and the state changed, or -EINVAL (#GP): unknown or read-only register, reserved bits, a
 * type that does not exist. The caller then recomputes what depends on memory types.
 */
int mtrr_msr_write(struct mtrr_state *m, uint32_t index, uint64_t value);
