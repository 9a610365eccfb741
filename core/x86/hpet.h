/* The HPET's block of registers: where it is, and its counter. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Registers (IA-PC HPET Specification 1.0a, 2.3): offsets in the block. */
#define HPET_BYTES   0x400u
#define HPET_CAPS    0x0u
#define HPET_CONFIG  0x10u
#define HPET_COUNTER 0xf0u

#define HPET_ENABLE   1u
#define HPET_COUNT_64 (UINT64_C(1) << 13)

struct hpet_block {
	uint64_t base;
	volatile uint8_t *regs;
	bool is_64; /* its counter */
	uint64_t hz;
};

/* What ACPI's table leads to, or NULL. Context: start-up, from INITCALL_PLATFORM on. */
const struct hpet_block *hpet_find(void);

static inline uint32_t hpet_read(const struct hpet_block *h, unsigned offset)
{
	return *(volatile uint32_t *)(volatile void *)(h->regs + offset);
}

/* Does the counter run? That is the guest's to say. */
static inline bool hpet_runs(const struct hpet_block *h)
{
	return hpet_read(h, HPET_CONFIG) & HPET_ENABLE;
}

/* The counter, of 32 or 64 bits. */
uint64_t hpet_counter(const struct hpet_block *h);
