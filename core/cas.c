/* Compare-and-swap whose result comes from the zero flag by SETcc, without a branch. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/cas.h"

/* Stored to a local first: a store to *expected that depends on the result would be a branch. */
#define CAS(type, name)                                                                            \
	bool name(type *p, type *expected, type value)                                             \
	{                                                                                          \
		type found = *expected;                                                            \
		bool done = __atomic_compare_exchange_n(p, &found, value, false, __ATOMIC_SEQ_CST, \
							__ATOMIC_SEQ_CST);                         \
                                                                                                   \
		*expected = found;                                                                 \
		return !done;                                                                      \
	}

CAS(uint32_t, cas32)
CAS(uint64_t, cas64)
