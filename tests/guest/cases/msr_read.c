/* Every MSR of the four ranges: value, or #GP, for the host to compare (XSA-108 was an over-read
 * here). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

#define NO_VALUE UINT64_C(0xfee1dead00000000) /* #GP; no MSR reads so */

GUEST_CASE(msr_read, "SDM 4, APM 2 appendix A")
{
	for (unsigned r = 0; r < MSR_RANGES; r++) {
		uint64_t last = 0;
		uint32_t from = msr_ranges[r].first;

		for (uint32_t msr = from; msr <= msr_ranges[r].last + 1; msr++) {
			uint64_t value = 0;
			unsigned vector = VECTOR_NONE;

			if (msr <= msr_ranges[r].last) {
				vector = rdmsr_try(msr, &value);
				CHECK(vector == VECTOR_NONE || vector == VECTOR_GP, "vector %#x",
				      msr);
				value = vector != VECTOR_NONE ? NO_VALUE
					: msr_moves(msr)      ? 0
							      : value;
			}
			if (msr > from && (value != last || msr > msr_ranges[r].last)) {
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
