/* What a fuzzer says when a promise is broken. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdlib.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)
