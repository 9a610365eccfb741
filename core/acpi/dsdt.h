/* DSDT and SSDT: the \_Sx packages in AML, by byte search (ACPI 6.5, sections 7.4.2 and 20.2). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dsdt_sleep {
	bool valid;
	uint8_t slp_typ_a, slp_typ_b; /* value of SLP_TYPx, 0..7 */
};

/*
 * Finds Name (_Sn_, Package) with n = `state` (0..5), with or without root prefix, in a table of
 * `len` readable bytes with its header. A match needs a package whose length stays in the table and
 * which starts with one or two integers. Returns the offset of the four name characters from the
 * table's start; -ENOENT; -EINVAL header damaged.
 */
int dsdt_find_sx(const void *table, size_t len, unsigned state);

/* SLP_TYP values of the state, from that package. Returns 0, or as dsdt_find_sx(). */
int dsdt_sleep_type(const void *table, size_t len, unsigned state, struct dsdt_sleep *out);

/*
 * Renames every \_S3 (package or control method) of the table to _S3X and adjusts the checksum by
 * the difference, so that the operating system sees a machine without S3. Returns the number of
 * names changed (0: nothing touched), or -EINVAL header damaged. A second call finds nothing.
 */
int dsdt_hide_s3(void *table, size_t len);
