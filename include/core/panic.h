/* Panic and assertions: for start-up and broken invariants, never for what a guest does. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Stop every CPU, show the state of each, end as `vmm.auto_reboot` says. Context: any. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct trap_frame;
/* The same for an exception of the VMM itself. */
_Noreturn void panic_trap(const struct trap_frame *f);
/* This CPU was told to stop by another one's panic: leave the guest's state in its block, and stay.
 */
_Noreturn void panic_stop(void);

_Noreturn void assert_failed(const char *expression, const char *function, const char *file,
			     unsigned line);
/* The expression is evaluated exactly once, with assertions on or off. */
#ifdef CONFIG_NO_ASSERT
#define ASSERT(expression) ((void)(expression))
#else
#define ASSERT(expression)                                                                         \
	((expression) ? (void)0 : assert_failed(#expression, __func__, __FILE__, __LINE__))
#endif
