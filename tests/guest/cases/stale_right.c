/*
 * A right is taken away from a page that another CPU reads all the while: as soon as the VMM says
 * that it is gone, no read may be answered from a translation of before (bug class 32). The page
 * becomes emulated by the debug image's call test_mmio, so this runs with the word calls=1.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define ROUNDS 300u
#define MARK   0x80000000u
#define TRAP   1u
#define END    4u

static volatile uint32_t *page;
static volatile uint32_t gone, reads, stale,
    stop; /* gone: the round in which it is, 0: it is not */

static void read(void *arg)
{
	(void)arg;
	while (!stop) {
		uint32_t round = __atomic_load_n(&gone, __ATOMIC_SEQ_CST), value = page[0];

		stale += round && value != (round | MARK);
		reads++;
		cpu_relax();
	}
}

static bool read_on(void)
{
	uint32_t now = reads;

	for (unsigned n = 0; n < 1000000 && reads - now < 3; n++)
		cpu_relax();
	return reads - now >= 3;
}

GUEST_CASE(stale_right, "SDM 3C 29.4.3.3, APM 2 15.16 and 15.25.8", .cpus = 2)
{
	uint64_t number, at, failed = 0, stuck = 0;
	uint32_t n;

	if (!word_number("calls", 0))
		case_skip("runs with calls=1 and the debug image");
	at = 0;
	number = vmm_call(0, (uintptr_t) "test_mmio", &at, 0);
	CHECK(number, "the VMM's call");
	page = page_alloc();
	gone = reads = stale = stop = 0;
	cpu_start(1, read, NULL);
	for (n = 1; n <= ROUNDS && !failed && !stuck; n++) {
		page[0] = n; /* what a stale translation shows */
		stuck += !read_on();
		at = (uintptr_t)page;
		failed += vmm_call(number, TRAP, &at, 4096) != 0;
		page[0] = n | MARK; /* goes to the device, not to memory */
		__atomic_store_n(&gone, n, __ATOMIC_SEQ_CST);
		stuck += !read_on();
		__atomic_store_n(&gone, 0, __ATOMIC_SEQ_CST);
		stuck += !read_on();
		at = (uintptr_t)page;
		failed += vmm_call(number, END, &at, 4096) != 0;
	}
	stop = 1;
	cpu_wait(1);
	CHECK_EQ(failed, 0, "calls");
	CHECK_EQ(stuck, 0, "the other CPU reads");
	CHECK_EQ(stale, 0, "stale reads");
	CHECK_EQ(n, ROUNDS + 1, "rounds");
}
