/* FACS: waking vectors for S3 (ACPI 6.5, section 5.2.10). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Offsets for in-place access; the table has no checksum and lies at a 64-byte boundary. */
#define FACS_LENGTH               4  /* u32 */
#define FACS_HARDWARE_SIGNATURE   8  /* u32 */
#define FACS_WAKING_VECTOR        12 /* u32, entered in real mode at vector >> 4 : vector & 15 */
#define FACS_GLOBAL_LOCK          16 /* u32 */
#define FACS_FLAGS                20 /* u32; bit 1: 64-bit wake supported */
#define FACS_X_WAKING_VECTOR      24 /* u64; 0: FACS_WAKING_VECTOR is used */
#define FACS_VERSION              32 /* u8 */
#define FACS_OSPM_FLAGS           36 /* u32; bit 0: X vector is entered in 64-bit mode */
#define FACS_MIN_LENGTH           64
#define FACS_64BIT_WAKE_SUPPORTED UINT32_C(2)
#define FACS_64BIT_WAKE           UINT32_C(1)

struct facs {
	uint32_t length;
	uint32_t waking_vector;
	uint64_t x_waking_vector; /* 0 when the table is too short or of version 0 */
	uint32_t flags;
	uint32_t ospm_flags; /* 0 before version 2 */
	uint8_t version;
	bool has_x; /* the table has an X_ vector */
};

/* `len`: readable bytes at `table`. Returns 0, or -EINVAL: wrong signature or length below 64. */
int facs_parse(const void *table, size_t len, struct facs *facs);

/*
 * Makes `vector` (physical, below 1 MiB) the real-mode waking vector and clears the X_ vector so
 * that the firmware takes it. The global lock and the flags stay as they are. Same errors as
 * facs_parse(); -ERANGE vector too high.
 */
int facs_set_waking_vector(void *table, size_t len, uint32_t vector);
