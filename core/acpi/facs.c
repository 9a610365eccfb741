/* FACS: waking vectors for S3 (ACPI 6.5, section 5.2.10). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/facs.h"
#include "core/acpi/acpi.h"
#include "core/errno.h"
#include "core/string.h"

#define REAL_MODE_END UINT32_C(0x100000)

int facs_parse(const void *table, size_t len, struct facs *facs)
{
	const uint8_t *b = table;

	memset(facs, 0, sizeof *facs);
	if (len < FACS_MIN_LENGTH || memcmp(b, "FACS", 4) != 0)
		return -EINVAL;
	uint32_t n = acpi_le32(b + FACS_LENGTH);
	if (n < FACS_MIN_LENGTH || n > len)
		return -EINVAL;
	facs->length = n;
	facs->version = b[FACS_VERSION];
	facs->waking_vector = acpi_le32(b + FACS_WAKING_VECTOR);
	facs->flags = acpi_le32(b + FACS_FLAGS);
	facs->has_x = facs->version >= 1;
	if (facs->has_x)
		facs->x_waking_vector = acpi_le64(b + FACS_X_WAKING_VECTOR);
	if (facs->version >= 2)
		facs->ospm_flags = acpi_le32(b + FACS_OSPM_FLAGS);
	return 0;
}

int facs_set_waking_vector(void *table, size_t len, uint32_t vector)
{
	uint8_t *b = table;
	struct facs facs;
	int r = facs_parse(table, len, &facs);

	if (r)
		return r;
	if (vector >= REAL_MODE_END)
		return -ERANGE;
	if (facs.has_x)
		memset(b + FACS_X_WAKING_VECTOR, 0, 8);
	for (unsigned i = 0; i < 4; i++)
		b[FACS_WAKING_VECTOR + i] = (uint8_t)(vector >> (8 * i));
	return 0;
}
