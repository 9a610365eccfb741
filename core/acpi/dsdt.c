/* DSDT and SSDT: the \_Sx packages in AML, by byte search (ACPI 6.5, sections 7.4.2 and 20.2). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/dsdt.h"
#include "core/acpi/acpi.h"
#include "core/errno.h"
#include "core/string.h"

/* AML encoding, section 20.2. */
#define AML_ZERO    0x00
#define AML_ONE     0x01
#define AML_NAME    0x08
#define AML_BYTE    0x0a
#define AML_WORD    0x0b
#define AML_DWORD   0x0c
#define AML_QWORD   0x0e
#define AML_PACKAGE 0x12
#define AML_METHOD  0x14
#define AML_ROOT    0x5c
#define AML_ONES    0xff

#define NAME_LEN    4
#define SLP_TYP_MAX 7

/* PkgLength, section 20.2.4: bits 7:6 of the lead byte count the bytes that follow. The value
 * counts itself. At least one byte must be left. */
static bool pkg_length(const uint8_t *p, size_t left, size_t *bytes, size_t *length)
{
	size_t more = p[0] >> 6;
	if (more >= left || (more && (p[0] & 0x30)))
		return false;
	size_t v = more ? p[0] & 0x0f : p[0] & 0x3f;
	for (size_t i = 0; i < more; i++)
		v |= (size_t)p[1 + i] << (4 + 8 * i);
	*bytes = 1 + more;
	*length = v;
	return v > more && v <= left;
}

/* ComputationalData integer. Returns the bytes it takes, or 0. */
static size_t integer(const uint8_t *p, size_t left, uint64_t *value)
{
	if (left == 0)
		return 0;
	switch (p[0]) {
	case AML_ZERO:
	case AML_ONE:
		*value = p[0];
		return 1;
	case AML_ONES:
		*value = UINT64_MAX;
		return 1;
	case AML_BYTE:
		if (left < 2)
			return 0;
		*value = p[1];
		return 2;
	case AML_WORD:
		if (left < 3)
			return 0;
		*value = acpi_le16(p + 1);
		return 3;
	case AML_DWORD:
		if (left < 5)
			return 0;
		*value = acpi_le32(p + 1);
		return 5;
	case AML_QWORD:
		if (left < 9)
			return 0;
		*value = acpi_le64(p + 1);
		return 9;
	default:
		return 0;
	}
}

/* The package at p[0] (PackageOp): true when it is the value of an \_Sx name. */
static bool sleep_package(const uint8_t *p, size_t left, struct dsdt_sleep *out)
{
	size_t head, length;
	uint64_t v[2];

	if (left < 2 || p[0] != AML_PACKAGE || !pkg_length(p + 1, left - 1, &head, &length) ||
	    length <= head)
		return false;
	unsigned elements = p[1 + head];
	const uint8_t *e = p + 1 + head + 1;
	size_t rest = length - head - 1;
	size_t n = integer(e, rest, &v[0]);
	if (elements == 0 || n == 0)
		return false;
	if (elements == 1) {
		/* Old firmware packs both values into one integer, as the byte fields of a dword.
		 */
		v[1] = v[0] >> 8 & 0xff;
		v[0] &= 0xff;
	} else if (integer(e + n, rest - n, &v[1]) == 0) {
		return false;
	}
	if (out) {
		out->valid = v[0] <= SLP_TYP_MAX && v[1] <= SLP_TYP_MAX;
		out->slp_typ_a = (uint8_t)(v[0] & SLP_TYP_MAX);
		out->slp_typ_b = (uint8_t)(v[1] & SLP_TYP_MAX);
	}
	return true;
}

/*
 * Looks from offset `from` on for NameOp or MethodOp of \_S<state> and returns the offset of its
 * four name characters, or 0. The search is for bytes, not for terms: what precedes and follows the
 * name must fit, too.
 */
static size_t find_name(const uint8_t *b, size_t len, size_t from, unsigned state, bool methods,
			struct dsdt_sleep *out)
{
	const uint8_t name[NAME_LEN] = {'_', 'S', (uint8_t)('0' + state), '_'};

	for (size_t at = from; at + NAME_LEN < len; at++) {
		if (b[at] != '_' || memcmp(b + at, name, NAME_LEN) != 0)
			continue;
		size_t before = at;
		if (before > ACPI_HEADER_SIZE && b[before - 1] == AML_ROOT)
			before--;
		if (before > ACPI_HEADER_SIZE && b[before - 1] == AML_NAME &&
		    sleep_package(b + at + NAME_LEN, len - at - NAME_LEN, out))
			return at;
		/* MethodOp PkgLength NameString MethodFlags: the package must end inside, 0
		 * arguments. */
		for (size_t k = 1; methods && k <= 4 && before >= ACPI_HEADER_SIZE + 1 + k; k++) {
			size_t op = before - 1 - k, head, length;

			if (b[op] == AML_METHOD &&
			    pkg_length(b + op + 1, len - op - 1, &head, &length) && head == k &&
			    op + 1 + length > at + NAME_LEN && (b[at + NAME_LEN] & 7) == 0)
				return at;
		}
	}
	return 0;
}

int dsdt_find_sx(const void *table, size_t len, unsigned state)
{
	uint32_t n;

	if (!acpi_header_ok(table, len, NULL, &n) || state > 5)
		return -EINVAL;
	size_t at = find_name(table, n, ACPI_HEADER_SIZE, state, false, NULL);
	return at ? (int)at : -ENOENT;
}

int dsdt_sleep_type(const void *table, size_t len, unsigned state, struct dsdt_sleep *out)
{
	uint32_t n;

	*out = (struct dsdt_sleep){0};
	if (!acpi_header_ok(table, len, NULL, &n) || state > 5)
		return -EINVAL;
	return find_name(table, n, ACPI_HEADER_SIZE, state, false, out) ? 0 : -ENOENT;
}

int dsdt_hide_s3(void *table, size_t len)
{
	uint8_t *b = table;
	uint32_t n;
	int count = 0;

	if (!acpi_header_ok(table, len, NULL, &n))
		return -EINVAL;
	for (size_t at = ACPI_HEADER_SIZE; (at = find_name(b, n, at, 3, true, NULL)) != 0;) {
		/* The difference only: a table that was wrong before is not made to look right. */
		b[9] = (uint8_t)(b[9] + b[at + 3] - 'X');
		b[at + 3] = 'X';
		count++;
	}
	return count;
}
