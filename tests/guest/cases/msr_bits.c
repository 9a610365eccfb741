/*
 * Every MSR of the four ranges is written with its own value but one bit, for each of its bits, and
 * with values that are no canonical address; behind each its own value is put back. What is refused
 * and what stays is for the host to compare: as without the VMM, or as the VMM's table says.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

#define TSC_ADJUST 0x3bu

/* Bits that stay as they are: nothing but a reset, or not even that, brings them back. */
static const struct {
	uint32_t first, last;
	uint64_t bits; /* all: nothing is written */
	bool x2apic;   /* in x2APIC mode only */
	const char *why;
} left_out[] = {
    {MSR_APIC_BASE, MSR_APIC_BASE, BIT(10) | BIT(11), false,
     "from x2APIC mode the way is by no APIC, and Bochs never has it again: see apic_off"},
    {0x3a, 0x3a, BIT(0), false, "a lock: open with Bochs' model of AMD's, which has no such MSR"},
    {0x800, 0x8ff, ~UINT64_C(0), true, "each write acts: messages, timer, priority"},
};

/* Not canonical with 48 bits of address; the last two neither with 57. */
static const uint64_t far[] = {0x0000800000000000, 0xffff7fffffffffff, 0x8000000000000000,
			       0x0100000000000000};

struct answer {
	uint64_t refused, kept, odd;    /* a bit for each bit of the register */
	unsigned far_refused, far_kept; /* a bit for each of the values above */
	unsigned readable;
	unsigned nothing; /* it takes all ones, and reads as 0 as before */
};

static uint64_t bits_left_out(uint32_t msr)
{
	for (unsigned i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
		if (msr >= left_out[i].first && msr <= left_out[i].last &&
		    (!left_out[i].x2apic || rdmsr(MSR_APIC_BASE) & BIT(10)))
			return left_out[i].bits;
	}
	return 0;
}

enum taken { REFUSED, DROPPED, KEPT, ODD };

/* Write it, see what came of it, and put `own` back. */
static enum taken write_one(uint32_t msr, uint64_t own, uint64_t value)
{
	bool moves = msr_moves(msr);
	uint64_t now = own;
	unsigned vector = wrmsr_try(msr, value), again;

	rdmsr_try(msr, &now);
	if (now != own) {
		again = wrmsr_try(msr, own);
		if (again != VECTOR_NONE && !moves)
			CHECK_EQ(again, VECTOR_NONE, "%#x own value", msr);
	}
	if (vector == VECTOR_GP)
		return now == own || moves ? REFUSED : ODD;
	if (vector != VECTOR_NONE)
		CHECK_EQ(vector, VECTOR_NONE, "%#x vector", msr);
	if (moves)
		return DROPPED;
	return now == own ? DROPPED : now == value ? KEPT : ODD;
}

static struct answer try_all(uint32_t msr, uint64_t skip)
{
	struct answer a = {0};
	uint64_t own = 0;

	a.readable = rdmsr_try(msr, &own) == VECTOR_NONE;
	if (a.readable && !own && !skip && write_one(msr, own, ~UINT64_C(0)) == DROPPED) {
		a.nothing = true;
		return a;
	}
	for (unsigned bit = 0; bit < 64; bit++) {
		enum taken t = skip >> bit & 1 ? DROPPED : write_one(msr, own, own ^ BIT(bit));

		a.refused |= t == REFUSED ? BIT(bit) : 0;
		a.kept |= t == KEPT ? BIT(bit) : 0;
		a.odd |= t == ODD ? BIT(bit) : 0;
	}
	for (unsigned n = 0; n < sizeof(far) / sizeof(far[0]); n++) {
		enum taken t = write_one(msr, own, (far[n] & ~skip) | (own & skip));

		a.far_refused |= t == REFUSED ? 1u << n : 0;
		a.far_kept |= t == KEPT ? 1u << n : 0;
	}
	return a;
}

/* The same, and the register is as before. */
static struct answer try_msr(uint32_t msr)
{
	struct answer a = {.nothing = true};
	uint64_t own = 0, now = 0, skip = bits_left_out(msr);

	rdmsr_try(msr, &own);
	if (~skip)
		a = try_all(msr, skip);
	rdmsr_try(msr, &now);
	CHECK(now == own || msr_moves(msr), "%#x as before", msr);
	return a;
}

/* Registers that take whatever they get and keep nothing are not named. */
static void report(uint32_t first, uint32_t last, const struct answer *a)
{
	if (a->nothing || (a->readable && !(a->refused | a->kept | a->odd | a->far_refused)))
		return;
	if (!a->readable && !~a->refused)
		case_value("%#x-%#x gp", first, last);
	else
		case_value("%#x-%#x %s %#lx %#lx %#lx %#x %#x", first, last,
			   a->readable ? "bits" : "unread", a->refused, a->kept, a->odd,
			   a->far_refused, a->far_kept);
}

GUEST_CASE(msr_bits, "SDM 2C WRMSR, SDM 4, APM 2 appendix A; Documentation/exit-reference.md")
{
	struct region r = region_like();
	struct cpuid before = cpuid(1, 0), after;
	uint64_t adjust;
	bool adjusts = rdmsr_try(TSC_ADJUST, &adjust) == VECTOR_NONE;

	case_value("vendor %s", cpuid(0, 0).ebx == 0x756e6547 ? "Intel" : "AMD");
	for (unsigned i = 0; i < MSR_RANGES; i++) {
		uint32_t from = msr_ranges[i].first, end = msr_ranges[i].last + 1;
		struct answer last = {0};

		for (uint32_t msr = from; msr <= end; msr++) {
			struct answer a = {0};

			if (msr < end)
				a = try_msr(msr);
			if (msr > from && (msr == end || memcmp(&a, &last, sizeof(a)) != 0)) {
				report(from, msr - 1, &last);
				from = msr;
			}
			last = a;
		}
	}
	if (adjusts) /* it has changed with each write of the TSC */
		wrmsr(TSC_ADJUST, adjust);
	after = cpuid(1, 0);
	CHECK_EQ(after.ecx, before.ecx, "CPUID");
	CHECK_EQ(apic_read(APIC_ID) >> 24, cpu_index(), "the APIC answers");
	region_check(&r, "the VMM's memory");
}
