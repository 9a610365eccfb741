/* Initialisation calls: run by stage, then file name, whatever the link order. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stddef.h>
#include "core/section.h"

/* Stages in the order they run. An unknown stage does not compile. */
enum initcall_stage {
	INITCALL_EARLY,    /* memory and log are there, nothing else */
	INITCALL_PLATFORM, /* ACPI and CPUs are known */
	INITCALL_DRIVERS,  /* before the guest's first instruction */
	INITCALL_WAKE, /* behind S3, at each wake-up: all CPUs wait, the guest has not gone on */
	INITCALL_STAGE_COUNT
};

struct initcall {
	enum initcall_stage stage;
	const char *file;
	/* 0, or a negative errno: the VMM is not to start, and start_refuse() has told the user. */
	int (*function)(void);
};

#define INITCALL(stage_, function_)                                                                \
	static const struct initcall initcall_##function_ SECTION_RECORD(initcall) = {             \
	    .stage = stage_,                                                                       \
	    .file = __FILE__,                                                                      \
	    .function = function_,                                                                 \
	}

/*
 * Order `count` pointers to records by stage, then file name in byte order, then their given order.
 * Pure.
 */
void initcall_sort(const struct initcall **calls, size_t count);
/* Run the calls of one stage up to the first that fails. 0, or what it returned. Context: boot CPU.
 */
int initcall_run(enum initcall_stage stage);
