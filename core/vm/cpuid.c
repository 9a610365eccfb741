/* CPUID as the guest sees it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/cpuid.h"
#include "core/start.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"

struct features guest_features;

static void host_cpuid(void *arg, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	struct cpuid_regs r = cpuid(leaf, subleaf);

	(void)arg;
	out[0] = r.eax;
	out[1] = r.ebx;
	out[2] = r.ecx;
	out[3] = r.edx;
}

void cpuid_init(void)
{
	struct cpu_caps caps = {
		.vendor = vmm_ops == &vmm_ops_vt ? CPU_VENDOR_INTEL : CPU_VENDOR_AMD,
		.cpuid = host_cpuid,
		.needs = vmm_ops->feature_needs(),
	};

	features_resolve(&guest_features, &caps, start_config()->cpuid_unknown == CONFIG_CPUID_UNKNOWN_SHOW);
}

void cpuid_emulate(struct vcpu *v)
{
	uint32_t leaf = (uint32_t)v->gpr[GPR_RAX], subleaf = (uint32_t)v->gpr[GPR_RCX];
	struct cpuid_regs r = cpuid(leaf, subleaf);
	const uint32_t *mask = features_cpuid_mask(&guest_features, leaf, subleaf);

	r.ecx &= mask[FEATURE_ECX];
	/* bits that show the guest's CR4, where the CPU has shown the host's (SDM 2A, CPUID) */
	if (leaf == 1) {
		r.ecx &= ~FEATURES_DYNAMIC_LEAF1_ECX;
		if (vmm_ops->cr(v, 4) & CR4_OSXSAVE)
			r.ecx |= FEATURES_DYNAMIC_LEAF1_ECX;
	} else if (leaf == 7 && subleaf == 0) {
		r.ecx &= ~FEATURES_DYNAMIC_LEAF7_ECX;
		if (vmm_ops->cr(v, 4) & CR4_PKE)
			r.ecx |= FEATURES_DYNAMIC_LEAF7_ECX;
	}
	v->gpr[GPR_RAX] = r.eax & mask[FEATURE_EAX];
	v->gpr[GPR_RBX] = r.ebx & mask[FEATURE_EBX];
	v->gpr[GPR_RCX] = r.ecx;
	v->gpr[GPR_RDX] = r.edx & mask[FEATURE_EDX];
}
