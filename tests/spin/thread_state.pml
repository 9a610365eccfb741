/* Model of core/thread_state.c: a thread that waits, and CPUs that wake it. */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread waits for work, does it, and waits again. Two processes give it work and wake it. Safe: it is in
 * the queue at most once, and never while it runs. Live: work that was given is done.
 *
 * What is wrong on purpose, each to be found by tests/spin/check.sh:
 *   BUG_LOOK_FIRST  the thread looks for work, and says afterwards that it will stop
 *   BUG_LOAD_STORE  the states are moved by a load and a store, not by compare-and-swap
 *   BUG_WAKE_FIRST  work is given behind the wake-up
 */
mtype = { RUN, WILL_STOP, STOPPED };

mtype thread_st = RUN;
bool work;
byte queued;
bool on_cpu;

/* moved is true when `word` was `from` and is now `to` */
#ifdef BUG_LOAD_STORE
#define MOVE(from, to, moved) if :: thread_st == from -> thread_st = to; moved = true :: else -> moved = false fi
#else
#define MOVE(from, to, moved) \
	atomic { if :: thread_st == from -> thread_st = to; moved = true :: else -> moved = false fi }
#endif

inline wake()
{
	/* as thread_state_wake(): what it finds decides */
	MOVE(WILL_STOP, RUN, moved);
	if
	:: !moved ->
		MOVE(STOPPED, RUN, moved);
		if
		:: moved -> atomic { assert(queued == 0); queued++ }
		:: else
		fi
	:: else
	fi
}

/* Who gives work: a second one only when the first is done, as a device does. */
active [2] proctype giver()
{
	bool moved;

	do
	:: atomic { !work ->
#ifndef BUG_WAKE_FIRST
		work = true
#endif
	   }
	   wake();
#ifdef BUG_WAKE_FIRST
	   work = true
#endif
	od
}

/* The thread, and schedule() of the CPU that it runs on. */
active proctype thread()
{
	bool moved, again;

	queued = 1;
	do
	:: queued > 0 -> /* any CPU takes it */
		queued--;
		assert(!on_cpu);
		on_cpu = true;
#ifdef BUG_LOOK_FIRST
		if
		:: work -> work = false
		:: else -> MOVE(RUN, WILL_STOP, moved)
		fi;
#else
		MOVE(RUN, WILL_STOP, moved);
		if
		:: work -> work = false; MOVE(WILL_STOP, RUN, moved)
		:: else
		fi;
#endif
		on_cpu = false; /* switched out */
		MOVE(WILL_STOP, STOPPED, moved);
		if
		:: moved
		:: else -> atomic { assert(queued == 0); queued++ }
		fi
	od
}

ltl work_is_done { [] (work -> <> !work) }
