/* VT-x: the preemption timer wakes the VMM, and the guest's MWAIT does not stop it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/emulate.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/vt/vt.h"

/*
 * The timer counts in C0, C1 and C2 (SDM 3C 26.5.1): HLT may stay the guest's, and MWAIT may not.
 * While the timer is armed MWAIT exits, and the CPU goes on in activity state HLT behind it, with
 * external interrupts exiting, for they end MWAIT also where the guest has them off. A store to
 * the monitored line cannot be noticed there, so after MWAIT_US the guest looks for itself: MWAIT
 * may end without a reason.
 */
#define MWAIT_US         50
#define MWAIT_ARMED      UINT64_C(1) /* exit qualification */
#define CPUID5_ECX_BREAK (1u << 1)

static void set_bits(enum vmcs_field field, uint32_t bits, bool on)
{
	uint32_t old = vt_read32(field), new = on ? old | bits : old & ~bits;

	if (new != old)
		vt_write(field, new);
}

const char *vt_wake(struct vcpu *v, uint64_t us)
{
	static const char means[] = "VT-x preemption timer";
	struct vt_cpu *c = vt_cpu(v);
	bool on = us != UINT64_MAX;
	uint64_t ticks;

	if (!on && !c->wakes)
		return means;
	if (!on)
		vt_mwait_end(v);
	c->wakes = on;
	v->no_lean = on; /* the timer starts anew with each entry */
	set_bits(VMCS_PROC_CONTROLS, VT_PROC_MWAIT, on);
	set_bits(VMCS_PIN_CONTROLS, VT_PIN_PREEMPTION_TIMER, on || v->mc_pending);
	if (c->mwait && us > MWAIT_US)
		us = MWAIT_US;
	ticks = us < UINT32_MAX ? us * (clock_tsc_hz() / 1000) / 1000 >> vt_controls.timer_shift
				: UINT32_MAX;
	vt_write(VMCS_PREEMPTION_TIMER_VALUE, ticks < UINT32_MAX ? ticks : UINT32_MAX);
	if (v->mc_pending) /* vt_force_exit() has asked for the next entry; NMIs are looked at
			      behind this */
		vt_write(VMCS_PREEMPTION_TIMER_VALUE, 0);
	return means;
}

void vt_mwait_end(struct vcpu *v)
{
	struct vt_cpu *c = vt_cpu(v);

	if (!c->mwait)
		return;
	c->mwait = false;
	vt_write(VMCS_GUEST_ACTIVITY, VT_ACTIVE);
	set_bits(VMCS_PIN_CONTROLS, VT_PIN_EXT_INT, false);
}

enum exit_result vt_exit_mwait(struct vcpu *v)
{
	uint64_t extensions = (uint32_t)v->gpr[GPR_RCX];

	if (extensions & ~MWAIT_BREAK_IF_0 || (extensions && !(cpuid(5, 0).ecx & CPUID5_ECX_BREAK)))
		return emulate_gp(v);
	if (!(vt_read(VMCS_EXIT_QUALIFICATION) & MWAIT_ARMED) ||
	    vt_read(VMCS_GUEST_RFLAGS) & RFLAGS_TF || !vt_cpu(v)->wakes)
		return EXIT_ADVANCE;
	vt_cpu(v)->mwait = true;
	vt_write(VMCS_GUEST_ACTIVITY, VT_HLT);
	set_bits(VMCS_PIN_CONTROLS, VT_PIN_EXT_INT, true);
	return EXIT_ADVANCE;
}
