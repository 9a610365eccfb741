/* A sum over the VMM's code and constants: the debug image's call test_sum. */
/* SPDX-License-Identifier: BSD-3-Clause */
#ifdef CONFIG_TEST_CALLS
#include <stdint.h>
#include "core/vm/vmcall.h"

extern const uint64_t image_start[], image_rodata_end[]; /* image.lds */

/* For tests. RCX: a sum over all that is never written once the VMM runs, never 0. RAX: 0. */
static void call_test_sum(struct vcpu *v)
{
	uint64_t sum = 1;

	for (const uint64_t *p = image_start; p < image_rodata_end; p++)
		sum = (sum << 7 | sum >> 57) ^ *p;
	v->gpr[GPR_RCX] = sum | 1;
	v->gpr[GPR_RAX] = 0;
}
VMCALL("test_sum", call_test_sum);
#else
typedef int image_test_empty; /* ISO C wants a declaration */
#endif
