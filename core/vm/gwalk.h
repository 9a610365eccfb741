/* Guest page-table walk: linear to guest-physical in every paging mode (SDM volume 3A, chapter 4).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/addr.h"
#include <stdbool.h>
#include <stdint.h>

/* Page-fault error code, SDM 3A 4.7. */
#define GWALK_PF_P    UINT32_C(0x01)
#define GWALK_PF_W    UINT32_C(0x02)
#define GWALK_PF_U    UINT32_C(0x04)
#define GWALK_PF_RSVD UINT32_C(0x08)
#define GWALK_PF_I    UINT32_C(0x10)
#define GWALK_PF_PK   UINT32_C(0x20)

/* Positive results of gwalk(). */
#define GWALK_FAULT        1 /* #PF with out->error_code, CR2 = the linear address */
#define GWALK_NONCANONICAL 2 /* #GP(0), or #SS(0) for a stack access; long mode only */

enum gwalk_access { GWALK_READ, GWALK_WRITE, GWALK_FETCH };

/* What the walk depends on; the guest's own values. */
struct gwalk_cpu {
	uint64_t cr0, cr3, cr4, efer; /* LMA decides on long mode, not LME */
	uint32_t pkru;                /* read when CR4.PKE is 1 */
	uint32_t pkrs;                /* IA32_PKRS, read when CR4.PKS is 1 */
	uint8_t cpl;                  /* 0..3 */
	bool ac;                      /* RFLAGS.AC: lifts SMAP for explicit supervisor accesses */
	uint8_t maxphyaddr;           /* CPUID 80000008h EAX[7:0], 32..52 */
	bool gb_pages;                /* CPUID 80000001h EDX[26] */
	bool pse36;                   /* CPUID 1 EDX[17]; every 64-bit CPU has it */
	const uint64_t
	    *pdpte; /* PAE: the four loaded PDPTEs (VMCS); NULL: read from memory at CR3 */
};

struct gwalk_ops {
	/*
	 * Reads a paging-structure entry of `size` (4 or 8) bytes, in one piece, at a multiple of
	 * size. Returns 0 or a negative error, which gwalk() returns: the entry lies outside the
	 * guest's RAM.
	 */
	int (*read)(void *arg, gpa_t entry, unsigned size, uint64_t *value);
	/*
	 * Optional; NULL: accessed and dirty flags stay as they are. Atomically replaces the entry
	 * if it still equals `old`. Returns 0; 1 when it has changed (the walk starts again);
	 * negative: error, returned by gwalk().
	 */
	int (*update)(void *arg, gpa_t entry, unsigned size, uint64_t old, uint64_t value);
};

struct gwalk_out {
	gpa_t gpa;           /* of the byte asked for; valid when 0 is returned */
	uint64_t page_size;  /* 4 KiB, 2 MiB, 4 MiB or 1 GiB; 4 KiB without paging */
	uint32_t error_code; /* GWALK_PF_*, valid with GWALK_FAULT */
	bool writable, user,
	    executable; /* R/W and U/S of all levels; executable: no XD on the way */
	uint8_t pat;    /* PAT index of the leaf, PAT<<2 | PCD<<1 | PWT; 0 without paging */
	uint8_t level;  /* 1 = PTE, 2 = PDE, 3 = PDPTE; 0 without paging */
	uint64_t leaf;  /* the entry that maps the page, as read */
};

/*
 * Translates one linear address for one access. `implicit`: supervisor access whatever CPL is
 * (descriptor tables, TSS, stack of another privilege level); SMAP then ignores AC. Accesses that
 * cross a page need one call a page. Outside of long mode the upper half of `la` is ignored.
 * Accessed and dirty flags change only when the translation succeeds. LAM, UAI and shadow stacks
 * are not known: the caller removes address tags. Returns 0, GWALK_FAULT, GWALK_NONCANONICAL, a
 * negative error of a callback, or -EBUSY when the tables never held still.
 */
int gwalk(const struct gwalk_cpu *cpu, const struct gwalk_ops *ops, void *arg, gva_t la,
	  enum gwalk_access access, bool implicit, struct gwalk_out *out);
