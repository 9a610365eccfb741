/* ACPI root tables: finds the RSDP and walks RSDT or XSDT (ACPI 6.5, section 5.2). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/acpi.h"
#include "core/errno.h"
#include "core/string.h"

/* RSDP, table 5.3. */
#define RSDP_REVISION 15
#define RSDP_RSDT     16
#define RSDP_LENGTH   20
#define RSDP_XSDT     24
#define RSDP_V1_SIZE  20
#define RSDP_V2_SIZE  36
#define RSDP_MAX      4096 /* sanity bound of the length field */
#define RSDP_STEP     16

#define EBDA_POINTER   0x40e /* BIOS data area: real-mode segment of the EBDA */
#define EBDA_SEARCH    1024
#define BIOS_AREA      0xe0000
#define BIOS_AREA_SIZE 0x20000
#define SEARCH_CHUNK   1024

uint8_t acpi_sum(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + b[i]);
	return sum;
}

void acpi_fix_checksum(void *table, size_t len)
{
	uint8_t *b = table;

	b[9] = (uint8_t)(b[9] - acpi_sum(table, len));
}

bool acpi_header_ok(const void *table, size_t len, const char *signature, uint32_t *table_len)
{
	const uint8_t *b = table;

	if (len < ACPI_HEADER_SIZE || (signature && memcmp(b, signature, 4) != 0))
		return false;
	uint32_t n = acpi_le32(b + 4);
	if (n < ACPI_HEADER_SIZE || n > len || n > ACPI_TABLE_MAX)
		return false;
	*table_len = n;
	return true;
}

struct acpi_gas acpi_gas_read(const void *p)
{
	const uint8_t *b = p;

	return (struct acpi_gas){
	    .space = b[0],
	    .bit_width = b[1],
	    .bit_offset = b[2],
	    .access_size = b[3],
	    .address = acpi_le64(b + 4),
	};
}

const void *acpi_table(const struct acpi *acpi, uint64_t pa, const char *signature, uint32_t *len)
{
	uint32_t n, again;

	if (pa == 0 || pa > UINT64_MAX - ACPI_TABLE_MAX)
		return NULL;
	const uint8_t *b = acpi->map(acpi->arg, pa, ACPI_HEADER_SIZE);
	if (!b || (signature && memcmp(b, signature, 4) != 0))
		return NULL;
	n = acpi_le32(b + 4);
	if (n < ACPI_HEADER_SIZE || n > ACPI_TABLE_MAX)
		return NULL;
	b = acpi->map(acpi->arg, pa, n);
	/* The second look decides: the header may have changed between the two. */
	if (!b || !acpi_header_ok(b, n, signature, &again) || again != n || acpi_sum(b, n) != 0)
		return NULL;
	if (len)
		*len = n;
	return b;
}

static bool rsdp_good(const struct acpi *acpi, uint64_t pa, uint8_t copy[RSDP_V2_SIZE])
{
	const uint8_t *b = acpi->map(acpi->arg, pa, RSDP_V1_SIZE);

	if (!b || memcmp(b, "RSD PTR ", 8) != 0 || acpi_sum(b, RSDP_V1_SIZE) != 0)
		return false;
	memset(copy, 0, RSDP_V2_SIZE);
	memcpy(copy, b, RSDP_V1_SIZE);
	if (copy[RSDP_REVISION] < 2)
		return true;
	/*
	 * A wrong extended part leaves the ACPI 1.0 part, which has a checksum of its own: then the
	 * RSDT is used. Firmware with such an RSDP exists, and its tables are otherwise fine.
	 */
	b = acpi->map(acpi->arg, pa, RSDP_V2_SIZE);
	if (b) {
		uint32_t len = acpi_le32(b + RSDP_LENGTH);

		if (len >= RSDP_V2_SIZE && len <= RSDP_MAX) {
			b = acpi->map(acpi->arg, pa, len);
			if (b && acpi_sum(b, len) == 0) {
				memcpy(copy, b, RSDP_V2_SIZE);
				return true;
			}
		}
	}
	copy[RSDP_REVISION] = 0;
	return true;
}

static uint64_t rsdp_search(const struct acpi *acpi, uint64_t from, uint64_t size,
			    uint8_t copy[RSDP_V2_SIZE])
{
	for (uint64_t pa = from; pa < from + size; pa += SEARCH_CHUNK) {
		uint64_t n = from + size - pa < SEARCH_CHUNK ? from + size - pa : SEARCH_CHUNK;
		const uint8_t *b = acpi->map(acpi->arg, pa, (size_t)n);

		if (!b)
			continue;
		for (uint64_t off = 0; off + 8 <= n; off += RSDP_STEP) {
			if (memcmp(b + off, "RSD PTR ", 8) != 0)
				continue;
			if (rsdp_good(acpi, pa + off, copy))
				return pa + off;
			b = acpi->map(acpi->arg, pa, (size_t)n); /* rsdp_good() moved the window */
			if (!b)
				break;
		}
	}
	return 0;
}

