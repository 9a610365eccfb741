/* Memory types out of MTRRs: one address, the longest run of one type, and what a guest may write.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/mtrr.h"
#include "core/errno.h"

#define FIXED_END UINT64_C(0x100000)
#define TYPE_MASK UINT64_C(0xff)
/* Runs that are joined at most: 32 sane pairs have 65 of them, the fixed ranges 88. */
#define SEGMENTS_MAX 256

static uint64_t address_mask(const struct mtrr_state *m)
{
	return ((UINT64_C(1) << m->phys_bits) - 1) & ~PAGE_MASK;
}

static unsigned int var_count(const struct mtrr_state *m)
{
	uint64_t count = m->cap & MTRR_CAP_VCNT;

	return count < MTRR_VAR_MAX ? (unsigned int)count : MTRR_VAR_MAX;
}

static bool type_exists(uint64_t type)
{
	return type == MTRR_UC || type == MTRR_WC || type == MTRR_WT || type == MTRR_WP ||
	       type == MTRR_WB;
}

/* A type that cannot be in the register of a real CPU counts as the safe one. */
static enum mtrr_type type_from(uint64_t value)
{
	value &= TYPE_MASK;
	return type_exists(value) ? (enum mtrr_type)value : MTRR_UC;
}

static bool fixed_active(const struct mtrr_state *m, uint64_t addr)
{
	const uint64_t on = MTRR_DEF_TYPE_E | MTRR_DEF_TYPE_FE;

	return addr < FIXED_END && (m->cap & MTRR_CAP_FIX) != 0 && (m->def_type & on) == on;
}

/* Where an address below 1 MiB is in fixed[]: register, byte in it, and the size of its range. */
static enum mtrr_type fixed_type(const struct mtrr_state *m, uint64_t addr, uint64_t *range_end)
{
	unsigned int shift, first;
	uint64_t start;

	if (addr < 0x80000) {
		shift = 16;
		first = 0;
		start = 0;
	} else if (addr < 0xc0000) {
		shift = 14;
		first = 1;
		start = 0x80000;
	} else {
		shift = 12;
		first = 3;
		start = 0xc0000;
	}
	uint64_t n = (addr - start) >> shift;

	*range_end = start + ((n + 1) << shift);
	return type_from(m->fixed[first + n / 8] >> (n % 8 * 8));
}

/* SDM 3A 12.11.4.1: the type of two overlapping ranges. Commutative; UC absorbs. */
static enum mtrr_type combine(enum mtrr_type a, enum mtrr_type b)
{
	if (a == b)
		return a;
	if ((a == MTRR_WT && b == MTRR_WB) || (a == MTRR_WB && b == MTRR_WT))
		return MTRR_WT;
	return MTRR_UC;
}

/*
 * First address above `addr` that a pair matches, or UINT64_MAX. `addr` itself does not match;
 * `base` has no bit outside `mask`. The highest bit where they differ decides: bits below it are
 * free to be the least, and if `addr` has the 1 there, a bit that the mask leaves free has to be
 * raised above it.
 */
static uint64_t next_match(uint64_t addr, uint64_t base, uint64_t mask, unsigned int phys_bits)
{
	uint64_t differ = (addr ^ base) & mask;
	unsigned int bit = 63 - (unsigned int)__builtin_clzll(differ);

	if (((base >> bit) & 1) == 0) {
		do {
			bit++;
		} while (bit < phys_bits && (((mask | addr) >> bit) & 1) != 0);
		if (bit >= phys_bits)
			return UINT64_MAX;
		addr |= UINT64_C(1) << bit;
	}
	uint64_t below = (UINT64_C(1) << bit) - 1;

	return (addr & ~below & ~mask) | base;
}

/* Type at `addr`; *end is lowered to where some range begins or ends next. */
static enum mtrr_type type_at(const struct mtrr_state *m, uint64_t addr, uint64_t *end)
{
	enum mtrr_type type = MTRR_UC;
	bool matched = false;

	if ((m->def_type & MTRR_DEF_TYPE_E) == 0)
		return MTRR_UC;
	if (fixed_active(m, addr)) {
		uint64_t range_end;

		type = fixed_type(m, addr, &range_end);
		if (range_end < *end)
			*end = range_end;
		return type;
	}
	for (unsigned int i = 0; i < var_count(m); i++) {
		uint64_t mask = m->var[i].mask & address_mask(m);
		uint64_t base = m->var[i].base & mask;
		uint64_t change = UINT64_MAX;

		if ((m->var[i].mask & MTRR_PHYSMASK_VALID) == 0)
			continue;
		if ((addr & mask) == base) {
			/* Bits below the mask's lowest are free: the match ends where that bit
			 * would change. */
			if (mask != 0)
				change = (addr | ((mask & -mask) - 1)) + 1;
			type = matched ? combine(type, type_from(m->var[i].base))
				       : type_from(m->var[i].base);
			matched = true;
		} else {
			change = next_match(addr, base, mask, m->phys_bits);
		}
		if (change < *end)
			*end = change;
	}
	return matched ? type : type_from(m->def_type);
}

enum mtrr_type mtrr_type_of(const struct mtrr_state *m, gpa_t gpa)
{
	uint64_t end = UINT64_MAX;

	return type_at(m, gpa.a, &end);
}

uint64_t mtrr_uniform_range(const struct mtrr_state *m, gpa_t gpa, gpa_t limit,
			    enum mtrr_type *type)
{
	uint64_t end = limit.a;

