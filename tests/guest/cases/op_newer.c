/*
 * Instructions of newer CPUs that a VMM would have to know of: TDX, waiting, enqueued commands,
 * shadow stacks, Key Locker, nested paging of AMD's, FRED. Where CPUID does not show them they are
 * #UD, or #GP at CPL 3, and never an exit that nobody expects (bug class 19).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static const struct opcode {
	const char *name;
	uint8_t length, bytes[6];
	uint32_t leaf; /* of CPUID, with register and bit, where it is shown; 0: nowhere */
	uint8_t reg, bit;
} opcodes[] = {
    {"tdcall", 4, {0x66, 0x0f, 0x01, 0xcc}, 0, 0, 0},
    {"seamret", 4, {0x66, 0x0f, 0x01, 0xcd}, 0, 0, 0},
    {"seamops", 4, {0x66, 0x0f, 0x01, 0xce}, 0, 0, 0},
    {"seamcall", 4, {0x66, 0x0f, 0x01, 0xcf}, 0, 0, 0},
    {"umonitor", 4, {0xf3, 0x0f, 0xae, 0xf0}, 7, 2, 5},
    {"umwait", 4, {0xf2, 0x0f, 0xae, 0xf0}, 7, 2, 5},
    {"tpause", 4, {0x66, 0x0f, 0xae, 0xf0}, 7, 2, 5},
    {"enqcmd", 5, {0xf2, 0x0f, 0x38, 0xf8, 0x03}, 7, 2, 29},
    {"enqcmds", 5, {0xf3, 0x0f, 0x38, 0xf8, 0x03}, 7, 2, 29},
    {"loadiwkey", 5, {0xf3, 0x0f, 0x38, 0xdc, 0xc1}, 7, 2, 23},
    {"setssbsy", 4, {0xf3, 0x0f, 0x01, 0xe8}, 7, 2, 7},
    {"clrssbsy", 4, {0xf3, 0x0f, 0xae, 0x33}, 7, 2, 7},
    {"clui", 4, {0xf3, 0x0f, 0x01, 0xee}, 7, 3, 5},
    {"erets", 4, {0xf2, 0x0f, 0x01, 0xca}, 0, 0, 0},
    {"eretu", 4, {0xf3, 0x0f, 0x01, 0xca}, 0, 0, 0},
    {"hreset", 6, {0xf3, 0x0f, 0x3a, 0xf0, 0xc0, 0x00}, 0, 0, 0},
    {"pvalidate", 4, {0xf2, 0x0f, 0x01, 0xff}, 0, 0, 0},
    {"rmpadjust", 4, {0xf3, 0x0f, 0x01, 0xfe}, 0, 0, 0},
    {"rmpupdate", 4, {0xf2, 0x0f, 0x01, 0xfe}, 0, 0, 0},
    {"psmash", 4, {0xf3, 0x0f, 0x01, 0xff}, 0, 0, 0},
    {"invlpgb", 3, {0x0f, 0x01, 0xfe}, 0x80000008, 1, 3},
    {"tlbsync", 3, {0x0f, 0x01, 0xff}, 0x80000008, 1, 3},
    {"rdpru", 3, {0x0f, 0x01, 0xfd}, 0x80000008, 1, 4},
};

GUEST_CASE(op_newer, "SDM 2, each instruction; APM 3")
{
	static const enum mode modes[] = {
	    MODE_64,     MODE_USER64,      MODE_32,          MODE_16,          MODE_REAL,
	    MODE_PROT32, MODE_PAE32,       MODE_USER32,      MODE_PAGED32,     MODE_V86,
	    MODE_PROT16, MODE_PROT_USER32, MODE_PROT_USER16, MODE_PAGED_USER32};

	for (unsigned m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		for (unsigned i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
			const struct opcode *o = &opcodes[i];
			struct snippet s = {.mode = modes[m], .in = {.rbx = 0x100}};

			if (o->leaf && cpuid_shows(o->leaf, o->reg, o->bit))
				continue;
			snippet_bytes(&s, o->bytes, o->length);
			snippet_run(&s);
			CHECK_EQ(s.out.vector, VECTOR_UD, "%s %s vector", mode_name[modes[m]],
				 o->name);
			CHECK_EQ(s.out.rip, 0, "%s %s RIP", mode_name[modes[m]], o->name);
		}
	}
}
