/* SVM: intercept words, exit codes and the bits between them, reasons not to start. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/svm/controls.h"
#include "core/x86/svm/vmcb.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "core/vm/features.h"

#define NEED(x) FEATURE_NEED_BIT(FEATURE_NEED_##x)

static const struct {
	const char *name;
	int64_t number;
} exits[] = {
#define SVM_EXIT(number, name) {#name, number},
#include "core/x86/svm/exit_codes.h"
};
#define EXITS (sizeof(exits) / sizeof(exits[0]))

static void exit_codes(void **state)
{
	(void)state;
	for (size_t i = 0; i < EXITS; i++) {
		if (i < SVM_EXIT_DENSE_COUNT)
			assert_int_equal(exits[i].number, i);
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(exits[i].name, exits[j].name);
			assert_int_not_equal(exits[i].number, exits[j].number);
		}
	}
	/* APM 2 appendix C */
	assert_int_equal(SVM_EXIT_CR8_WRITE, 0x18);
	assert_int_equal(SVM_EXIT_EXCP14, 0x4e);
	assert_int_equal(SVM_EXIT_NMI, 0x61);
	assert_int_equal(SVM_EXIT_VINTR, 0x64);
	assert_int_equal(SVM_EXIT_CPUID, 0x72);
	assert_int_equal(SVM_EXIT_IOIO, 0x7b);
	assert_int_equal(SVM_EXIT_MSR, 0x7c);
	assert_int_equal(SVM_EXIT_SHUTDOWN, 0x7f);
	assert_int_equal(SVM_EXIT_VMMCALL, 0x81);
	assert_int_equal(SVM_EXIT_MWAIT, 0x8b);
	assert_int_equal(SVM_EXIT_XSETBV, 0x8d);
	assert_int_equal(SVM_EXIT_EFER_WRITE_TRAP, 0x8f);
	assert_int_equal(SVM_EXIT_CR15_WRITE_TRAP, 0x9f);
	assert_int_equal(SVM_EXIT_BUSLOCK, 0xa5);
	assert_int_equal(SVM_EXIT_NPF, 0x400);
	assert_int_equal(SVM_EXIT_INVALID, -1);
}

/* The named intercept bits, from APM 2 table B-1, against the rule word = code / 32, bit = code
 * % 32. */
