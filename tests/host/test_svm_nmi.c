/* When AMD-V's guest gets an NMI that came in a shadow, behind another event, or in its handler. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/svm/nmi_when.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define EVENT (SVM_EVENT_VALID | 0xd)

static void decisions(void **state)
{
	static const struct {
		int64_t exit;
		uint64_t event;
		bool shadow, held;
		enum svm_nmi when;
	} rows[] = {
	    {SVM_EXIT_CPUID, 0, false, false, SVM_NMI_NOW},
	    {SVM_EXIT_NMI, 0, false, false, SVM_NMI_NOW},
	    /* an exit before the instruction in the shadow of MOV SS or STI has ended */
	    {SVM_EXIT_NPF, 0, true, false, SVM_NMI_BEHIND},
	    {SVM_EXIT_CPUID, 0, true, false, SVM_NMI_BEHIND},
	    {SVM_EXIT_IOIO, 0, true, false, SVM_NMI_BEHIND},
	    {SVM_EXIT_INTR, 0, true, false, SVM_NMI_BEHIND},
	    /* the CPU took one there: this is STI's, and it holds no NMIs back */
	    {SVM_EXIT_NMI, 0, true, false, SVM_NMI_NOW},
	    /* another event goes first, whatever came */
	    {SVM_EXIT_NPF, EVENT, false, false, SVM_NMI_BEHIND},
	    {SVM_EXIT_NMI, EVENT, false, false, SVM_NMI_BEHIND},
	    {SVM_EXIT_NMI, EVENT, true, false, SVM_NMI_BEHIND},
	    {SVM_EXIT_NPF, EVENT & ~SVM_EVENT_VALID, false, false, SVM_NMI_NOW},
	    /* in its handler, and while one instruction runs alone */
	    {SVM_EXIT_NMI, 0, false, true, SVM_NMI_HELD},
	    {SVM_EXIT_NPF, EVENT, true, true, SVM_NMI_HELD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vmcb_control c = {.exitcode = (uint64_t)rows[i].exit,
					 .eventinj = rows[i].event,
					 .interrupt_shadow = rows[i].shadow};

		assert_int_equal(svm_nmi_when(&c, rows[i].held), rows[i].when);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(decisions)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
