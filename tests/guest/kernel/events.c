/* Events of every kind, and tables to deliver them through. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"
#include "tests/guest/kernel/kernel.h"

const char *const event_name[EVENT_COUNT] = {
    [EVENT_UD] = "UD",   [EVENT_DE] = "DE",      [EVENT_GP] = "GP",   [EVENT_PF] = "PF",
    [EVENT_DB] = "TF",   [EVENT_ICEBP] = "INT1", [EVENT_BP] = "INT3", [EVENT_INTO] = "INTO",
    [EVENT_INT] = "INT", [EVENT_IRQ] = "IRQ",    [EVENT_NMI] = "NMI",
};

SNIPPET(event_ud, 64, "ud2");
SNIPPET(event_de, 64, "divl %ecx");
SNIPPET(event_gp, 64, "movl %eax, %ds");
SNIPPET(event_pf, 64, "movq (%rdi), %rax");
SNIPPET(event_nop, 64, "nop");
SNIPPET(event_icebp, 64, ".byte 0xf1");
SNIPPET(event_int3, 64, "int3");
SNIPPET(event_into, 32, "into");
SNIPPET(event_int, 64, "");
SNIPPET(event_irq, 64, "jmp .");
SNIPPET(event_nmi, 64, "movl %eax, (%rdi); jmp .");

/* A trap's RIP is behind the instruction, a fault's is the instruction's (SDM 3A table 6-1). */
static const struct kind {
	const uint8_t *code, *end;
	uint16_t vector, rip;
	uint32_t error, rflags, rax;
	uint64_t rdi;
} kinds[EVENT_COUNT] = {
    [EVENT_UD] = {event_ud, event_ud_end, VECTOR_UD, 0, 0, 0, 0, 0},
    [EVENT_DE] = {event_de, event_de_end, VECTOR_DE, 0, 0, 0, 0, 0},
    [EVENT_GP] = {event_gp, event_gp_end, VECTOR_GP, 0, 0xfffc, 0, 0xffff, 0},
    [EVENT_PF] = {event_pf, event_pf_end, VECTOR_PF, 0, 0, 0, 0, EVENT_BAD_ADDR},
    [EVENT_DB] = {event_nop, event_nop_end, VECTOR_DB, 1, 0, RFLAGS_TF, 0, 0},
    [EVENT_ICEBP] = {event_icebp, event_icebp_end, VECTOR_DB, 1, 0, 0, 0, 0},
    [EVENT_BP] = {event_int3, event_int3_end, VECTOR_BP, 1, 0, 0, 0, 0},
    [EVENT_INTO] = {event_into, event_into_end, VECTOR_OF, 1, 0, RFLAGS_OF, 0, 0},
    [EVENT_INT] = {event_int, event_int_end, EVENT_INT_VECTOR, 2, 0, 0, 0, 0},
    [EVENT_IRQ] = {event_irq, event_irq_end, EVENT_IRQ_VECTOR, 0, 0, RFLAGS_IF, 0, 0},
    [EVENT_NMI] = {event_nmi, event_nmi_end, VECTOR_NMI, 2, 0, 0, APIC_ICR_NMI,
		   0xfee00000u + APIC_ICR_LOW},
};

static bool is_trap(enum event_kind kind)
{
	return kind == EVENT_ICEBP || kind == EVENT_BP || kind == EVENT_INTO || kind == EVENT_INT;
}

bool event_in_exit(enum event_kind kind)
{
	return (kind != EVENT_INT && kind != EVENT_ICEBP && kind != EVENT_IRQ) ||
	       word_number("intinfo", 1);
}

