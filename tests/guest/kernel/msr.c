/* MSRs that must refuse a value, or take it; and those that never reach the machine. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

const struct msr_numbers msr_ranges[MSR_RANGES] = {
    {0, 0x1fff}, {0x40000000, 0x400000ff}, {0xc0000000, 0xc0001fff}, {0xc0010000, 0xc0011fff}};

bool msr_moves(uint32_t msr)
{
	static const uint32_t list[] = {0x10,  0xe7,  0xe8,  0x309,      0x30a,      0x30b,
					0x19c, 0x1b1, 0x6e0, 0xc00000e7, 0xc00000e8, 0xc00000e9};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (list[i] == msr)
			return true;
	}
	return (msr >= 0xc1 && msr <= 0xc8) || (msr >= 0x838 && msr <= 0x839);
}

SNIPPET(msr_user_write, 64, "wrmsr");

static void write_one(uint32_t msr, uint64_t value, const char *name, bool taken)
{
	uint64_t before, after;

	if (rdmsr_try(msr, &before) != VECTOR_NONE)
		return;
	CHECK_EQ(wrmsr_try(msr, value), taken ? VECTOR_NONE : VECTOR_GP, "%s %#lx", name, value);
	rdmsr_try(msr, &after);
	CHECK_EQ(after, taken ? value : before, "%s %#lx %s", name, value,
		 taken ? "reads back" : "unchanged");
	wrmsr_try(msr, before);
}

void msr_refused(uint32_t msr, uint64_t value, const char *name)
{
	write_one(msr, value, name, false);
}

void msr_taken(uint32_t msr, uint64_t value, const char *name)
{
	write_one(msr, value, name, true);
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

static void never(uint32_t msr, uint64_t may, const struct region *r)
{
	struct snippet s = {
	    .mode = MODE_USER64, .code = msr_user_write, .code_end = msr_user_write_end};
	uint64_t now = 0;

	rdmsr_try(msr, &now);
	for (unsigned bit = 0; bit < 64; bit++)
		never_one(msr, now ^ BIT(bit), may);
	never_one(msr, 0, may);
	never_one(msr, ~UINT64_C(0), may);
	never_one(msr, r->base, may);
	never_one(msr, r->base | BIT(11) | 6, may);
	s.in.rcx = msr;
	s.in.rax = r->base;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_GP, "%#x user vector", msr);
}

void msr_never(const struct msr_range *list, unsigned count)
{
	struct region r = region_get();

	for (unsigned i = 0; i < count; i++) {
		for (uint32_t msr = list[i].first; msr <= list[i].last; msr++)
			never(msr, list[i].may, &r);
		region_check(&r, "behind the writes");
	}
}
