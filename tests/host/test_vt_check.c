/* VMCS rules: a good guest state breaks none, and each rule broken alone is the one that is named.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/vt/check.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "core/x86/vt/controls.h"

/* CR0: NE must be 1, PE and PG free ("unrestricted guest"); CR4: VMXE must be 1, Haswell's may be.
 */
static const struct vt_check_limits limits = {
    .phys_bits = 39,
    .linear_bits = 48,
    .cr0_fixed0 = 0x20,
    .cr0_fixed1 = 0xffffffff,
    .cr4_fixed0 = 0x2000,
    .cr4_fixed1 = 0x1727ff,
};

/* Linux in 64-bit mode, CPL 0. */
static struct vt_check_state good(void)
{
	struct vt_check_state s = {
	    .pin = VT_PIN_NMI | VT_PIN_VIRTUAL_NMI,
	    .proc2 = VT_PROC2_EPT | VT_PROC2_UNRESTRICTED_GUEST,
	    .entry = VT_ENTRY_LOAD_DEBUG | VT_ENTRY_LOAD_PAT | VT_ENTRY_LOAD_EFER |
		     VT_ENTRY_LOAD_CET | VT_ENTRY_LOAD_BNDCFGS | VT_ENTRY_LOAD_PKRS |
		     VT_ENTRY_IA32E_GUEST,
	    .cr0 = 0x80050033,
	    .cr3 = 0x12345000,
	    .cr4 = 0x1726f0,
	    .dr7 = 0x400,
	    .sysenter_esp = 0xfffffe0000003000,
	    .sysenter_eip = 0xffffffff81a01510,
	    .pat = 0x0407050600070106,
	    .efer = 0xd01,
	    .gdtr = {0xfffffe0000001000, 0x7f},
	    .idtr = {0xfffffe0000000000, 0xfff},
	    .rip = 0xffffffff81000000,
	    .rflags = 0x246,
	    .link_pointer = UINT64_MAX,
	};

	for (unsigned i = 0; i < SEG_COUNT; i++)
		s.seg[i].ar = 0x10000;
	s.seg[SEG_CS] = (struct vt_check_seg){0x10, 0xffffffff, 0xa09b, 0};
	s.seg[SEG_SS] = (struct vt_check_seg){0x18, 0xffffffff, 0xc093, 0};
	s.seg[SEG_GS].base = 0xffff888000000000;
	s.seg[SEG_TR] = (struct vt_check_seg){0x40, 0x4087, 0x8b, 0xfffffe0000003000};
	return s;
}

/* 32-bit protected mode with PAE paging; all segments in use, an LDT too. */
static struct vt_check_state good_32(void)
{
	struct vt_check_state s = good();

	s.entry &= ~VT_ENTRY_IA32E_GUEST;
	s.cr4 = 0x26f0;
	s.efer = 0;
	s.rip = 0xc1000000;
	s.seg[SEG_CS] = (struct vt_check_seg){0x60, 0xffffffff, 0xc09b, 0};
	for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
		if (i != SEG_CS)
			s.seg[i] = (struct vt_check_seg){0x68, 0xffffffff, 0xc093, 0};
	}
	s.seg[SEG_LDTR] = (struct vt_check_seg){0x88, 0x27, 0x82, 0xc1200000};
	s.pdpte[0] = 0x1001;
	s.pdpte[3] = 0x7ffffff001;
	return s;
}

/* Real mode, behind a start-up IPI. */
static struct vt_check_state good_real(void)
{
	struct vt_check_state s = good_32();

	s.cr0 = 0x30;
	s.cr3 = 0;
	s.cr4 = 0x2000;
	s.rip = 0;
	s.rflags = 2;
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		s.seg[i] = (struct vt_check_seg){0, 0xffff, 0x93, 0};
	s.seg[SEG_CS] = (struct vt_check_seg){0x9a00, 0xffff, 0x9b, 0x9a000};
	s.seg[SEG_LDTR] = (struct vt_check_seg){0, 0xffff, 0x82, 0};
	s.seg[SEG_TR] = (struct vt_check_seg){0, 0xffff, 0x8b, 0};
	return s;
}

