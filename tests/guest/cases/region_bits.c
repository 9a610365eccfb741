/*
 * BT, BTS, BTR and BTC with a bit offset in a register, which reaches from an operand outside into
 * the VMM's memory, and from one inside out of it, in both directions.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define BITOP(op)                                                                                  \
	static unsigned op(uint64_t at, int64_t bit)                                               \
	{                                                                                          \
		uint8_t carry;                                                                     \
		__asm__ volatile(#op "q %2, (%1); setc %0"                                         \
				 : "=q"(carry)                                                     \
				 : "r"(at), "r"(bit)                                               \
				 : "memory", "cc");                                                \
		return carry;                                                                      \
	}
BITOP(bt)
BITOP(bts)
BITOP(btr)
BITOP(btc)
#undef BITOP

GUEST_CASE(region_bits, "SDM 2A BT, BTC, BTR, BTS; Documentation/memory-map.md")
{
	struct region r = region_get();
	uint64_t below = r.base - 8, was = *(volatile uint64_t *)below;

	*(volatile uint64_t *)below = 0;
	CHECK_EQ(bt(below, 64), 1, "BT into it");
	CHECK_EQ(btr(below, 64 + 4095), 1, "BTR into it");
	CHECK_EQ(btc(below, 8 * 8192), 1, "BTC far into it");
	CHECK_EQ(bts(below, 64), 1, "BTS into it");
	CHECK_EQ(*(volatile uint64_t *)below, 0, "in front of it");
	CHECK_EQ(bts(r.base, -1), 0, "BTS out of it");
	CHECK_EQ(*(volatile uint64_t *)below, BIT(63), "in front of it, set");
	CHECK_EQ(btc(r.base + 8, -65), 1, "BTC out of it");
	CHECK_EQ(*(volatile uint64_t *)below, 0, "in front of it, cleared");
	CHECK_EQ(btr(r.base + 0x1000, -1), 1, "BTR back into it");
	*(volatile uint64_t *)below = was;
	region_check(&r, "end");
}
