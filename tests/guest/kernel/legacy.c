/* Snippets in the modes that exist without long mode only. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/kernel.h"

#define REAL_PAGE 0x6000u /* as in legacy.S */
#define LEGACY    0x7000u
/* selectors; legacy.S knows those up to TSS_SEL */
#define L_DATA32     0x10u
#define L_CODE32     0x18u
#define TSS_SEL      0x30u
#define L_CODE16     0x38u
#define L_DATA16     0x40u
#define L_USER32     0x4bu
#define L_USERDATA32 0x53u
#define L_USER16     0x5bu
#define L_USERDATA16 0x63u
#define TRAP_STACK   0x7000u
#define IVT          0x5000u /* our own: the firmware's stays */
#define TSS_IO_SIZE  8193u

struct pointer32 {
	uint16_t limit;
	uint32_t base;
	uint16_t pad;
} __attribute__((packed));

/* At LEGACY; offsets are in legacy.S. */
struct legacy_cpu {
	uint32_t eax, ecx, edx, ebx, ebp, esi, edi, esp, ss, eflags, eip, cs, vector, error, cr2,
	    dr6;
	uint32_t cr0, cr3, cr4, mode;
	uint64_t rsp64, cr3_64, cr4_64;
	struct pointer32 gdt32, idt32, ivt;
	uint8_t gdt64[16], idt64[16];
};

_Static_assert(offsetof(struct legacy_cpu, rsp64) == 80 &&
		   offsetof(struct legacy_cpu, gdt32) == 104 &&
		   offsetof(struct legacy_cpu, idt64) == 144,
	       "legacy.S");

void legacy_enter(void);
extern const uint8_t legacy_stubs[], real_start[], real_stubs[], real_end[];

static uint64_t gdt[16] = {
    [1] = 0x00af9b000000ffff, /* as in 64-bit mode, for the way back */
    [L_DATA32 / 8] = 0x00cf93000000ffff,
    [L_CODE32 / 8] = 0x00cf9b000000ffff,
    [4] = 0x00009b000000ffff, /* for the way to real mode */
    [5] = 0x000093000000ffff,
    [L_CODE16 / 8] = 0x00009b020000ffff,
    [L_DATA16 / 8] = 0x000093020000ffff,
    [L_USER32 / 8] = 0x00cffb000000ffff,
    [L_USERDATA32 / 8] = 0x00cff3000000ffff,
    [L_USER16 / 8] = 0x0000fb020000ffff,
    [L_USERDATA16 / 8] = 0x0000f3020000ffff,
};

_Static_assert(SNIPPET_BASE(0) == 0x20000, "segments of 64 KiB begin there");

/* Segments and CPL of the modes that have descriptors. */
static const struct {
	uint16_t cs, ss;
} selectors[MODE_COUNT] = {
    [MODE_PROT32] = {L_CODE32, L_DATA32},
    [MODE_PAGED32] = {L_CODE32, L_DATA32},
    [MODE_PAE32] = {L_CODE32, L_DATA32},
    [MODE_PROT16] = {L_CODE16, L_DATA16},
    [MODE_PROT_USER32] = {L_USER32, L_USERDATA32},
    [MODE_PROT_USER16] = {L_USER16, L_USERDATA16},
    [MODE_PAGED_USER32] = {L_USER32, L_USERDATA32},
};
static struct {
	uint16_t offset_low, selector, type, offset_high;
} idt[256];
static struct {
	uint32_t link, esp0, ss0, unused[22];
	uint16_t trap, io_map;
	uint8_t redirection[32], io_bits[TSS_IO_SIZE]; /* all zero */
} tss;
static uint32_t pd32[1024] __attribute__((aligned(4096)));
static uint64_t pdpt[4] __attribute__((aligned(4096))),
    pd_pae[4][512] __attribute__((aligned(4096)));

