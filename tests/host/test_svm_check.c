/* VMCB rules: a good VMCB breaks none, and each rule broken alone is the one that is named. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/svm/check.h"
#include "core/x86/svm/clean.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* A CPU with 48 physical address bits, as the guest of Linux in 64-bit mode sees it. */
static const struct svm_check_limits limits = {
    .phys_bits = 48,
    .asids = 16,
    .cr4_allowed = 0x3506ff,
    .efer_allowed = 0xd01 | 0x1000,
};

static struct vmcb good(void)
{
	struct vmcb b = {0};

	b.control.intercept[4] = SVM_INTERCEPT_VMRUN;
	b.control.iopm_base_pa = 0x100000;
	b.control.msrpm_base_pa = 0x103000;
	b.control.guest_asid = 1;
	b.control.nested_control = SVM_NESTED_NP_ENABLE;
	b.control.n_cr3 = 0x7ec00000;
	b.save.efer = 0x1d01; /* SVME, NXE, LMA, LME, SCE */
	b.save.cr0 = 0x80050033;
	b.save.cr3 = 0x12345000;
	b.save.cr4 = 0x3506f0;
	b.save.dr6 = 0xffff0ff0;
	b.save.dr7 = 0x400;
	b.save.rflags = 0x246;
	b.save.g_pat = 0x0407050600070106; /* Linux's */
	b.save.cs.attrib = 0x29b;
	return b;
}

/* 16-bit real mode: as behind a start-up IPI. */
static struct vmcb good_real(void)
{
	struct vmcb b = good();

	b.save.efer = 0x1000;
	b.save.cr0 = 0x10;
	b.save.cr3 = b.save.cr4 = 0;
	b.save.rflags = 2;
	b.save.cs.attrib = 0x9b;
	return b;
}

/* A 32-bit guest with paging, CS.D = 1. */
static struct vmcb good_32(void)
{
	struct vmcb b = good();

	b.save.efer = 0x1000;
	b.save.cs.attrib = 0xc9b;
	b.save.cr4 = 0x10;
	return b;
}

static void check(const struct vmcb *b, const char *wanted)
{
	const char *broken = svm_check(b, &limits);

	if (!wanted)
		assert_string_equal(broken ? broken : "", "");
	else
		assert_string_equal(broken ? broken : "nothing", wanted);
}

static void good_passes(void **state)
{
	struct vmcb b = good(), real = good_real(), prot = good_32();

	(void)state;
	check(&b, NULL);
	check(&real, NULL);
	check(&prot, NULL);
	/* caches off, either way that is legal */
	b.save.cr0 = 0xe0050033;
	check(&b, NULL);
	b.save.cr0 = 0xc0050033;
	check(&b, NULL);
	/* outside long mode the upper half of CR3 is not looked at */
	prot.save.cr3 = UINT64_C(1) << 52;
	check(&prot, NULL);
	/* virtual-8086 */
	prot.save.rflags = 0x20202;
	prot.save.cpl = 3;
	check(&prot, NULL);
	/* the last page below 2^48 */
	b = good();
	b.control.iopm_base_pa = UINT64_C(0xffffffffd000);
	b.control.msrpm_base_pa = UINT64_C(0xffffffffe000);
	b.control.guest_asid = 15;
	b.control.tlb_control = SVM_TLB_FLUSH_ALL;
	b.control.clean = 0x1fff;
	check(&b, NULL);
}

#define B(field) offsetof(struct vmcb, field)

