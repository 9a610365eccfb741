/*
 * Opcodes that are none: UD0 to UD2, those of old CPUs (LOADALL, UMOV, MOV to test registers), and
 * in 64-bit mode the instructions that it does not have. Each is #UD at its first byte, in every
 * ring.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

struct opcode {
	uint8_t length, bytes[4];
};

static const struct opcode everywhere[] = {
    {3, {0x0f, 0xff, 0xc0}}, {3, {0x0f, 0xb9, 0xc0}}, {2, {0x0f, 0x0b}},
    {2, {0x0f, 0x04}},       {2, {0x0f, 0x0a}},       {2, {0x0f, 0x0c}},
    {3, {0x0f, 0x24, 0xc0}}, {3, {0x0f, 0x26, 0xc0}}, {2, {0x0f, 0x36}},
    {3, {0x0f, 0xc7, 0xc0}}, {3, {0x0f, 0x01, 0xc6}}, {2, {0xff, 0xff}},
    {3, {0x0f, 0xba, 0xc0}}, {3, {0x0f, 0x20, 0xc8}}, {2, {0x8e, 0xc8}},
    {2, {0xfe, 0xd0}},       {3, {0x0f, 0x20, 0xe8}}, {3, {0x0f, 0x22, 0xc8}},
};

static const struct opcode only64[] = {
    {1, {0x06}},       {1, {0x07}},
    {1, {0x0e}},       {1, {0x16}},
    {1, {0x17}},       {1, {0x1e}},
    {1, {0x1f}},       {1, {0x27}},
    {1, {0x2f}},       {1, {0x37}},
    {1, {0x3f}},       {1, {0x60}},
    {1, {0x61}},       {3, {0x82, 0xc0, 0x01}},
    {1, {0xce}},       {2, {0xd4, 0x0a}},
    {2, {0xd5, 0x0a}}, {1, {0xd6}},
};

static void one(const struct opcode *o, enum mode mode)
{
	struct snippet s = {.mode = mode};

	snippet_bytes(&s, o->bytes, o->length);
	s.in.rbx = 0x100;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_UD, "%s %x-%x-%x vector", mode_name[mode], o->bytes[0],
		 o->bytes[1], o->bytes[2]);
	CHECK_EQ(s.out.rip, 0, "%s %x-%x-%x RIP", mode_name[mode], o->bytes[0], o->bytes[1],
		 o->bytes[2]);
}

GUEST_CASE(op_undefined, "SDM 2D appendix A, SDM 2B UD, SDM 2 each instruction in 64-bit mode")
{
	static const enum mode modes[] = {
	    MODE_64,     MODE_32,          MODE_USER64,      MODE_REAL,        MODE_PROT32,
	    MODE_PAE32,  MODE_16,          MODE_USER32,      MODE_PAGED32,     MODE_V86,
	    MODE_PROT16, MODE_PROT_USER32, MODE_PROT_USER16, MODE_PAGED_USER32};

	for (unsigned m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		for (unsigned i = 0; i < sizeof(everywhere) / sizeof(everywhere[0]); i++) {
			/* MOV of a CR that is not there: at CPL 3 either exception may win */
			if (!mode_is_user(modes[m]) || (everywhere[i].bytes[1] & 0xfd) != 0x20)
				one(&everywhere[i], modes[m]);
		}
	}
	for (unsigned i = 0; i < sizeof(only64) / sizeof(only64[0]); i++) {
		one(&only64[i], MODE_64);
		one(&only64[i], MODE_USER64);
	}
}
