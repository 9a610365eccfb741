/* Performs an instruction whose operands may lie in ranges of emulated memory. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/mmio_access.h"
#include "core/errno.h"

#define VECTOR_GENERAL   13 /* #GP */
#define VECTOR_STACK     12 /* #SS */
#define VECTOR_PAGE      14 /* #PF */
#define VECTOR_ALIGNMENT 17 /* #AC */

/* Where the bytes of an operand lie: one piece a page. */
struct place {
	gpa_t gpa[2];
	unsigned size[2]; /* the second is 0 unless the operand crosses a page */
};

static int fault(struct mmio_access *a, unsigned vector, uint32_t error_code, uint64_t cr2)
{
	a->vector = (uint8_t)vector;
	a->error_code = error_code;
	a->cr2 = cr2;
	return -EFAULT;
}

static uint64_t low_bytes(uint64_t value, unsigned size)
{
	return size >= 8 ? value : value & ((UINT64_C(1) << (8 * size)) - 1);
}

/* A page keeps its translation until the call ends: a TLB may do that, too. */
static int translate(struct mmio_access *a, uint64_t la, enum insn_seg seg, bool write, gpa_t *gpa)
{
	uint64_t page = align_down(la, PAGE_SIZE);
	struct gwalk_out out;

	for (unsigned i = 0; i < a->page_count; i++) {
		if (a->pages[i].la == page && (a->pages[i].write || !write)) {
			*gpa = GPA(a->pages[i].gpa | (la & PAGE_MASK));
			return 0;
		}
	}
	int r = a->env->translate(a->arg, GVA(la), write ? GWALK_WRITE : GWALK_READ, &out);

	if (r == GWALK_FAULT)
		return fault(a, VECTOR_PAGE, out.error_code, la);
	if (r == GWALK_NONCANONICAL)
		return fault(a, seg == INSN_SS ? VECTOR_STACK : VECTOR_GENERAL, 0, 0);
	if (r < 0)
		return r == -EFAULT ? fault(a, VECTOR_GENERAL, 0, 0) : r;
	*gpa = out.gpa;
	a->pages[a->page_next].la = page;
	a->pages[a->page_next].gpa = align_down(out.gpa.a, PAGE_SIZE);
	a->pages[a->page_next].write = write;
	a->page_next = (a->page_next + 1) % MMIO_PAGES;
	if (a->page_count < MMIO_PAGES)
		a->page_count++;
	return 0;
}

/* All checks of an access, and where it goes. */
static int locate(struct mmio_access *a, enum insn_seg seg, uint64_t offset, unsigned size,
		  bool write, struct place *p)
{
	struct seg_state s;
	uint64_t la;
	int r;

	a->env->seg(a->arg, seg, &s);
	unsigned vector = segment_linear(&a->segment, seg, &s, offset, size, write, &la);

	if (vector)
		return fault(a, vector, 0, 0);
	unsigned left = (unsigned)(PAGE_SIZE - (la & PAGE_MASK));

	p->size[0] = size < left ? size : left;
	p->size[1] = size - p->size[0];
	r = translate(a, la, seg, write, &p->gpa[0]);
	if (r == 0 && p->size[1]) {
		uint64_t second = la + p->size[0];

		if (a->segment.mode != INSN_MODE64)
			second = (uint32_t)second;
		r = translate(a, second, seg, write, &p->gpa[1]);
	}
	if (r == 0 && a->alignment && la & (size - 1))
		r = fault(a, VECTOR_ALIGNMENT, 0, 0);
	return r;
}

static uint64_t read_piece(struct mmio_access *a, const struct mmio_range *r, uint64_t gpa,
			   unsigned size)
{
	uint64_t value = UINT64_MAX;

	if (!r || r->mode == MMIO_WRITES)
		a->env->read(a->arg, GPA(gpa), size, &value);
	else if (r->ops->read(r->arg, gpa - r->base, size, &value) != 0)
		value = UINT64_MAX;
	return low_bytes(value, size);
}

static uint64_t read_place(struct mmio_access *a, const struct place *p)
{
	uint64_t value = 0;
	unsigned done = 0;

	for (unsigned i = 0; i < 2; i++) {
		for (unsigned at = 0; at < p->size[i];) {
			const struct mmio_range *r;
			uint64_t gpa = p->gpa[i].a + at;
			unsigned size = mmio_range_piece(a->ranges, gpa, p->size[i] - at, &r);

			value |= read_piece(a, r, gpa, size) << (8 * done);
			done += size;
			at += size;
		}
	}
	return value;
}

