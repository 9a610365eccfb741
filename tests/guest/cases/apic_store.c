/*
 * The same store to the local APIC again and again: from every register, after its bytes have
 * changed, and after its page has. Whoever remembers an instruction must see that it is another.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define APIC_PAGE 0xfee00000u
#define RSP       4u
#define RSI       6u
#define RDI       7u
#define VIRTUAL   (UINT64_C(6) << 30)
#define TIMES     4u

static uint64_t *reg_of(struct frame *f, unsigned reg)
{
	uint64_t *const place[16] = {&f->rax, &f->rcx, &f->rdx, &f->rbx, NULL,    &f->rbp,
				     &f->rsi, &f->rdi, &f->r8,  &f->r9,  &f->r10, &f->r11,
				     &f->r12, &f->r13, &f->r14, &f->r15};

	return place[reg];
}

/* MOV [base + TPR], reg: all at the same address, so each has the bytes of another before it. */
static void each_register(void)
{
	for (unsigned reg = 0; reg < 16; reg++) {
		unsigned base = reg == RDI ? RSI : RDI;
		uint8_t code[] = {(uint8_t)(0x40 | (reg & 8) >> 1),
				  0x89,
				  (uint8_t)(0x80 | (reg & 7) << 3 | base),
				  APIC_TPR,
				  0,
				  0,
				  0};

		if (reg == RSP)
			continue;
		for (unsigned i = 0; i < TIMES; i++) {
			struct snippet s = {.mode = MODE_64};
			uint32_t value = reg * 16 + i;

			snippet_bytes(&s, code, sizeof(code));
			for (unsigned r = 0; r < 16; r++) {
				if (r != RSP)
					*reg_of(&s.in, r) = 0xee;
			}
			*reg_of(&s.in, base) = APIC_PAGE;
			*reg_of(&s.in, reg) = UINT64_C(0x1234567800000000) | value;
			snippet_run(&s);
			CHECK_EQ(s.out.vector, VECTOR_END, "reg %u time %u end", reg, i);
			CHECK_EQ(apic_read(APIC_TPR), value, "reg %u time %u", reg, i);
		}
	}
}

/* MOV dword [RDI + TPR], imm32: another immediate behind the same bytes. */
static void each_immediate(void)
{
	for (uint8_t value = 0; value < 8; value++) {
		uint8_t code[] = {0xc7, 0x87, APIC_TPR, 0, 0, 0, value, 0, 0, 0};

		for (unsigned i = 0; i < TIMES; i++) {
			struct snippet s = {.mode = MODE_64, .in = {.rdi = APIC_PAGE}};

			snippet_bytes(&s, code, sizeof(code));
			snippet_run(&s);
			CHECK_EQ(apic_read(APIC_TPR), value, "immediate %u time %u", value, i);
		}
	}
}

/* The same address, other pages behind it. */
static void each_page(void)
{
	static const uint8_t from_ecx[] = {0x89, 0x8f, APIC_TPR, 0, 0, 0, 0xc3},
			     from_edx[] = {0x89, 0x97, APIC_TPR, 0, 0, 0, 0xc3};
	uint8_t *pages[] = {page_alloc(), page_alloc()};

	memcpy(pages[0], from_ecx, sizeof(from_ecx));
	memcpy(pages[1], from_edx, sizeof(from_edx));
	for (unsigned i = 0; i < 4 * TIMES; i++) {
		unsigned which = i / TIMES & 1;

		page_map(VIRTUAL, (uintptr_t)pages[which], PAGE_P | PAGE_W);
		__asm__ volatile("call *%0"
				 :
				 : "a"(VIRTUAL), "c"(16 + i), "d"(64 + i), "D"(APIC_PAGE)
				 : "memory");
		CHECK_EQ(apic_read(APIC_TPR), which ? 64 + i : 16 + i, "page, time %u", i);
	}
	page_map(VIRTUAL, 0, 0);
}

GUEST_CASE(apic_store, "SDM 3A 11.4.1, 11.8.3.1")
{
	each_register();
	each_immediate();
	each_page();
	apic_write(APIC_TPR, 0);
}
