/*
 * LMSW sets PE, MP, EM and TS and never clears PE, from a register and from memory; SMSW shows CR0
 * in every operand size, NE included, which the VMM keeps set; CLTS clears TS alone.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

GUEST_CASE(cr0_word, "SDM 2A CLTS, LMSW, SDM 2B SMSW, APM 3")
{
	uint64_t now = read_cr0(), word;
	uint16_t memory[2];

	for (uint32_t n = 0; n < 16; n++) {
		memory[0] = (uint16_t)n;
		if (n & 1)
			__asm__ volatile("lmsw %w0" : : "r"(n));
		else
			__asm__ volatile("lmsw %0" : : "m"(memory[0]));
		CHECK_EQ(read_cr0(), (now & ~UINT64_C(0xe)) | n | CR0_PE, "LMSW %#x", n);
		word = ~UINT64_C(0);
		__asm__ volatile("smsw %w0" : "+r"(word));
		CHECK_EQ(word, ~UINT64_C(0xffff) | (read_cr0() & 0xffff), "SMSW-16 %#x", n);
		__asm__ volatile("smsw %k0" : "=r"(word));
		CHECK_EQ(word & 0xffff, read_cr0() & 0xffff, "SMSW-32 %#x", n);
		__asm__ volatile("smsw %0" : "=r"(word));
		CHECK_EQ(word, read_cr0(), "SMSW-64 %#x", n);
		memory[0] = memory[1] = 0x5a5a;
		__asm__ volatile("smsw %0" : "=m"(memory[0]));
		CHECK_EQ(memory[0], read_cr0() & 0xffff, "SMSW memory %#x", n);
		CHECK_EQ(memory[1], 0x5a5a, "SMSW behind %#x", n);
		__asm__ volatile("clts");
		CHECK_EQ(read_cr0(), (now & ~UINT64_C(0xe)) | (n & ~8u) | CR0_PE, "CLTS %#x", n);
	}
	write_cr0(now);
}
