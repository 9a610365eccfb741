/*
 * Events that go through a task gate, where something of the switch lies in memory that the VMM has
 * not mapped yet: the new TSS, or both ends of it, the old one, the IDT, the GDT, the new task's
 * stack. With VT-x the VMM switches tasks itself, with AMD-V the CPU does and exits in the middle:
 * the task begins once, with the old one saved as it was (bug classes 20 and 26).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define PREFIX "lgdtl (%ebx); ltr %cx; lgdtl 16(%ebx); lidtl 8(%ebx); "
#define P      14u /* its length */
SNIPPET(task_look, 32, "sgdtl (%ebx); sidtl 8(%ebx); movl %cr3, %eax");
SNIPPET(task_ud, 32, PREFIX "ud2");
SNIPPET(task_gp, 32, PREFIX "movl %eax, %ds");
SNIPPET(task_int3, 32, PREFIX "int3");
SNIPPET(task_into, 32, PREFIX "into");
SNIPPET(task_int, 32, PREFIX "int $0x90; nop");
SNIPPET(task_irq, 32, PREFIX "sti; nop; nop");
SNIPPET(task_nmi, 32, PREFIX "movl %eax, (%edi); jmp .");
/* what the task does: tell what it found, or go back */
SNIPPET(task_tell, 32, "movl %esp, %ecx; movl (%esp), %edx; str %eax; pushfl; popl %esi");
SNIPPET(task_back, 32, "iretl");

static const struct event {
	const char *name;
	const uint8_t *code, *end;
	enum event_kind kind;
	uint32_t vector, rip, eax, rflags;
	bool error, back; /* has an error code; may be tried with a task that goes back */
} events[] = {
    {"UD", task_ud, task_ud_end, EVENT_UD, VECTOR_UD, P, 0, 0, false, false},
    {"GP", task_gp, task_gp_end, EVENT_GP, VECTOR_GP, P, 0xffff, 0, true, false},
    {"NMI", task_nmi, task_nmi_end, EVENT_NMI, VECTOR_NMI, P + 2, APIC_ICR_NMI, 0, false, false},
    {"INT3", task_int3, task_int3_end, EVENT_BP, VECTOR_BP, P + 1, 0, 0, false, false},
    {"INTO", task_into, task_into_end, EVENT_INTO, VECTOR_OF, P + 1, 0, RFLAGS_OF, false, false},
    {"INT", task_int, task_int_end, EVENT_INT, 0x90, P + 2, 0, 0, false, true},
    {"IRQ", task_irq, task_irq_end, EVENT_IRQ, 0x90, P + 2, 0, 0, false, true},
};

enum place { NEW, NEW_CROSS, OLD, OLD_CROSS, IDT, GDT, STACK, PLACE_COUNT };
static const char *const place_name[PLACE_COUNT] = {"new", "new-cross", "old",  "old-cross",
						    "IDT", "GDT",       "stack"};

#define TSS_WORDS 26u /* of 32 bits, and where they are: SDM 3A figure 8-2 */
#define TSS_LINK  0u
#define TSS_CR3   7u
#define TSS_EIP   8u
#define TSS_FLAGS 9u
#define TSS_ESP   14u
#define TSS_EBP   15u
#define TSS_ES    18u
#define TSS_CS    19u
#define TSS_IO    25u

#define SEL_DATA 0x10u /* of the kernel's table for these modes */
#define SEL_CODE 0x18u
#define SEL_NEW  0x80u /* behind that table's */
#define SEL_OLD  0x88u
#define GDT_SIZE (SEL_OLD + 8)
#define EBP      0x9abcdef0u
#define NT       BIT(14)
#define BUSY     BIT(41)

static struct {
	uint16_t limit;
	uint32_t base;
	uint16_t pad;
} __attribute__((packed)) kernel[2], pointers[3];
static uint32_t cr3;

/* What a run uses: each in RAM, or where nobody has been. */
static struct {
	uint32_t new[TSS_WORDS], old[TSS_WORDS], stack[64];
	uint64_t gdt[GDT_SIZE / 8], idt[256];
} ram;

struct job {
	enum place place;
	const struct event *e;
	bool back;
	unsigned piece;
};

/* Where it lies in its piece; half of what crosses lies in the next one. */
static uint32_t offset_of(enum place place)
{
	return place == NEW_CROSS || place == OLD_CROSS ? FRESH_PIECE - 0x30 : 0x1000;
}

