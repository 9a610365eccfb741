/* The MSRs of SYSCALL and SWAPGS: the guest's, but while ring-3 code of the VMM runs. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>

struct vcpu;

struct sysmsr {
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
};

/*
 * Load the VMM's values. They hold until the guest's next entry on this CPU, or sysmsr_release():
 * who runs ring-3 code takes them anew in each of its turns. Exits in which nobody does pay
 * nothing: on VT-x the guest's values simply stay in the CPU, and a taker leaves a kick that the
 * end of the exit looks at anyway; on AMD-V each exit that is not lean has put them into the VMCB,
 * and VMLOAD brings them back. Context: exit handler or thread, not lean.
 */
void sysmsr_take(const struct sysmsr *vmm);
/* The guest's values are in the CPU again, if they were not. Context: exit of this CPU, for
 * KICK_SYSMSR; whoever reads the guest's state out of the CPU. */
void sysmsr_release(struct vcpu *v);
