/* DMAR: VT-d remapping units and reserved memory (Intel VT-d specification 4.1, chapter 8). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/dmar.h"
#include "core/acpi/acpi.h"
#include "core/addr.h"
#include "core/errno.h"
#include "core/string.h"

/* Section 8.1. */
#define DMAR_WIDTH      36
#define DMAR_FLAGS      37
#define DMAR_STRUCTURES 48
#define FLAG_INTR_REMAP 1u
#define FLAG_OPT_IN     4u

enum structure_type { TYPE_DRHD = 0, TYPE_RMRR = 1 };

#define STRUCTURE_HEADER 4
#define DRHD_SCOPES      16
#define DRHD_ALL         1u
#define DRHD_SIZE_BITS   0xfu
#define RMRR_SCOPES      24
#define SCOPE_HEADER     6
#define ADDRESS_END      (UINT64_C(1) << 52)

/* Device scope entries (section 8.3.1) must fill the rest of their structure. */
static bool scopes_good(const uint8_t *s, uint32_t from, uint32_t len)
{
	while (from < len) {
		if (len - from < SCOPE_HEADER || s[from + 1] < SCOPE_HEADER ||
		    s[from + 1] > len - from)
			return false;
		from += s[from + 1];
	}
	return true;
}

static int add_unit(struct dmar *d, const uint8_t *s, uint32_t len)
{
	if (len < DRHD_SCOPES || !scopes_good(s, DRHD_SCOPES, len))
		return -EINVAL;
	struct dmar_unit u = {
	    .base = acpi_le64(s + 8),
	    .size = PAGE_SIZE << (s[5] & DRHD_SIZE_BITS),
	    .segment = acpi_le16(s + 6),
	    .include_all = s[4] & DRHD_ALL,
	};

	if (u.base == 0 || u.base % PAGE_SIZE != 0 || u.base >= ADDRESS_END ||
	    u.size > ADDRESS_END - u.base)
		return -EINVAL;
	for (unsigned i = 0; i < d->unit_count; i++) {
		if (d->unit[i].base < u.base + u.size && u.base < d->unit[i].base + d->unit[i].size)
			return -EINVAL;
	}
	if (d->unit_count == DMAR_MAX_UNITS)
		return -ENOSPC;
	d->unit[d->unit_count++] = u;
	return 0;
}

static int add_region(struct dmar *d, const uint8_t *s, uint32_t len)
{
	if (len < RMRR_SCOPES || !scopes_good(s, RMRR_SCOPES, len))
		return -EINVAL;
	uint64_t base = acpi_le64(s + 8), limit = acpi_le64(s + 16);

	/* Firmware that disables a device may leave an empty region behind. */
	if (limit <= base || limit >= ADDRESS_END) {
		d->regions_bad++;
		return 0;
	}
	if (d->region_count == DMAR_MAX_REGIONS)
		return -ENOSPC;
	d->region[d->region_count++] = (struct dmar_region){
	    .base = align_down(base, PAGE_SIZE),
	    .end = align_up(limit + 1, PAGE_SIZE),
	    .segment = acpi_le16(s + 6),
	};
	return 0;
}

int dmar_parse(const void *table, size_t len, struct dmar *dmar)
{
	const uint8_t *b = table;
	uint32_t end;
	int err = 0;

	memset(dmar, 0, sizeof(*dmar));
	if (!acpi_header_ok(table, len, "DMAR", &end) || end < DMAR_STRUCTURES ||
	    b[DMAR_WIDTH] > 63)
		return -EINVAL;
	dmar->address_bits = (uint8_t)(b[DMAR_WIDTH] + 1);
	dmar->interrupt_remap = b[DMAR_FLAGS] & FLAG_INTR_REMAP;
	dmar->opt_in = b[DMAR_FLAGS] & FLAG_OPT_IN;
	for (uint32_t off = DMAR_STRUCTURES; off < end && !err;) {
		const uint8_t *s = b + off;
		uint32_t size = end - off < STRUCTURE_HEADER ? 0 : acpi_le16(s + 2);

		if (size < STRUCTURE_HEADER || size > end - off)
			return -EINVAL;
		if (acpi_le16(s) == TYPE_DRHD)
			err = add_unit(dmar, s, size);
		else if (acpi_le16(s) == TYPE_RMRR)
			err = add_region(dmar, s, size);
		off += size;
	}
	if (err)
		return err;
	return dmar->unit_count ? 0 : -ENOENT;
}
