/* The clock's arithmetic with fake counters: conversions, wraps at 24, 32 and 64 bits, and counters
 * that a guest writes. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "core/clock_count.h"

#define PM_HZ   3579545u  /* ACPI 6.5, 4.8.3.3 */
#define HPET_HZ 14318180u /* what most chipsets have */
#define TSC_HZ  UINT64_C(2600000000)
#define S       UINT64_C(1000000)
#define WRAP32  (UINT64_C(1) << 32)

/* Expected: ticks * 10^6 / hz by wide arithmetic; the fraction may be one short. */
static void test_ticks(void **state)
{
	static const uint64_t hz[] = {PM_HZ, HPET_HZ, 1000001, 1000000000, 2599999999, 5700000000};
	static const uint64_t ticks[] = {
	    0, 1, 999, PM_HZ, 1u << 24, WRAP32 - 1, WRAP32, UINT64_C(1) << 52, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(hz) / sizeof(hz[0]); i++) {
		uint64_t factor = clock_factor(hz[i]);

		for (size_t k = 0; k < sizeof(ticks) / sizeof(ticks[0]); k++) {
			uint64_t want = (uint64_t)((unsigned __int128)ticks[k] * S / hz[i]);
			uint64_t got = clock_ticks_us(factor, ticks[k]);

			assert_true(got == want || got + 1 == want);
		}
	}
}

/* SDM 2A, CPUID leaf 15h: frequency = ECX * EBX / EAX; any 0: not stated. */
static void test_stated(void **state)
{
	(void)state;
	assert_int_equal(clock_stated_hz(2, 216, 24000000), UINT64_C(2592000000));
	assert_int_equal(clock_stated_hz(2, 216, 0), 0);
	assert_int_equal(clock_stated_hz(0, 216, 24000000), 0);
	assert_int_equal(clock_stated_hz(2, 0, 24000000), 0);
}

/* A machine: real time in microseconds, and the counters that follow from it. */
struct fake {
	uint64_t us, pm_hz;
	unsigned bits;
	uint64_t pm_start, tsc_start;
	int tsc_error; /* parts in a thousand */
};

static uint64_t raw_at(const struct fake *f)
{
	uint64_t ticks = (uint64_t)((unsigned __int128)f->us * f->pm_hz / S) + f->pm_start;

	return f->bits < 64 ? ticks & ((UINT64_C(1) << f->bits) - 1) : ticks;
}

static uint64_t tsc_at(const struct fake *f)
{
	uint64_t hz = TSC_HZ / 1000 * (uint64_t)(1000 + f->tsc_error);

	return (uint64_t)((unsigned __int128)f->us * hz / S) + f->tsc_start;
}

static void begin(struct fake *f, struct clock_counter *c, bool guest_writes)
{
	clock_counter_init(c, f->bits, f->pm_hz, guest_writes, TSC_HZ, raw_at(f), tsc_at(f), f->us);
}

static uint64_t look(struct fake *f, struct clock_counter *c)
{
	return clock_counter_us(c, raw_at(f), tsc_at(f));
}

static void assert_near(uint64_t got, uint64_t want, uint64_t by)
{
	if (got > want + by || got + by < want)
		fail_msg("%lu is not %lu", got, want);
}

/* Every interval between two looks, up to hours, with the counter about to wrap or not. */
static void test_wraps(void **state)
{
	static const unsigned bits[] = {24, 32, 64};
	static const uint64_t gaps[] = {1,       17,      1000,        S,           4 * S,
					4686000, 4687000, 9 * S + 371, 60 * S + 13, 1000 * S + 7};
	static const int errors[] = {0, 1, -1};

	(void)state;
	for (size_t b = 0; b < sizeof(bits) / sizeof(bits[0]); b++) {
		for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
			struct fake f = {.us = 5,
					 .pm_hz = PM_HZ,
					 .bits = bits[b],
					 .pm_start = UINT64_MAX - 100,
					 .tsc_start = UINT64_MAX - 1000,
					 .tsc_error = errors[e]};
			struct clock_counter c;
			uint64_t last = f.us;

			begin(&f, &c, false);
			for (unsigned n = 0; n < 500; n++) {
				f.us += gaps[n % (sizeof(gaps) / sizeof(gaps[0]))];
				uint64_t now = look(&f, &c);

				assert_near(now, f.us, 2);
				assert_true(now >= last);
				last = now;
			}
		}
	}
}

