/* Each MSR that can be read is written with its own value: what the host sees must be as without
 * the VMM. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

/* Writing has an effect, whatever the value: clocks, microcode, SMIs, the x2APIC's registers. */
static bool acts(uint32_t msr)
{
	return msr == 0x10 || msr == 0x79 || msr == 0x6e0 || (msr >= 0x800 && msr <= 0x8ff) ||
	       msr == 0xc0010020;
}

GUEST_CASE(msr_same, "SDM 4, APM 2 appendix A")
{
	for (unsigned r = 0; r < MSR_RANGES; r++) {
		uint32_t from = 0, count = 0;

		for (uint32_t msr = msr_ranges[r].first; msr <= msr_ranges[r].last + 1; msr++) {
			uint64_t value;
			bool refused = false;

			if (msr <= msr_ranges[r].last && !acts(msr)) {
				unsigned vector = rdmsr_try(msr, &value);

				if (vector == VECTOR_NONE) {
					vector = wrmsr_try(msr, value);
					refused = vector != VECTOR_NONE;
				}
				CHECK(vector == VECTOR_NONE || vector == VECTOR_GP, "vector %#x",
				      msr);
			}
			if (refused && count++ == 0)
				from = msr;
			if (!refused && count) {
				case_value("%#x-%#x gp", from, msr - 1);
				count = 0;
			}
		}
	}
}
