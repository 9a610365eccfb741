/* ACPI root tables: finds the RSDP and walks RSDT or XSDT (ACPI 6.5, section 5.2). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_HEADER_SIZE UINT32_C(36) /* DESCRIPTION_HEADER, table 5.4 */
#define ACPI_TABLE_MAX                                                                             \
	UINT32_C(0x1000000)          /* longer tables are taken as damaged: bounds every walk */
#define ACPI_ROOT_MAX UINT32_C(1024) /* entries of an RSDT or XSDT that are looked at */

/*
 * Makes `len` bytes (at least 1) of physical memory at `pa` readable. Returns NULL when any of them
 * is not. The pointer is used only until the next call, so one sliding window is enough. No
 * alignment is assumed.
 */
typedef const void *acpi_map_fn(void *arg, uint64_t pa, size_t len);

/* Filled by acpi_init(); nothing in it points into firmware memory. */
struct acpi {
	acpi_map_fn *map;
	void *arg;
	uint64_t rsdp;       /* physical address */
	uint64_t root;       /* physical address of the RSDT or XSDT */
	uint32_t root_count; /* entries, at most ACPI_ROOT_MAX */
	uint8_t revision;    /* RSDP revision: 0 = ACPI 1.0 */
	bool xsdt;           /* entries are 8 bytes wide, else 4 */
};

/* Generic Address Structure, section 5.2.3.2. */
struct acpi_gas {
	uint8_t space; /* enum acpi_space */
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size; /* 0 undefined, 1 byte, 2 word, 3 dword, 4 qword */
	uint64_t address;    /* 0: register is not there */
};

enum acpi_space { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1, ACPI_SPACE_PCI_CONFIG = 2 };

/* Little-endian reads at any alignment. */
static inline uint16_t acpi_le16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t acpi_le32(const void *p)
{
	const uint8_t *b = p;

	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t acpi_le64(const void *p)
{
	const uint8_t *b = p;

	return acpi_le32(b) | (uint64_t)acpi_le32(b + 4) << 32;
}

/*
 * Looks for the root table. `rsdp`: physical address the firmware gave (UEFI, Multiboot 2), or 0 to
 * search the first KiB of the EBDA and E0000h-FFFFFh in steps of 16 bytes (section 5.2.5.1). The
 * XSDT is taken when it is there and right, else the RSDT. Returns 0; -ENOENT no RSDP; -EINVAL the
 * RSDP or both root tables are damaged; -EFAULT not readable.
 */
int acpi_init(struct acpi *acpi, acpi_map_fn *map, void *arg, uint64_t rsdp);

/*
 * Finds the index-th (from 0) good table with this four-character signature among the root's
 * entries. Tables with a bad length or checksum, repeated entries and unreadable ones are passed
 * over and not counted. FACS and DSDT are not in the root: see fadt.h. `pa` and `len` (bytes, with
 * header) are set on success; either may be NULL. Returns 0 or -ENOENT.
 */
int acpi_find(const struct acpi *acpi, const char *signature, unsigned index, uint64_t *pa,
	      uint32_t *len);

/* As acpi_find(), among the bad tables too; `good` says which it was. For lists and reports: entry
 * number `n` of the root, any signature (4 bytes, not terminated). Returns 0, -ENOENT at the end,
 * -EFAULT not readable. */
int acpi_entry(const struct acpi *acpi, unsigned n, char signature[4], uint64_t *pa, uint32_t *len,
	       bool *good);

/*
 * Checks the table at `pa`: header readable, length ACPI_HEADER_SIZE..ACPI_TABLE_MAX, signature
 * equal (NULL: any), sum of its bytes 0. Returns the mapped table with its length in *len, or NULL.
 * Use it for tables of acpi_find() and for the DSDT.
 */
const void *acpi_table(const struct acpi *acpi, uint64_t pa, const char *signature, uint32_t *len);

/* Sum of the bytes modulo 256; 0 for a right table. */
uint8_t acpi_sum(const void *p, size_t len);

/* Sets byte 9 of the header so that acpi_sum() is 0. `len` at least ACPI_HEADER_SIZE. */
void acpi_fix_checksum(void *table, size_t len);

/* True when the table's header length is in ACPI_HEADER_SIZE..len; the parsers use *table_len, not
 * `len`. */
bool acpi_header_ok(const void *table, size_t len, const char *signature, uint32_t *table_len);

/* Reads the 12 bytes of a Generic Address Structure. */
struct acpi_gas acpi_gas_read(const void *p);

/*
 * Makes a table one that no operating system knows: the signature becomes OEM0, of which ACPI says
 * only that it is the OEM's (table 5.5), all behind the header 0. `len`: readable bytes. 0, or
 * -EINVAL header damaged.
 */
int acpi_blank(void *table, size_t len);

/*
 * Takes every pointer to `pa` out of an RSDT or XSDT: those behind move up, the table gets shorter,
 * what becomes free is 0. `len`: readable bytes. Returns how many there were, or -EINVAL: damaged
 * or no root table.
 */
int acpi_root_drop(void *root, size_t len, uint64_t pa);
