/* The MSRs of SYSCALL and SWAPGS: the guest's, but while ring-3 code of the VMM runs. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/sysmsr.h"
#include "core/boot.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"

/* Of each CPU that the VMM's values are in: the guest's. Its own CPU only. */
static struct {
	struct sysmsr guest;
	bool taken;
} owners[BOOT_MAX_CPUS];

static void load(const struct sysmsr *m)
{
	wrmsr(MSR_STAR, m->star);
	wrmsr(MSR_LSTAR, m->lstar);
	wrmsr(MSR_CSTAR, m->cstar);
	wrmsr(MSR_SFMASK, m->sfmask);
	wrmsr(MSR_KERNEL_GS_BASE, m->kernel_gs_base);
}

void sysmsr_take(const struct sysmsr *vmm)
{
	struct cpu *cpu = this_cpu();
	struct vcpu *v = &cpu->vcpu;

	if (!v->vendor_host_pa && !owners[cpu->index].taken) { /* VT-x */
		owners[cpu->index].guest = (struct sysmsr){
		    .star = rdmsr(MSR_STAR),
		    .lstar = rdmsr(MSR_LSTAR),
		    .cstar = rdmsr(MSR_CSTAR),
		    .sfmask = rdmsr(MSR_SFMASK),
		    .kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE),
		};
		owners[cpu->index].taken = true;
		__atomic_fetch_or(&v->kick, KICK_SYSMSR, __ATOMIC_RELAXED);
	}
	load(vmm);
}

void sysmsr_release(struct vcpu *v)
{
	uint32_t index = this_cpu()->index;

	if (v != &this_cpu()->vcpu || !owners[index].taken)
		return;
	owners[index].taken = false;
	__atomic_fetch_and(&v->kick, ~(uint32_t)KICK_SYSMSR, __ATOMIC_RELAXED);
	load(&owners[index].guest);
}
