/* Ranges of emulated memory: the list, what of a page is trapped, the pieces of an access. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/addr.h"
#include "core/vm/vcpu.h"

#define MMIO_RANGES 128

enum mmio_mode {
	MMIO_READS_AND_WRITES, /* both go to the handler */
	MMIO_WRITES,           /* reads go to the memory or device that is there */
};

/*
 * What happens in a range. `offset` is from its start; size is 1, 2, 4 or 8, and the physical
 * address a multiple of it: other accesses arrive in such pieces, in address order. Called one at a
 * time in the whole machine (core/vm/mmio.h).
 */
struct mmio_ops {
	/* 0 with *value set; negative: nothing is there, ones are read. Bits above `size` do not
	 * count. */
	int (*read)(void *arg, uint64_t offset, unsigned size, uint64_t *value);
	/* `value` is zero-extended. */
	void (*write)(void *arg, uint64_t offset, unsigned size, uint64_t value);
	/*
	 * For the accesses that are frequent and plain: the same, with all that io_trap_lean() asks
	 * of such a handler (core/vm/io.h). False: not this one, and nothing was done; then one of
	 * the two above gets it. NULL: never.
	 */
	bool (*lean)(void *arg, uint64_t offset, unsigned size, bool write, uint64_t *value);
	/*
	 * Instructions that the service does not know may run on the memory or device that is
	 * there. For that instruction the whole page is open, to all CPUs.
	 */
	bool step;
	/*
	 * Which pages of the range are trapped at all, for ranges of whole pages: PT_RWX (not),
	 * PT_RX (writes only) or 0, for the page at `offset`. Accesses that begin in another page
	 * may come to the handlers all the same. NULL: as the mode says. The answer may change;
	 * mmio_refresh() makes that known. Context: the lock is held, nothing may be changed.
	 */
	unsigned (*page)(void *arg, uint64_t offset);
};

typedef enum exit_result (*mmio_first)(struct vcpu *v, const struct mem_fault *f);

struct mmio_range {
	uint64_t base, size; /* bytes, any */
	const struct mmio_ops *ops;
	void *arg;
	/* Whole pages only: looks at each exit before the service does. NULL: none. */
	mmio_first first;
	uint8_t mode; /* enum mmio_mode */
	bool logged;  /* an instruction that is not supported has been reported */
	uint32_t id;  /* given by mmio_range_add(), 1 to INT32_MAX */
};

/* Sorted by address, without overlap. Zeroed: empty. */
struct mmio_ranges {
	uint32_t count;
	uint32_t last_id;
	struct mmio_range range[MMIO_RANGES];
};

/* Add a range; its id is put into *r. 0, -EINVAL (empty, or beyond 48 bits), -EEXIST (overlap),
 * -ENOSPC. */
int mmio_range_add(struct mmio_ranges *set, struct mmio_range *r);
/* By id; NULL: none. */
const struct mmio_range *mmio_range_get(const struct mmio_ranges *set, uint32_t id);
/* Take it out; -ENOENT when there is none. */
int mmio_range_remove(struct mmio_ranges *set, uint32_t id);
/* Give it another start; it keeps its id. 0 or as mmio_range_add(), -ENOENT; then nothing changes.
 */
int mmio_range_move(struct mmio_ranges *set, uint32_t id, uint64_t base);
/* Give it another mode; the one that it had, or -ENOENT. */
int mmio_range_set_mode(struct mmio_ranges *set, uint32_t id, enum mmio_mode mode);
/* The range that holds the byte, or NULL. */
const struct mmio_range *mmio_range_at(const struct mmio_ranges *set, uint64_t gpa);
/* There are ranges in the page, and all of them allow instructions to run on what is there. */
bool mmio_range_may_step(const struct mmio_ranges *set, uint64_t gpa);
/* The first range in the page that holds `gpa`, or NULL. */
struct mmio_range *mmio_range_in_page(struct mmio_ranges *set, uint64_t gpa);
/*
 * The first piece of an access of `size` bytes at `gpa`: returns its length, and the range it lies
 * in (NULL: none). In a range a piece is 1, 2, 4 or 8 bytes, naturally aligned; outside it is what
 * lies before the next range.
 */
unsigned mmio_range_piece(const struct mmio_ranges *set, uint64_t gpa, unsigned size,
			  const struct mmio_range **r);
/*
 * Pages from `page` on that must be trapped alike: returns the end of the run, at most `end`.
 * *perm: what nested tables may allow there, PT_RWX (no range), PT_RX (some byte's writes are
 * trapped), or 0. *first: who looks at exits there, or NULL.
 */
uint64_t mmio_range_run(const struct mmio_ranges *set, uint64_t page, uint64_t end, unsigned *perm,
			mmio_first *first);
