/*
 * A page that another CPU reads without pause is moved by the guest itself, which tells the other
 * to flush: from then on it sees the new place only (bug class 32; the VMM has no part in it and
 * must not spoil it).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define ROUNDS 300u

static uint64_t virt;
static volatile uint32_t wanted, flushed, stale, stop;

static void read(void *arg)
{
	uint32_t seen = 0;

	(void)arg;
	for (uint32_t turn = 0; !stop; turn++) {
		uint32_t now = __atomic_load_n(&wanted, __ATOMIC_ACQUIRE);

		if (now != seen) {
			page_flush(virt);
			seen = now;
			__atomic_store_n(&flushed, now, __ATOMIC_RELEASE);
		}
		stale += *(volatile uint32_t *)virt < seen;
		if (turn % 256 == 0)
			cpu_relax(); /* QEMU runs one CPU at a time, for 100 ms else */
	}
}

GUEST_CASE(tlb_other, "SDM 3A 4.10.5, APM 2 5.5.2", .cpus = 2)
{
	volatile uint32_t *places[] = {page_alloc(), page_alloc()};
	uint32_t n;

	virt = page_space();
	wanted = flushed = stale = stop = 0;
	page_map(virt, (uintptr_t)places[0], PAGE_P | PAGE_W);
	cpu_start(1, read, NULL);
	for (n = 1; n <= ROUNDS; n++) {
		*places[n & 1] = n;
		*page_entry(virt, 1) = (uintptr_t)places[n & 1] | PAGE_P | PAGE_W;
		__atomic_store_n(&wanted, n, __ATOMIC_RELEASE);
		if (!cpu_wait_for(&flushed, n))
			break;
	}
	stop = 1;
	cpu_wait(1);
	CHECK_EQ(n, ROUNDS + 1, "rounds");
	CHECK_EQ(stale, 0, "stale reads");
}
