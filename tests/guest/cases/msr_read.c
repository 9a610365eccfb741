/* Every MSR of the four ranges: value, or #GP, for the host to compare (XSA-108 was an over-read
 * here). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define NO_VALUE UINT64_C(0xfee1dead00000000) /* #GP; no MSR reads so */

static const struct {
	uint32_t first, last;
} ranges[] = {
    {0, 0x1fff}, {0x40000000, 0x400000ff}, {0xc0000000, 0xc0001fff}, {0xc0010000, 0xc0011fff}};

/* Counters and clocks: only whether they can be read. */
static bool moves(uint32_t msr)
{
	static const uint32_t list[] = {0x10,  0xe7,  0xe8,  0x309,      0x30a,      0x30b,
					0x19c, 0x1b1, 0x6e0, 0xc00000e7, 0xc00000e8, 0xc00000e9};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (list[i] == msr)
			return true;
	}
	return (msr >= 0xc1 && msr <= 0xc8) || (msr >= 0x838 && msr <= 0x839);
}

GUEST_CASE(msr_read, "SDM 4, APM 2 appendix A")
{
	for (unsigned r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++) {
		uint64_t last = 0;
		uint32_t from = ranges[r].first;

		for (uint32_t msr = from; msr <= ranges[r].last + 1; msr++) {
			uint64_t value = 0;
			unsigned vector = VECTOR_NONE;

			if (msr <= ranges[r].last) {
				vector = rdmsr_try(msr, &value);
				CHECK(vector == VECTOR_NONE || vector == VECTOR_GP, "vector %#x",
				      msr);
				value = vector != VECTOR_NONE ? NO_VALUE : moves(msr) ? 0 : value;
			}
			if (msr > from && (value != last || msr > ranges[r].last)) {
				if (last == NO_VALUE)
					case_value("%#x-%#x gp", from, msr - 1);
				else
					case_value("%#x-%#x %#lx", from, msr - 1, last);
				from = msr;
			}
			last = value;
		}
	}
}
