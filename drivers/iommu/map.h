/* Second-level page tables that map memory one to one but for holes, built once. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define IOMMU_LEVELS    4 /* 48 bits; a unit with three levels uses the first table of level 3 */
#define IOMMU_MAX_HOLES 160

/* How entries look. Level 1: 4 KiB, 2: 2 MiB, 3: 1 GiB. Leaves allow reads and writes. */
struct iommu_format {
	uint64_t (*leaf)(uint64_t pa, unsigned level);
	/* An entry of a table of `level` that leads to the table at `pa`. */
	uint64_t (*table)(uint64_t pa, unsigned level);
	uint64_t blocked; /* no access */
};

extern const struct iommu_format iommu_format_vtd; /* VT-d 4.1, section 9.8: second stage */
extern const struct iommu_format iommu_format_amd; /* 48882, section 2.2.3: host tables */

struct iommu_hole {
	uint64_t base, end; /* multiples of 4 KiB */
};

/* Fill everything but `tables` and call the functions below. */
struct iommu_map {
	const struct iommu_format *format;
	unsigned max_leaf; /* largest page: level 2 or 3 */
	uint64_t end;      /* [0, end) is mapped; a multiple of 4 KiB, at most 2^48 */
	unsigned hole_count;
	struct iommu_hole hole[IOMMU_MAX_HOLES]; /* any order, may overlap */
	/* One zeroed page, physical address; 0 when there is none left. */
	uint64_t (*alloc)(void *arg);
	uint64_t *(*at)(void *arg, uint64_t pa);
	void *arg;
	uint32_t tables; /* pages that iommu_map_build() took */
};

/* Add a hole, widened to whole pages. An empty one adds nothing. 0, or -ENOSPC. */
int iommu_map_hole(struct iommu_map *m, uint64_t base, uint64_t end);
/* Pages that the tables need; `limit` + 1 when they are more than `limit`. */
uint32_t iommu_map_count(const struct iommu_map *m, uint32_t limit);
/*
 * Build them. *root: the table of four levels; *root3: that of the first 512 GiB, of three levels.
 * 0, or -ENOMEM (what was taken stays taken). Context: start-up.
 */
int iommu_map_build(struct iommu_map *m, uint64_t *root, uint64_t *root3);
/* What the tables at `root` say of an address: true and *pa, where a device may read and write. */
bool iommu_map_lookup(const struct iommu_map *m, uint64_t root, uint64_t address, uint64_t *pa);