static int root_use(struct acpi *acpi, uint64_t pa, bool xsdt)
{
	uint32_t len;

	if (!acpi_table(acpi, pa, xsdt ? "XSDT" : "RSDT", &len))
		return -EINVAL;
	uint32_t count = (len - ACPI_HEADER_SIZE) / (xsdt ? 8 : 4);
	acpi->root = pa;
	acpi->xsdt = xsdt;
	acpi->root_count = count < ACPI_ROOT_MAX ? count : ACPI_ROOT_MAX;
	return 0;
}

int acpi_init(struct acpi *acpi, acpi_map_fn *map, void *arg, uint64_t rsdp)
{
	uint8_t r[RSDP_V2_SIZE];
	const uint8_t *b;

	*acpi = (struct acpi){.map = map, .arg = arg};
	if (rsdp) {
		b = map(arg, rsdp, RSDP_V1_SIZE);
		if (!b)
			return -EFAULT;
		if (!rsdp_good(acpi, rsdp, r))
			return -EINVAL;
	} else {
		b = map(arg, EBDA_POINTER, 2);
		uint64_t ebda = b ? (uint64_t)acpi_le16(b) << 4 : 0;
		if (ebda)
			rsdp = rsdp_search(acpi, ebda, EBDA_SEARCH, r);
		if (!rsdp)
			rsdp = rsdp_search(acpi, BIOS_AREA, BIOS_AREA_SIZE, r);
		if (!rsdp)
			return -ENOENT;
	}
	acpi->rsdp = rsdp;
	acpi->revision = r[RSDP_REVISION];
	if (acpi->revision >= 2 && root_use(acpi, acpi_le64(r + RSDP_XSDT), true) == 0)
		return 0;
	return root_use(acpi, acpi_le32(r + RSDP_RSDT), false);
}

static int root_pointer(const struct acpi *acpi, unsigned n, uint64_t *pa)
{
	unsigned width = acpi->xsdt ? 8 : 4;
	const void *b =
	    acpi->map(acpi->arg, acpi->root + ACPI_HEADER_SIZE + (uint64_t)n * width, width);

	if (!b)
		return -EFAULT;
	*pa = acpi->xsdt ? acpi_le64(b) : acpi_le32(b);
	return 0;
}

int acpi_entry(const struct acpi *acpi, unsigned n, char signature[4], uint64_t *pa, uint32_t *len,
	       bool *good)
{
	if (n >= acpi->root_count)
		return -ENOENT;
	int r = root_pointer(acpi, n, pa);
	if (r)
		return r;
	if (*pa == 0 || *pa > UINT64_MAX - ACPI_TABLE_MAX)
		return -EFAULT;
	const uint8_t *b = acpi->map(acpi->arg, *pa, ACPI_HEADER_SIZE);
	if (!b)
		return -EFAULT;
	memcpy(signature, b, 4);
	*len = acpi_le32(b + 4);
	*good = acpi_table(acpi, *pa, NULL, NULL) != NULL;
	return 0;
}

/* True when an earlier root entry points to the same table: a table listed twice counts once. */
static bool listed_before(const struct acpi *acpi, unsigned n, uint64_t pa)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t other;

		if (root_pointer(acpi, i, &other) == 0 && other == pa)
			return true;
	}
	return false;
}

int acpi_find(const struct acpi *acpi, const char *signature, unsigned index, uint64_t *pa,
	      uint32_t *len)
{
	for (unsigned n = 0; n < acpi->root_count; n++) {
		uint64_t table;
		uint32_t size;

		if (root_pointer(acpi, n, &table) || !acpi_table(acpi, table, signature, &size) ||
		    listed_before(acpi, n, table))
			continue;
		if (index--)
			continue;
		if (pa)
			*pa = table;
		if (len)
			*len = size;
		return 0;
	}
	return -ENOENT;
}

int acpi_blank(void *table, size_t len)
{
	uint32_t n;

	if (!acpi_header_ok(table, len, NULL, &n))
		return -EINVAL;
	memcpy(table, "OEM0", 4);
	memset((uint8_t *)table + ACPI_HEADER_SIZE, 0, n - ACPI_HEADER_SIZE);
	acpi_fix_checksum(table, n);
	return 0;
}

int acpi_root_drop(void *root, size_t len, uint64_t pa)
{
	uint8_t *b = root;
	unsigned width = len >= ACPI_HEADER_SIZE && memcmp(b, "XSDT", 4) == 0 ? 8 : 4;
	uint32_t n, to = ACPI_HEADER_SIZE;
	int count = 0;

	if (!acpi_header_ok(root, len, width == 8 ? "XSDT" : "RSDT", &n))
		return -EINVAL;
	for (uint32_t from = ACPI_HEADER_SIZE; n - from >= width; from += width) {
		if ((width == 8 ? acpi_le64(b + from) : acpi_le32(b + from)) == pa) {
			count++;
			continue;
		}
		if (to != from)
			memcpy(b + to, b + from, width);
		to += width;
	}
	if (count == 0)
		return 0;
	memset(b + to, 0, n - to);
	for (unsigned i = 0; i < 4; i++)
		b[4 + i] = (uint8_t)(to >> (8 * i));
	acpi_fix_checksum(root, to);
	return count;
}
