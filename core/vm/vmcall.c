/* Calls of the guest to the VMM (VMCALL, VMMCALL). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/vmcall.h"
#include "core/string.h"
#include "core/vm/gmem.h"
#include "core/x86/cpu.h"

#define NAME_MAX 256

extern const struct vmcall section_vmcall_start[], section_vmcall_end[];

uint64_t vmcall_handshake(uint64_t magic, const char *name, bool vmmcall); /* trap.S */

bool vmcall_is_guest(void)
{
	return vmcall_handshake(VMCALL_MAGIC, "get_status", !cpu_is_intel()) == ~VMCALL_MAGIC;
}

/* Call 0: number of the call named at RBX, or 0. */
static void get_number(struct vcpu *v)
{
	char name[NAME_MAX];
	uint64_t la = v->gpr[GPR_RBX];

	v->gpr[GPR_RAX] = 0;
	if (v->gpr[GPR_RCX] == VMCALL_MAGIC)
		v->gpr[GPR_RCX] = ~VMCALL_MAGIC;
	for (unsigned i = 0; i < NAME_MAX; i++) {
		if (gmem_read_linear(v, GVA(la + i), &name[i], 1) != 0)
			return;
		if (name[i])
			continue;
		for (const struct vmcall *c = section_vmcall_start; c < section_vmcall_end; c++) {
			if (strcmp(c->name, name) == 0)
				v->gpr[GPR_RAX] = (uint64_t)(c - section_vmcall_start) + 1;
		}
		return;
	}
}

enum exit_result vmcall_exit(struct vcpu *v)
{
	uint32_t number = (uint32_t)v->gpr[GPR_RAX];

	if (number == 0)
		get_number(v);
	else if (number <= (uint32_t)(section_vmcall_end - section_vmcall_start))
		section_vmcall_start[number - 1].function(v);
	else
		v->gpr[GPR_RAX] = 0;
	return EXIT_ADVANCE;
}
