/* Events of every kind, delivered through tables and stacks of a case's own; memory that the VMM
 * has not mapped. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "tests/guest/kernel/guest.h"

/* ---- memory that behaves as RAM, at addresses that nobody has touched ---- */

#define FRESH_PIECES 8
#define FRESH_PIECE                                                                                \
	0x200000u /* the VMM maps no more than this at a touch: there is RAM in the same GiB */

/*
 * FRESH_PIECES pieces of FRESH_PIECE bytes: the graphics card's frame buffer, which moves with its
 * BAR. fresh_move() puts it where it has never been, contents and all, and returns where: what is
 * written at the old place is found at the new one by the first access there. fresh_next(): the
 * place of the next move. case_skip() when there is no such memory.
 */
uint8_t *fresh_move(void);
uint8_t *fresh_next(void);

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, pad;
};

/* ---- events ---- */

enum event_kind {
	EVENT_UD,
	EVENT_DE,
	EVENT_GP,
	EVENT_PF,
	EVENT_DB,    /* TF */
	EVENT_ICEBP, /* INT1 */
	EVENT_BP,    /* INT3 */
	EVENT_INTO,  /* in a 32-bit segment */
	EVENT_NMI,
	EVENT_INT, /* INT n */
	EVENT_IRQ, /* an IPI that waits for IF */
	EVENT_COUNT
};

#define EVENT_IRQ_VECTOR 0x90u
#define EVENT_INT_VECTOR VECTOR_END
#define EVENT_BAD_ADDR   UINT64_C(0x7000000000) /* nothing is mapped there: CR2 of EVENT_PF */

extern const char *const event_name[EVENT_COUNT];

/* Can this machine tell the VMM that an exit has hit the event's delivery? Word intinfo=0: not of
 * INT n, INT1 and interrupts. */
bool event_in_exit(enum event_kind kind);
/* Have the event come in a snippet at CPL 3 or 0, with this RSP, 0: the snippet's own. What came is
 * in s->out. */
void event_run(struct snippet *s, enum event_kind kind, bool user, uint64_t rsp);
/* Vector, error code, RIP, RSP, CR2 and DR6 of a run are those that the event has by itself. */
void event_check(const struct snippet *s, enum event_kind kind, bool user);
/*
 * Its delivery needs what is not there, at `address`, give or take its page, and that is a page
 * fault with `error`. After a page fault that is a double fault.
 */
void event_check_absent(const struct snippet *s, enum event_kind kind, uint64_t address,
			uint64_t error);
/* An IDT for that: the kernel's, but the handler of #PF has IST 3; not when the event is a #PF
 * itself. */
void idt_for_absent(struct gate idt[256], enum event_kind kind);

/*
 * Every kind of event, each with a stack in memory that the VMM has not mapped yet: its top is
 * written to `slot`, a field of the TSS in use; NULL: it is RSP. The event is as by itself, and its
 * frame is on that stack.
 */
void event_all_stacks(bool user, void *slot);

enum event_ring { EVENT_CPL0, EVENT_CPL3, EVENT_BY_TURNS };

/*
 * Every kind of event, each with a table in memory that the VMM has not mapped yet: fill() writes
 * one beforehand, load() has the CPU use it. The kernel's tables are loaded again behind each
 * event. The event is as by itself; its frame lies below `top`, 0: anywhere.
 */
void event_all_tables(enum event_ring ring, void (*fill)(void *table), void (*load)(void *table),
		      uint64_t top);

/* ---- tables ---- */

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

#define TSS_SIZE   104u /* without a bitmap of ports: I/O is for CPL 0 */
#define TSS_RSP0   4u   /* offsets: SDM 3A 8.7, figure 8-11 */
#define TSS_IST1   36u
#define TSS_IO_MAP 102u

/* This CPU's tables as they are. */
struct table_pointer idt_now(void);
struct table_pointer gdt_now(void);
/* Load tables; trap_reset() behind the case, and tables_restore(), load the kernel's. */
void idt_load(uint64_t base, uint16_t limit);
void gdt_load(uint64_t base, uint16_t limit);
void tables_restore(void);
/* The kernel's TSS of this CPU, and its descriptor of 16 bytes. */
uint8_t *tss_now(void);
uint64_t *tss_descriptor(void);
/* Describe a TSS at `base` there. */
void tss_describe(uint64_t *descriptor, uint64_t base, uint32_t limit);
/* A copy of the kernel's IDT, GDT, or TSS. */
void idt_copy(void *to);
void gdt_copy(void *to);
void tss_copy(void *to);
/* Size of the GDT in bytes. */
uint32_t gdt_size(void);
/* Use the TSS at `base`: it gets a descriptor in a GDT of its own, which is loaded. Nothing of the
 * TSS is read. */
void tss_load(uint64_t base);
/* An LDT at `base`, of one page; 0: none. In the same GDT. */
void ldt_load(uint64_t base);
/* A code segment as the kernel's, for a GDT or an LDT. */
#define DESCRIPTOR_CODE64 UINT64_C(0x00af9b000000ffff)

/* ---- NMIs ---- */

/* Ticks of the TSC that two NMIs are apart which must both come: word nmi_apart=, for machines
 * where instructions take their time; 0: elsewhere. */
uint64_t nmi_apart(void);
/* Wait as long. */
void nmi_wait(uint64_t ticks);
/*
 * CPUs 0 and 2 send NMIs to `target`, which does f() all the while. First never two within that
 * time, or else before it has gone on: each must come. Then several at once: one of them must come,
 * and never more than were sent.
 */
void nmi_storm(unsigned target, void (*f)(void));
