/*
 * RDPMC, RDTSC and RDTSCP at CPL 0 and 3: CR4.PCE and CR4.TSD decide, with the guest's own values;
 * a counter that is not there is #GP.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define TSD BIT(2)
#define PCE BIT(8)

static unsigned run(enum mode mode, uint64_t cr4, unsigned length, const uint8_t *bytes,
		    uint32_t rcx)
{
	struct snippet s = {.mode = mode, .in = {.rcx = rcx}};

	snippet_bytes(&s, bytes, length);
	write_cr4(cr4);
	snippet_run(&s);
	return (unsigned)s.out.vector;
}

GUEST_CASE(op_rdpmc, "SDM 2B RDPMC, RDTSC, RDTSCP, SDM 3A 2.5; APM 3")
{
	static const uint8_t pmc[] = {0x0f, 0x33}, tsc[] = {0x0f, 0x31},
			     tscp[] = {0x0f, 0x01, 0xf9};
	uint64_t cr4 = read_cr4();

	CHECK_EQ(run(MODE_USER64, cr4 & ~PCE, 2, pmc, 0), VECTOR_GP, "RDPMC user without PCE");
	CHECK_EQ(run(MODE_USER32, cr4 & ~PCE, 2, pmc, 0), VECTOR_GP, "RDPMC user-32 without PCE");
	CHECK_EQ(run(MODE_64, cr4, 2, pmc, 0x3fffffff), VECTOR_GP, "RDPMC no counter");
	CHECK_EQ(run(MODE_USER64, cr4 | PCE, 2, pmc, 0x3fffffff), VECTOR_GP,
		 "RDPMC user no counter");
	for (unsigned off = 0; off < 2; off++) {
		uint64_t value = off ? cr4 | TSD : cr4 & ~TSD;
		unsigned user = off ? VECTOR_GP : VECTOR_END;

		CHECK_EQ(run(MODE_64, value, 2, tsc, 0), VECTOR_END, "RDTSC TSD-%u", off);
		CHECK_EQ(run(MODE_USER64, value, 2, tsc, 0), user, "RDTSC user TSD-%u", off);
		CHECK_EQ(run(MODE_USER32, value, 2, tsc, 0), user, "RDTSC user-32 TSD-%u", off);
		if (!(cpuid(0x80000001, 0).edx & BIT(27)))
			continue;
		CHECK_EQ(run(MODE_64, value, 3, tscp, 0), VECTOR_END, "RDTSCP TSD-%u", off);
		CHECK_EQ(run(MODE_USER64, value, 3, tscp, 0), user, "RDTSCP user TSD-%u", off);
	}
	write_cr4(cr4);
}
