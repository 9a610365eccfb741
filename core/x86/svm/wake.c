/* AMD-V: the guest's interrupts, its idle time, and the local APIC's timer wake the VMM. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/apictimer.h"
#include "core/vm/emulate.h"
#include "core/vm/gmem.h"
#include "core/x86/cpu.h"
#include "core/x86/svm/svm.h"

/*
 * While this is on, an interrupt that the guest is about to take exits first. With the timer of the
 * local APIC (core/vm/apictimer.h) the VMM acknowledges it, and injects it if it is the guest's.
 * Without, the guest takes it by itself, with the interrupt intercept off; the IRET at the end of
 * its handler, or any other full exit before, switches that on again. HLT exits and stays where it
 * is, so that it exits again and again, until an interrupt or an NMI ends it.
 */

void svm_halt_end(struct vcpu *v)
{
	if (!v->halted)
		return;
	v->halted = false;
	svm_advance(v, v->halt_length);
}

const char *svm_wake(struct vcpu *v, uint64_t us)
{
	struct vmcb_control *c = &svm_vmcb(v)->control;
	bool on = us != UINT64_MAX, timer = apictimer_wake(us);

	svm_intercept(v, 4, SVM_INTERCEPT_MWAIT, on);
	svm_intercept(v, 3, SVM_INTERCEPT_HLT, on);
	if (!on || timer || c->exitcode != SVM_EXIT_INTR)
		svm_intercept(v, 3, SVM_INTERCEPT_INTR, on || apictimer_needs_exits());
	if (!on && v->halted) { /* as behind STI: an interrupt must not hit it before it halts */
		v->halted = false;
		c->interrupt_shadow = 1;
	}
	return timer ? "timer of the local APIC" : "interrupts of the guest";
}

void svm_wake_iret(struct vcpu *v)
{
	if (svm_vmcb(v)->control.intercept[3] & SVM_INTERCEPT_HLT)
		svm_intercept(v, 3, SVM_INTERCEPT_INTR, true);
}

/*
 * The guest takes an interrupt that has been acknowledged for it, at once, for it was about to take
 * one: by EVENTINJ, or as a virtual one (APM 2 15.20, 15.21.4). Each emulator can do one of the
 * two: QEMU's TCG, which saves no next RIP, at times delivers what EVENTINJ holds a second time,
 * and Bochs sees a virtual interrupt only when IF changes. Where a virtual one waits still, the new
 * one has overtaken it, and goes first.
 */
static void inject_interrupt(struct vcpu *v, uint8_t vector)
{
	struct vmcb_control *c = &svm_vmcb(v)->control;

	if (svm_controls.nrips || c->vintr & SVM_VINTR_IRQ) {
		svm_inject(v, &(struct event){.vector = vector, .type = EVENT_INTR});
		return;
	}
	svm_halt_end(v);
	c->vintr = SVM_VINTR_IRQ | SVM_VINTR_IGNORE_TPR | SVM_VINTR_VECTOR(vector);
	c->clean &= ~SVM_CLEAN_TPR;
}

enum exit_result svm_exit_intr(struct vcpu *v)
{
	int vector = apictimer_accept();

	if (vector >= 0)
		inject_interrupt(v, (uint8_t)vector);
	if (vector != APICTIMER_NOT_NOW) {
		if (!(svm_vmcb(v)->control.intercept[3] & SVM_INTERCEPT_HLT) &&
		    !apictimer_needs_exits())
			svm_intercept(v, 3, SVM_INTERCEPT_INTR, false);
		return EXIT_RESUME;
	}
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
