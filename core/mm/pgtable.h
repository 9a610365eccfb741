/* Page-table edits: one pure engine for the VMM's own tables, AMD-V nested tables and EPT. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum pt_perm { PT_R = 1, PT_W = 2, PT_X = 4, PT_RW = 3, PT_RX = 5, PT_RWX = 7 };

/* Memory types with the numbers that EPT and the MTRRs use (SDM 3A 12.11). */
enum pt_type { PT_UC = 0, PT_WC = 1, PT_WT = 4, PT_WP = 5, PT_WB = 6 };

#define PT_LEVELS 4

/* How entries look; level 1 = 4 KiB leaf, 2 = 2 MiB, 3 = 1 GiB. */
struct pt_format {
	uint64_t (*leaf)(uint64_t pa, unsigned level, unsigned perm, enum pt_type type);
	uint64_t (*table)(uint64_t pa);
	bool (*is_present)(uint64_t entry);
	bool (*is_leaf)(uint64_t entry, unsigned level);
	unsigned (*perm)(uint64_t leaf);
	enum pt_type (*type)(uint64_t leaf);
};

extern const struct pt_format pt_format_host; /* SDM 3A 4.5, supervisor pages */
extern const struct pt_format pt_format_npt;  /* APM 2 15.25: user pages, type from the guest */
extern const struct pt_format pt_format_ept;  /* SDM 3C 29.3 */

struct pt {
	const struct pt_format *format;
	uint64_t root;           /* physical address of the top table */
	unsigned max_leaf_level; /* 1 to 3: largest page the CPU offers */
	/* One zeroed table page, physical address; 0 when there is none left. */
	uint64_t (*alloc)(void *arg);
	void (*free)(void *arg, uint64_t pa);
	/* Where the caller can read and write a table. */
	uint64_t *(*at)(void *arg, uint64_t pa);
	void *arg;
	/* Audit: a right is gone that a CPU may have cached, be it that a leaf is removed, narrowed
	 * or leads elsewhere, or that a table is taken out. NULL: nobody asks. */
	void (*taken)(void *arg);
	uint32_t splits; /* large pages that became a table so far */
};

/*
 * Map [va, va + size) to [pa, pa + size) with the largest pages that fit; all three are multiples
 * of 4 KiB. What was mapped there before is replaced; larger pages are split first, each split
 * complete before it becomes visible. perm 0 unmaps. Returns 0 or -ENOMEM (the part done so far
 * stays, and is consistent). The caller flushes. Context: the caller's lock on `pt`.
 */
int pt_map(struct pt *pt, uint64_t va, uint64_t pa, uint64_t size, unsigned perm,
	   enum pt_type type);

struct pt_leaf {
	uint64_t pa; /* of the byte asked for */
	uint64_t page_size;
	unsigned perm; /* enum pt_perm bits */
	enum pt_type type;
};

/* Look up one address; false when nothing is mapped there. */
bool pt_lookup(const struct pt *pt, uint64_t va, struct pt_leaf *leaf);

/* Call back for every leaf, in address order. Context: as pt_map. */
void pt_for_each(const struct pt *pt,
		 void (*cb)(void *arg, uint64_t va, const struct pt_leaf *leaf), void *arg);
