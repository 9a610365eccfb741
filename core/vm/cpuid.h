/* CPUID as the guest sees it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/vm/features.h"
#include "core/vm/vcpu.h"
#include "core/x86/cpu.h"

extern struct features guest_features; /* resolved once; constant while guests run */

extern uint64_t cpuid_cr4_hidden; /* CR4 bits that the CPU takes and the guest must not set */

/* Resolve the feature table for this machine. Context: boot CPU, after vmm_ops->init(). */
void cpuid_init(void);
/* Execute the guest's CPUID: RAX to RDX. Context: exit handler; lean. */
void cpuid_emulate(struct vcpu *v);

/* What cpuid_lean() needs to know of a leaf. All zeros: it leaves this one to cpuid_emulate(). */
struct cpuid_leaf {
	uint32_t mask[4];    /* EAX, EBX, ECX, EDX of what the CPU says */
	uint32_t always;     /* bits of ECX that are set; in cpuid_rows() ECX of subleaf 0, or 0 */
	uint32_t with_cr4;   /* bits of ECX that follow a bit of the guest's CR4 */
	uint32_t cr4;        /* that bit */
	uint8_t kind;        /* enum cpuid_kind */
	uint8_t first, last; /* as struct features_leaf; last is 0 but for cpuid_rows() */
	uint8_t reserved;    /* 32 bytes, a shift */
};

enum cpuid_kind {
	CPUID_ELSEWHERE,    /* beyond the last leaf, or more than a mask */
	CPUID_MASK,         /* a mask, the same for all subleaves */
	CPUID_DYNAMIC,      /* and bits that follow CR4 */
	CPUID_DYNAMIC_FIRST /* the same for subleaf 0; the others elsewhere */
};

/* Constant while guests run. Index: the leaf rotated left by one bit, so basic and extended leaves
 * alternate. */
extern struct cpuid_leaf cpuid_leaves[2 * FEATURES_LEAVES];

static inline __attribute__((always_inline)) void cpuid_masked(uint32_t leaf, uint32_t subleaf,
							       const uint32_t *mask, uint64_t *a,
							       uint64_t *b, uint64_t *c,
							       uint64_t *d)
{
	/* with the masks: the compiler does not know that all this clears the upper halves */
	__asm__ volatile("cpuid\n\t"
			 "andl %[eax], %%eax\n\t"
			 "andl %[ebx], %%ebx\n\t"
			 "andl %[ecx], %%ecx\n\t"
			 "andl %[edx], %%edx"
			 : "=&a"(*a), "=&b"(*b), "=&c"(*c), "=&d"(*d)
			 : "0"(leaf),
			   "2"(subleaf), [eax] "m"(mask[FEATURE_EAX]), [ebx] "m"(mask[FEATURE_EBX]),
			   [ecx] "m"(mask[FEATURE_ECX]), [edx] "m"(mask[FEATURE_EDX])
			 : "cc", "memory");
}

/*
 * The same as cpuid_emulate() for frequent leaves, in few instructions. The guest's RAX is in *rax,
 * cr4() gives its CR4. False: nothing was done. Always inlined, so the call of cr4() is none.
 */
static inline __attribute__((always_inline)) bool cpuid_lean(struct vcpu *v, uint64_t *rax,
							     uint64_t (*cr4)(const struct vcpu *v))
{
	uint32_t leaf = (uint32_t)*rax, subleaf = (uint32_t)v->gpr[GPR_RCX],
		 i = leaf << 1 | leaf >> 31;
	const struct cpuid_leaf *l = &cpuid_leaves[i];
	uint64_t a, b, c, d;

	if (__builtin_expect(i >= 2 * FEATURES_LEAVES, 0))
		return false;
	__asm__("" : "+r"(l)); /* one register, not an address worked out at each use */
	if (__builtin_expect(l->kind != CPUID_MASK, 0) &&
	    (l->kind == CPUID_ELSEWHERE || (l->kind == CPUID_DYNAMIC_FIRST && subleaf)))
		return false;
	cpuid_masked(leaf, subleaf, l->mask, &a, &b, &c, &d);
	if (__builtin_expect(l->kind != CPUID_MASK, 0)) {
		c |= l->always;
		if (cr4(v) & l->cr4)
			c |= l->with_cr4;
	}
	*rax = a;
	v->gpr[GPR_RBX] = b;
	v->gpr[GPR_RCX] = c;
	v->gpr[GPR_RDX] = d;
	return true;
}

/* The same for leaves that have a mask for each subleaf. */
static inline __attribute__((always_inline)) bool cpuid_rows(struct vcpu *v, uint64_t *rax)
{
	uint32_t leaf = (uint32_t)*rax, subleaf = (uint32_t)v->gpr[GPR_RCX],
		 i = leaf << 1 | leaf >> 31;
	const struct cpuid_leaf *l = &cpuid_leaves[i];
	uint64_t a, b, c, d;

	__asm__("" : "+r"(l));
	if (i >= 2 * FEATURES_LEAVES || !l->last)
		return false;
	const uint32_t *mask =
	    guest_features.rows[l->first + (subleaf < l->last ? subleaf : l->last)];

	__asm__("" : "+r"(mask));
	cpuid_masked(leaf, subleaf, mask, &a, &b, &c, &d);
	if (!subleaf && l->always)
		c = l->always;
	*rax = a;
	v->gpr[GPR_RBX] = b;
	v->gpr[GPR_RCX] = c;
	v->gpr[GPR_RDX] = d;
	return true;
}
