/* Threads of the VMM: cooperative, on any CPU, in the time between an exit and the next entry. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/thread.h"
#include "core/errno.h"
#include "core/mm/pages.h"
#include "core/mm/vmmap.h"
#include "core/panic.h"
#include "core/thread_state.h"
#include "core/timer.h"
#include "core/wake.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"

/*
 * Each thread has a block of CPU_BLOCK_SIZE bytes of addresses, laid out as a CPU's: the stack ends
 * at CPU_STRUCT, and the word at CPU_SELF says which CPU runs on it, so that this_cpu() is the same
 * two instructions on every stack. Only the pages that are needed have memory.
 */
#define BLOCK(slot) (VMMAP_STACK_BASE + (uint64_t)(slot)*CPU_BLOCK_SIZE)

_Static_assert(THREAD_STACK_MAX == CPU_STRUCT - PAGE_SIZE, "the lowest page of a block is a guard");

static struct thread {
	uint32_t word;   /* atomic: core/thread_state.h */
	uint32_t pages;  /* of its stack, kept when it ends; atomic: a panic reads it */
	uint64_t sp;     /* while it does not run */
	uint64_t cpu_sp; /* of the CPU that runs it, to switch back to */
	void (*function)(void *);
	void *arg;
	/* Atomic; while wake-ups are asked for: when its last turn began, or it was made to run. */
	uint64_t since_us;
	struct thread_use use;
} threads[THREAD_MAX];

struct runqueue thread_queue;
static struct spinlock new_lock; /* slots and stacks; outermost */

void thread_switch(uint64_t *save, uint64_t load); /* switch.S */

static uint64_t stack_pointer(void)
{
	uint64_t sp;

	__asm__("mov %%rsp, %0" : "=r"(sp));
	return sp;
}

/* The slot whose block `sp` lies in, or THREAD_MAX. */
static unsigned slot_at(uint64_t sp)
{
	uint64_t slot = (sp - VMMAP_STACK_BASE) / CPU_BLOCK_SIZE;

	return slot < THREAD_MAX ? (unsigned)slot : THREAD_MAX;
}

static struct thread *current(void)
{
	unsigned slot = slot_at(stack_pointer());

	return slot < THREAD_MAX ? &threads[slot] : NULL;
}

static thread_t handle_of(const struct thread *t)
{
	return (__atomic_load_n(&t->word, __ATOMIC_RELAXED) & ~0xffu) | (uint32_t)(t - threads);
}

thread_t thread_self(void)
{
	const struct thread *t = current();

	return t ? handle_of(t) : 0;
}

static void run_thread(void)
{
	struct thread *t = current();

	t->function(t->arg);
	thread_exit();
}

/* What thread_switch() finds on a new stack. */
static void prepare(struct thread *t)
{
	uint64_t *top = (uint64_t *)(uintptr_t)(BLOCK(t - threads) + CPU_STRUCT);

	top[-1] = 0; /* nobody called it; RSP is odd times 8 at a function's first instruction */
	top[-2] = (uintptr_t)run_thread;
	for (int i = 3; i <= 8; i++)
		top[-i] = 0;
	t->sp = (uintptr_t)&top[-8];
}

/* Give slot `t` a stack of `pages`. What it has stays. Context: new_lock. */
static int grow(struct thread *t, uint32_t pages)
{
	uint64_t block = BLOCK(t - threads);

	if (t->pages == 0) {
		int err = vmmap_add_page(block + CPU_STRUCT);

		if (err)
			return err;
	}
	for (uint32_t have = t->pages; have < pages; have++) {
		int err = vmmap_add_page(block + CPU_STRUCT - (have + 1) * PAGE_SIZE);

		if (err)
			return err;
		__atomic_store_n(&t->pages, have + 1, __ATOMIC_RELEASE);
	}
	return 0;
}

/* A free slot: the one whose stack fits best, so that stacks are grown last. Context: new_lock. */
static struct thread *find_slot(uint32_t pages)
{
	struct thread *best = NULL;

	for (struct thread *t = threads; t < threads + THREAD_MAX; t++) {
		if (thread_state_of(__atomic_load_n(&t->word, __ATOMIC_ACQUIRE)) != THREAD_FREE)
			continue;
		if (t->pages == pages)
			return t;
		bool fits = t->pages > pages, best_fits = best && best->pages > pages;

		if (!best || (fits && (!best_fits || t->pages < best->pages)) ||
		    (!fits && !best_fits && t->pages == 0 && best->pages != 0))
			best = t;
	}
	return best;
}

static bool is_asked(uint32_t flag)
{
	return __atomic_load_n(&thread_queue.work, __ATOMIC_RELAXED) & flag;
}

