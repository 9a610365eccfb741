/* When an NMI of the guest's is delivered: now, or behind what goes first. Pure. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include "core/x86/svm/vmcb.h"

enum svm_nmi {
	SVM_NMI_NOW,
	SVM_NMI_HELD, /* the guest's NMI handler, or an instruction that runs alone, ends by #DB */
	SVM_NMI_BEHIND, /* another event, or the instruction in the shadow, goes first; an NMI of
			   the VMM's own brings the CPU back right behind it */
};

/*
 * In the shadow of MOV SS the CPU holds NMIs back, in that of STI it need not, and the VMCB does
 * not tell one from the other (APM 2 15.21.5); but an NMI that exits there says that it does not.
 */
static inline enum svm_nmi svm_nmi_when(const struct vmcb_control *c, bool held)
{
	if (held)
		return SVM_NMI_HELD;
	if (c->eventinj & SVM_EVENT_VALID || (c->interrupt_shadow && c->exitcode != SVM_EXIT_NMI))
		return SVM_NMI_BEHIND;
	return SVM_NMI_NOW;
}
