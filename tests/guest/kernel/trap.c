/* Descriptor tables, exceptions and snippets in 64-bit mode. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"
#include "tests/guest/kernel/kernel.h"

#define IST_NMI    1
#define IST_DF     2
#define IST_SPARE  3 /* for cases that give a gate a stack of its own */
#define GDT_COUNT  (SEL_TSS / 8 + 2 * CPUS_MAX)
#define STACK_SIZE 4096

struct tss {
	uint32_t pad0;
	uint64_t rsp[3], pad1, ist[7], pad2;
	uint16_t pad3, io_map;
	uint8_t io_bits[8193]; /* all zero: ports are free at CPL 3 */
} __attribute__((packed));

struct cpu cpus[CPUS_MAX];
extern uint8_t trap_stubs[];
extern const uint64_t section_fixup_start[][2], section_fixup_end[][2];

static uint64_t gdt[GDT_COUNT] = {
    [SEL_CODE64 / 8] = 0x00af9b000000ffff, [SEL_DATA / 8] = 0x00cf93000000ffff,
    [SEL_CODE32 / 8] = 0x00cf9b000000ffff, [SEL_CODE16 / 8] = 0x008f9b000000ffff,
    [SEL_USER32 / 8] = 0x00cffb000000ffff, [SEL_USERDATA / 8] = 0x00cff3000000ffff,
    [SEL_USER64 / 8] = 0x00affb000000ffff,
};
static struct gate idt[256];
static struct tss tss[CPUS_MAX];
static uint8_t stacks[CPUS_MAX][4][STACK_SIZE] __attribute__((aligned(16)));
static trap_hook hooks[256];
static struct {
	uint64_t cr0, cr3, cr4, efer;
} initial;

void trap_load(unsigned index)
{
	struct table_pointer g = {sizeof(gdt) - 1, (uintptr_t)gdt},
			     i = {sizeof(idt) - 1, (uintptr_t)idt};

	gdt[(SEL_TSS + index * 16) / 8] &= ~BIT(41); /* not busy */
	__asm__ volatile("lgdt %0; lidt %1; ltr %w2; movl %3, %%ds; movl %3, %%es"
			 :
			 : "m"(g), "m"(i), "r"(SEL_TSS + index * 16), "r"(SEL_USERDATA)
			 : "memory");
}

void trap_init(unsigned index)
{
	struct tss *t = &tss[index];
	uint64_t base = (uintptr_t)t, limit = sizeof(*t) - 1;

	for (unsigned n = 0; index == 0 && n < 256; n++) {
		uint64_t stub = (uintptr_t)trap_stubs + n * 16;

		idt[n] = (struct gate){
		    .offset_low = (uint16_t)stub,
		    .selector = SEL_CODE64,
		    .type = n == VECTOR_END || n == VECTOR_BP || n == VECTOR_OF ? 0xee : 0x8e,
		    .offset_middle = (uint16_t)(stub >> 16),
		};
	}
	idt[VECTOR_NMI].ist = IST_NMI;
	idt[VECTOR_DF].ist = IST_DF;
	t->rsp[0] = (uintptr_t)stacks[index][0] + STACK_SIZE;
	t->ist[IST_NMI - 1] = (uintptr_t)stacks[index][1] + STACK_SIZE;
	t->ist[IST_DF - 1] = (uintptr_t)stacks[index][2] + STACK_SIZE;
	t->ist[IST_SPARE - 1] = (uintptr_t)stacks[index][3] + STACK_SIZE;
	t->io_map = offsetof(struct tss, io_bits);
	t->io_bits[8192] = 0xff;
	gdt[(SEL_TSS + index * 16) / 8] = (limit & 0xffff) | (base & 0xffffff) << 16 |
					  UINT64_C(0x89) << 40 | (base >> 24 & 0xff) << 56;
	gdt[(SEL_TSS + index * 16) / 8 + 1] = base >> 32;
	trap_load(index);
	if (index == 0) {
		initial.cr0 = read_cr0();
		initial.cr3 = read_cr3();
		initial.cr4 = read_cr4();
		initial.efer = rdmsr(MSR_EFER);
	}
}

void trap_allow_io(bool allow)
{
	for (unsigned i = 0; i < CPUS_MAX; i++)
		memset(tss[i].io_bits, allow ? 0 : 0xff, sizeof(tss[i].io_bits) - 1);
}

void trap_reset(void)
{
	trap_allow_io(true);
	memset(hooks, 0, sizeof(hooks));
	write_dr7(DR7_CLEAR);
	write_dr6(DR6_CLEAR);
	trap_load(cpu_index());
	write_cr0(initial.cr0);
	write_cr3(initial.cr3);
	if (read_cr4() != initial.cr4)
		write_cr4(initial.cr4);
	if (rdmsr(MSR_EFER) != initial.efer)
		wrmsr(MSR_EFER, initial.efer);
}

void trap_set(unsigned vector, trap_hook hook)
{
	hooks[vector] = hook;
}