/* What a thread waits from, if it has to be told. */
static uint64_t now_if_asked(void)
{
	return is_asked(RUNQUEUE_WAKE) ? clock_us() : 0;
}

static void put(unsigned slot, uint64_t since_us)
{
	__atomic_store_n(&threads[slot].since_us, since_us, __ATOMIC_RELAXED);
	runqueue_put(&thread_queue, slot);
}

uint64_t thread_waits_since(void)
{
	int slot = runqueue_oldest(&thread_queue);

	return slot < 0 ? UINT64_MAX : __atomic_load_n(&threads[slot].since_us, __ATOMIC_RELAXED);
}

int thread_new(void (*function)(void *), void *arg, size_t stack, thread_t *thread)
{
	uint32_t pages = (uint32_t)(align_up(stack, PAGE_SIZE) / PAGE_SIZE);
	int err;

	if (stack == 0 || stack > THREAD_STACK_MAX)
		return -EINVAL;
	spinlock_take(&new_lock);
	struct thread *t = find_slot(pages);

	err = t ? grow(t, pages) : -ENOSPC;
	if (!err) {
		prepare(t);
		t->function = function;
		t->arg = arg;
		t->use = (struct thread_use){0};
		ASSERT(thread_state_new(&t->word)); /* slots are taken under the lock only */
	}
	spinlock_release(&new_lock);
	if (err)
		return err;
	if (thread)
		*thread = handle_of(t); /* before it runs: it may end at once */
	put((unsigned)(t - threads), now_if_asked());
	return 0;
}

void thread_exit(void)
{
	struct thread *t = current();

	thread_state_exit(&t->word);
	thread_switch(&t->sp, t->cpu_sp);
	panic("a thread that has ended runs");
}

static void run_turn(int slot)
{
	struct thread *t = &threads[slot];
	uint64_t since_us = now_if_asked(), start = rdtsc(), ticks;

	*cpu_self(BLOCK(slot)) = this_cpu();
	thread_switch(&t->cpu_sp, t->sp);
	ticks = rdtsc() - start;
	t->use.turns++;
	if (ticks > t->use.longest_tsc)
		t->use.longest_tsc = ticks;
	/* only now: its registers are saved, so another CPU may run it */
	switch (thread_state_switched_out(&t->word)) {
	case THREAD_OUT_QUEUE:
		put((unsigned)slot, since_us);
		break;
	case THREAD_OUT_ENDED:
		thread_state_free(&t->word);
		break;
	default:
		break;
	}
}

void thread_arm(void)
{
	if (is_asked(RUNQUEUE_WAKE))
		wake_next();
}

/* A CPU's own code: one turn for the thread that has waited longest. */
static void give_turn(void)
{
	if (is_asked(RUNQUEUE_POLL))
		timer_look();
	int slot = runqueue_take(&thread_queue);

	if (slot >= 0)
		run_turn(slot);
	thread_arm();
}

void schedule(void)
{
	struct thread *t = current();

	if (t)
		thread_switch(&t->sp, t->cpu_sp);
	else if (runqueue_has_work(&thread_queue))
		give_turn();
}

void thread_will_stop(void)
{
	thread_state_will_stop(&current()->word);
}

void thread_stay(void)
{
	thread_state_stay(&current()->word);
}

void thread_wait(bool (*ready)(void *arg), void *arg)
{
	for (;;) {
		thread_will_stop();
		if (ready(arg)) {
			thread_stay();
			return;
		}
		schedule();
	}
}

bool thread_wake(thread_t thread)
{
	unsigned slot = thread & 0xff;

	switch (thread_state_wake(&threads[slot].word, thread)) {
	case THREAD_WAKE_QUEUE:
		put(slot, now_if_asked());
		return true;
	case THREAD_WAKE_CANCEL:
		return true;
	default:
		return false;
	}
}

bool thread_use(thread_t thread, struct thread_use *use)
{
	const struct thread *t = &threads[thread & 0xff];

	*use = t->use;
	use->stack = t->pages * PAGE_SIZE;
	return thread && handle_of(t) == thread &&
	       thread_state_of(__atomic_load_n(&t->word, __ATOMIC_RELAXED)) != THREAD_FREE;
}

bool thread_stack_of(uint64_t sp, struct cpu **cpu, uint64_t *bottom, uint64_t *top)
{
	unsigned slot = slot_at(sp);
	uint32_t pages =
	    slot < THREAD_MAX ? __atomic_load_n(&threads[slot].pages, __ATOMIC_ACQUIRE) : 0;

	if (!pages)
		return false;
	*cpu = *cpu_self(BLOCK(slot));
	*top = BLOCK(slot) + CPU_STRUCT;
	*bottom = *top - pages * PAGE_SIZE;
	return true;
}
