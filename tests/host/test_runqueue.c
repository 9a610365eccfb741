/* The queue of threads: order, and four CPUs that never stop looking into it (as threads of the
 * host). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <sched.h>
#include <cmocka.h>

/*
 * The host has fewer CPUs than this test, and other work: who spins gives its CPU to the one it
 * waits for, which may not be running. What is tested is the order.
 */
#define __builtin_ia32_pause() sched_yield()
#include "core/runqueue.c"

#define CPUS     4
#define HOLDERS  2
#define THREADS  7
#define STRESS_S 2

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void test_order(void **state)
{
	static struct runqueue q;

	(void)state;
	assert_false(runqueue_has_work(&q));
	assert_int_equal(runqueue_take(&q), -1);
	for (unsigned round = 0; round < 5; round++) {
		unsigned count = round == 4 ? RUNQUEUE_SLOTS : 100;

		for (unsigned i = 0; i < count; i++)
			runqueue_put(&q, (i * 7 + round) % RUNQUEUE_SLOTS);
		for (unsigned i = 0; i < count; i++) {
			assert_true(runqueue_has_work(&q));
			assert_int_equal(runqueue_take(&q), (i * 7 + round) % RUNQUEUE_SLOTS);
		}
		assert_int_equal(runqueue_take(&q), -1);
		assert_false(runqueue_has_work(&q));
	}
}

/* The place in the ring is a 32-bit number that wraps. */
static void test_wrap(void **state)
{
	static struct runqueue q = {.first = UINT32_MAX - 2};

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		runqueue_put(&q, i);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(runqueue_take(&q), i);
}

static void test_poll(void **state)
{
	static struct runqueue q;

	(void)state;
	runqueue_ask(&q, RUNQUEUE_POLL, true);
	assert_true(runqueue_has_work(&q));
	assert_int_equal(runqueue_take(&q), -1);
	assert_int_equal(runqueue_oldest(&q), -1);
	runqueue_put(&q, 3);
	assert_int_equal(runqueue_oldest(&q), 3);
	runqueue_ask(&q, RUNQUEUE_POLL, true);
	assert_int_equal(runqueue_take(&q), 3);
	assert_true(runqueue_has_work(&q));
	runqueue_put(&q, 4);
	runqueue_ask(&q, RUNQUEUE_POLL, false);
	assert_true(runqueue_has_work(&q));
	assert_int_equal(runqueue_queued(&q), 1);
	assert_int_equal(runqueue_take(&q), 4);
	assert_false(runqueue_has_work(&q));
	/* two flags, each by itself */
	runqueue_ask(&q, RUNQUEUE_WAKE, true);
	runqueue_ask(&q, RUNQUEUE_POLL, true);
	runqueue_ask(&q, RUNQUEUE_POLL, false);
	assert_int_equal(q.work, RUNQUEUE_WAKE);
	assert_int_equal(runqueue_queued(&q), 0);
	runqueue_put(&q, 9);
	assert_int_equal(runqueue_queued(&q), 1);
	assert_int_equal(runqueue_take(&q), 9);
	runqueue_ask(&q, RUNQUEUE_WAKE, false);
	assert_false(runqueue_has_work(&q));
}

static struct runqueue queue;
static bool done; /* atomic */
static struct {
	uint32_t runs;  /* atomic: CPUs that run it now */
	uint64_t turns; /* not atomic: only its runner writes it */
} thread[THREADS];
static uint64_t turns_of_cpu[CPUS], overlaps;

/* A CPU: while (!done) schedule(); */
static void *cpu(void *arg)
{
	uint64_t *turns = arg;

	while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) {
		int id = runqueue_take(&queue);

		if (id < 0)
			continue;
		if (__atomic_fetch_add(&thread[id].runs, 1, __ATOMIC_RELAXED) != 0)
			__atomic_fetch_add(&overlaps, 1, __ATOMIC_RELAXED);
		thread[id].turns++;
		++*turns;
		__atomic_fetch_sub(&thread[id].runs, 1, __ATOMIC_RELAXED);
		runqueue_put(&queue, (unsigned)id);
	}
	return NULL;
}

struct holder {
	uint64_t times, longest_ns;
};

/* Somebody else who wants the lock: how long must it wait? */
static void *holder(void *arg)
{
	struct holder *h = arg;

	while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) {
		uint64_t start = now_ns(), took;

		spinlock_take(&queue.lock);
		took = now_ns() - start;
		spinlock_release(&queue.lock);
		h->times++;
		if (took > h->longest_ns)
			h->longest_ns = took;
	}
	return NULL;
}

static void test_stress(void **state)
{
	static struct holder holders[HOLDERS];
	pthread_t t[CPUS + HOLDERS];
	struct timespec time = {.tv_sec = STRESS_S};
	uint64_t all = 0, by_thread = 0;
	bool seen[THREADS] = {false};

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		runqueue_put(&queue, i);
	for (unsigned i = 0; i < CPUS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, cpu, &turns_of_cpu[i]), 0);
	for (unsigned i = 0; i < HOLDERS; i++)
		assert_int_equal(pthread_create(&t[CPUS + i], NULL, holder, &holders[i]), 0);
	nanosleep(&time, NULL);
	__atomic_store_n(&done, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < CPUS + HOLDERS; i++)
		pthread_join(t[i], NULL);

	assert_int_equal(overlaps, 0);
	for (unsigned i = 0; i < CPUS; i++) {
		assert_true(turns_of_cpu[i] > 0);
		all += turns_of_cpu[i];
	}
	for (unsigned i = 0; i < THREADS; i++) {
		by_thread += thread[i].turns;
		print_message("thread %u: %lu turns\n", i, thread[i].turns);
	}
	assert_int_equal(by_thread, all); /* an increment was lost: two ran it at once */
	for (unsigned i = 0; i < THREADS; i++)
		assert_true(thread[i].turns >= all / (4 * THREADS));
	for (unsigned i = 0; i < HOLDERS; i++) {
		print_message("holder %u: %lu times, longest wait %lu us\n", i, holders[i].times,
			      holders[i].longest_ns / 1000);
		assert_true(holders[i].longest_ns < 1000000000u);
	}
	/* each is there, once */
	for (unsigned i = 0; i < THREADS; i++) {
		int id = runqueue_take(&queue);

		assert_in_range(id, 0, THREADS - 1);
		assert_false(seen[id]);
		seen[id] = true;
	}
	assert_int_equal(runqueue_take(&queue), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_wrap),
	    cmocka_unit_test(test_poll),
	    cmocka_unit_test(test_stress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
