/* CR8 is the task priority of the local APIC, all sixteen of it, and has no other bit. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

GUEST_CASE(cr8_bits, "SDM 3A 11.8.6, APM 2 3.1.5")
{
	for (unsigned n = 0; n < 16; n++) {
		CHECK_EQ(try_cr8(n), VECTOR_NONE, "CR8 %u", n);
		CHECK_EQ(read_cr8(), n, "CR8 %u reads back", n);
		CHECK_EQ(apic_read(APIC_TPR), n << 4, "CR8 %u as TPR", n);
		apic_write(APIC_TPR, (15 - n) << 4 | n);
		CHECK_EQ(read_cr8(), 15 - n, "TPR %u as CR8", n);
	}
	write_cr8(0);
	for (unsigned bit = 4; bit < 64; bit++)
		CHECK_EQ(try_cr8(BIT(bit)), VECTOR_GP, "CR8 bit-%u", bit);
	CHECK_EQ(read_cr8(), 0, "CR8 unchanged");
}
