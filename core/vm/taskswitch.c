/* Task switches by the rules of SDM 3A 7.3, for CPUs that leave them to the VMM. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/taskswitch.h"
#include "core/string.h"
#include "core/vm/descriptor.h"
#include "core/vm/insn/segment.h"

#define VECTOR_TS 10
#define VECTOR_NP 11
#define VECTOR_SS 12
#define VECTOR_GP 13

#define ERROR_EXT     1u
#define SELECTOR_RPL  3u
#define SELECTOR_TI   4u
#define SELECTOR_NULL 3u /* up to here */

#define CR0_TS     (UINT64_C(1) << 3)
#define CR0_PG     (UINT64_C(1) << 31)
#define DR6_BT     (UINT64_C(1) << 15)
#define DR7_LOCAL  UINT64_C(0x155)      /* L0-L3, LE: gone with the task (SDM 3B 18.2.4) */
#define EFLAGS_ONE UINT32_C(0x2)        /* always 1 */
#define EFLAGS_ALL UINT32_C(0x003f7fd5) /* all that are defined */
#define EFLAGS_NT  UINT32_C(0x4000)
#define EFLAGS_VM  UINT32_C(0x20000)

/* System descriptor types (SDM 3A table 3-2). */
#define TYPE_LDT   2u
#define TYPE_TSS16 1u
#define TYPE_TSS32 9u
#define TYPE_BUSY  2u

/* Of a TSS: EIP, EFLAGS, eight general registers and the segments follow each other. */
struct layout {
	uint8_t eip, segments, ldt, limit, width;
};
static const struct layout tss16 = {.eip = 0x0e, .segments = 4, .ldt = 0x2a, .limit = 0x2b, 2},
			   tss32 = {.eip = 0x20, .segments = 6, .ldt = 0x60, .limit = 0x67, 4};

enum { TSS_LINK = 0, TSS32_CR3 = 0x1c, TSS32_TRAP = 0x64, TSS_MAX = 0x68 };
enum { VALUE_EIP, VALUE_EFLAGS, VALUE_GPR, VALUE_SEG = VALUE_GPR + 8 };

#define DESCRIPTOR_ACCESS 5 /* byte that holds P, DPL, S and the type */

struct run {
	const struct task_switch *t;
	struct vcpu_state *s;
	const struct task_memory *m;
	struct task_result *r;
};

static bool fault(struct run *x, uint8_t vector, uint16_t selector)
{
	x->r->fault = true;
	x->r->f = (struct task_fault){
	    .vector = vector,
	    .error = (selector & ~SELECTOR_RPL) | (x->t->external ? ERROR_EXT : 0),
	};
	return false;
}

static bool memory(struct run *x, bool ok)
{
	x->r->fault |= !ok;
	return ok;
}

static bool read(struct run *x, uint64_t la, void *to, unsigned n)
{
	return memory(x, x->m->read(x->m->arg, (uint32_t)la, to, n, true, &x->r->f));
}

static bool write(struct run *x, uint64_t la, const void *from, unsigned n)
{
	return memory(x, x->m->write(x->m->arg, (uint32_t)la, from, n, true, &x->r->f));
}

static bool check(struct run *x, uint64_t la, unsigned n, bool for_write)
{
	return memory(x, x->m->check(x->m->arg, (uint32_t)la, n, for_write, &x->r->f));
}

static const struct layout *layout_of(const struct seg_state *tss)
{
	return (tss->attr & SEG_ATTR_TYPE & ~TYPE_BUSY) == TYPE_TSS32 ? &tss32 : &tss16;
}

static uint32_t value_get(const struct layout *l, const uint8_t *tss, unsigned at)
{
	uint32_t value = 0;

	memcpy(&value, tss + at, l->width);
	return value;
}

/* ---- descriptors ---- */

/* Where the descriptor of a selector stands; false: outside of its table. */
static bool descriptor_at(const struct vcpu_state *s, uint16_t selector, uint64_t *la)
{
	const struct seg_state *ldt = &s->seg[SEG_LDTR];
	struct table_state table = s->gdtr;

	if (selector & SELECTOR_TI) {
		if (!(ldt->attr & SEG_ATTR_P))
			return false;
		table = (struct table_state){ldt->base, ldt->limit};
	}
	*la = table.base + (selector & ~7u);
	return (selector | 7u) <= table.limit;
}

/* Read it; `vector` is raised when it is not in its table. */
static bool descriptor_read(struct run *x, uint16_t selector, uint8_t vector, uint64_t *la,
			    struct seg_state *out)
{
	uint8_t bytes[8];