static void intercepts_match_exit_codes(void **state)
{
	static const struct {
		unsigned int code, word;
		uint32_t bit;
	} cases[] = {
	    {SVM_EXIT_CR0_READ, 0, 1},
	    {SVM_EXIT_CR0_WRITE, 0, 1U << 16},
	    {SVM_EXIT_DR7_WRITE, 1, 1U << 23},
	    {SVM_EXIT_EXCP14, 2, 1U << 14},
	    {SVM_EXIT_INTR, 3, SVM_INTERCEPT_INTR},
	    {SVM_EXIT_NMI, 3, SVM_INTERCEPT_NMI},
	    {SVM_EXIT_INIT, 3, SVM_INTERCEPT_INIT},
	    {SVM_EXIT_VINTR, 3, SVM_INTERCEPT_VINTR},
	    {SVM_EXIT_CR0_SEL_WRITE, 3, SVM_INTERCEPT_CR0_SEL_WRITE},
	    {SVM_EXIT_TR_WRITE, 3, SVM_INTERCEPT_TR_WRITE},
	    {SVM_EXIT_CPUID, 3, SVM_INTERCEPT_CPUID},
	    {SVM_EXIT_IRET, 3, SVM_INTERCEPT_IRET},
	    {SVM_EXIT_INVD, 3, SVM_INTERCEPT_INVD},
	    {SVM_EXIT_HLT, 3, SVM_INTERCEPT_HLT},
	    {SVM_EXIT_IOIO, 3, SVM_INTERCEPT_IOIO_PROT},
	    {SVM_EXIT_MSR, 3, SVM_INTERCEPT_MSR_PROT},
	    {SVM_EXIT_TASK_SWITCH, 3, SVM_INTERCEPT_TASK_SWITCH},
	    {SVM_EXIT_SHUTDOWN, 3, SVM_INTERCEPT_SHUTDOWN},
	    {SVM_EXIT_VMRUN, 4, SVM_INTERCEPT_VMRUN},
	    {SVM_EXIT_VMMCALL, 4, SVM_INTERCEPT_VMMCALL},
	    {SVM_EXIT_SKINIT, 4, SVM_INTERCEPT_SKINIT},
	    {SVM_EXIT_WBINVD, 4, SVM_INTERCEPT_WBINVD},
	    {SVM_EXIT_MWAIT_CONDITIONAL, 4, SVM_INTERCEPT_MWAIT_CONDITIONAL},
	    {SVM_EXIT_XSETBV, 4, SVM_INTERCEPT_XSETBV},
	    {SVM_EXIT_RDPRU, 4, SVM_INTERCEPT_RDPRU},
	    {SVM_EXIT_EFER_WRITE_TRAP, 4, SVM_INTERCEPT_EFER_WRITE_TRAP},
	    {SVM_EXIT_CR0_WRITE_TRAP, 4, SVM_INTERCEPT_CR0_WRITE_TRAP},
	    {SVM_EXIT_INVLPGB, 5, SVM_INTERCEPT_INVLPGB},
	    {SVM_EXIT_TLBSYNC, 5, SVM_INTERCEPT_TLBSYNC},
	    {SVM_EXIT_IDLE_HLT, 5, SVM_INTERCEPT_IDLE_HLT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(SVM_INTERCEPT_WORD(cases[i].code), cases[i].word);
		assert_int_equal(SVM_INTERCEPT_BIT(cases[i].code), cases[i].bit);
	}
}

static void resolves(void **state)
{
	/* EPYC 9004: 8000000A EBX, EDX of the dump */
	const struct svm_caps genoa = {.svm = true, .asids = 0x8000, .features = 0x1fbfbcff};
	const struct svm_caps bulldozer = {.svm = true, .asids = 0x10000, .features = 0x14ff};
	struct svm_wants wants = {0};
	struct svm_controls c;
	const char *missing = NULL;

	(void)state;
	assert_int_equal(svm_controls_resolve(&genoa, &wants, &c, &missing), 0);
	assert_int_equal(c.intercept[0] | c.intercept[1] | c.intercept[5], 0);
	assert_int_equal(c.intercept[2], 0x20002); /* #DB, #AC */
	/* NMI, CPUID, INVD, INVLPGA, MSR, SHUTDOWN */
	assert_int_equal(c.intercept[3], 0x94440002);
	/* VMRUN VMMCALL VMLOAD VMSAVE STGI CLGI SKINIT, XSETBV */
	assert_int_equal(c.intercept[4], 0x207f);
	assert_int_equal(c.needs, NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES) | NEED(CET_STATE));
	assert_true(c.nrips && c.decode_assists && c.flush_by_asid && c.lbr && c.sss);

	/* table 15-9: thirteen groups, the last of them for shadow stacks */
	assert_int_equal(c.clean, 0x1fff);

	wants = (struct svm_wants){.io = true, .r_init = true};
	assert_int_equal(svm_controls_resolve(&bulldozer, &wants, &c, &missing), 0);
	assert_int_equal(c.intercept[2], 0x40020002); /* #SX as well */
	assert_int_equal(c.intercept[3], 0x9c440002);
	assert_int_equal(c.needs, NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES));
	assert_false(c.sss);
	assert_int_equal(c.clean, 0xfff);

	struct svm_caps old = bulldozer;

	old.features &= ~SVM_FEATURE_VMCB_CLEAN;
	assert_int_equal(svm_controls_resolve(&old, &wants, &c, &missing), 0);
	assert_int_equal(c.clean, 0);
}

static void refuses(void **state)
{
	static const struct {
		struct svm_caps caps;
		const char *missing;
	} cases[] = {
	    {{.svm = false}, "AMD-V"},
	    {{.svm = true, .asids = 8, .features = 1, .vm_cr = 0x10},
	     "AMD-V (disabled by the firmware)"},
	    {{.svm = true, .asids = 8, .features = 0x18},
	     "nested paging"}, /* VM_CR.LOCK alone does no harm */
	    {{.svm = true, .asids = 1, .features = 1, .vm_cr = 8}, "ASID"},
	};
	const struct svm_wants wants = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct svm_controls c;
		const char *missing = NULL;

		assert_int_equal(svm_controls_resolve(&cases[i].caps, &wants, &c, &missing),
				 -ENODEV);
		assert_string_equal(missing, cases[i].missing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(exit_codes),
	    cmocka_unit_test(intercepts_match_exit_codes),
	    cmocka_unit_test(resolves),
	    cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