static uint64_t tss_of(uint32_t base)
{
	return (TSS_WORDS * 4 - 1) | (uint64_t)(base & 0xffffff) << 16 | UINT64_C(0x89) << 40 |
	       (uint64_t)(base >> 24) << 56;
}

static uint32_t at(const void *p)
{
	return (uint32_t)(uintptr_t)p;
}

/* All of it in RAM, for a job whose piece is, or will be, at `piece`; what goes there is copied to
 * `now`, where that piece still is; 0: nothing is copied. */
static void fill(const struct job *j, uint32_t piece, uint32_t now)
{
	const uint8_t *code = j->back ? task_back : task_tell;
	uint32_t there = piece + offset_of(j->place);
	uint32_t new = j->place == NEW || j->place == NEW_CROSS ? there : at(ram.new),
		 old = j->place == OLD || j->place == OLD_CROSS ? there : at(ram.old);
	void *fresh = (void *)(uintptr_t)(now + offset_of(j->place));

	memset(&ram, 0, sizeof(ram));
	ram.new[TSS_CR3] = cr3;
	ram.new[TSS_EIP] = at(code);
	ram.new[TSS_FLAGS] = RFLAGS_FIXED;
	ram.new[TSS_ESP] = j->place == STACK ? there : at(ram.stack + 32);
	for (unsigned i = 0; i < 6; i++)
		ram.new[TSS_ES + i] = SEL_DATA;
	ram.new[TSS_CS] = SEL_CODE;
	ram.new[TSS_IO] = TSS_WORDS * 4 << 16;
	ram.old[TSS_CR3] = cr3;
	memcpy(ram.gdt, (const void *)(uintptr_t)kernel[0].base, kernel[0].limit + 1u);
	ram.gdt[SEL_NEW / 8] = tss_of(new);
	ram.gdt[SEL_OLD / 8] = tss_of(old) | (j->place == GDT ? BUSY : 0);
	memcpy(ram.idt, (const void *)(uintptr_t)kernel[1].base, sizeof(ram.idt));
	ram.idt[j->e->vector] = SEL_NEW << 16 | UINT64_C(0xe500) << 32;
	switch (now ? j->place : PLACE_COUNT) {
	case NEW:
	case NEW_CROSS:
		memcpy(fresh, ram.new, sizeof(ram.new));
		break;
	case OLD:
	case OLD_CROSS:
		memcpy(fresh, ram.old, sizeof(ram.old));
		break;
	case IDT:
		memcpy(fresh, ram.idt, sizeof(ram.idt));
		break;
	case GDT:
		memcpy(fresh, ram.gdt, sizeof(ram.gdt));
		break;
	default:
		break;
	}
	ram.gdt[SEL_OLD / 8] &= ~BUSY; /* LTR uses this one */
	pointers[0].base = at(ram.gdt);
	pointers[1].base = j->place == IDT ? there : at(ram.idt);
	pointers[2].base = j->place == GDT ? there : at(ram.gdt);
	pointers[0].limit = pointers[2].limit = GDT_SIZE - 1;
	pointers[1].limit = sizeof(ram.idt) - 1;
}