unsigned cpu_index(void)
{
	uint32_t selector;

	/* the one register that no case changes, and that every CPU has for itself */
	__asm__ volatile("str %0" : "=r"(selector));
	return (selector - SEL_TSS) / 16;
}

unsigned tried(void)
{
	struct cpu *c = &cpus[cpu_index()];
	unsigned vector = c->tried;

	c->tried = 0;
	/* 0 is #DE as well, which TRY() cannot tell from none: no case tries a division */
	return vector ? vector : VECTOR_NONE;
}

uint64_t tried_error(void)
{
	return cpus[cpu_index()].tried_error;
}

/* #DB in a snippet that is traced: note it and go on. */
static bool trace(struct snippet *s, struct frame *f, uint64_t dr6)
{
	if (!s->trace || s->steps == SNIPPET_STEPS)
		return false;
	s->step[s->steps].rip = f->rip - SNIPPET_BASE(cpu_index());
	s->step[s->steps++].dr6 = dr6;
	write_dr6(DR6_CLEAR); /* the processor never clears it: SDM 3B 18.2.3 */
	if (!(dr6 & DR6_BS) && (dr6 & 0xf))
		f->rflags |= RFLAGS_RF;
	return true;
}

void trap_handle(struct frame *f)
{
	struct cpu *c = &cpus[cpu_index()];
	struct snippet *s = c->snippet;

	if (hooks[f->vector] && hooks[f->vector](f))
		return;
	if (s) {
		uint64_t dr6 = f->vector == VECTOR_DB ? read_dr6() : 0;

		if (f->vector == VECTOR_DB && trace(s, f, dr6))
			return;
		s->out = *f;
		s->frame_at = (uintptr_t)f;
		s->cr2 = read_cr2();
		s->dr6 = dr6;
		protected_leave(c->snippet_stack, 1);
	}
	for (const uint64_t(*p)[2] = section_fixup_start; p < section_fixup_end; p++) {
		if ((*p)[0] == f->rip) {
			c->tried = (unsigned)f->vector;
			c->tried_error = f->error;
			f->rip = (*p)[1];
			return;
		}
	}
	case_unexpected(f);
}

const char *const mode_name[MODE_COUNT] = {
    [MODE_64] = "64-bit",
    [MODE_32] = "32-bit",
    [MODE_16] = "16-bit",
    [MODE_USER64] = "user-64-bit",
    [MODE_USER32] = "user-32-bit",
    [MODE_REAL] = "real",
    [MODE_PROT32] = "prot",
    [MODE_PAGED32] = "paged",
    [MODE_PAE32] = "pae",
    [MODE_V86] = "v86",
    [MODE_PROT16] = "prot-16",
    [MODE_PROT_USER32] = "user-prot",
    [MODE_PROT_USER16] = "user-prot-16",
    [MODE_PAGED_USER32] = "user-paged",
};

static const struct {
	uint16_t cs, ss;
} selectors[MODE_COUNT] = {
    [MODE_64] = {SEL_CODE64, SEL_DATA},         [MODE_32] = {SEL_CODE32, SEL_DATA},
    [MODE_16] = {SEL_CODE16, SEL_DATA},         [MODE_USER64] = {SEL_USER64, SEL_USERDATA},
    [MODE_USER32] = {SEL_USER32, SEL_USERDATA},
};

unsigned snippet_bytes(struct snippet *s, const uint8_t *bytes, unsigned n)
{
	if (n + 2 > sizeof(s->bytes))
		case_error("the snippet is too long");
	memcpy(s->bytes, bytes, n);
	s->bytes[n] = 0xcd; /* INT */
	s->bytes[n + 1] = VECTOR_END;
	s->code = s->bytes;
	s->code_end = s->bytes + n + 2;
	return n;
}

void snippet_run(struct snippet *s)
{
	struct cpu *c = &cpus[cpu_index()];
	uint32_t base = SNIPPET_BASE(cpu_index()), stack = base + 0x2000;
	size_t length = (size_t)(s->code_end - s->code);

	if (length > 4096)
		case_error("the snippet is too long");
	memcpy((void *)(uintptr_t)base, s->code, length);
	s->steps = 0;
	if (s->mode >= MODE_REAL) {
		legacy_run(s, base, stack);
	} else {
		/* entered from the stack: nothing but NMIs, which have their own, may come before
		 */
		struct frame f = s->in;

		f.rip = base;
		f.cs = selectors[s->mode].cs;
		f.ss = f.ss ? f.ss : selectors[s->mode].ss;
		f.rsp = f.rsp ? f.rsp : stack;
		f.rflags |= RFLAGS_FIXED;
		write_dr6(DR6_CLEAR);
		c->snippet = s;
		snippet_enter(&f, &c->snippet_stack);
		c->snippet = NULL;
	}
	if (s->out.rip >= base && s->out.rip <= base + length)
		s->out.rip -= base;
}
