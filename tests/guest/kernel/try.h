/* Control registers written with any value: the vector of the exception, or VECTOR_NONE. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "tests/guest/kernel/guest.h"

#define TRY_CR(n)                                                                                  \
	static inline unsigned try_cr##n(uint64_t value)                                           \
	{                                                                                          \
		__asm__ volatile(TRY("movq %0, %%cr" #n) : : "r"(value) : "memory");               \
		return tried();                                                                    \
	}
TRY_CR(0)
TRY_CR(3)
TRY_CR(4)
TRY_CR(8)
#undef TRY_CR

static inline unsigned try_xsetbv(uint32_t index, uint64_t value)
{
	__asm__ volatile(TRY("xsetbv")
			 :
			 : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
	return tried();
}

static inline uint64_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

/* Reads and writes of memory that may fault; the value read through *value. */
static inline unsigned try_read(uint64_t at, uint64_t *value)
{
	uint64_t got = *value;

	__asm__ volatile(TRY("movq (%1), %0") : "+r"(got) : "r"(at) : "memory");
	*value = got;
	return tried();
}

static inline unsigned try_write(uint64_t at, uint64_t value)
{
	__asm__ volatile(TRY("movq %1, (%0)") : : "r"(at), "r"(value) : "memory");
	return tried();
}
