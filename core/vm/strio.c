/* INS and OUTS, element by element, on a port that the VMM handles. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/strio.h"

#define PAGE_BYTES 4096u

#define VECTOR_AC 17

/* An element that crosses a page has two parts. */
struct part {
	uint64_t gpa;
	unsigned n;
};

static uint64_t address_mask(const struct strio *s)
{
	return s->address_size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * s->address_size)) - 1;
}

/* As a write to CX, ECX or RCX: in 64-bit mode the 32-bit one clears the upper half. */
static void reg_set(const struct strio *s, uint64_t *reg, uint64_t value)
{
	uint64_t mask = address_mask(s);

	*reg = (s->address_size == 2 ? *reg & ~mask : 0) | (value & mask);
}

static bool fault(struct strio_fault *f, uint8_t vector)
{
	*f = (struct strio_fault){.vector = vector};
	return false;
}

/* Finds an element's bytes. */
static bool locate(const struct strio *s, const struct strio_ops *ops, uint64_t offset,
		   struct part part[2], struct strio_fault *f)
{
	uint64_t la;
	unsigned n,
	    vector = segment_linear(&s->cpu, s->segment, &s->seg, offset, s->size, !s->write, &la);

	if (vector)
		return fault(f, (uint8_t)vector);
	if (s->aligned && la & (s->size - 1u))
		return fault(f, VECTOR_AC);
	n = PAGE_BYTES - (unsigned)(la & (PAGE_BYTES - 1));
	part[0].n = n < s->size ? n : s->size;
	part[1].n = s->size - part[0].n;
	if (!ops->translate(ops->arg, la, !s->write, &part[0].gpa, f))
		return false;
	la += part[0].n;
	if (s->cpu.mode != INSN_MODE64)
		la = (uint32_t)la;
	return part[1].n == 0 || ops->translate(ops->arg, la, !s->write, &part[1].gpa, f);
}

static bool element(const struct strio *s, const struct strio_ops *ops, uint64_t offset,
		    struct strio_fault *f)
{
	struct part part[2] = {{0}};
	uint32_t value = 0;

	if (!locate(s, ops, offset, part, f))
		return false;
	if (s->write) {
		value = ops->mem_read(ops->arg, part[0].gpa, part[0].n);
		if (part[1].n)
			value |= ops->mem_read(ops->arg, part[1].gpa, part[1].n) << (8 * part[0].n);
		ops->port(ops->arg, &value);
	} else {
		ops->port(ops->arg, &value);
		ops->mem_write(ops->arg, part[0].gpa, part[0].n, value);
		if (part[1].n)
			ops->mem_write(ops->arg, part[1].gpa, part[1].n, value >> (8 * part[0].n));
	}
	return true;
}

enum strio_result strio_run(const struct strio *s, const struct strio_ops *ops, uint64_t *rcx,
			    uint64_t *index, unsigned limit, struct strio_fault *f)
{
	uint64_t mask = address_mask(s), step = s->down ? 0 - (uint64_t)s->size : s->size;

	do {
		if (s->rep && (*rcx & mask) == 0)
			return STRIO_DONE;
		if (!element(s, ops, *index & mask, f))
			return STRIO_FAULT;
		reg_set(s, index, *index + step);
		if (!s->rep)
			return STRIO_DONE;
		reg_set(s, rcx, *rcx - 1);
	} while (limit-- > 1);
	return (*rcx & mask) == 0 ? STRIO_DONE : STRIO_AGAIN;
}
