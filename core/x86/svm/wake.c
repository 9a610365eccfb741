/* AMD-V: the guest's interrupts and its idle time wake the VMM, where no timer can. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/emulate.h"
#include "core/vm/gmem.h"
#include "core/x86/cpu.h"
#include "core/x86/svm/svm.h"

/*
 * While this is on, an interrupt that the guest is about to take exits first. The guest then takes
 * it by itself, with the interrupt intercept off. The IRET at the end of its handler, or any other
 * full exit before, switches that on again. HLT exits and stays where it is, so that it exits again
 * and again, until an interrupt or an NMI ends it.
 */

void svm_halt_end(struct vcpu *v)
{
	if (!v->halted)
		return;
	v->halted = false;
	svm_advance(v, v->halt_length);
}

void svm_wake(struct vcpu *v, uint64_t us)
{
	struct vmcb_control *c = &svm_vmcb(v)->control;
	bool on = us != UINT64_MAX;

	svm_intercept(v, 4, SVM_INTERCEPT_MWAIT, on);
	svm_intercept(v, 3, SVM_INTERCEPT_HLT, on);
	if (!on || c->exitcode != SVM_EXIT_INTR)
		svm_intercept(v, 3, SVM_INTERCEPT_INTR, on);
	if (!on && v->halted) { /* as behind STI: an interrupt must not hit it before it halts */
		v->halted = false;
		c->interrupt_shadow = 1;
	}
}

void svm_wake_iret(struct vcpu *v)
{
	if (svm_vmcb(v)->control.intercept[3] & SVM_INTERCEPT_HLT)
		svm_intercept(v, 3, SVM_INTERCEPT_INTR, true);
}

enum exit_result svm_exit_intr(struct vcpu *v)
{
	svm_halt_end(v);
	svm_intercept(v, 3, SVM_INTERCEPT_INTR, false);
	if (!v->nmi_blocked) /* else the IRET of an NMI handler may be what is stepped over next */
		svm_intercept(v, 3, SVM_INTERCEPT_IRET, true);
	return EXIT_RESUME;
}

enum exit_result svm_exit_hlt(struct vcpu *v)
{
	struct vmcb *b = svm_vmcb(v);
	int length = b->control.nrip ? (int)(b->control.nrip - b->save.rip)
				     : emulate_length(v, INSN_HLT, NULL);

	if (length <= 0)
		return EXIT_RESUME;
	if (b->save.rflags & RFLAGS_TF) /* its trap ends the HLT */
		return EXIT_ADVANCE;
	v->halted = true;
	v->halt_length = (uint8_t)length;
	b->control.interrupt_shadow = 0; /* that of STI ends behind this instruction */
	cpu_pause();
	return EXIT_RESUME;
}

#define MWAITX       0xfb /* 0F 01 FB; MWAIT is 0F 01 C9 */
#define MWAITX_TIMER 2u   /* ECX: EBX says how long at most */

/* The same exit stands for MWAITX, which takes one bit more in ECX. */
enum exit_result svm_exit_mwait(struct vcpu *v)
{
	uint32_t allowed = MWAIT_BREAK_IF_0;
	uint8_t bytes[15];
	int length = emulate_length(v, INSN_MWAIT, NULL);

	if (length > 0 && gmem_fetch(v, bytes) >= (size_t)length && bytes[length - 1] == MWAITX)
		allowed |= MWAITX_TIMER;
	return (uint32_t)v->gpr[GPR_RCX] & ~allowed ? emulate_gp(v) : EXIT_ADVANCE;
}
