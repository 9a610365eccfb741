/* AMD-V's part of the status text: exits by code. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/status.h"
#include "core/vmm_ops.h"
#include "core/x86/svm/svm.h"

#define LAST_CODE 0x400 /* NPF; higher ones, and negative ones but -1, share one row */
#define OTHER     (-5)  /* no code: stands for all of these */

static const struct status_exit exits[] = {
#define SVM_EXIT(number, name) {number, #name},
#include "core/x86/svm/exit_codes.h"
    {OTHER, "OTHER"},
};

static uint32_t row(int16_t number)
{
	if (number > LAST_CODE || (number < -1 && number != OTHER))
		return STATUS_NO_ROW;
	return svm_exit_row((uint64_t)(int64_t)number);
}

static void print_svm_exits(struct status *s)
{
	if (vmm_ops == &vmm_ops_svm)
		status_exits(s, exits, sizeof(exits) / sizeof(exits[0]), row);
}
STATUS(print_svm_exits);
