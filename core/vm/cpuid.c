/* CPUID as the guest sees it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/cpuid.h"
#include "core/start.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"

struct features guest_features;

#define HYPERVISOR_LEAF 0x40000000u

static uint32_t hypervisor_bit; /* CPUID 1 ECX bit 31 with vmm.cpuid_hypervisor, else 0 */

static void host_cpuid(void *arg, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	struct cpuid_regs r = cpuid(leaf, subleaf);

	(void)arg;
	out[0] = r.eax;
	out[1] = r.ebx;
	out[2] = r.ecx;
	out[3] = r.edx;
}

uint64_t cpuid_cr4_hidden;

/* CR4 bits that the CPU takes and the guest must not set. */
static uint64_t cr4_hidden(void)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < FEATURE_COUNT; i++) {
		const struct feature *f = &features_table[i];
		uint32_t out[4] = {0};

		if (!f->cr4 || f->leaf > cpuid(f->leaf & 0x80000000u, 0).eax)
			continue;
		host_cpuid(NULL, f->leaf, f->subleaf, out);
		if ((out[f->reg] >> f->bit & 1) &&
		    !features_shown(&guest_features, (enum feature_id)i))
			bits |= f->cr4;
	}
	return bits & ~guest_features.cr4_allowed;
}

/*
 * Does the CPU take the bits of EFER that its CPUID promises? One that does not would refuse the
 * guest's state as a whole, where the guest's WRMSR is to get #GP. QEMU takes the write without
 * the bit.
 */
static uint64_t efer_accepted(uint64_t allowed)
{
	const uint64_t known = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	uint64_t host = rdmsr(MSR_EFER);

	for (uint64_t bit = 1; bit; bit <<= 1) {
		if (!(allowed & bit & ~known & ~host))
			continue;
		if (!wrmsr_safe(MSR_EFER, host | bit) || !(rdmsr(MSR_EFER) & bit))
			allowed &= ~bit;
		wrmsr(MSR_EFER, host);
	}
	return allowed;
}

struct cpuid_leaf cpuid_leaves[2 * FEATURES_LEAVES];

/* Does every subleaf have the same mask, and does it say all? */
static bool is_mask(uint32_t leaf)
{
	return leaf != 1 && guest_features.leaf[leaf >> 31][leaf & 0x7fffffff].last == 0 &&
	       !(leaf == 0xd && guest_features.xsave_bytes);
}

static void leaf_resolve(struct cpuid_leaf *l, uint32_t leaf)
{
	const uint32_t *mask = features_cpuid_mask(&guest_features, leaf, 0);

	*l = (struct cpuid_leaf){.kind = CPUID_ELSEWHERE};
	if (features_leaf_beyond(&guest_features, leaf))
		return;
	for (unsigned r = 0; r < 4; r++)
		l->mask[r] = mask[r];
	if (is_mask(leaf)) {
		l->kind = CPUID_MASK;
	} else if (leaf == 1) {
		l->kind = CPUID_DYNAMIC;
		l->with_cr4 = FEATURES_DYNAMIC_LEAF1_ECX;
		l->cr4 = CR4_OSXSAVE;
		l->always = hypervisor_bit;
	} else if (leaf == 7) {
		l->kind = CPUID_DYNAMIC_FIRST;
		l->with_cr4 = FEATURES_DYNAMIC_LEAF7_ECX;
		l->cr4 = CR4_PKE;
	} else {
		const struct features_leaf *rows =
		    &guest_features.leaf[leaf >> 31][leaf & 0x7fffffff];

		l->first = rows->first;
		l->last = rows->last;
		if (leaf == 0xd)
			l->always = guest_features.xsave_bytes;
	}
	l->mask[FEATURE_ECX] &= ~l->with_cr4; /* the CPU has shown what the host's CR4 says */
}

void cpuid_init(void)
{
	struct cpu_caps caps = {
	    .vendor = vmm_ops == &vmm_ops_vt ? CPU_VENDOR_INTEL : CPU_VENDOR_AMD,
	    .cpuid = host_cpuid,
	    .needs = vmm_ops->feature_needs(),
	};

	features_resolve(&guest_features, &caps,
			 start_config()->cpuid_unknown == CONFIG_CPUID_UNKNOWN_SHOW);
	guest_features.efer_allowed = efer_accepted(guest_features.efer_allowed);
	cpuid_cr4_hidden = cr4_hidden();
	hypervisor_bit = start_config()->cpuid_hypervisor ? 1u << 31 : 0;
	for (uint32_t i = 0; i < 2 * FEATURES_LEAVES; i++)
		leaf_resolve(&cpuid_leaves[i], i >> 1 | i << 31);
}

void cpuid_emulate(struct vcpu *v)
{
	uint32_t leaf = (uint32_t)v->gpr[GPR_RAX], subleaf = (uint32_t)v->gpr[GPR_RCX];

	if (__builtin_expect(features_leaf_beyond(&guest_features, leaf), 0)) {
		if (leaf == HYPERVISOR_LEAF && hypervisor_bit) {
			v->gpr[GPR_RAX] = HYPERVISOR_LEAF;
			v->gpr[GPR_RBX] = 0x56746942; /* "BitVisor" */
			v->gpr[GPR_RCX] = 0x726f7369;
			v->gpr[GPR_RDX] = 0;
			return;
		}
		if (guest_features.repeats_last)
			leaf = guest_features.max[0];
	}

	struct cpuid_regs r = cpuid(leaf, subleaf);
	const uint32_t *mask = features_cpuid_mask(&guest_features, leaf, subleaf);

	r.ecx &= mask[FEATURE_ECX];
	/* bits that show the guest's CR4, where the CPU has shown the host's (SDM 2A, CPUID) */
	if (leaf == 1) {
		r.ecx &= ~FEATURES_DYNAMIC_LEAF1_ECX;
		r.ecx |= hypervisor_bit;
		if (vmm_ops->cr(v, 4) & CR4_OSXSAVE)
			r.ecx |= FEATURES_DYNAMIC_LEAF1_ECX;
	} else if (leaf == 7 && subleaf == 0) {
		r.ecx &= ~FEATURES_DYNAMIC_LEAF7_ECX;
		if (vmm_ops->cr(v, 4) & CR4_PKE)
			r.ecx |= FEATURES_DYNAMIC_LEAF7_ECX;
	} else if (leaf == 0xd && subleaf == 0 && guest_features.xsave_bytes) {
		r.ecx = guest_features
			    .xsave_bytes; /* for what XCR0 may hold, hidden components left out */
	}
	v->gpr[GPR_RAX] = r.eax & mask[FEATURE_EAX];
	v->gpr[GPR_RBX] = r.ebx & mask[FEATURE_EBX];
	v->gpr[GPR_RCX] = r.ecx;
	v->gpr[GPR_RDX] = r.edx & mask[FEATURE_EDX];
}
