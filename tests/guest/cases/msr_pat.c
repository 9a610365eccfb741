/* The PAT takes the six memory types that there are, in each of its entries, and no other. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

GUEST_CASE(msr_pat, "SDM 3A 12.12.2, APM 2 7.8.1")
{
	static const uint8_t reserved[] = {2, 3, 8, 0x10, 0x80}, types[] = {0, 1, 4, 5, 6, 7};
	uint64_t pat = rdmsr(MSR_PAT);

	for (unsigned byte = 0; byte < 8; byte++) {
		uint64_t others = pat & ~(UINT64_C(0xff) << byte * 8);

		for (unsigned n = 0; n < sizeof(reserved); n++)
			msr_refused(MSR_PAT, others | (uint64_t)reserved[n] << byte * 8, "PAT");
		for (unsigned n = 0; n < sizeof(types); n++)
			msr_taken(MSR_PAT, others | (uint64_t)types[n] << byte * 8, "PAT");
	}
	CHECK_EQ(rdmsr(MSR_PAT), pat, "PAT as before");
}