void event_run(struct snippet *s, enum event_kind kind, bool user, uint64_t rsp)
{
	const struct kind *k = &kinds[kind];

	*s = (struct snippet){
	    .mode = user ? MODE_USER64 : MODE_64, .code = k->code, .code_end = k->end};
	if (kind == EVENT_INTO)
		s->mode = user ? MODE_USER32 : MODE_32;
	s->in.rsp = rsp;
	s->in.rflags = k->rflags;
	s->in.rax = k->rax;
	s->in.rdi = k->rdi;
	if (kind == EVENT_IRQ) {
		apic_write(APIC_SVR, 0x1ff);
		apic_send(0, APIC_ICR_FIXED | EVENT_IRQ_VECTOR);
	} else if (kind == EVENT_NMI) {
		apic_write(APIC_ICR_HIGH, 0);
	}
	snippet_run(s);
	if (kind == EVENT_IRQ)
		apic_write(APIC_EOI, 0);
}

void event_check(const struct snippet *s, enum event_kind kind, bool user)
{
	const struct kind *k = &kinds[kind];
	const char *name = event_name[kind];

	CHECK_EQ(s->out.vector, k->vector, "%s vector", name);
	CHECK_EQ(s->out.error, kind == EVENT_PF && user ? 4 : k->error, "%s error", name);
	CHECK_EQ(s->out.rip, k->rip, "%s RIP", name);
	if (s->in.rsp)
		CHECK_EQ(s->out.rsp, s->in.rsp, "%s RSP", name);
	if (kind == EVENT_PF)
		CHECK_EQ(s->cr2, EVENT_BAD_ADDR, "%s CR2", name);
	if (kind == EVENT_DB)
		CHECK_EQ(s->dr6, DR6_CLEAR | DR6_BS, "%s DR6", name);
}

void event_check_absent(const struct snippet *s, enum event_kind kind, uint64_t address,
			uint64_t error)
{
	const struct kind *k = &kinds[kind];
	const char *name = event_name[kind];

	if (kind == EVENT_PF) {
		CHECK_EQ(s->out.vector, VECTOR_DF, "%s vector", name);
		CHECK_EQ(s->out.error, 0, "%s error", name);
	} else {
		CHECK_EQ(s->out.vector, VECTOR_PF, "%s vector", name);
		CHECK_EQ(s->out.error, error, "%s error", name);
		/* instructions that ask for an event have not been carried out */
		CHECK_EQ(s->out.rip, is_trap(kind) ? 0 : k->rip, "%s RIP", name);
	}
	if (s->in.rsp)
		CHECK_EQ(s->out.rsp, s->in.rsp, "%s RSP", name);
	CHECK_EQ(s->cr2 & ~4095u, address & ~4095u, "%s CR2", name);
}

/* ---- tables ---- */

static uint64_t own_gdt[32]; /* of tss_load() and ldt_load() */

struct table_pointer idt_now(void)
{
	struct table_pointer p;

	__asm__ volatile("sidt %0" : "=m"(p));
	return p;
}

struct table_pointer gdt_now(void)
{
	struct table_pointer p;

	__asm__ volatile("sgdt %0" : "=m"(p));
	return p;
}

void idt_load(uint64_t base, uint16_t limit)
{
	struct table_pointer p = {limit, base};

	__asm__ volatile("lidt %0" : : "m"(p));
}

void gdt_load(uint64_t base, uint16_t limit)
{
	struct table_pointer p = {limit, base};

	__asm__ volatile("lgdt %0" : : "m"(p));
}

void tables_restore(void)
{
	ldt_load(0);
	trap_load(cpu_index());
}

void idt_copy(void *to)
{
	struct table_pointer p = idt_now();

	memcpy(to, (const void *)p.base, p.limit + 1u);
}

void gdt_copy(void *to)
{
	struct table_pointer p = gdt_now();

	memcpy(to, (const void *)p.base, p.limit + 1u);
}

uint32_t gdt_size(void)
{
	return gdt_now().limit + 1u;
}

void idt_for_absent(struct gate idt[256], enum event_kind kind)
{
	tables_restore();
	idt_copy(idt);
	idt[VECTOR_NMI].ist = 0;
	idt[VECTOR_PF].ist = kind == EVENT_PF ? 0 : 3;
	idt_load((uintptr_t)idt, 4095);
}

