/* IVRS: AMD-Vi remapping units and memory that must stay reachable (AMD I/O Virtualization
 * Technology specification 48882, chapter 5). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/ivrs.h"
#include "core/acpi/acpi.h"
#include "core/addr.h"
#include "core/errno.h"
#include "core/string.h"

#define IVRS_BLOCKS  48
#define BLOCK_HEADER 4
#define ADDRESS_END  (UINT64_C(1) << 52)
#define UNIT_SIZE    UINT64_C(0x4000)

/* Block types, section 5.2.1. */
enum block_type {
	IVHD_10 = 0x10,
	IVHD_11 = 0x11,
	IVHD_40 = 0x40,
	IVMD_ALL = 0x20,
	IVMD_SELECT = 0x21,
	IVMD_RANGE = 0x22,
};

#define IVHD_10_DEVICES 24
#define IVHD_11_DEVICES 40
#define IVMD_SIZE       32

/* Device entries, section 5.2.2.2. */
enum entry_type {
	ENTRY_PAD = 0,
	ENTRY_ALL = 1,
	ENTRY_SELECT = 2,
	ENTRY_RANGE_START = 3,
	ENTRY_RANGE_END = 4,
	ENTRY_ALIAS_SELECT = 66,
	ENTRY_ALIAS_RANGE = 67,
	ENTRY_EXT_SELECT = 70,
	ENTRY_EXT_RANGE = 71,
	ENTRY_SPECIAL = 72,
	ENTRY_ACPI_HID = 240,
};

#define SPECIAL_IOAPIC 1  /* variety of a special device; 2: HPET */
#define HID_UID_LENGTH 21 /* of an ACPI HID entry: offset of the length of what follows */

static uint32_t entry_length(const uint8_t *e, uint32_t left)
{
	if (e[0] == ENTRY_ACPI_HID)
		return left > HID_UID_LENGTH ? HID_UID_LENGTH + 1u + e[HID_UID_LENGTH] : UINT32_MAX;
	return UINT32_C(4) << (e[0] >> 6);
}

static int add_setting(struct ivrs *v, uint16_t segment, uint16_t first, uint16_t last,
		       uint8_t data)
{
	if (!data)
		return 0;
	if (v->setting_count == IVRS_MAX_SETTINGS)
		return -ENOSPC;
	v->setting[v->setting_count++] = (struct ivrs_setting){segment, first, last, data};
	return 0;
}

/* A range of devices that is open: its end comes with the next entry. */
struct range {
	bool open;
	uint16_t first;
	uint8_t data;
	bool has_alias;
	uint16_t alias;
};

static int parse_entry(struct ivrs *v, uint16_t segment, const uint8_t *e, struct range *r)
{
	uint16_t id = acpi_le16(e + 1);
	int err;

	if (e[0] == ENTRY_RANGE_END) {
		if (!r->open || id < r->first)
			return -EINVAL;
		r->open = false;
		err = add_setting(v, segment, r->first, id, r->data);
		return err || !r->has_alias ? err
					    : add_setting(v, segment, r->alias, r->alias, r->data);
	}
	if (r->open && e[0] != ENTRY_PAD)
		return -EINVAL;
	switch (e[0]) {
	case ENTRY_ALL:
		return add_setting(v, segment, 0, 0xffff, e[3]);
	case ENTRY_SELECT:
	case ENTRY_EXT_SELECT:
		return add_setting(v, segment, id, id, e[3]);
	case ENTRY_ALIAS_SELECT: /* its requests carry the other ID */
		err = add_setting(v, segment, id, id, e[3]);
		id = acpi_le16(e + 5);
		return err ? err : add_setting(v, segment, id, id, e[3]);
	case ENTRY_SPECIAL: /* an I/O APIC or an HPET sends as this device */
		id = acpi_le16(e + 5);
		v->has_ioapic |= e[7] == SPECIAL_IOAPIC;
		return add_setting(v, segment, id, id, e[3]);
	case ENTRY_ACPI_HID:
		return add_setting(v, segment, id, id, e[3]);
	case ENTRY_RANGE_START:
	case ENTRY_EXT_RANGE:
		*r = (struct range){.open = true, .first = id, .data = e[3]};
		return 0;
	case ENTRY_ALIAS_RANGE:
		*r = (struct range){.open = true,
				    .first = id,
				    .data = e[3],
				    .has_alias = true,
				    .alias = acpi_le16(e + 5)};
		return 0;
	default:
		return 0;
	}
}

