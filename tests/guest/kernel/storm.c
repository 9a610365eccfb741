/* NMIs of two CPUs to a third that exits all the while: none is lost, none is invented. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define COUNT 150u /* of each sender */
#define APART 4u   /* turns of the target between two: they may merge when they meet */

static volatile uint32_t seen, turns, stop, sending, sent;
static void (*turn)(void);

static bool handler(struct frame *f)
{
	(void)f;
	seen++;
	return true;
}

static void receive(void *arg)
{
	(void)arg;
	while (!stop) {
		turn();
		turns++;
		cpu_relax();
	}
}

/* One after the other: a lock, which is given back when the target has gone on. */
static void send(void *arg)
{
	for (uint32_t n = 0; n < COUNT && !stop; n++) {
		uint32_t from;

		while (__atomic_exchange_n(&sending, 1, __ATOMIC_ACQUIRE))
			cpu_relax();
		apic_send((uint32_t)(uintptr_t)arg, APIC_ICR_NMI);
		sent++;
		from = turns;
		for (uint32_t i = 0; i < 3000000 && turns - from < APART; i++)
			cpu_relax();
		__atomic_store_n(&sending, 0, __ATOMIC_RELEASE);
	}
}

void nmi_storm(unsigned target, void (*f)(void))
{
	uint32_t from;

	seen = turns = stop = sending = sent = 0;
	turn = f;
	trap_set(VECTOR_NMI, handler);
	cpu_start(target, receive, NULL);
	cpu_start(2, send, (void *)(uintptr_t)target);
	send((void *)(uintptr_t)target);
	cpu_wait(2);
	from = turns;
	for (uint32_t i = 0; i < 3000000 && turns - from < 100 * APART; i++)
		cpu_relax();
	stop = 1;
	cpu_wait(target);
	CHECK_EQ(sent, 2 * COUNT, "sent");
	CHECK_EQ(seen, sent, "seen");
	CHECK(turns - from >= APART, "the target goes on");
}