static struct vt_check_state good_v8086(void)
{
	struct vt_check_state s = good_32();

	s.rflags = 0x23202;
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		s.seg[i] = (struct vt_check_seg){0x1234, 0xffff, 0xf3, 0x12340};
	return s;
}

static void check(const struct vt_check_state *s, const char *wanted)
{
	const char *broken = vt_check(s, &limits);

	assert_string_equal(broken ? broken : "none", wanted ? wanted : "none");
}

static void good_passes(void **state)
{
	struct vt_check_state s = good();

	(void)state;
	check(&s, NULL);
	s = good_real();
	check(&s, NULL);
	s = good_v8086();
	check(&s, NULL);
	s = good_32();
	check(&s, NULL);
	s.seg[SEG_TR].ar = 0x83; /* a busy 16-bit TSS */
	check(&s, NULL);
	/* data in CS, as real mode leaves it behind MOV to CR0 (unrestricted guest) */
	s.seg[SEG_CS].ar = 0xc093;
	check(&s, NULL);
	/* each activity state without an event; HLT with the interrupt that ends it */
	s = good();
	for (s.activity = 0; s.activity <= 3; s.activity++)
		check(&s, NULL);
	s.activity = 1;
	s.event = 0x800000ef;
	check(&s, NULL);
	/* single step behind STI: the trap is pending */
	s = good();
	s.interruptibility = 1;
	s.rflags = 0x346;
	s.pending_debug = 0x4000;
	check(&s, NULL);
	s.debugctl = 2; /* BTF: only branches trap */
	s.pending_debug = 0;
	check(&s, NULL);
	/* RIP one byte behind the lower half: the guest gets #GP, the entry passes (27.3.1.4) */
	s = good();
	s.rip = UINT64_C(0x800000000000);
	check(&s, NULL);
	/* what no control loads is not looked at */
	s = good_32();
	s.entry = 0;
	s.efer = 0xffff;
	s.pat = s.debugctl = s.dr7 = s.s_cet = s.ssp = s.isst = s.bndcfgs = s.pkrs = UINT64_MAX;
	check(&s, NULL);
}

enum { MODE_64, MODE_32, REAL, V8086 };

#define S(field)    offsetof(struct vt_check_state, field), sizeof(((struct vt_check_state *)0)->field)
#define SEG(n, f)   S(seg[SEG_##n].f)
#define BEHIND_HOLE UINT64_C(0x900000000000) /* not canonical */

