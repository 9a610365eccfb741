/* NMIs of two CPUs to a third that exits all the while: none is lost, none is invented. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define COUNT 150u /* of each sender */
#define APART 4u   /* turns of the target between two: they may merge when they meet */
#define BURST 3u   /* at most */

static volatile uint32_t seen, turns, stop, sending, sent, bursts, lost, invented;
static uint64_t apart;
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

static void wait_turns(uint32_t count)
{
	uint32_t from = turns;

	for (uint32_t i = 0; i < 3000000 && turns - from < count; i++)
		cpu_relax();
}

uint64_t nmi_apart(void)
{
	return word_number("nmi_apart", 0);
}

void nmi_wait(uint64_t ticks)
{
	uint64_t from = rdtsc();

	while (rdtsc() - from < ticks)
		cpu_relax();
}

static void lock(void)
{
	while (__atomic_exchange_n(&sending, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
}

static void unlock(void)
{
	__atomic_store_n(&sending, 0, __ATOMIC_RELEASE);
}

/* One after the other: a lock, which is given back behind the time apart, or when the target has
 * gone on. */
static void send(void *arg)
{
	for (uint32_t n = 0; n < COUNT && !stop; n++) {
		lock();
		apic_send((uint32_t)(uintptr_t)arg, APIC_ICR_NMI);
		sent++;
		if (apart)
			nmi_wait(apart);
		else
			wait_turns(APART);
		unlock();
	}
}

/* Some that follow each other at once: one of them comes at least, and as many at most. */
static void send_bursts(void *arg)
{
	for (uint32_t n = 0; n < COUNT && !stop; n++) {
		uint32_t size = 1 + n % BURST, before, came;

		lock();
		before = seen;
		for (uint32_t i = 0; i < size; i++)
			apic_send((uint32_t)(uintptr_t)arg, APIC_ICR_NMI);
		wait_turns(APART);
		came = seen - before;
		bursts++;
		lost += came == 0;
		invented += came > size;
		unlock();
	}
}

static void both(unsigned target, void (*f)(void *arg))
{
	cpu_start(2, f, (void *)(uintptr_t)target);
	f((void *)(uintptr_t)target);
	cpu_wait(2);
	wait_turns(100 * APART);
}

void nmi_storm(unsigned target, void (*f)(void))
{
	uint32_t from;

	apart = nmi_apart();
	seen = turns = stop = sending = sent = bursts = lost = invented = 0;
	turn = f;
	trap_set(VECTOR_NMI, handler);
	cpu_start(target, receive, NULL);
	both(target, send);
	CHECK_EQ(sent, 2 * COUNT, "sent");
	CHECK_EQ(seen, sent, "seen");
	both(target, send_bursts);
	CHECK_EQ(bursts, 2 * COUNT, "bursts");
	CHECK_EQ(lost, 0, "bursts that were lost");
	CHECK_EQ(invented, 0, "bursts of which more came");
	from = turns;
	wait_turns(100 * APART);
	stop = 1;
	cpu_wait(target);
	CHECK(turns - from >= APART, "the target goes on");
}
