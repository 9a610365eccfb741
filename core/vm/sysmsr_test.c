/* Owners of the SYSCALL MSRs, for tests: the debug image's VMM call test_sysmsr. */
/* SPDX-License-Identifier: BSD-3-Clause */
#ifdef CONFIG_TEST_CALLS
#include "core/thread.h"
#include "core/vm/sysmsr.h"
#include "core/vm/vmcall.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"

#define PATTERN 0x0000123456789000 /* canonical */

static uint64_t wrong, turns; /* atomic */
static bool running;          /* atomic: the thread goes on */

/* Take the registers twice, with other values, and look whether they hold them. */
static void take(uint64_t salt)
{
	for (uint64_t i = 0; i < 2; i++) {
		uint64_t p = PATTERN + ((salt + i) << 12 & 0xff000);
		const struct sysmsr m = {p << 16, p, p + 16, p & 0xffff000, p + 32};

		sysmsr_take(&m);
		if (rdmsr(MSR_STAR) != m.star || rdmsr(MSR_LSTAR) != m.lstar ||
		    rdmsr(MSR_CSTAR) != m.cstar || rdmsr(MSR_SFMASK) != m.sfmask ||
		    rdmsr(MSR_KERNEL_GS_BASE) != m.kernel_gs_base)
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	}
}

static void run(void *arg)
{
	(void)arg;
	while (__atomic_load_n(&running, __ATOMIC_RELAXED)) {
		take(__atomic_add_fetch(&turns, 1, __ATOMIC_RELAXED));
		schedule();
	}
}

/* What the guest has in register `i` of struct sysmsr: in the CPU, or in its VMCB. */
static uint64_t guest_value(struct vcpu *v, uint64_t i)
{
	struct vcpu_state s;

	vmm_ops->state_get(v, &s);
	switch (i) {
	case 0:
		return s.star;
	case 1:
		return s.lstar;
	case 2:
		return s.cstar;
	case 3:
		return s.sfmask;
	default:
		return s.kernel_gs_base;
	}
}

/*
 * For tests. RBX: operation. RAX: takes so far in which the registers did not hold what was
 * written. 1 take them in this exit 2 start a thread, once, that takes them in each of its turns,
 * as a process would 3 RCX = the guest's value of register RCX, 0 to 4 4 the thread ends with its
 * next turn. RCX = turns of the thread so far, but for 3
 */
static void call_test_sysmsr(struct vcpu *v)
{
	if (v->gpr[GPR_RBX] == 1)
		take(v->gpr[GPR_RCX]);
	else if (v->gpr[GPR_RBX] == 2 && !__atomic_exchange_n(&running, true, __ATOMIC_RELAXED) &&
		 thread_new(run, NULL, 8192, NULL) != 0)
		wrong++;
	else if (v->gpr[GPR_RBX] == 4)
		__atomic_store_n(&running, false, __ATOMIC_RELAXED);
	v->gpr[GPR_RAX] = __atomic_load_n(&wrong, __ATOMIC_RELAXED);
	v->gpr[GPR_RCX] = v->gpr[GPR_RBX] == 3 ? guest_value(v, v->gpr[GPR_RCX])
					       : __atomic_load_n(&turns, __ATOMIC_RELAXED);
}
VMCALL("test_sysmsr", call_test_sysmsr);
#else
typedef int sysmsr_test_empty; /* ISO C wants a declaration */
#endif
