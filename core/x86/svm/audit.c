/* Audits of the debug image, AMD-V: clean bits, consistency and flush debt before each VMRUN. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/audit.h"
#include "core/boot.h"
#include "core/mm/pages.h"
#include "core/panic.h"
#include "core/string.h"
#include "core/vm/cpuid.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"
#include "core/x86/svm/check.h"
#include "core/x86/svm/clean.h"
#include "core/x86/svm/svm.h"

static bool has_copy[BOOT_MAX_CPUS];
static struct svm_check_limits limits;

/* The VMCB as the last #VMEXIT has left it: the last of the vendor's pages. */
static struct vmcb *copy_of(struct vcpu *v)
{
	uint8_t *pages = (uint8_t *)v - CPU_STRUCT + CPU_VENDOR_PAGES;

	return (struct vmcb *)(void *)(pages + 3 * PAGE_SIZE);
}

/* A panic, and what it shows, needs the host's TR and the guest's whole VMCB. */
static void host_state(struct vcpu *v)
{
	svm_vmsave(v->vendor_pa);
	svm_vmload(v->vendor_host_pa);
	svm_stgi();
}

void svm_audit_start(struct vcpu *v)
{
	struct cpuid_regs r = cpuid(0x8000000au, 0);

	limits = (struct svm_check_limits){
	    .phys_bits = cpu_phys_bits(),
	    .asids = r.ebx,
	    .cr4_allowed = guest_features.cr4_allowed,
	    .efer_allowed = guest_features.efer_allowed | EFER_LMA | EFER_SVME,
	    .flush_by_asid = r.edx & SVM_FEATURE_FLUSH_BY_ASID,
	};
	has_copy[this_cpu()->index] = false;
	svm_audit_entry(v);
}

void svm_audit_exit(struct vcpu *v)
{
	memcpy(copy_of(v), svm_vmcb(v), sizeof(struct vmcb));
	has_copy[this_cpu()->index] = true;
}

void svm_audit_entry(struct vcpu *v)
{
	const struct vmcb *b = svm_vmcb(v);
	const char *broken = svm_check(b, &limits);
	uint32_t group = 0;
	int offset = -1;

	if (broken) {
		host_state(v);
		panic("audit: VMCB: %s", broken);
	}
	if (has_copy[this_cpu()->index])
		offset = svm_clean_broken(b, copy_of(v), &group);
	else if (b->control.clean != 0)
		offset = 0;
	if (offset >= 0) {
		host_state(v);
		panic("audit: VMCB offset %#x was written, and clean bits %#x (%s) are set",
		      (unsigned)offset, b->control.clean & group, svm_clean_name(group));
	}
	if (b->control.tlb_control != SVM_TLB_NOTHING) /* this VMRUN flushes */
		audit_flushed();
	if (audit_debt()) {
		host_state(v);
		panic("audit: %lu rights taken from the nested tables are not flushed here",
		      audit_debt());
	}
}

#ifdef CONFIG_TEST_CALLS
#include "core/vm/vmcall.h"
#include "core/vmm_ops.h"

/* For tests: RBX 0 writes a field without its clean bit, 1 the same field with it, 2 makes the
 * state illegal. */
static void call_test_vmcb(struct vcpu *v)
{
	struct vmcb *b = svm_vmcb(v);

	v->gpr[GPR_RAX] = 0;
	if (vmm_ops != &vmm_ops_svm)
		return;
	if (v->gpr[GPR_RBX] == 2) {
		b->save.dr7 |= UINT64_C(1) << 32;
		b->control.clean &= ~SVM_CLEAN_DRX;
		return;
	}
	b->control.tsc_offset ^= 1;
	if (v->gpr[GPR_RBX] == 1)
		b->control.clean &= ~SVM_CLEAN_I;
}
VMCALL("test_vmcb", call_test_vmcb);
#endif
