/* SVM intercepts and features: resolved from a requirement table and CPUID 8000000A. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* CPUID 8000000A EDX (APM 3, appendix E.4.9). */
#define SVM_FEATURE_NP             (UINT32_C(1) << 0)
#define SVM_FEATURE_LBR            (UINT32_C(1) << 1)
#define SVM_FEATURE_SVM_LOCK       (UINT32_C(1) << 2)
#define SVM_FEATURE_NRIPS          (UINT32_C(1) << 3)
#define SVM_FEATURE_TSC_RATE       (UINT32_C(1) << 4)
#define SVM_FEATURE_VMCB_CLEAN     (UINT32_C(1) << 5)
#define SVM_FEATURE_FLUSH_BY_ASID  (UINT32_C(1) << 6)
#define SVM_FEATURE_DECODE_ASSISTS (UINT32_C(1) << 7)
#define SVM_FEATURE_PAUSE_FILTER   (UINT32_C(1) << 10)
#define SVM_FEATURE_AVIC           (UINT32_C(1) << 13)
#define SVM_FEATURE_VIRT_VMSAVE    (UINT32_C(1) << 15)
#define SVM_FEATURE_VGIF           (UINT32_C(1) << 16)
#define SVM_FEATURE_GMET           (UINT32_C(1) << 17)
#define SVM_FEATURE_X2AVIC         (UINT32_C(1) << 18)
#define SVM_FEATURE_SSS            (UINT32_C(1) << 19)
#define SVM_FEATURE_SPEC_CTRL      (UINT32_C(1) << 20)
#define SVM_FEATURE_TLBI_CTL       (UINT32_C(1) << 24)
#define SVM_FEATURE_VNMI           (UINT32_C(1) << 25)
#define SVM_FEATURE_IBS_VIRT       (UINT32_C(1) << 26)

#define MSR_VM_CR        UINT32_C(0xc0010114)
#define SVM_VM_CR_LOCK   (UINT64_C(1) << 3)
#define SVM_VM_CR_SVMDIS (UINT64_C(1) << 4)

struct svm_caps {
	bool svm;          /* CPUID 80000001 ECX bit 2 */
	uint32_t asids;    /* 8000000A EBX */
	uint32_t features; /* 8000000A EDX */
	uint64_t vm_cr;    /* MSR c0010114, when svm */
};

struct svm_wants {
	bool io;     /* some port is trapped */
	bool r_init; /* VM_CR.R_INIT: INIT arrives as #SX */
};

struct svm_controls {
	uint32_t intercept[6]; /* VMCB 000h..014h: CR, DR, exceptions, and enum svm_intercept
				  words 3..5 */
	uint64_t needs;        /* FEATURE_NEED_BIT() that are met */
	uint32_t clean; /* SVM_CLEAN_* that are set after each exit; 0: the CPU has no clean bits */
	bool nrips, decode_assists, flush_by_asid, lbr, sss;
};

/* Resolves; 0, or -ENODEV with *missing: "AMD-V", "AMD-V (disabled by the firmware)", "nested
 * paging", "ASID". */
int svm_controls_resolve(const struct svm_caps *caps, const struct svm_wants *wants,
			 struct svm_controls *out, const char **missing);
