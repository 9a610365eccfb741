/* VT-x's part of the status text: exits by basic reason. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/status.h"
#include "core/vmm_ops.h"

static const struct status_exit exits[] = {
#define VT_REASON(number, name) {number, #name},
#include "core/x86/vt/exit_reasons.h"
};

static uint32_t row(int16_t number)
{
	return (uint32_t)number;
}

static void print_vt_exits(struct status *s)
{
	if (vmm_ops == &vmm_ops_vt)
		status_exits(s, exits, sizeof(exits) / sizeof(exits[0]), row);
}
STATUS(print_vt_exits);
