/* What VMRUN demands of a VMCB, and some rules of our own, as a pure function. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/x86/svm/vmcb.h"

/* What depends on the CPU and on the policy. */
struct svm_check_limits {
	unsigned phys_bits;   /* MAXPHYADDR, 32..52 */
	uint32_t asids;       /* CPUID 8000000A EBX */
	uint64_t cr4_allowed; /* bits that may be 1 */
	uint64_t efer_allowed;
	bool flush_by_asid;
};

/*
 * The first rule that the VMCB breaks, as a constant text, or NULL. APM 2 15.5.1 (consistency
 * checks), 15.20 (event injection), 15.25.3 and 15.25.4 (nested paging); of our own: what VMRUN
 * does not refuse but no guest can have.
 */
const char *svm_check(const struct vmcb *b, const struct svm_check_limits *limits);
