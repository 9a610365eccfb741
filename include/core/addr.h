/* Address types: a struct for each kind of address, so that mixing two does not compile. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  UINT64_C(0x1000)
#define PAGE_MASK  (PAGE_SIZE - 1)
#define SIZE_2M    UINT64_C(0x200000)
#define SIZE_1G    UINT64_C(0x40000000)
#define SIZE_4G    UINT64_C(0x100000000)

typedef struct {
	uint64_t a;
} gva_t; /* guest-linear address */
typedef struct {
	uint64_t a;
} gpa_t; /* guest-physical address */
typedef struct {
	uint64_t a;
} hpa_t; /* host-physical address */
typedef struct {
	uint64_t a;
} bus_t; /* address as a device puts it on the bus */

#define GVA(x) ((gva_t){(x)})
#define GPA(x) ((gpa_t){(x)})
#define HPA(x) ((hpa_t){(x)})
#define BUS(x) ((bus_t){(x)})

/* Guest-physical equals host-physical by design; this is the only place that says so. */
static inline hpa_t gpa_to_hpa(gpa_t gpa)
{
	return HPA(gpa.a);
}

static inline uint64_t align_down(uint64_t x, uint64_t to)
{
	return x & ~(to - 1);
}

static inline uint64_t align_up(uint64_t x, uint64_t to)
{
	return (x + to - 1) & ~(to - 1);
}