static int add_unit(struct ivrs *v, const uint8_t *s, uint32_t len)
{
	uint32_t off = s[0] == IVHD_10 ? IVHD_10_DEVICES : IVHD_11_DEVICES;
	struct range range = {0};
	int err = 0;

	if (len < off)
		return -EINVAL;
	struct ivrs_unit u = {
	    .base = acpi_le64(s + 8),
	    .segment = acpi_le16(s + 16),
	    .device_id = acpi_le16(s + 4),
	    .capability = acpi_le16(s + 6),
	    .flags = s[1],
	    .type = s[0],
	};
	unsigned i = 0;

	if (u.base == 0 || u.base % UNIT_SIZE != 0 || u.base >= ADDRESS_END)
		return -EINVAL;
	while (i < v->unit_count && v->unit[i].base != u.base)
		i++;
	if (i == IVRS_MAX_UNITS)
		return -ENOSPC;
	if (i < v->unit_count &&
	    (v->unit[i].segment != u.segment || v->unit[i].device_id != u.device_id))
		return -EINVAL;
	if (i == v->unit_count || v->unit[i].type < u.type)
		v->unit[i] = u;
	if (i == v->unit_count)
		v->unit_count++;
	while (off < len && !err) {
		uint32_t n = entry_length(s + off, len - off);

		if (n > len - off)
			return -EINVAL;
		err = parse_entry(v, u.segment, s + off, &range);
		off += n;
	}
	return err ? err : range.open ? -EINVAL : 0;
}

static int add_region(struct ivrs *v, const uint8_t *s, uint32_t len)
{
	if (len < IVMD_SIZE)
		return -EINVAL;
	uint64_t base = acpi_le64(s + 16), size = acpi_le64(s + 24);

	if (size == 0 || base >= ADDRESS_END || size > ADDRESS_END - base) {
		v->regions_bad++;
		return 0;
	}
	if (v->region_count == IVRS_MAX_REGIONS)
		return -ENOSPC;
	v->region[v->region_count++] = (struct ivrs_region){
	    .base = align_down(base, PAGE_SIZE),
	    .end = align_up(base + size, PAGE_SIZE),
	};
	return 0;
}

int ivrs_parse(const void *table, size_t len, struct ivrs *ivrs)
{
	const uint8_t *b = table;
	uint32_t end;
	int err = 0;

	memset(ivrs, 0, sizeof(*ivrs));
	if (!acpi_header_ok(table, len, "IVRS", &end) || end < IVRS_BLOCKS)
		return -EINVAL;
	for (uint32_t off = IVRS_BLOCKS; off < end && !err;) {
		const uint8_t *s = b + off;
		uint32_t size = end - off < BLOCK_HEADER ? 0 : acpi_le16(s + 2);

		if (size < BLOCK_HEADER || size > end - off)
			return -EINVAL;
		switch (s[0]) {
		case IVHD_10:
		case IVHD_11:
		case IVHD_40:
			err = add_unit(ivrs, s, size);
			break;
		case IVMD_ALL:
		case IVMD_SELECT:
		case IVMD_RANGE:
			err = add_region(ivrs, s, size);
			break;
		default:
			break;
		}
		off += size;
	}
	if (err)
		return err;
	return ivrs->unit_count ? 0 : -ENOENT;
}
