/* MSRs that must refuse a value, or take it; and those that never reach the machine. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

SNIPPET(msr_user_write, 64, "wrmsr");

void msr_refused(uint32_t msr, uint64_t value, const char *name)
{
	uint64_t before, after;

	if (rdmsr_try(msr, &before) != VECTOR_NONE)
		return;
	CHECK_EQ(wrmsr_try(msr, value), VECTOR_GP, "%s %#lx", name, value);
	rdmsr_try(msr, &after);
	CHECK_EQ(after, before, "%s %#lx unchanged", name, value);
	wrmsr_try(msr, before);
}

void msr_taken(uint32_t msr, uint64_t value, const char *name)
{
	uint64_t before, after;

	if (rdmsr_try(msr, &before) != VECTOR_NONE)
		return;
	CHECK_EQ(wrmsr_try(msr, value), VECTOR_NONE, "%s %#lx", name, value);
	rdmsr_try(msr, &after);
	CHECK_EQ(after, value, "%s %#lx reads back", name, value);
	wrmsr_try(msr, before);
}

static void never_one(uint32_t msr, uint64_t value, uint64_t may)
{
	uint64_t before = 0, after = 0;
	unsigned readable = rdmsr_try(msr, &before), vector = wrmsr_try(msr, value);

	CHECK(vector == VECTOR_NONE || vector == VECTOR_GP, "%#x vector", msr);
	CHECK_EQ(rdmsr_try(msr, &after), readable, "%#x readable as before", msr);
	CHECK_EQ(after & ~may, before & ~may, "%#x as before", msr);
	if (may && after != before)
		wrmsr(msr, before);
}

void msr_never(uint32_t first, uint32_t last, uint64_t may)
{
	struct region r = region_get();

	for (uint32_t msr = first; msr <= last; msr++) {
		struct snippet s = {
		    .mode = MODE_USER64, .code = msr_user_write, .code_end = msr_user_write_end};
		uint64_t now = 0;

		rdmsr_try(msr, &now);
		for (unsigned bit = 0; bit < 64; bit++)
			never_one(msr, now ^ BIT(bit), may);
		never_one(msr, 0, may);
		never_one(msr, ~UINT64_C(0), may);
		never_one(msr, r.base, may);
		never_one(msr, r.base | BIT(11) | 6, may);
		s.in.rcx = msr;
		s.in.rax = r.base;
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_GP, "%#x user vector", msr);
	}
	region_check(&r, "behind the writes");
}
