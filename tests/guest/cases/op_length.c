/*
 * Instructions of more than 15 bytes are #GP, whatever they would do; 15 are run. The VMM, which
 * reads instructions itself, must not take what the CPU does not.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static const struct {
	const char *name;
	uint8_t length, bytes[3];
} ends[] = {
    {"nop", 1, {0x90}},         {"cpuid", 2, {0x0f, 0xa2}},
    {"rdmsr", 2, {0x0f, 0x32}}, {"mov-memory", 2, {0x89, 0x03}},
    {"in", 1, {0xec}},
};

GUEST_CASE(op_length, "SDM 2A 2.3.11, APM 3 1.2.1")
{
	static const enum mode modes[] = {MODE_64, MODE_USER64, MODE_32, MODE_PROT32, MODE_REAL};

	for (unsigned m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
			for (unsigned length = 15; length <= 16; length++) {
				struct snippet s = {.mode = modes[m]};
				uint8_t bytes[16];

				if (modes[m] == MODE_USER64 && ends[i].bytes[1] == 0x32)
					continue;
				memset(bytes, 0x3e, sizeof(bytes)); /* DS, which is the default */
				memcpy(bytes + length - ends[i].length, ends[i].bytes,
				       ends[i].length);
				snippet_bytes(&s, bytes, length);
				s.in.rbx = modes[m] == MODE_REAL ? 0x800 : 0x20800;
				s.in.rcx = MSR_PAT;
				s.in.rdx = 0x21;
				snippet_run(&s);
				CHECK_EQ(s.out.vector, length > 15 ? VECTOR_GP : VECTOR_END,
					 "%s %s-%u vector", mode_name[modes[m]], ends[i].name,
					 length);
				CHECK_EQ(s.out.rip, length > 15 ? 0 : length + 2, "%s %s-%u RIP",
					 mode_name[modes[m]], ends[i].name, length);
			}
		}
	}
}