/* The 24-bit timer wraps each 4.69 s; nobody looks for an hour, and the TSC is wrong by 500 ppm. */
static void test_hour_without_look(void **state)
{
	struct fake f = {.pm_hz = PM_HZ, .bits = 24, .pm_start = 12345};
	struct clock_counter c;

	(void)state;
	begin(&f, &c, false);
	c.tsc_hz += c.tsc_hz / 2000;
	f.us += 3600 * S;
	assert_near(look(&f, &c), f.us, 2);
	/* half a wrap is what it may be wrong by: 2.34 s */
	f.us += 3600 * S;
	c.tsc_hz = TSC_HZ + TSC_HZ / 1000;
	uint64_t now = look(&f, &c);

	assert_near(f.us - now, 4686970, 10); /* one wrap too few: 2^24 / 3579545 s */
}

/*
 * 71 min 34.97 s: 2^32 us. A wait that begins before it and ends after it, and one that begins
 * behind it, end when they should.
 */
static void test_wrap_of_32_bit_microseconds(void **state)
{
	struct fake f = {.us = UINT64_C(4289967296), .pm_hz = PM_HZ, .bits = 24};
	struct clock_counter c;

	(void)state;
	begin(&f, &c, false);
	for (unsigned n = 0; n < 2; n++) {
		uint64_t start = look(&f, &c), waited = 0;

		while (look(&f, &c) - start < 10 * S) {
			f.us += 1000;
			waited += 1000;
			assert_true(waited <= 10 * S + 1000);
		}
		assert_near(waited, 10 * S, 1000);
		assert_true(look(&f, &c) > WRAP32);
	}
}

/* CPUs' TSCs differ a little, and the timer's two halves may be read apart: never backwards. */
static void test_backwards(void **state)
{
	struct fake f = {.us = 1000, .pm_hz = PM_HZ, .bits = 24};
	struct clock_counter c;

	(void)state;
	begin(&f, &c, false);
	f.us += 5 * S;
	uint64_t now = look(&f, &c);

	assert_int_equal(clock_counter_us(&c, raw_at(&f) - 3, tsc_at(&f) - 50), now);
	assert_int_equal(clock_counter_us(&c, raw_at(&f), tsc_at(&f) - 5000), now);
	f.us += 100;
	assert_near(look(&f, &c), f.us, 2);
}

/* A guest's driver resets the HPET, stops it, sets it ahead: time goes on as the TSC says. */
static void test_guest_writes(void **state)
{
	static const unsigned bits[] = {32, 64};

	(void)state;
	for (size_t b = 0; b < sizeof(bits) / sizeof(bits[0]); b++) {
		struct fake f = {.us = 100, .pm_hz = HPET_HZ, .bits = bits[b], .pm_start = 1 << 30};
		struct clock_counter c;
		uint64_t raw;

		begin(&f, &c, true);
		f.us += 30 * S;
		assert_near(look(&f, &c), f.us, 2);
		f.us += 3 * S; /* reset to 0 just before this look */
		assert_near(clock_counter_us(&c, 0, tsc_at(&f)), f.us, 5);
		f.us += 2 * S; /* stopped */
		assert_near(clock_counter_us(&c, 0, tsc_at(&f)), f.us, 5);
		f.us += S; /* runs again: from anywhere */
		f.pm_start = 777;
		assert_near(look(&f, &c), f.us, 5);
		f.us += S;
		assert_near(look(&f, &c), f.us, 5);
		f.us += S; /* set ahead by a minute */
		raw = raw_at(&f) + UINT64_C(60) * HPET_HZ;
		if (bits[b] == 32)
			raw &= UINT32_MAX;
		assert_near(clock_counter_us(&c, raw, tsc_at(&f)), f.us, 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ticks),
	    cmocka_unit_test(test_stated),
	    cmocka_unit_test(test_wraps),
	    cmocka_unit_test(test_hour_without_look),
	    cmocka_unit_test(test_wrap_of_32_bit_microseconds),
	    cmocka_unit_test(test_backwards),
	    cmocka_unit_test(test_guest_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