static void run(const struct job *j, enum mode mode, uint32_t piece)
{
	const struct event *e = j->e;
	const char *in = mode_name[mode], *where = place_name[j->place], *name = e->name;
	struct snippet s = {.mode = mode, .code = e->code, .code_end = e->end};
	uint32_t there = piece + offset_of(j->place), end = P + 3;
	const uint32_t *new, *old;
	const uint64_t *gdt;
	const char *how = j->back ? "back" : "tell";

	s.in.rax = e->eax;
	s.in.rbx = at(pointers);
	s.in.rcx = SEL_OLD;
	s.in.rdi = 0xfee00000u + APIC_ICR_LOW;
	s.in.rbp = EBP;
	s.in.rflags = e->rflags;
	apic_write(APIC_ICR_HIGH, 0);
	if (e->kind == EVENT_IRQ)
		apic_send(0, APIC_ICR_FIXED | e->vector);
	snippet_run(&s);
	if (e->kind == EVENT_IRQ)
		apic_write(APIC_EOI, 0);
	new = (const uint32_t *)(uintptr_t)(j->place == NEW || j->place == NEW_CROSS ? there
										     : at(ram.new));
	old = (const uint32_t *)(uintptr_t)(j->place == OLD || j->place == OLD_CROSS ? there
										     : at(ram.old));
	gdt = (const uint64_t *)(uintptr_t)pointers[2].base;
	CHECK_EQ(s.out.vector, VECTOR_END, "%s %s %s %s vector", in, where, name, how);
	CHECK_EQ(s.out.cs, SEL_CODE, "%s %s %s %s CS", in, where, name, how);
	CHECK_EQ(new[TSS_LINK] & 0xffff, SEL_OLD, "%s %s %s %s link", in, where, name, how);
	CHECK_EQ(old[TSS_EIP], SNIPPET_BASE(0) + e->rip, "%s %s %s %s EIP", in, where, name, how);
	CHECK_EQ(old[TSS_ESP], SNIPPET_BASE(0) + 0x2000, "%s %s %s %s ESP", in, where, name, how);
	CHECK_EQ(old[TSS_EBP], EBP, "%s %s %s %s EBP", in, where, name, how);
	CHECK_EQ(old[TSS_CS], SEL_CODE, "%s %s %s %s old CS", in, where, name, how);
	CHECK_EQ(old[TSS_FLAGS] & (NT | RFLAGS_OF | RFLAGS_FIXED), RFLAGS_FIXED | e->rflags,
		 "%s %s %s %s EFLAGS", in, where, name, how);
	CHECK(gdt[SEL_OLD / 8] & BUSY, "%s %s %s %s old busy", in, where, name, how);
	CHECK_EQ(!!(gdt[SEL_NEW / 8] & BUSY), !j->back, "%s %s %s %s new busy", in, where, name,
		 how);
	if (j->back) {
		CHECK_EQ(s.out.rip, end + 2, "%s %s %s RIP behind it", in, where, name);
		CHECK_EQ(s.out.rbp, EBP, "%s %s %s EBP behind it", in, where, name);
		return;
	}
	CHECK_EQ(s.out.rip, at(task_tell_end), "%s %s %s RIP", in, where, name);
	CHECK_EQ(s.out.rax, SEL_NEW, "%s %s %s TR", in, where, name);
	CHECK_EQ(s.out.rcx, new[TSS_ESP] - (e->error ? 4 : 0), "%s %s %s its ESP", in, where, name);
	CHECK_EQ(e->error ? s.out.rdx : 0, e->error ? 0xfffc : 0, "%s %s %s error", in, where,
		 name);
	CHECK_EQ(s.out.rsi & NT, NT, "%s %s %s NT", in, where, name);
}

static uint8_t *piece_base; /* where that memory is */

/* In fresh memory, which takes what was written to it along when it moves. */
static void run_all(const struct job *jobs, unsigned count, enum mode mode)
{
	uint32_t now = at(piece_base), next = at(fresh_next());

	for (unsigned i = 0; i < count; i++)
		fill(&jobs[i], next + jobs[i].piece * FRESH_PIECE,
		     now + jobs[i].piece * FRESH_PIECE);
	piece_base = fresh_move();
	for (unsigned i = 0; i < count; i++) {
		fill(&jobs[i], next + jobs[i].piece * FRESH_PIECE, 0);
		run(&jobs[i], mode, next + jobs[i].piece * FRESH_PIECE);
	}
}

static void all(enum mode mode) /* with paging: it goes on with the new CR3 */
{
	struct snippet look = {.mode = mode, .code = task_look, .code_end = task_look_end};
	struct job jobs[FRESH_PIECES];
	unsigned count = 0, piece = 0;

	look.in.rbx = at(kernel);
	snippet_run(&look);
	CHECK_EQ(look.out.vector, VECTOR_END, "%s tables", mode_name[mode]);
	cr3 = (uint32_t)look.out.rax;
	for (enum place place = NEW; place < PLACE_COUNT; place++) {
		unsigned pieces = place == NEW_CROSS || place == OLD_CROSS ? 2 : 1;

		for (unsigned n = 0; n < 2 * sizeof(events) / sizeof(events[0]); n++) {
			const struct event *e = &events[n / 2];

			if (!event_in_exit(e->kind) || (n & 1 && !e->back))
				continue;
			if (pieces == 2 && !e->back && !e->error)
				continue; /* there is not so much fresh memory */
			if (piece + pieces > FRESH_PIECES) {
				run_all(jobs, count, mode);
				count = piece = 0;
			}
			jobs[count++] = (struct job){place, e, n & 1, piece};
			piece += pieces;
		}
	}
	run_all(jobs, count, mode);
}

GUEST_CASE(deliver_task, "SDM 3A 6.12.2, 7.3; SDM 3C 31.7; APM 2 12.5, 15.7.2")
{
	apic_write(APIC_SVR, 0x1ff);
	piece_base = fresh_move();
	all(MODE_PAGED32);
}
