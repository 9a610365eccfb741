/* MCFG: memory-mapped PCI configuration windows (PCI Firmware Specification 3.3, section 4.1.2). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct mcfg_segment {
	uint64_t base; /* physical address of bus 0, even when first_bus is not 0 */
	uint16_t segment;
	uint8_t first_bus;
	uint8_t last_bus; /* inclusive */
};

/* Number of entries in a table of `len` readable bytes, or -EINVAL when the header is damaged. */
int mcfg_count(const void *table, size_t len);

/* Entry `n`. Returns 0; -ENOENT beyond the last; -EINVAL damaged (last_bus < first_bus, base 0, not
 * on a 1 MiB boundary or so high that the window would wrap): skip it and go on with the next. */
int mcfg_get(const void *table, size_t len, unsigned n, struct mcfg_segment *seg);

/* First byte of the window, physical. */
static inline uint64_t mcfg_window_base(const struct mcfg_segment *s)
{
	return s->base + ((uint64_t)s->first_bus << 20);
}

/* Bytes of the window: 1 MiB per bus. */
static inline uint64_t mcfg_window_size(const struct mcfg_segment *s)
{
	return ((uint64_t)s->last_bus - s->first_bus + 1) << 20;
}