/* One field of a good state set to what breaks one rule: SDM 3C 27.3.1.1 to 27.3.1.6. */
static void each_rule(void **state)
{
	static const struct {
		unsigned mode;
		const char *rule;
		size_t offset, size;
		uint64_t value;
	} rows[] = {
	    {MODE_64, "CR0: a bit is not as VMX fixes it", S(cr0), 0x80050013},
	    {MODE_64, "CR0: a bit is not as VMX fixes it", S(cr0), UINT64_C(0x180050033)},
	    {MODE_32, "CR0.PG is 1 and PE is 0", S(cr0), 0x80050032},
	    {MODE_64, "CR4: a bit is not as VMX fixes it", S(cr4), 0x1706f0},
	    {MODE_64, "CR4: a bit is not as VMX fixes it", S(cr4), 0x5726f0},
	    {MODE_64, "IA-32e mode guest without CR0.PG or CR4.PAE", S(cr4), 0x1726d0},
	    {MODE_64, "IA-32e mode guest without CR0.PG or CR4.PAE", S(cr0), 0x50033},
	    {MODE_32, "CR4.PCIDE is 1 outside IA-32e mode", S(cr4), 0x226f0},
	    {MODE_64, "CR3: bits beyond the physical address are set", S(cr3), UINT64_C(1) << 39},
	    {MODE_64, "SYSENTER_ESP or SYSENTER_EIP is not canonical", S(sysenter_esp),
	     BEHIND_HOLE},
	    {MODE_64, "SYSENTER_ESP or SYSENTER_EIP is not canonical", S(sysenter_eip),
	     UINT64_C(0x7fff800000000000)},
	    {MODE_64, "IA32_DEBUGCTL: reserved bits are set", S(debugctl), 0x8},
	    {MODE_64, "IA32_DEBUGCTL: reserved bits are set", S(debugctl), 0x10000},
	    {MODE_64, "DR7 63:32 are not 0", S(dr7), UINT64_C(0x100000400)},
	    {MODE_64, "IA32_S_CET: reserved bits are set, or it is not canonical", S(s_cet), 0x40},
	    {MODE_64, "IA32_S_CET: reserved bits are set, or it is not canonical", S(s_cet), 0xc00},
	    {MODE_64, "IA32_S_CET: reserved bits are set, or it is not canonical", S(s_cet),
	     BEHIND_HOLE},
	    {MODE_64, "SSP is not aligned or canonical", S(ssp), 2},
	    {MODE_64, "SSP is not aligned or canonical", S(ssp), BEHIND_HOLE},
	    {MODE_64, "IA32_INTERRUPT_SSP_TABLE_ADDR is not canonical", S(isst), BEHIND_HOLE},
	    {MODE_64, "IA32_PAT: a type is reserved", S(pat), UINT64_C(0x0407050600070206)},
	    {MODE_64, "IA32_PAT: a type is reserved", S(pat), UINT64_C(0x0807050600070106)},
	    {MODE_64, "IA32_EFER: reserved bits are set", S(efer), 0x1d01},
	    {MODE_64, "IA32_EFER.LMA is not as \"IA-32e mode guest\"", S(efer), 0x901},
	    {MODE_32, "IA32_EFER.LMA is not as \"IA-32e mode guest\"", S(efer), 0x500},
	    {MODE_64, "IA32_EFER.LMA is not LME with CR0.PG", S(efer), 0xc01},
	    {MODE_32, "IA32_EFER.LMA is not LME with CR0.PG", S(efer), 0x100},
	    {MODE_64, "IA32_BNDCFGS: reserved bits are set, or it is not canonical", S(bndcfgs),
	     0x4},
	    {MODE_64, "IA32_PKRS 63:32 are not 0", S(pkrs), UINT64_C(1) << 32},
	    /* 27.3.1.2 */
	    {V8086, "virtual-8086 mode: a segment's base is not its selector * 16", SEG(ES, base),
	     0x12350},
	    {V8086, "virtual-8086 mode: a segment's limit is not FFFFH", SEG(GS, limit), 0xfffff},
	    {V8086, "virtual-8086 mode: a segment's rights are not F3H", SEG(CS, ar), 0xfb},
	    {MODE_64, "CS is unusable", SEG(CS, ar), 0x1a09b},
	    {MODE_64, "CS: base 63:32 are not 0", SEG(CS, base), UINT64_C(1) << 32},
	    {MODE_64, "CS: the type is no accessed code segment", SEG(CS, ar), 0xa09a},
	    {MODE_64, "CS: the type is no accessed code segment", SEG(CS, ar), 0xa091},
	    {MODE_64, "CS: S is 0", SEG(CS, ar), 0xa08b},
	    {MODE_32, "CS: a data segment whose DPL is not 0", SEG(CS, ar), 0xc0f3},
	    {MODE_64, "CS: DPL is not that of SS", SEG(CS, ar), 0xa0fb},
	    {MODE_64, "CS: conforming, DPL above that of SS", SEG(CS, ar), 0xa0ff},
	    {MODE_64, "CS: P is 0", SEG(CS, ar), 0xa01b},
	    {MODE_64, "CS: L and D/B are 1", SEG(CS, ar), 0xe09b},
	    {MODE_64, "SS: the type is no accessed writable data segment", SEG(SS, ar), 0xc091},
	    {MODE_64, "a segment: reserved rights are set", SEG(CS, ar), 0xa19b},
	    {MODE_64, "a segment: reserved rights are set", SEG(SS, ar), 0x2c093},
	    {MODE_64, "a segment: G does not agree with the limit", SEG(CS, ar), 0x209b},
	    {MODE_32, "a segment: G does not agree with the limit", SEG(DS, limit), 0xfffff0ff},
	    {MODE_32, "a segment: S is 0", SEG(DS, ar), 0xc083},
	    {MODE_32, "a segment: P is 0", SEG(FS, ar), 0xc013},
	    {MODE_32, "ES, SS or DS: base 63:32 are not 0", SEG(ES, base), UINT64_C(1) << 32},
	    {MODE_32, "ES, SS or DS: base 63:32 are not 0", SEG(SS, base), UINT64_C(1) << 63},
	    {MODE_32, "a data segment is not accessed", SEG(DS, ar), 0xc092},
	    {MODE_32, "a data segment is code that cannot be read", SEG(ES, ar), 0xc099},
	    {MODE_64, "FS or GS: the base is not canonical", SEG(FS, base), BEHIND_HOLE},
	    {MODE_64, "FS or GS: the base is not canonical", SEG(GS, base), BEHIND_HOLE},
	    {MODE_64, "TR is unusable", SEG(TR, ar), 0x1008b},
	    {MODE_64, "TR: TI is 1", SEG(TR, selector), 0x44},
	    {MODE_64, "TR: the base is not canonical", SEG(TR, base), BEHIND_HOLE},
	    {MODE_64, "TR: the type is no busy TSS", SEG(TR, ar), 0x89},
	    {MODE_64, "TR: the type is no busy TSS", SEG(TR, ar), 0x83},
	    {MODE_64, "TR: S is 1", SEG(TR, ar), 0x9b},
	    {MODE_64, "TR: P is 0", SEG(TR, ar), 0x0b},
	    {MODE_64, "TR: reserved rights are set", SEG(TR, ar), 0x18b},
	    {MODE_64, "TR: G does not agree with the limit", SEG(TR, ar), 0x808b},
	    {MODE_32, "LDTR: TI is 1", SEG(LDTR, selector), 0x8c},
	    {MODE_32, "LDTR: the base is not canonical", SEG(LDTR, base), BEHIND_HOLE},
	    {MODE_32, "LDTR: the type is no LDT", SEG(LDTR, ar), 0x83},
	    {MODE_32, "LDTR: S is 1", SEG(LDTR, ar), 0x92},
	    {MODE_32, "LDTR: P is 0", SEG(LDTR, ar), 0x02},
	    {MODE_32, "LDTR: reserved rights are set", SEG(LDTR, ar), 0x882},
	    {MODE_32, "LDTR: G does not agree with the limit", SEG(LDTR, limit), 0x100000},
	    /* 27.3.1.3, 27.3.1.4 */
	    {MODE_64, "GDTR or IDTR: the base is not canonical", S(gdtr.base), BEHIND_HOLE},
	    {MODE_64, "GDTR or IDTR: the base is not canonical", S(idtr.base), BEHIND_HOLE},
	    {MODE_64, "GDTR or IDTR: limit 31:16 are not 0", S(gdtr.limit), 0x10000},
	    {MODE_64, "GDTR or IDTR: limit 31:16 are not 0", S(idtr.limit), 0x80000fff},
	    {MODE_32, "RIP 63:32 are not 0 outside 64-bit mode", S(rip), UINT64_C(0x100000000)},
	    {MODE_64, "RIP: the bits above the linear address are not equal", S(rip),
	     UINT64_C(0x1000000000000)},
	    {MODE_64, "RFLAGS: reserved bits are wrong", S(rflags), 0x244},
	    {MODE_64, "RFLAGS: reserved bits are wrong", S(rflags), 0x24e},
	    {REAL, "RFLAGS: reserved bits are wrong", S(rflags), 0x8002},
	    /* 27.3.1.5, 27.3.1.6 */
	    {MODE_64, "the activity state is reserved", S(activity), 4},
	    {MODE_64, "interruptibility: reserved bits are set", S(interruptibility), 0x20},
	    {MODE_64, "blocking by STI and by MOV SS", S(interruptibility), 3},
	    {REAL, "blocking by STI with IF = 0", S(interruptibility), 1},
	    {MODE_64, "blocking by SMI outside SMM", S(interruptibility), 4},
	    {MODE_64, "pending debug: reserved bits are set", S(pending_debug), 0x10},
	    {MODE_64, "pending debug: reserved bits are set", S(pending_debug), 0x20000},
	    {MODE_64, "the VMCS link pointer is used", S(link_pointer), 0},
	    {MODE_64, "an MSR list is not empty", S(exit_msr_store), 1},
	    {MODE_32, "an MSR list is not empty", S(exit_msr_load), 1},
	    {REAL, "an MSR list is not empty", S(entry_msr_load), 1},
	    {MODE_32, "a PDPTE has reserved bits set", S(pdpte[1]), 0x2003},
	    {MODE_32, "a PDPTE has reserved bits set", S(pdpte[2]), UINT64_C(0x8000000001)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vt_check_state s = rows[i].mode == MODE_64   ? good()
					  : rows[i].mode == MODE_32 ? good_32()
					  : rows[i].mode == REAL    ? good_real()
								    : good_v8086();

		memcpy((uint8_t *)&s + rows[i].offset, &rows[i].value, rows[i].size);
		check(&s, rows[i].rule);
	}
}

/* Rules about more than one field. */
static void combinations(void **state)
{
	struct vt_check_limits cet = limits;
	struct vt_check_state s = good();

	(void)state;
	cet.cr4_fixed1 |= 1 << 23;
	s.cr4 |= 1 << 23;
	assert_null(vt_check(&s, &cet));
	s.cr0 &= ~UINT64_C(0x10000);
	assert_string_equal(vt_check(&s, &cet), "CR4.CET is 1 and CR0.WP is 0");

	s = good_real();
	s.rflags = 0x20002;
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		s.seg[i] = (struct vt_check_seg){0, 0xffff, 0xf3, 0};
	check(&s, "RFLAGS.VM is 1 in IA-32e or real mode");

	/* CS holds data, so its DPL need not be that of SS */
	s = good_real();
	s.seg[SEG_CS].ar = 0x93;
	check(&s, NULL);
	s.seg[SEG_SS].ar = 0xb3;
	check(&s, "SS: DPL is not 0 in real mode or with data in CS");

	/* without "unrestricted guest" RPL and DPL count */
	s = good_32();
	s.proc2 &= ~VT_PROC2_UNRESTRICTED_GUEST;
	check(&s, NULL);
	s.seg[SEG_SS].selector = 0x6b;
	check(&s, "SS: RPL is not that of CS");
	s.seg[SEG_CS].selector = 0x63;
	check(&s, "SS: DPL is not RPL");
	s = good_32();
	s.proc2 &= ~VT_PROC2_UNRESTRICTED_GUEST;
	s.seg[SEG_DS].selector = 0x6b;
	check(&s, "a data segment: DPL is below RPL");
	s.seg[SEG_DS].selector = 0x68;
	s.seg[SEG_CS].ar = 0xc093;
	check(&s, "CS: the type is no accessed code segment");

	s = good();
	s.activity = 1;
	s.seg[SEG_SS].ar = 0xc0f3;
	s.seg[SEG_CS].ar = 0xa0fb;
	check(&s, "activity state HLT, and CPL is not 0");
	s = good();
	s.activity = 1;
	s.interruptibility = 1;
	check(&s, "blocking by STI or MOV SS in an inactive state");

	s = good();
	s.interruptibility = 2;
	s.rflags = 0x346;
	check(&s, "pending debug: BS is not as TF and BTF say");
	s.rflags = 0x246;
	s.pending_debug = 0x4000;
	check(&s, "pending debug: BS is not as TF and BTF say");
	s.rflags = 0x346;
	s.debugctl = 2;
	check(&s, "pending debug: BS is not as TF and BTF say");
}

/* 27.2.1.3, and the event in 27.3.1.4 and 27.3.1.5. */
static void events(void **state)
{
	static const char error[] = "an error code that the event does not have, or none",
			  length[] = "the length of the event's instruction is not 1 to 15",
			  wakes[] = "the event does not end the activity state";
	static const struct {
		uint32_t info, length;
		uint32_t interruptibility, activity;
		const char *in_64bit, *in_real; /* real mode here has IF = 0 */
	} rows[] = {
	    {0x00000900, 0, 0, 0, NULL, NULL}, /* not valid */
	    {0x800000ef, 0, 0, 0, NULL, "an interrupt with IF = 0"},
	    {0x80000202, 0, 0, 0, NULL, NULL},
	    {0x80000306, 0, 0, 0, NULL, NULL},
	    {0x80000b0d, 0, 0, 0, NULL, error},
	    {0x80000b0e, 0, 0, 0, NULL, error},
	    {0x80000b11, 0, 0, 0, NULL, error},
	    {0x80000b08, 0, 0, 0, NULL, error},
	    {0x8000030d, 0, 0, 0, error, NULL},
	    {0x80000b06, 0, 0, 0, error, error},
	    {0x80000480, 2, 0, 0, NULL, NULL}, /* INT 80h */
	    {0x80000603, 1, 0, 0, NULL, NULL}, /* INT3 */
	    {0x80000501, 1, 0, 0, NULL, NULL}, /* INT1 */
	    {0x80000480, 0, 0, 0, length, length},
	    {0x80000603, 16, 0, 0, length, length},
	    {0x80000c0d, 2, 0, 0, error, error}, /* INT 13 has no error code */
	    {0x80000101, 0, 0, 0, "the event's type is reserved", "the event's type is reserved"},
	    {0x80000700, 0, 0, 0, "the event's type is reserved", "the event's type is reserved"},
	    {0x80001306, 0, 0, 0, "the event has reserved bits set",
	     "the event has reserved bits set"},
	    {0x80000203, 0, 0, 0, "an NMI whose vector is not 2", "an NMI whose vector is not 2"},
	    {0x80000320, 0, 0, 0, "an exception whose vector is above 31",
	     "an exception whose vector is above 31"},
	    {0x800000ef, 0, 1, 0, "an interrupt while blocked by STI or MOV SS",
	     "blocking by STI with IF = 0"},
	    {0x800000ef, 0, 2, 0, "an interrupt while blocked by STI or MOV SS",
	     "an interrupt with IF = 0"},
	    {0x80000202, 0, 2, 0, "an NMI while blocked by STI or MOV SS",
	     "an NMI while blocked by STI or MOV SS"},
	    {0x80000202, 0, 8, 0, "an NMI while blocked by NMI", "an NMI while blocked by NMI"},
	    {0x80000306, 0, 8, 0, NULL, NULL},
	    {0x80000202, 0, 0, 1, NULL, NULL},
	    {0x80000301, 0, 0, 1, NULL, NULL}, /* #DB wakes */
	    {0x80000312, 0, 0, 1, NULL, NULL}, /* #MC wakes */
	    {0x80000306, 0, 0, 1, wakes, wakes},
	    {0x80000202, 0, 0, 2, NULL, NULL},
	    {0x80000312, 0, 0, 2, NULL, NULL},
	    {0x80000301, 0, 0, 2, wakes, wakes},
	    {0x80000202, 0, 0, 3, wakes, wakes},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vt_check_state states[] = {good(), good_real()};

		for (unsigned k = 0; k < 2; k++) {
			struct vt_check_state *s = &states[k];

			s->event = rows[i].info;
			s->event_length = rows[i].length;
			s->interruptibility = rows[i].interruptibility;
			s->activity = rows[i].activity;
			check(s, k ? rows[i].in_real : rows[i].in_64bit);
		}
	}
	struct vt_check_state s = good();

	s.event = 0x80000b0d;
	s.event_error = 0x10000;
	check(&s, "the error code's bits 31:16 are not 0");
	/* without virtual NMIs blocking by NMI is the CPU's */
	s = good();
	s.pin &= ~VT_PIN_VIRTUAL_NMI;
	s.event = 0x80000202;
	s.interruptibility = 8;
	check(&s, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_passes),
	    cmocka_unit_test(each_rule),
	    cmocka_unit_test(combinations),
	    cmocka_unit_test(events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