	if (selector <= SELECTOR_NULL || !descriptor_at(x->s, selector, la))
		return fault(x, vector, selector);
	if (!read(x, *la, bytes, sizeof(bytes)))
		return false;
	*out = descriptor_segment(selector, bytes);
	return true;
}

/* The access byte in memory. */
static bool type_write(struct run *x, uint64_t la, uint8_t set, uint8_t clear)
{
	uint8_t byte;

	if (!read(x, la + DESCRIPTOR_ACCESS, &byte, 1))
		return false;
	byte = (uint8_t)((byte & ~clear) | set);
	return write(x, la + DESCRIPTOR_ACCESS, &byte, 1);
}

/* ---- before the commit point ---- */

/* SDM 3A table 7-1, rows 1 to 4. */
static bool new_tss_valid(struct run *x, uint64_t *la, struct seg_state *tss)
{
	bool iret = x->t->source == TASK_IRET;
	uint8_t vector = iret ? VECTOR_TS : VECTOR_GP;
	uint16_t selector = x->t->selector;
	unsigned type;

	if (selector & SELECTOR_TI)
		return fault(x, vector, selector);
	if (!descriptor_read(x, selector, vector, la, tss))
		return false;
	type = tss->attr & (SEG_ATTR_S | SEG_ATTR_TYPE);
	if (iret != ((type & TYPE_BUSY) != 0))
		return fault(x, vector, selector);
	type &= ~TYPE_BUSY;
	if (type != TYPE_TSS16 && type != TYPE_TSS32)
		return fault(x, vector, selector);
	if (!(tss->attr & SEG_ATTR_P))
		return fault(x, VECTOR_NP, selector);
	if (tss->limit < layout_of(tss)->limit)
		return fault(x, VECTOR_TS, selector);
	return true;
}

/* What the old task's registers take in its TSS. */
static unsigned saved_size(const struct layout *l)
{
	return (VALUE_SEG + l->segments) * (unsigned)l->width;
}

/* SDM 3A 7.3 step 5: everything that will be written or read is there. */
static bool memory_ready(struct run *x, uint64_t old_la, uint64_t new_la,
			 const struct seg_state *tss)
{
	const struct seg_state *old = &x->s->seg[SEG_TR];
	const struct layout *l = layout_of(old);
	bool nests = x->t->source == TASK_CALL || x->t->source == TASK_GATE;

	if (old->limit < l->eip + saved_size(l) - 1)
		return fault(x, VECTOR_TS, old->selector);
	return check(x, old->base + l->eip, saved_size(l), true) &&
	       check(x, tss->base, layout_of(tss)->limit + 1u, false) &&
	       (!nests || check(x, tss->base + TSS_LINK, 2, true)) &&
	       (nests || check(x, old_la + DESCRIPTOR_ACCESS, 1, true)) &&
	       (x->t->source == TASK_IRET || check(x, new_la + DESCRIPTOR_ACCESS, 1, true));
}

static bool old_task_save(struct run *x)
{
	const struct vcpu_state *s = x->s;
	const struct seg_state *old = &s->seg[SEG_TR];
	const struct layout *l = layout_of(old);
	uint32_t value[VALUE_SEG];
	uint8_t image[TSS_MAX];

	/* upper halves of selectors stay as they are */
	if (!read(x, old->base + l->eip, image, saved_size(l)))
		return false;
	value[VALUE_EIP] = (uint32_t)(s->rip + x->t->length);
	value[VALUE_EFLAGS] = (uint32_t)s->rflags;
	if (x->t->source == TASK_IRET)
		value[VALUE_EFLAGS] &= ~EFLAGS_NT;
	for (unsigned i = 0; i < 8; i++)
		value[VALUE_GPR + i] = (uint32_t)s->gpr[i];
	for (unsigned i = 0; i < VALUE_SEG; i++)
		memcpy(image + i * l->width, &value[i], l->width);
	for (unsigned i = 0; i < l->segments; i++)
		memcpy(image + (VALUE_SEG + i) * l->width, &s->seg[i].selector, 2);
	return write(x, old->base + l->eip, image, saved_size(l));
}

/* ---- behind it ---- */

