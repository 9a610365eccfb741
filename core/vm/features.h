/* Which CPU features the guest may see and use: one table, resolved once into CPUID masks and
 * CR/XCR masks. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Rule ("shown = works"): a feature is shown when the table knows it, the CPU has it
 * and what it needs from the VMM or from a VMCS/VMCB control is met. Everything else is hidden: its
 * CPUID bit reads 0, its CR4/XCR0/XSS/EFER bits are reserved to the guest, its MSRs are denied
 * (msr_policy.h).
 */

enum cpu_vendor {
	CPU_VENDOR_INTEL = 1,
	CPU_VENDOR_AMD = 2
}; /* by back end: VT-x, SVM. Usable as a mask */

/*
 * What a feature may need. vt_controls_resolve() and svm_controls_resolve() report those that the
 * CPU's controls meet; a few are for the VMM itself to promise. One bit each: FEATURE_NEED_BIT(x).
 */
enum feature_need {
	FEATURE_NEED_NONE,      /* always met */
	FEATURE_NEED_NEVER,     /* never met: always hidden, show_unknown does not change it */
	FEATURE_NEED_RDTSCP,    /* VT-x "enable RDTSCP" (also RDPID) */
	FEATURE_NEED_INVPCID,   /* VT-x "enable INVPCID" */
	FEATURE_NEED_XSAVES,    /* VT-x "enable XSAVES/XRSTORS" */
	FEATURE_NEED_USER_WAIT, /* VT-x "enable user wait and pause" */
	FEATURE_NEED_CET_STATE, /* VT-x load CET state on entry and exit; SVM 8000000A EDX.SSS (VMCB
				   S_CET, SSP, ISST) */
	FEATURE_NEED_PKRS_STATE, /* VT-x load PKRS on entry and exit */
	FEATURE_NEED_BNDCFGS,    /* VT-x load BNDCFGS on entry, clear it on exit */
	FEATURE_NEED_LBR_CTL,    /* VT-x load LBR_CTL on entry, clear it on exit; SVM: LBR stack
				    virtualised */
	FEATURE_NEED_PERF_GLOBAL_CTRL, /* VT-x PERF_GLOBAL_CTRL: load on entry, load and save on
					  exit */
	FEATURE_NEED_INVLPGB,          /* SVM: VMCB 090h bit 7 set and one ASID on all CPUs (the VMM
					  promises) */
	FEATURE_NEED_GUEST_IOMMU,    /* the IOMMU belongs to the guest (the VMM's configuration says
					so) */
	FEATURE_NEED_TAGGED_ADDRESS, /* the VMM's guest walks strip LAM/UAI metadata (the VMM
					promises) */
	FEATURE_NEED_COUNT,
};
#define FEATURE_NEED_BIT(need) (UINT64_C(1) << (need))

enum feature_reg { FEATURE_EAX, FEATURE_EBX, FEATURE_ECX, FEATURE_EDX };

/* FEATURE_<NAME> for each row of features_table.h. */
enum feature_id {
#define FEATURE(name, leaf, subleaf, reg, bit, need, cr4, xcr0, xss, efer) FEATURE_##name,
#include "core/vm/features_table.h"
	FEATURE_COUNT,
	FEATURE_NO = FEATURE_COUNT, /* "no feature": gates that are always open */
};

struct feature {
	const char *name; /* lower-level names of the manuals, as in features_table.h */
	uint32_t leaf, subleaf;
	uint8_t reg; /* enum feature_reg */
	uint8_t bit;
	uint8_t need;                  /* enum feature_need */
	uint64_t cr4, xcr0, xss, efer; /* bits that exist with this feature */
};

