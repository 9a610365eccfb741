/*
 * Every instruction of virtualisation and of the platform, in each mode: the exception that the
 * manual names for a CPU that does not have it. An exit without a handler has taken whole machines
 * down (CVE-2014-3645, CVE-2014-3646, XSA-203, XSA-278).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static const struct opcode {
	const char *name;
	unsigned length;
	uint8_t bytes[6];
} undefined[] = {
    {"vmcall", 3, {0x0f, 0x01, 0xc1}},
    {"vmlaunch", 3, {0x0f, 0x01, 0xc2}},
    {"vmresume", 3, {0x0f, 0x01, 0xc3}},
    {"vmxoff", 3, {0x0f, 0x01, 0xc4}},
    {"pconfig", 3, {0x0f, 0x01, 0xc5}},
    {"encls", 3, {0x0f, 0x01, 0xcf}},
    {"vmfunc", 3, {0x0f, 0x01, 0xd4}},
    {"enclu", 3, {0x0f, 0x01, 0xd7}},
    {"enclv", 3, {0x0f, 0x01, 0xc0}},
    {"vmrun", 3, {0x0f, 0x01, 0xd8}},
    {"vmmcall", 3, {0x0f, 0x01, 0xd9}},
    {"vmload", 3, {0x0f, 0x01, 0xda}},
    {"vmsave", 3, {0x0f, 0x01, 0xdb}},
    {"stgi", 3, {0x0f, 0x01, 0xdc}},
    {"clgi", 3, {0x0f, 0x01, 0xdd}},
    {"skinit", 3, {0x0f, 0x01, 0xde}},
    {"invlpga", 3, {0x0f, 0x01, 0xdf}},
    {"vmread", 3, {0x0f, 0x78, 0xc0}},
    {"vmwrite", 3, {0x0f, 0x79, 0xc0}},
    {"vmptrld", 3, {0x0f, 0xc7, 0x33}},
    {"vmptrst", 3, {0x0f, 0xc7, 0x3b}},
    {"vmclear", 4, {0x66, 0x0f, 0xc7, 0x33}},
    {"vmxon", 4, {0xf3, 0x0f, 0xc7, 0x33}},
    {"invept", 5, {0x66, 0x0f, 0x38, 0x80, 0x03}},
    {"invvpid", 5, {0x66, 0x0f, 0x38, 0x81, 0x03}},
    {"getsec", 2, {0x0f, 0x37}},
    {"rsm", 2, {0x0f, 0xaa}},
    {"ud2", 2, {0x0f, 0x0b}},
    {"lock-cpuid", 3, {0xf0, 0x0f, 0xa2}},
    {"lock-rdmsr", 3, {0xf0, 0x0f, 0x32}},
    {"lock-wrmsr", 3, {0xf0, 0x0f, 0x30}},
    {"lock-vmmcall", 4, {0xf0, 0x0f, 0x01, 0xd9}},
};

/* Privileged: #GP(0) at CPL 3 and in V86 mode. */
static const struct opcode privileged[] = {
    {"rdmsr", 2, {0x0f, 0x32}},
    {"wrmsr", 2, {0x0f, 0x30}},
    {"invd", 2, {0x0f, 0x08}},
    {"wbinvd", 2, {0x0f, 0x09}},
    {"hlt", 1, {0xf4}},
    {"clts", 2, {0x0f, 0x06}},
    {"lmsw", 3, {0x0f, 0x01, 0xf0}},
    {"mov-cr0", 3, {0x0f, 0x22, 0xc0}},
    {"mov-from-cr0", 3, {0x0f, 0x20, 0xc0}},
    {"mov-cr3", 3, {0x0f, 0x22, 0xd8}},
    {"mov-cr4", 3, {0x0f, 0x22, 0xe0}},
    {"mov-dr7", 3, {0x0f, 0x23, 0xf8}},
    {"invlpg", 3, {0x0f, 0x01, 0x3b}},
    {"lgdt", 3, {0x0f, 0x01, 0x13}},
    {"lidt", 3, {0x0f, 0x01, 0x1b}},
};

static const enum mode modes[] = {
    MODE_64,     MODE_32,          MODE_USER64,      MODE_USER32,      MODE_REAL,
    MODE_PROT32, MODE_PAGED32,     MODE_PAE32,       MODE_V86,         MODE_16,
    MODE_PROT16, MODE_PROT_USER32, MODE_PROT_USER16, MODE_PAGED_USER32};

static void expect(const struct opcode *o, enum mode mode, unsigned vector)
{
	struct snippet s = {.mode = mode};

	snippet_bytes(&s, o->bytes, o->length);
	/* a port, an MSR, an address that do no harm where they are used after all */
	s.in.rbx = 0x100;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, vector, "%s %s vector", mode_name[mode], o->name);
	if (s.out.vector != vector)
		return;
	CHECK_EQ(s.out.rip, 0, "%s %s RIP", mode_name[mode], o->name);
	if (vector == VECTOR_GP)
		CHECK_EQ(s.out.error, 0, "%s %s error", mode_name[mode], o->name);
}

GUEST_CASE(opcodes, "SDM 2, SDM 3C 31 (VMX instructions), APM 3 (SVM instructions)")
{
	uint8_t own_call = cpuid(0, 0).ebx == 0x756e6547 ? 0xc1 : 0xd9; /* "Genu" */
	static const enum mode user[] = {MODE_USER64,      MODE_USER32,      MODE_V86,
					 MODE_PROT_USER32, MODE_PROT_USER16, MODE_PAGED_USER32};

	for (unsigned m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		for (unsigned i = 0; i < sizeof(undefined) / sizeof(undefined[0]); i++) {
			/* this CPU's own call instruction belongs to the VMM, if there is one */
			if (undefined[i].bytes[2] != own_call)
				expect(&undefined[i], modes[m], VECTOR_UD);
		}
	}
	for (unsigned m = 0; m < sizeof(user) / sizeof(user[0]); m++) {
		for (unsigned i = 0; i < sizeof(privileged) / sizeof(privileged[0]); i++)
			expect(&privileged[i], user[m], VECTOR_GP);
	}
	/* MONITOR and MWAIT are privileged, but with #UD (SDM 2B) */
	for (unsigned m = 0; m < sizeof(user) / sizeof(user[0]); m++) {
		expect(&(struct opcode){"monitor", 3, {0x0f, 0x01, 0xc8}}, user[m], VECTOR_UD);
		expect(&(struct opcode){"mwait", 3, {0x0f, 0x01, 0xc9}}, user[m], VECTOR_UD);
	}
}