/* Registers and selectors; descriptors come after, in the new task. */
static void state_load(struct run *x, const struct seg_state *tss, const uint8_t *image)
{
	const struct layout *l = layout_of(tss);
	struct vcpu_state *s = x->s;
	uint32_t flags = value_get(l, image, l->eip + VALUE_EFLAGS * l->width);
	unsigned cpl;

	s->rip = value_get(l, image, l->eip);
	for (unsigned i = 0; i < 8; i++)
		s->gpr[i] = value_get(l, image, l->eip + (VALUE_GPR + i) * l->width);
	s->rflags = (flags & EFLAGS_ALL) | EFLAGS_ONE;
	if (x->t->source == TASK_CALL || x->t->source == TASK_GATE)
		s->rflags |= EFLAGS_NT;
	for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
		uint16_t selector = 0;

		if (i < l->segments)
			memcpy(&selector, image + l->eip + (VALUE_SEG + i) * l->width, 2);
		s->seg[i] = (struct seg_state){.selector = selector};
	}
	s->seg[SEG_LDTR] = (struct seg_state){0};
	memcpy(&s->seg[SEG_LDTR].selector, image + l->ldt, 2);
	s->seg[SEG_TR] = *tss;
	s->seg[SEG_TR].attr |= TYPE_BUSY;
	/* CPL is known from here on; it lives in the DPL of SS, and CS must be a code segment */
	cpl = s->rflags & EFLAGS_VM ? 3 : s->seg[SEG_CS].selector & SELECTOR_RPL;
	s->seg[SEG_SS].attr = (uint16_t)(cpl << 5);
	s->seg[SEG_CS].attr = (uint16_t)(SEG_ATTR_P | cpl << 5 | SEG_ATTR_S | SEG_TYPE_CODE |
					 SEG_TYPE_READ | SEG_TYPE_ACCESS);
	if (l == &tss32 && s->cr0 & CR0_PG)
		memcpy(&s->cr3, image + TSS32_CR3, 4);
	s->cr0 |= CR0_TS;
	s->dr7 &= ~DR7_LOCAL;
}

static bool ldt_load(struct run *x)
{
	uint16_t selector = x->s->seg[SEG_LDTR].selector;
	struct seg_state ldt;
	uint64_t la;

	if (selector <= SELECTOR_NULL)
		return true;
	if (selector & SELECTOR_TI)
		return fault(x, VECTOR_TS, selector);
	if (!descriptor_read(x, selector, VECTOR_TS, &la, &ldt))
		return false;
	if ((ldt.attr & (SEG_ATTR_S | SEG_ATTR_TYPE)) != TYPE_LDT || !(ldt.attr & SEG_ATTR_P))
		return fault(x, VECTOR_TS, selector);
	x->s->seg[SEG_LDTR] = ldt;
	return true;
}

/* The register gets it, and memory the accessed bit. */
static bool segment_set(struct run *x, enum seg i, uint64_t la, const struct seg_state *value)
{
	if (!(value->attr & SEG_TYPE_ACCESS) && !type_write(x, la, SEG_TYPE_ACCESS, 0))
		return false;
	x->s->seg[i] = *value;
	x->s->seg[i].attr |= SEG_TYPE_ACCESS;
	return true;
}

/* Rows 6, 11, 12 for CS, with rows 7 to 9 and 13 for SS between them. */
static bool code_and_stack_load(struct run *x)
{
	uint16_t cs = x->s->seg[SEG_CS].selector, ss = x->s->seg[SEG_SS].selector;
	unsigned cpl = cs & SELECTOR_RPL;
	struct seg_state code, stack;
	uint64_t code_la, stack_la;

	if (!descriptor_read(x, cs, VECTOR_TS, &code_la, &code))
		return false;
	if ((code.attr & (SEG_ATTR_S | SEG_TYPE_CODE)) != (SEG_ATTR_S | SEG_TYPE_CODE))
		return fault(x, VECTOR_TS, cs);
	if (code.attr & SEG_TYPE_CONF ? descriptor_dpl(&code) > cpl : descriptor_dpl(&code) != cpl)
		return fault(x, VECTOR_TS, cs);
	if (!descriptor_read(x, ss, VECTOR_TS, &stack_la, &stack))
		return false;
	if ((stack.attr & (SEG_ATTR_S | SEG_TYPE_CODE | SEG_TYPE_WRITE)) !=
	    (SEG_ATTR_S | SEG_TYPE_WRITE))
		return fault(x, VECTOR_TS, ss);
	if (!(stack.attr & SEG_ATTR_P))
		return fault(x, VECTOR_SS, ss);
	if (descriptor_dpl(&stack) != cpl || (ss & SELECTOR_RPL) != cpl)
		return fault(x, VECTOR_TS, ss);
	if (!(code.attr & SEG_ATTR_P))
		return fault(x, VECTOR_NP, cs);
	return segment_set(x, SEG_CS, code_la, &code) && segment_set(x, SEG_SS, stack_la, &stack);
}