/* Executes CPUID: out[] = EAX, EBX, ECX, EDX. */
typedef void (*cpuid_fn)(void *arg, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

struct cpu_caps {
	enum cpu_vendor vendor;
	cpuid_fn cpuid; /* of the hardware, never the guest's view */
	void *arg;
	uint64_t
	    needs; /* FEATURE_NEED_BIT() of each need that is met; NONE is implied, NEVER ignored */
};

#define FEATURES_LEAVES   0x30 /* leaves 0..0x2f and 80000000..8000002f have a mask of their own */
#define FEATURES_ROWS     160
#define FEATURES_ROW_ZERO 0 /* all bits hidden */
#define FEATURES_ROW_ONES 1 /* all bits shown */

/* The masks of a leaf are rows[first + min(subleaf, last)]. */
struct features_leaf {
	uint8_t first;
	uint8_t last;
};

/*
 * Result of features_resolve(). Constant afterwards; shared by all CPUs. What follows the guest's
 * state is left to the caller: the FEATURES_DYNAMIC_* bits, and ECX of leaf 0xd subleaf 0, which is
 * `xsave_bytes`.
 */
struct features {
	uint32_t max[2]; /* last leaf the hardware has, [0] basic, [1] extended, as an offset */
	bool show_unknown;
	bool repeats_last; /* Intel: a leaf beyond the last reads as the last basic one (SDM 2A,
			      CPUID) */
	struct features_leaf leaf[2][FEATURES_LEAVES];
	uint32_t rows[FEATURES_ROWS][4]; /* AND masks: EAX, EBX, ECX, EDX */
	uint64_t cr0_allowed; /* bits the guest may set; the vendor's fixed bits come on top */
	uint64_t cr4_allowed;
	uint64_t xcr0_allowed;
	uint64_t xss_allowed;
	uint64_t efer_allowed; /* LMA included: read-only to software */
	uint32_t xsave_bytes;  /* CPUID(0xd,0).ECX for xcr0_allowed; 0: no XSAVE */
	uint64_t shown[(FEATURE_COUNT + 63) / 64]; /* bit per enum feature_id */
};

/* Bits whose value follows the guest's registers: present in the masks when the feature is shown.
 */
#define FEATURES_DYNAMIC_LEAF1_ECX (UINT32_C(1) << 27) /* OSXSAVE = CR4.OSXSAVE */
#define FEATURES_DYNAMIC_LEAF1_EDX                                                                 \
	(UINT32_C(1) << 9) /* APIC = IA32_APIC_BASE.EN (also 80000001 EDX on AMD) */
#define FEATURES_DYNAMIC_LEAF7_ECX (UINT32_C(1) << 4) /* OSPKE = CR4.PKE */
#define FEATURES_DYNAMIC_EXT1_EDX                                                                  \
	(UINT32_C(1)                                                                               \
	 << 11) /* SYSCALL: Intel CPUs show it in 64-bit mode only, where the VMM runs */

/* The table: FEATURE_COUNT rows, sorted by leaf, subleaf, register, bit. */
extern const struct feature features_table[FEATURE_COUNT];

/*
 * Fills `out` from the CPU's own CPUID and the needs that are met. `show_unknown`
 * (vmm.cpuid_unknown=show) passes bits, leaves, CR4, XCR0 and XSS bits that the table does not know
 * (the hardware may have fewer CR4 bits than cr4_allowed then); those it knows stay governed by it.
 * Any context; executes CPUID some 60 times.
 */
void features_resolve(struct features *out, const struct cpu_caps *caps, bool show_unknown);

/* Mask of a leaf outside the direct index; use features_cpuid_mask(). */
const uint32_t *features_cpuid_mask_beyond(const struct features *f, uint32_t leaf);

/* Is the leaf behind the last of its range, or in no range that the CPU has? */
static inline bool features_leaf_beyond(const struct features *f, uint32_t leaf)
{
	return (leaf & UINT32_C(0x7fffffff)) > f->max[leaf >> 31];
}

/*
 * AND masks (EAX, EBX, ECX, EDX) for what the hardware's CPUID gives. Never null. A leaf beyond the
 * last reads as zeros; where `repeats_last` is set the caller asks for leaf max[0] instead.
 */
static inline const uint32_t *features_cpuid_mask(const struct features *f, uint32_t leaf,
						  uint32_t subleaf)
{
	uint32_t i = leaf & UINT32_C(0x7fffffff);
	const struct features_leaf *l;

	if (i >= FEATURES_LEAVES || features_leaf_beyond(f, leaf))
		return features_cpuid_mask_beyond(f, leaf);
	l = &f->leaf[leaf >> 31][i];
	return f->rows[l->first + (subleaf < l->last ? subleaf : l->last)];
}

/* True when the guest sees the feature (the CPU has it too). FEATURE_NO: true. */
static inline bool features_shown(const struct features *f, enum feature_id id)
{
	return id == FEATURE_NO || ((f->shown[id / 64] >> (id % 64)) & 1) != 0;
}

/*
 * Is `value` one that XSETBV may load into XCR0 (SDM 1, 13.3): bit 0 set, only allowed bits, AVX
 * with SSE, AVX-512's three together and with AVX, both MPX bits, both AMX bits. False: #GP(0).
 */
bool features_xcr0_valid(const struct features *f, uint64_t value);