/* A descriptor of 16 bytes of a system segment (SDM 3A 8.2.3, 3.5). */
static void describe(uint64_t *d, uint64_t base, uint32_t limit, unsigned type)
{
	d[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | (uint64_t)(0x80 | type) << 40 |
	       (base >> 24 & 0xff) << 56;
	d[1] = base >> 32;
}

void tss_describe(uint64_t *descriptor, uint64_t base, uint32_t limit)
{
	describe(descriptor, base, limit, 9); /* available */
}

uint64_t *tss_descriptor(void)
{
	return (uint64_t *)(gdt_now().base + SEL_TSS) + 2 * cpu_index();
}

uint8_t *tss_now(void)
{
	const uint64_t *d = tss_descriptor();

	return (uint8_t *)((d[0] >> 16 & 0xffffff) | (d[0] >> 56) << 24 | d[1] << 32);
}

void tss_copy(void *to)
{
	const uint16_t beyond = TSS_SIZE;

	memcpy(to, tss_now(), TSS_SIZE);
	memcpy((uint8_t *)to + TSS_IO_MAP, &beyond, sizeof(beyond));
}

/* The GDT with room for one more descriptor behind the kernel's. */
static uint32_t own_gdt_load(void)
{
	uint32_t size = gdt_size();

	if (gdt_now().base == (uintptr_t)own_gdt)
		return size - 16;
	if (size + 16 > sizeof(own_gdt))
		case_error("the GDT is too large");
	gdt_copy(own_gdt);
	own_gdt[size / 8] = own_gdt[size / 8 + 1] = 0;
	gdt_load((uintptr_t)own_gdt, (uint16_t)(size + 15));
	return size;
}

void tss_load(uint64_t base)
{
	uint32_t at = SEL_TSS + 16 * cpu_index();

	own_gdt_load();
	tss_describe(&own_gdt[at / 8], base, TSS_SIZE - 1);
	__asm__ volatile("ltr %w0" : : "r"(at) : "memory");
}

void ldt_load(uint64_t base)
{
	uint32_t selector = 0;

	if (base) {
		selector = own_gdt_load();
		describe(&own_gdt[selector / 8], base, 4095, 2);
	}
	__asm__ volatile("lldt %w0" : : "r"(selector) : "memory");
}

/* ---- every kind of event ---- */

void event_all_stacks(bool user, void *slot)
{
	uint64_t base = 0, top;

	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		unsigned piece = kind % FRESH_PIECES;
		struct snippet s;

		if (!event_in_exit(kind))
			continue;
		if (piece == 0)
			base = (uintptr_t)fresh_move();
		top = base + (piece + 1) * FRESH_PIECE;
		if (slot)
			memcpy(slot, &top, sizeof(top));
		event_run(&s, kind, user, slot ? 0 : top);
		event_check(&s, kind, user);
		CHECK_EQ(s.frame_at, top - sizeof(struct frame), "%s frame", event_name[kind]);
	}
}

void event_all_tables(enum event_ring ring, void (*fill)(void *table), void (*load)(void *table),
		      uint64_t top)
{
	uint8_t *base = fresh_move();

	for (unsigned piece = 0; piece < FRESH_PIECES; piece++)
		fill(base + piece * FRESH_PIECE);
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		bool user = ring == EVENT_BY_TURNS ? kind & 1 : ring == EVENT_CPL3;
		struct snippet s;

		if (!event_in_exit(kind))
			continue;
		if (kind % FRESH_PIECES == 0)
			base = fresh_move();
		load(base + kind % FRESH_PIECES * FRESH_PIECE);
		event_run(&s, kind, user, 0);
		tables_restore();
		event_check(&s, kind, user);
		if (top)
			CHECK_EQ(s.frame_at, top - sizeof(struct frame), "%s frame CPL-%u",
				 event_name[kind], user ? 3 : 0);
	}
}