/* Rows 14 to 17. */
static bool data_load(struct run *x, enum seg i)
{
	uint16_t selector = x->s->seg[i].selector;
	unsigned cpl = descriptor_dpl(&x->s->seg[SEG_SS]), rpl = selector & SELECTOR_RPL;
	struct seg_state data;
	uint64_t la;

	if (selector <= SELECTOR_NULL)
		return true;
	if (!descriptor_read(x, selector, VECTOR_TS, &la, &data))
		return false;
	bool code = data.attr & SEG_TYPE_CODE;

	if (!(data.attr & SEG_ATTR_S) || (code && !(data.attr & SEG_TYPE_READ)))
		return fault(x, VECTOR_TS, selector);
	if (!(code && data.attr & SEG_TYPE_CONF) &&
	    (descriptor_dpl(&data) < cpl || descriptor_dpl(&data) < rpl))
		return fault(x, VECTOR_TS, selector);
	if (!(data.attr & SEG_ATTR_P))
		return fault(x, VECTOR_NP, selector);
	return segment_set(x, i, la, &data);
}

static bool segments_load(struct run *x)
{
	static const uint8_t data[] = {SEG_DS, SEG_ES, SEG_FS, SEG_GS};

	if (!ldt_load(x))
		return false;
	if (x->s->rflags & EFLAGS_VM) {
		for (unsigned i = SEG_ES; i <= SEG_GS; i++)
			x->s->seg[i] = descriptor_v86(x->s->seg[i].selector);
		return true;
	}
	if (!code_and_stack_load(x))
		return false;
	for (unsigned i = 0; i < sizeof(data); i++) {
		if (!data_load(x, (enum seg)data[i]))
			return false;
	}
	return true;
}

/* Its size follows the new TSS (SDM 2A, INT n, "TASK-GATE"). */
static bool error_push(struct run *x, unsigned width)
{
	const struct segment_cpu rules = {.mode = INSN_MODE32,
					  .rights = !(x->s->rflags & EFLAGS_VM)};
	const struct seg_state *ss = &x->s->seg[SEG_SS];
	uint32_t mask = ss->attr & SEG_ATTR_DB ? 0xffffffff : 0xffff;
	uint32_t esp = (uint32_t)x->s->gpr[GPR_RSP], offset = (esp - width) & mask;
	uint64_t la;

	if (segment_linear(&rules, INSN_SS, ss, offset, width, true, &la) != 0)
		return fault(x, VECTOR_SS, 0);
	if (!memory(x, x->m->write(x->m->arg, la, &x->t->error, width, false, &x->r->f)))
		return false;
	x->s->gpr[GPR_RSP] = (esp & ~mask) | offset;
	return true;
}

static bool new_task_begin(struct run *x, uint64_t old_cr3)
{
	const struct vcpu_state *s = x->s;

	if (!x->m->switched(x->m->arg, s)) {
		x->s->cr3 = old_cr3;
		return fault(x, VECTOR_GP, 0);
	}
	if (!segments_load(x))
		return false;
	if (x->t->source == TASK_GATE && x->t->has_error &&
	    !error_push(x, layout_of(&s->seg[SEG_TR])->width))
		return false;
	if (s->rip > s->seg[SEG_CS].limit)
		return fault(x, VECTOR_GP, 0);
	return true;
}

void taskswitch_run(const struct task_switch *t, struct vcpu_state *s, const struct task_memory *m,
		    struct task_result *r)
{
	struct run x = {t, s, m, r};
	uint64_t old_la = s->gdtr.base + (s->seg[SEG_TR].selector & ~7u), new_la = 0,
		 old_cr3 = s->cr3;
	bool nests = t->source == TASK_CALL || t->source == TASK_GATE;
	uint16_t old_selector = s->seg[SEG_TR].selector;
	struct seg_state tss = {0};
	uint8_t image[TSS_MAX];

	*r = (struct task_result){0};
	if (!new_tss_valid(&x, &new_la, &tss) || !memory_ready(&x, old_la, new_la, &tss))
		return;
	/* None of these faults: the addresses have been checked. */
	if (!old_task_save(&x) || (!nests && !type_write(&x, old_la, 0, TYPE_BUSY)) ||
	    (nests && !write(&x, tss.base + TSS_LINK, &old_selector, 2)) ||
	    (t->source != TASK_IRET && !type_write(&x, new_la, TYPE_BUSY, 0)) ||
	    !read(&x, tss.base, image, layout_of(&tss)->limit + 1u))
		return;
	state_load(&x, &tss, image);
	r->switched = true;
	if (new_task_begin(&x, old_cr3) && layout_of(&tss) == &tss32 && image[TSS32_TRAP] & 1) {
		s->dr6 |= DR6_BT;
		r->debug = true;
	}
}
