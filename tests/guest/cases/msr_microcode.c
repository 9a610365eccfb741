/*
 * How operating systems read the microcode revision: 0 into it, CPUID, read; and how they would
 * load an update: the register is there, or not, as without the VMM, and the revision stays.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define REVISION 0x8bu

static uint8_t update[2048] __attribute__((aligned(16)));

static uint64_t revision(unsigned *vector)
{
	uint64_t value = 0;

	*vector = wrmsr_try(REVISION, 0);
	cpuid(1, 0);
	if (*vector == VECTOR_NONE)
		*vector = rdmsr_try(REVISION, &value);
	return value;
}

GUEST_CASE(msr_microcode, "SDM 3A 10.11.7, APM 2 appendix A (PATCH_LEVEL)")
{
	bool intel = cpuid(0, 0).ebx == 0x756e6547; /* "Genu" */
	unsigned vector, after;
	uint64_t was = revision(&vector);

	case_value("revision %#x %#lx", vector, was);
	/* an update of zeros is none; the VMM takes the write and drops it */
	if (word_text("ram")) {
		unsigned trigger = wrmsr_try(intel ? 0x79 : 0xc0010020, (uintptr_t)update);

		CHECK(trigger == VECTOR_NONE || trigger == VECTOR_GP, "trigger");
	} else {
		CHECK(true, "trigger");
	}
	CHECK_EQ(revision(&after), was, "revision as before");
	CHECK_EQ(after, vector, "vector as before");
}