static void prepare(void)
{
	uint64_t base = (uintptr_t)&tss;

	for (unsigned n = 0; n < 256; n++) {
		uint32_t stub = (uint32_t)(uintptr_t)legacy_stubs + n * 16;

		idt[n].offset_low = (uint16_t)stub;
		idt[n].selector = L_CODE32;
		idt[n].type = 0xee00; /* for all rings */
		idt[n].offset_high = (uint16_t)(stub >> 16);
		*(uint32_t *)(uintptr_t)(IVT + n * 4) =
		    REAL_PAGE + (uint32_t)(real_stubs - real_start) + n * 8;
	}
	for (unsigned n = 0; n < 1024; n++)
		pd32[n] = n << 22 | 0x87;
	for (unsigned n = 0; n < 2048; n++)
		pd_pae[n / 512][n % 512] = (uint64_t)n << 21 | 0x87;
	for (unsigned n = 0; n < 4; n++)
		pdpt[n] = (uintptr_t)pd_pae[n] | 1;
	memcpy((void *)(uintptr_t)REAL_PAGE, real_start, (size_t)(real_end - real_start));
	tss.esp0 = TRAP_STACK;
	tss.ss0 = L_DATA32;
	tss.io_map = offsetof(__typeof__(tss), io_bits);
	tss.io_bits[TSS_IO_SIZE - 1] = 0xff;
	gdt[TSS_SEL / 8] = ((sizeof(tss) - 1) & 0xffff) | (base & 0xffffff) << 16 |
			   UINT64_C(0x89) << 40 | (base >> 24 & 0xff) << 56;
}

void legacy_run(struct snippet *s, uint32_t base, uint32_t stack)
{
	struct legacy_cpu *l = (struct legacy_cpu *)(uintptr_t)LEGACY;
	bool low = mode_is_64k(s->mode);
	uint16_t cs = selectors[s->mode].cs ? selectors[s->mode].cs : (uint16_t)(base >> 4),
		 ss = selectors[s->mode].ss ? selectors[s->mode].ss : (uint16_t)(base >> 4);

	if (cpu_index() != 0)
		case_error("only the boot CPU runs snippets without long mode");
	prepare();
	*l = (struct legacy_cpu){
	    .eax = (uint32_t)s->in.rax,
	    .ecx = (uint32_t)s->in.rcx,
	    .edx = (uint32_t)s->in.rdx,
	    .ebx = (uint32_t)s->in.rbx,
	    .ebp = (uint32_t)s->in.rbp,
	    .esi = (uint32_t)s->in.rsi,
	    .edi = (uint32_t)s->in.rdi,
	    .esp = s->in.rsp ? (uint32_t)s->in.rsp
		   : low     ? stack - base
			     : stack,
	    .ss = ss,
	    .eflags = (uint32_t)s->in.rflags | RFLAGS_FIXED,
	    .eip = low ? 0 : base,
	    .cs = cs,
	    .mode = cs & 3,
	    .cr0 = 0x00010031, /* WP, NE, ET, PE */
	    .gdt32 = {sizeof(gdt) - 1, (uint32_t)(uintptr_t)gdt, 0},
	    .idt32 = {sizeof(idt) - 1, (uint32_t)(uintptr_t)idt, 0},
	    .ivt = {0x3ff, IVT, 0},
	};
	switch (s->mode) {
	case MODE_REAL:
		l->cr0 &= ~(uint32_t)(CR0_PE | CR0_WP);
		l->mode = 2;
		break;
	case MODE_V86:
		l->mode = 1;
		l->eflags |= RFLAGS_VM | RFLAGS_IOPL3;
		/* fall through */
	case MODE_PAGED32:
	case MODE_PAGED_USER32:
		l->cr0 |= (uint32_t)CR0_PG;
		l->cr3 = (uint32_t)(uintptr_t)pd32;
		l->cr4 = (uint32_t)CR4_PSE;
		break;
	case MODE_PAE32:
		l->cr0 |= (uint32_t)CR0_PG;
		l->cr3 = (uint32_t)(uintptr_t)pdpt;
		l->cr4 = (uint32_t)CR4_PAE;
		break;
	default:
		break;
	}
	l->cr0 |= s->cr0;
	l->cr3 = s->cr3 ? s->cr3 : l->cr3;
	l->cr4 |= s->cr4;
	write_dr6(DR6_CLEAR);
	legacy_enter();
	trap_load(0); /* TR was the other TSS */
	s->out = (struct frame){
	    .rax = l->eax,
	    .rcx = l->ecx,
	    .rdx = l->edx,
	    .rbx = l->ebx,
	    .rbp = l->ebp,
	    .rsi = l->esi,
	    .rdi = l->edi,
	    .rsp = l->esp,
	    .ss = l->ss,
	    .vector = l->vector,
	    .error = l->error,
	    .rip = low && l->cs == cs ? l->eip + base : l->eip,
	    .cs = l->cs,
	    .rflags = l->eflags,
	};
	s->cr2 = l->cr2;
	s->dr6 = l->dr6;
}
