/* Guest memory: copies in and out, atomic updates, instruction bytes. The only way to it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "core/addr.h"
#include "core/vm/gwalk.h"
#include "core/vm/vcpu.h"

/* Copy between guest-physical RAM and the VMM. 0, or -EFAULT (not RAM, or the VMM's): nothing is
 * copied then. Any CPU. */
int gmem_read(gpa_t gpa, void *to, size_t len);
int gmem_write(gpa_t gpa, const void *from, size_t len);
/* Pointer to firmware-owned guest RAM for start-up code; NULL when not RAM. Context: start-up. */
void *gmem_at(gpa_t gpa, size_t len);
/*
 * Translate a linear address of the exiting guest. 0, GWALK_FAULT and the like as gwalk(). Accessed
 * and dirty flags are not set.
 */
int gmem_translate(struct vcpu *v, gva_t la, enum gwalk_access access, struct gwalk_out *out);
/* The same for an access that is carried out: accessed and dirty flags are set. */
int gmem_walk(struct vcpu *v, gva_t la, enum gwalk_access access, struct gwalk_out *out);
/*
 * The same in two steps, for accesses that are not quite the exiting guest's own: first what its
 * walks depend on (`pdpte` stays in use by *cpu), then a walk, for which *cpu may have been
 * changed.
 */
void gmem_paging(struct vcpu *v, struct gwalk_cpu *cpu, uint64_t pdpte[4]);
int gmem_walk_as(const struct gwalk_cpu *cpu, gva_t la, enum gwalk_access access, bool implicit,
		 bool update, struct gwalk_out *out);
/*
 * Guest-physical memory of any kind, as the guest's own access would find it: RAM, registers of
 * devices (uncached, naturally aligned accesses), and where the VMM lives ones that cannot be
 * changed. 1 to 8 bytes within a page; cmpxchg: 1, 2, 4 or 8, 0 = stored, 1 = *expected is what was
 * there instead. Nested tables are not looked at. Context: exit handler.
 */
void gmem_phys_read(gpa_t gpa, unsigned size, uint64_t *value);
void gmem_phys_write(gpa_t gpa, unsigned size, uint64_t value);
int gmem_phys_cmpxchg(gpa_t gpa, unsigned size, uint64_t *expected, uint64_t value);
/*
 * The same for what the caller knows not to be RAM: 1, 2, 4 or 8 bytes, naturally aligned. Ones are
 * read where nothing can be.
 */
uint64_t gmem_register_read(gpa_t gpa, unsigned size);
void gmem_register_write(gpa_t gpa, unsigned size, uint64_t value);
/* The same where the guest could get without an exit; trapped pages read as ones and take nothing.
 */
void gmem_open_read(gpa_t gpa, unsigned size, uint64_t *value);
void gmem_open_write(gpa_t gpa, unsigned size, uint64_t value);
/* Instruction bytes at the guest's CS:RIP, at most 15; returns how many could be read. */
size_t gmem_fetch(struct vcpu *v, uint8_t bytes[15]);
/* Copy from guest-linear memory with the guest's current rights; 0 or -EFAULT. */
int gmem_read_linear(struct vcpu *v, gva_t la, void *to, size_t len);
/* Copy to it, as far as it can be written: 0, or -EFAULT, and then the first part may be there. */
int gmem_write_linear(struct vcpu *v, gva_t la, const void *from, size_t len);