/* One field of the good 64-bit VMCB set to what breaks one rule of APM 2 15.5.1, or one of ours. */
static void each_rule(void **state)
{
	static const struct {
		const char *rule;
		size_t offset;
		unsigned size;
		uint64_t value;
	} rows[] = {
	    {"EFER.SVME is 0", B(save.efer), 8, 0xd01},
	    {"CR0.NW is 1 and CD is 0", B(save.cr0), 8, 0xa0050033},
	    {"CR0 63:32 are not 0", B(save.cr0), 8, UINT64_C(0x180050033)},
	    {"CR3: reserved bits are set", B(save.cr3), 8, UINT64_C(1) << 48},
	    {"CR3: reserved bits are set", B(save.cr3), 8, UINT64_C(1) << 63},
	    {"CR4: reserved bits are set", B(save.cr4), 8, 0x3526f0},
	    {"CR4: reserved bits are set", B(save.cr4), 8, UINT64_C(0x1003506f0)},
	    {"DR6 63:32 are not 0", B(save.dr6), 8, UINT64_C(0x1ffff0ff0)},
	    {"DR7 63:32 are not 0", B(save.dr7), 8, UINT64_C(0x8000000000000400)},
	    {"EFER: reserved bits are set", B(save.efer), 8, 0x1d03},
	    {"EFER.LME and CR0.PG are 1 and CR4.PAE is 0", B(save.cr4), 8, 0x3506d0},
	    {"EFER.LME and CR0.PG are 1 and PE is 0", B(save.cr0), 8, 0x80050032},
	    {"CS.L and CS.D are 1 in long mode", B(save.cs.attrib), 2, 0x69b},
	    {"G_PAT: a type is reserved", B(save.g_pat), 8, UINT64_C(0x0407050600070206)},
	    {"G_PAT: a type is reserved", B(save.g_pat), 8, UINT64_C(0x0807050600070106)},
	    {"EFER.LMA is not LME and CR0.PG", B(save.efer), 8, 0x1901},
	    {"EFER.LMA is not LME and CR0.PG", B(save.cr0), 8, 0x50033},
	    {"RFLAGS: reserved bits are wrong", B(save.rflags), 8, 0x244},
	    {"RFLAGS: reserved bits are wrong", B(save.rflags), 8, 0x8246},
	    {"RFLAGS: reserved bits are wrong", B(save.rflags), 8, 0x400246},
	    {"CPL is more than 3", B(save.cpl), 1, 4},
	    {"VMRUN is not intercepted", B(control.intercept[4]), 4, 2},
	    {"the IOPM lies beyond the physical address space", B(control.iopm_base_pa), 8,
	     UINT64_C(0xffffffffe000)},
	    {"the MSRPM lies beyond the physical address space", B(control.msrpm_base_pa), 8,
	     UINT64_C(0xfffffffff000)},
	    {"the ASID is 0", B(control.guest_asid), 4, 0},
	    {"the ASID is one that the CPU does not have", B(control.guest_asid), 4, 16},
	    {"nested paging is off", B(control.nested_control), 8, 0},
	    {"N_CR3: reserved bits are set", B(control.n_cr3), 8, UINT64_C(1) << 48},
	    {"N_CR3: reserved bits are set", B(control.n_cr3), 8, 0x7ec00800},
	    {"TLB_CONTROL: the encoding is reserved", B(control.tlb_control), 1, 2},
	    {"TLB_CONTROL: the encoding is reserved", B(control.tlb_control), 1, 3},
	    {"the IOPM or MSRPM is not aligned", B(control.msrpm_base_pa), 8, 0x103004},
	    {"the interrupt shadow has reserved bits set", B(control.interrupt_shadow), 8, 4},
	    {"the clean field has reserved bits set", B(control.clean), 4, 0x2000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vmcb b = good();

		memcpy((uint8_t *)&b + rows[i].offset, &rows[i].value, rows[i].size);
		check(&b, rows[i].rule);
	}
}

/* Rules that the 64-bit VMCB cannot break alone. */
static void other_modes(void **state)
{
	struct vmcb b = good_real();

	(void)state;
	b.save.cpl = 3;
	check(&b, "CPL is not 0 in real mode");
	b = good_32();
	b.save.rflags = 0x20002;
	check(&b, "CPL is not 3 in virtual-8086 mode");
	b = good_32();
	b.save.cr0 = 0x80000010;
	check(&b, "CR0.PG is 1 and PE is 0");

	struct svm_check_limits cet = limits;

	cet.cr4_allowed |= 1 << 23;
	cet.flush_by_asid = true;
	b = good();
	b.save.cr4 |= 1 << 23;
	b.control.tlb_control = SVM_TLB_FLUSH_ASID;
	assert_null(svm_check(&b, &cet));
	b.save.cr0 &= ~UINT64_C(0x10000);
	assert_string_equal(svm_check(&b, &cet), "CR4.CET is 1 and CR0.WP is 0");
}

/* APM 2 15.20. */
static void events(void **state)
{
	static const char reserved[] = "EVENTINJ: the type is reserved",
			  none[] = "EVENTINJ: the vector is that of no exception",
			  error[] =
			      "EVENTINJ: an error code that the exception does not have, or none";
	static const struct {
		uint64_t info;
		const char *in_64bit, *in_real;
	} rows[] = {
	    {0x00000b02, NULL, NULL}, /* not valid */
	    {0x800000ef, NULL, NULL}, /* interrupt 239 */
	    {0x80000202, NULL, NULL}, /* NMI */
	    {0x80000480, NULL, NULL}, /* INT 80h */
	    {0x80000301, NULL, NULL}, /* #DB */
	    {0x80000306, NULL, NULL}, /* #UD */
	    {0x80000312, NULL, NULL}, /* #MC */
	    {0x80000b0d, NULL, error},
	    {0x80000b0e | UINT64_C(4) << 32, NULL, error},
	    {0x80000b08, NULL, error},
	    {0x80000b11, NULL, error},
	    {0x8000030d, error, NULL},
	    {0x80000b06, error, error},
	    {0x80000304, "EVENTINJ: #OF or #BR in 64-bit mode", NULL},
	    {0x80000305, "EVENTINJ: #OF or #BR in 64-bit mode", NULL},
	    {0x80000302, none, none},
	    {0x8000030f, none, none},
	    {0x8000031f, none, none},
	    {0x80000320, none, none},
	    {0x800003ef, none, none},
	    {0x80000130, reserved, reserved},
	    {0x80000530, reserved, reserved},
	    {0x80000630, reserved, reserved},
	    {0x80000730, reserved, reserved},
	    {0x80001306, "EVENTINJ: reserved bits are set", "EVENTINJ: reserved bits are set"},
	    {0x80000a02, "EVENTINJ: an error code without an exception",
	     "EVENTINJ: an error code without an exception"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vmcb b = good(), real = good_real();

		b.control.eventinj = real.control.eventinj = rows[i].info;
		check(&b, rows[i].in_64bit);
		check(&real, rows[i].in_real);
	}
}

/* APM 2 table 15-9 by the offsets of appendix B. */
static void clean_groups(void **state)
{
	static const struct {
		unsigned first, last;
		uint32_t bits;
	} rows[] = {
	    {0x000, 0x017, 1 << 0},  /* intercepts */
	    {0x03c, 0x03f, 1 << 0},  /* pause filter */
	    {0x040, 0x04f, 1 << 1},  /* IOPM_BASE_PA, MSRPM_BASE_PA */
	    {0x050, 0x057, 1 << 0},  /* TSC_OFFSET */
	    {0x058, 0x05b, 1 << 2},  /* guest ASID */
	    {0x05c, 0x05c, 0},       /* TLB_CONTROL */
	    {0x060, 0x067, 1 << 3},  /* V_TPR, V_IRQ... V_INTR_VECTOR */
	    {0x068, 0x08f, 0},       /* interrupt shadow, EXITCODE.. EXITINTINFO */
	    {0x090, 0x097, 1 << 4},  /* NP_ENABLE */
	    {0x098, 0x09f, 1 << 11}, /* AVIC APIC_BAR */
	    {0x0a8, 0x0af, 0},       /* EVENTINJ */
	    {0x0b0, 0x0b7, 1 << 4},  /* N_CR3 */
	    {0x0b8, 0x0bf, 0x1fff},  /* LBR virtualization: in no group */
	    {0x0c0, 0x0c3, 0},       /* the clean field */
	    {0x0c8, 0x0df, 0},       /* nRIP, instruction bytes */
	    {0x0e0, 0x0e7, 1 << 11}, /* AVIC backing page */
	    {0x0f0, 0x0ff, 1 << 11}, /* AVIC tables */
	    {0x108, 0x10f, 0x1fff},  /* VMSA pointer */
	    {0x200, 0x3df, 0x1fff},  {0x3e0, 0x3ff, 0}, /* ours */
	    {0x400, 0x43f, 1 << 8},                     /* ES, CS, SS, DS */
	    {0x440, 0x45f, 0},                          /* FS, GS: VMLOAD */
	    {0x460, 0x46f, 1 << 7},                     /* GDTR */
	    {0x470, 0x47f, 0},                          /* LDTR */
	    {0x480, 0x48f, 1 << 7},                     /* IDTR */
	    {0x490, 0x49f, 0},                          /* TR */
	    {0x4cb, 0x4cb, 1 << 8},                     /* CPL */
	    {0x4d0, 0x4d7, 1 << 5},                     /* EFER */
	    {0x548, 0x55f, 1 << 5},                     /* CR4, CR3, CR0 */
	    {0x560, 0x56f, 1 << 6},                     /* DR7, DR6 */
	    {0x570, 0x57f, 0},                          /* RFLAGS, RIP */
	    {0x5d8, 0x5df, 0},                          /* RSP */
	    {0x5e0, 0x5f7, 1 << 12},                    /* S_CET, SSP, ISST */
	    {0x5f8, 0x5ff, 0},                          /* RAX */
	    {0x600, 0x63f, 0},                          /* STAR.. SYSENTER_EIP: VMLOAD */
	    {0x640, 0x647, 1 << 9},                     /* CR2 */
	    {0x668, 0x66f, 1 << 4},                     /* G_PAT */
	    {0x670, 0x697, 1 << 10},                    /* DBGCTL, BR_FROM, BR_TO, LASTEXCP */
	    {0x6e0, 0x6e7, 0x1fff},                     /* SPEC_CTRL */
	    {0xfff, 0xfff, 0x1fff},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned offset = rows[i].first; offset <= rows[i].last; offset++) {
			if (svm_clean_group(offset) != rows[i].bits)
				fail_msg("%#x: group %#x, not %#x", offset, svm_clean_group(offset),
					 rows[i].bits);
		}
	}
}

/* Each byte of a VMCB changed alone, with each set of clean bits that has one missing, and with
 * all. */
static void clean_compare(void **state)
{
	static struct vmcb copy, b;
	uint32_t group;

	(void)state;
	for (unsigned offset = 0; offset < sizeof(b); offset++) {
		if (offset >= 0xc0 && offset < 0xc4)
			continue; /* the clean field itself */
		uint32_t bits = svm_clean_group(offset);

		memset(&b, 0, sizeof(b));
		b.control.clean = 0x1fff;
		copy = b;
		assert_int_equal(svm_clean_broken(&b, &copy, &group), -1);
		((uint8_t *)&b)[offset] ^= 0x40;
		group = 0;
		assert_int_equal(svm_clean_broken(&b, &copy, &group), bits ? (int)offset : -1);
		if (bits)
			assert_int_equal(group, bits);
		b.control.clean &= ~bits;
		assert_int_equal(svm_clean_broken(&b, &copy, &group), -1);
	}
	/* the clean field is the VMM's, and differs at each entry */
	copy.control.clean = 0;
	b = copy;
	b.control.clean = 0x1ffe;
	assert_int_equal(svm_clean_broken(&b, &copy, &group), -1);
	assert_string_equal(svm_clean_name(SVM_CLEAN_I), "I");
	assert_string_equal(svm_clean_name(SVM_CLEAN_DRX), "DRx");
	assert_string_equal(svm_clean_name(SVM_CLEAN_CET), "CET");
	assert_string_equal(svm_clean_name(SVM_CLEAN_ALL), "all");
	assert_string_equal(svm_clean_name(0), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_passes),  cmocka_unit_test(each_rule),
	    cmocka_unit_test(other_modes),  cmocka_unit_test(events),
	    cmocka_unit_test(clean_groups), cmocka_unit_test(clean_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
