/* Model of core/runqueue.c and the switch in core/thread.c: ticket lock, queue, CPUs that never stop looking. */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CPUS processes do `while (!done) schedule();` for ever; one more (a device's exit, say) wants the same lock
 * again and again and does nothing else. Safe: the queue loses and doubles nothing, and no thread runs on two
 * CPUs or on a stack that is still in use. Live, with no more than weak fairness (each CPU goes on executing):
 * the process that wants the lock gets it, and each thread gets its turn, again and again.
 *
 * What is wrong on purpose, each to be found by tests/spin/check.sh:
 *   BUG_TEST_AND_SET  a lock without tickets: a CPU that looks all the time may keep another one out for ever
 *   BUG_NO_LOCK       put and take without the lock
 *   BUG_EARLY_PUT     a thread puts itself into the queue before its registers are saved
 *   BUG_LIFO          the newest thread first: the others may wait for ever
 */
#define CPUS    2
#define THREADS 2
#define SLOTS   2 /* one for each thread */
#define TICKETS 4 /* numbers, more than ever wait; the real ones wrap at 2^32 */

byte next, owner;     /* the ticket lock */
bool held;            /* BUG_TEST_AND_SET */
byte first, queued;   /* the queue */
byte slot[SLOTS];
byte inside;          /* processes that hold the lock */
byte on_cpu[THREADS]; /* CPUs whose stack pointer is in that thread's stack */
bool got_lock;        /* the process beside the CPUs has had the lock */
byte turn;            /* thread whose turn was last, and 255 between */

#ifdef BUG_NO_LOCK
#define LOCK(mine) skip
#define UNLOCK()   skip
#else
#ifdef BUG_TEST_AND_SET
#define LOCK(mine) atomic { !held -> held = true } inside++; assert(inside == 1)
#define UNLOCK()   inside--; held = false
#else
#define LOCK(mine) atomic { mine = next; next = (next + 1) % TICKETS } \
	owner == mine; inside++; assert(inside == 1)
#define UNLOCK()   inside--; owner = (owner + 1) % TICKETS
#endif
#endif

inline put(mine, id)
{
	LOCK(mine);
	tmp = queued; /* load, store to the slot, store the count */
	assert(tmp < SLOTS);
#ifdef BUG_LIFO
	first = (first + SLOTS - 1) % SLOTS;
	slot[first] = id;
#else
	slot[(first + tmp) % SLOTS] = id;
#endif
	queued = tmp + 1;
	UNLOCK()
}

active [CPUS] proctype cpu()
{
	byte mine, tmp, id;

	do
	:: queued > 0 -> /* the look without the lock */
		id = 255;
		LOCK(mine);
		tmp = queued;
		if
		:: tmp > 0 ->
			id = slot[first];
			first = (first + 1) % SLOTS;
			queued = tmp - 1
		:: else
		fi;
		UNLOCK();
		if
		:: id != 255 ->
			on_cpu[id]++; /* switched to it */
			assert(on_cpu[id] == 1);
			atomic { turn = id }
			turn = 255;
#ifdef BUG_EARLY_PUT
			put(mine, id);
			on_cpu[id]--
#else
			on_cpu[id]--; /* switched back: its registers are saved */
			put(mine, id)
#endif
		:: else
		fi
	:: queued == 0 -> skip /* the guest goes on; the next exit looks again */
	od
}

active proctype other()
{
	byte mine;

	do
	:: true ->
		LOCK(mine);
		got_lock = true;
		UNLOCK();
		got_lock = false
	od
}

init
{
	atomic {
		slot[0] = 0; slot[1] = 1; queued = THREADS; turn = 255
	}
}

ltl lock_is_given { [] <> got_lock }
ltl each_has_turns { ([] <> (turn == 0)) && ([] <> (turn == 1)) }