static void write_place(struct mmio_access *a, const struct place *p, uint64_t value)
{
	unsigned done = 0;

	for (unsigned i = 0; i < 2; i++) {
		for (unsigned at = 0; at < p->size[i];) {
			/* looked up for each piece: a handler may move ranges */
			const struct mmio_range *r;
			uint64_t gpa = p->gpa[i].a + at;
			unsigned size = mmio_range_piece(a->ranges, gpa, p->size[i] - at, &r);
			uint64_t part = low_bytes(value >> (8 * done), size);

			if (r)
				r->ops->write(r->arg, gpa - r->base, size, part);
			else
				a->env->write(a->arg, GPA(gpa), size, part);
			done += size;
			at += size;
		}
	}
}

/* Plain memory, and in one piece: the CPU's own atomic update does. */
static bool is_memory(const struct mmio_access *a, const struct place *p, unsigned size)
{
	const struct mmio_range *r;

	return p->size[0] == size && mmio_range_piece(a->ranges, p->gpa[0].a, size, &r) == size &&
	       !r;
}

static int mem_read(void *arg, enum insn_seg seg, uint64_t offset, unsigned size, uint64_t *value)
{
	struct mmio_access *a = arg;
	struct place p;
	int r = locate(a, seg, offset, size, false, &p);

	if (r)
		return r;
	*value = read_place(a, &p);
	a->seen.gpa = p.gpa[0];
	a->seen.size = size;
	a->seen.value = *value;
	return 0;
}

static int mem_write(void *arg, enum insn_seg seg, uint64_t offset, unsigned size, uint64_t value)
{
	struct mmio_access *a = arg;
	struct place p;
	int r = locate(a, seg, offset, size, true, &p);

	a->seen.size = 0;
	if (r == 0)
		write_place(a, &p, value);
	return r;
}

/*
 * In a range nobody else comes between, so an update is one read and one write, as a device sees
 * it. A comparison that fails writes what it has read (SDM 2A, CMPXCHG).
 */
static int mem_cmpxchg(void *arg, enum insn_seg seg, uint64_t offset, unsigned size,
		       uint64_t *expected, uint64_t value)
{
	struct mmio_access *a = arg;
	struct place p;
	int r = locate(a, seg, offset, size, true, &p);

	if (r)
		return r;
	if (is_memory(a, &p, size))
		return a->env->cmpxchg(a->arg, p.gpa[0], size, expected, value);
	uint64_t old =
	    a->seen.size == size && a->seen.gpa.a == p.gpa[0].a ? a->seen.value : read_place(a, &p);

	a->seen.size = 0;
	write_place(a, &p, old == *expected ? value : old);
	r = old == *expected ? 0 : 1;
	*expected = old;
	return r;
}

static int mem_check(void *arg, enum insn_seg seg, uint64_t offset, unsigned size, bool write)
{
	struct place p;

	return locate(arg, seg, offset, size, write, &p);
}

static uint64_t reg_get(void *arg, unsigned reg)
{
	struct mmio_access *a = arg;

	return a->env->reg_get(a->arg, reg);
}

static void reg_set(void *arg, unsigned reg, uint64_t value)
{
	struct mmio_access *a = arg;

	a->env->reg_set(a->arg, reg, value);
}

static uint64_t rflags_get(void *arg)
{
	struct mmio_access *a = arg;

	return a->env->rflags_get(a->arg);
}

static void rflags_set(void *arg, uint64_t value)
{
	struct mmio_access *a = arg;

	a->env->rflags_set(a->arg, value);
}

int mmio_access(struct mmio_access *a, const struct insn *insn, unsigned limit)
{
	const struct insn_cpu cpu = {
	    .arg = a,
	    .next_rip = a->next_rip,
	    .stack_size = a->stack_size,
	    .reg_get = reg_get,
	    .reg_set = reg_set,
	    .rflags_get = rflags_get,
	    .rflags_set = rflags_set,
	    .mem_read = mem_read,
	    .mem_write = mem_write,
	    .mem_cmpxchg = mem_cmpxchg,
	    .mem_check = mem_check,
	};

	a->page_count = a->page_next = 0;
	a->seen.size = 0;
	a->vector = 0;
	int r = insn_exec(insn, &cpu, limit);

	return r == -EFAULT ? MMIO_FAULT : r;
}