	if (gpa.a >= limit.a)
		return 0;
	*type = type_at(m, gpa.a, &end);
	for (unsigned int i = 0; i < SEGMENTS_MAX && end < limit.a; i++) {
		uint64_t next = limit.a;

		if (type_at(m, end, &next) != *type)
			break;
		end = next;
	}
	return end - gpa.a;
}

static bool same_fixed(const struct mtrr_state *a, const struct mtrr_state *b)
{
	for (unsigned int i = 0; i < MTRR_FIXED_MAX; i++) {
		if (a->fixed[i] != b->fixed[i])
			return false;
	}
	return true;
}

static uint64_t var_effect(const struct mtrr_state *m, unsigned int i, uint64_t value)
{
	return m->var[i].mask & MTRR_PHYSMASK_VALID ? value : 0;
}

bool mtrr_same_types(const struct mtrr_state *a, const struct mtrr_state *b)
{
	uint64_t on = a->def_type | b->def_type;

	if (!(on & MTRR_DEF_TYPE_E))
		return true;
	if (a->def_type != b->def_type)
		return false;
	if (on & MTRR_DEF_TYPE_FE && !same_fixed(a, b))
		return false;
	for (unsigned int i = 0; i < var_count(a); i++) {
		if (var_effect(a, i, a->var[i].mask) != var_effect(b, i, b->var[i].mask) ||
		    var_effect(a, i, a->var[i].base) != var_effect(b, i, b->var[i].base))
			return false;
	}
	return true;
}

unsigned int mtrr_differences(const struct mtrr_state *a, const struct mtrr_state *b,
			      struct mtrr_range *range, unsigned int max)
{
	const uint64_t limit = UINT64_C(1) << a->phys_bits;
	unsigned int n = 0;
	uint64_t at = 0;

	if (mtrr_same_types(a, b))
		return 0;
	if (fixed_active(a, 0) && fixed_active(b, 0) && same_fixed(a, b))
		at = FIXED_END; /* most of the segments lie below */
	for (unsigned int i = 0; at < limit; i++) {
		bool rest = i == SEGMENTS_MAX; /* counts as different */
		uint64_t end = limit;

		if (rest || type_at(a, at, &end) != type_at(b, at, &end)) {
			if (n == 0 || (range[n - 1].end != at && n < max))
				range[n++].base = at;
			range[n - 1].end = end;
		}
		at = end;
	}
	return n;
}

static bool is_var(const struct mtrr_state *m, uint32_t index)
{
	return index >= MSR_MTRR_PHYSBASE && index < MSR_MTRR_PHYSBASE + 2 * var_count(m);
}

bool mtrr_msr_known(const struct mtrr_state *m, uint32_t index)
{
	return index == MSR_MTRRCAP || index == MSR_MTRR_DEF_TYPE || is_var(m, index) ||
	       mtrr_fixed_index(m, index) >= 0;
}

int mtrr_msr_read(const struct mtrr_state *m, uint32_t index, uint64_t *value)
{
	int fixed = mtrr_fixed_index(m, index);

	if (index == MSR_MTRRCAP) {
		*value = m->cap;
	} else if (index == MSR_MTRR_DEF_TYPE) {
		*value = m->def_type;
	} else if (fixed >= 0) {
		*value = m->fixed[fixed];
	} else if (is_var(m, index)) {
		unsigned int n = (index - MSR_MTRR_PHYSBASE) / 2;

		*value = (index & 1) != 0 ? m->var[n].mask : m->var[n].base;
	} else {
		return -EINVAL;
	}
	return 0;
}

/* May a guest write this type? WC needs its capability bit. */
static bool type_writable(const struct mtrr_state *m, uint64_t type)
{
	return type_exists(type) && (type != MTRR_WC || (m->cap & MTRR_CAP_WC) != 0);
}

static int write_def_type(struct mtrr_state *m, uint64_t value)
{
	if ((value & ~(TYPE_MASK | MTRR_DEF_TYPE_FE | MTRR_DEF_TYPE_E)) != 0 ||
	    !type_writable(m, value & TYPE_MASK))
		return -EINVAL;
	m->def_type = value;
	return 0;
}

static int write_fixed(struct mtrr_state *m, unsigned int n, uint64_t value)
{
	for (unsigned int i = 0; i < 8; i++) {
		if (!type_writable(m, (value >> (i * 8)) & TYPE_MASK))
			return -EINVAL;
	}
	m->fixed[n] = value;
	return 0;
}

static int write_var(struct mtrr_state *m, uint32_t index, uint64_t value)
{
	unsigned int n = (index - MSR_MTRR_PHYSBASE) / 2;
	bool is_mask = (index & 1) != 0;
	uint64_t defined = address_mask(m) | (is_mask ? MTRR_PHYSMASK_VALID : TYPE_MASK);

	if ((value & ~defined) != 0 || (!is_mask && !type_writable(m, value & TYPE_MASK)))
		return -EINVAL;
	if (is_mask)
		m->var[n].mask = value;
	else
		m->var[n].base = value;
	return 0;
}

int mtrr_msr_write(struct mtrr_state *m, uint32_t index, uint64_t value)
{
	int fixed = mtrr_fixed_index(m, index);

	if (index == MSR_MTRR_DEF_TYPE)
		return write_def_type(m, value);
	if (fixed >= 0)
		return write_fixed(m, (unsigned int)fixed, value);
	if (is_var(m, index))
		return write_var(m, index, value);
	return -EINVAL;
}
