/* Calls of the guest to the VMM (VMCALL, VMMCALL). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include "core/section.h"
#include "core/vm/vcpu.h"

struct vmcall {
	const char *name;
	/* Arguments in RBX, RCX; results to RAX (and RCX where the call says so). RIP still points
	 * at the call. */
	void (*function)(struct vcpu *v);
};

#define VMCALL(name_, function_)                                                                   \
	static const struct vmcall vmcall_##function_ SECTION_RECORD(vmcall) = {                   \
	    .name = name_, .function = function_}

#define VMCALL_LENGTH 3 /* bytes of VMCALL and VMMCALL */

/* Asked in RCX with call 0: a VMM that answers with the complement there is this one. */
#define VMCALL_MAGIC UINT64_C(0x4249545649534f52)

/* True when this code already runs as a guest of this VMM. Context: start-up, the VMM's IDT loaded.
 */
bool vmcall_is_guest(void);
/* The exit. */
enum exit_result vmcall_exit(struct vcpu *v);
