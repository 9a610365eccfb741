/*
 * Exiting instructions with prefixes that mean nothing to them: the length that RIP moves by. The
 * VMM reads it from the instruction where the CPU does not tell (no nRIP); a wrong one makes the
 * guest run garbage (XSA-186, XSA-195).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static const struct prefix {
	const char *name;
	unsigned length;
	uint8_t bytes[13];
	bool only64; /* REX is INC, DEC elsewhere */
} prefixes[] = {
    {"66", 1, {0x66}, false},
    {"67", 1, {0x67}, false},
    {"f2", 1, {0xf2}, false},
    {"f3", 1, {0xf3}, false},
    {"2e", 1, {0x2e}, false},
    {"65", 1, {0x65}, false},
    {"67-66-3e", 3, {0x67, 0x66, 0x3e}, false},
    {"13x2e",
     13,
     {0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e},
     false},
    {"rex", 1, {0x40}, true},
    {"rex-w", 1, {0x48}, true},
    {"66-rex-wrxb", 2, {0x66, 0x4f}, true},
};

static const enum mode modes[] = {MODE_64,          MODE_32,     MODE_16,          MODE_USER64,
				  MODE_REAL,        MODE_PROT32, MODE_PAGED32,     MODE_PAE32,
				  MODE_V86,         MODE_PROT16, MODE_PROT_USER32, MODE_PROT_USER16,
				  MODE_PAGED_USER32};

static void run(enum mode mode, const struct prefix *p, const char *name, const uint8_t insn[2])
{
	struct snippet s = {.mode = mode};
	uint8_t bytes[16];
	uint64_t efer = rdmsr(MSR_EFER);
	unsigned end;

	memcpy(bytes, p->bytes, p->length);
	memcpy(bytes + p->length, insn, 2);
	end = snippet_bytes(&s, bytes, p->length + 2);
	s.in.rcx = MSR_EFER;
	/* as it is in this mode: LMA is read-only, LME off without long mode */
	s.in.rax = mode >= MODE_REAL ? efer & ~(EFER_LME | EFER_LMA) : efer;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "%s %s-%s vector", mode_name[mode], p->name, name);
	CHECK_EQ(s.out.rip, end + 2, /* the INT's end */
		 "%s %s-%s RIP", mode_name[mode], p->name, name);
}

GUEST_CASE(prefixes, "SDM 2A 2.1.1, APM 3 1.2")
{
	static const uint8_t cpuid_bytes[] = {0x0f, 0xa2}, rdmsr_bytes[] = {0x0f, 0x32},
			     wrmsr_bytes[] = {0x0f, 0x30};

	for (unsigned m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		for (unsigned i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
			const struct prefix *p = &prefixes[i];

			if (modes[m] == MODE_V86 && !word_number("v86", 1))
				continue; /* the host knows an emulator that cannot */
			if (p->only64 && modes[m] != MODE_64 && modes[m] != MODE_USER64)
				continue;
			run(modes[m], p, "cpuid", cpuid_bytes);
			if (mode_is_user(modes[m]))
				continue;
			run(modes[m], p, "rdmsr", rdmsr_bytes);
			run(modes[m], p, "wrmsr", wrmsr_bytes);
		}
	}
}
