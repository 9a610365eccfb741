/*
 * Privileged instructions at CPL 3 and in the rings of old modes: #GP before anything else, exits
 * included; those of V86 mode as well (XSA-105: a hypervisor that forgot CPL for some).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static const struct opcode {
	const char *name;
	uint8_t length, bytes[4];
	bool only64;
} opcodes[] = {
    {"cli", 1, {0xfa}, false},
    {"sti", 1, {0xfb}, false},
    {"ltr", 3, {0x0f, 0x00, 0xd8}, false},
    {"lldt", 3, {0x0f, 0x00, 0xd0}, false},
    {"lmsw-memory", 3, {0x0f, 0x01, 0x33}, false},
    {"mov-from-cr2", 3, {0x0f, 0x20, 0xd0}, false},
    {"mov-from-cr3", 3, {0x0f, 0x20, 0xd8}, false},
    {"mov-from-cr4", 3, {0x0f, 0x20, 0xe0}, false},
    {"mov-cr2", 3, {0x0f, 0x22, 0xd0}, false},
    {"mov-from-dr7", 3, {0x0f, 0x21, 0xf8}, false},
    {"mov-from-dr0", 3, {0x0f, 0x21, 0xc0}, false},
    {"mov-dr6", 3, {0x0f, 0x23, 0xf0}, false},
    {"sysret", 2, {0x0f, 0x07}, true},
    {"swapgs", 3, {0x0f, 0x01, 0xf8}, true},
    {"mov-cr8", 4, {0x44, 0x0f, 0x22, 0xc0}, true},
    {"mov-from-cr8", 4, {0x44, 0x0f, 0x20, 0xc0}, true},
};

GUEST_CASE(op_user, "SDM 3A 5.9, SDM 2 each instruction, APM 3")
{
	static const enum mode modes[] = {MODE_USER64, MODE_USER32, MODE_PROT_USER32,
					  MODE_PROT_USER16, MODE_PAGED_USER32};

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE); /* else SYSRET is #UD */
	for (unsigned m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		for (unsigned i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
			struct snippet s = {.mode = modes[m], .in = {.rbx = 0x20000}};

			if (opcodes[i].only64 && modes[m] != MODE_USER64)
				continue;
			snippet_bytes(&s, opcodes[i].bytes, opcodes[i].length);
			snippet_run(&s);
			CHECK_EQ(s.out.vector, VECTOR_GP, "%s %s vector", mode_name[modes[m]],
				 opcodes[i].name);
			CHECK_EQ(s.out.error, 0, "%s %s error", mode_name[modes[m]],
				 opcodes[i].name);
			CHECK_EQ(s.out.rip, 0, "%s %s RIP", mode_name[modes[m]], opcodes[i].name);
		}
	}
}
