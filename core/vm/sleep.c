/* Sleep states of the machine: S3 is refused for now, the rest passes. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/sleep.h"
#include "core/acpi/dsdt.h"
#include "core/acpi/fadt.h"
#include "core/log.h"
#include "core/mm/vmmap.h"
#include "core/start.h"
#include "core/vm/gmem.h"
#include "core/vm/io.h"

static uint16_t s3_type[2]; /* SLP_TYP of S3 in PM1a and PM1b control, shifted into place */
static bool has_s3;
static uint8_t *writable_dsdt;
static uint32_t dsdt_bytes;

static void pm1_control(void *arg, const struct io_access *io, uint32_t *value)
{
	uint16_t type = s3_type[(uintptr_t)arg];

	if (io->write && io->size >= 2 && has_s3 && (*value & FADT_SLP_EN) &&
	    (*value & FADT_SLP_TYP_MASK) == type) {
		log_printf("Suspend to RAM refused: not supported yet\n");
		return;
	}
	io_pass(io, value);
}

static void watch(const struct acpi_gas *reg, uintptr_t which)
{
	if (reg->address && reg->space == ACPI_SPACE_IO)
		io_trap((uint16_t)reg->address, 2, pm1_control, (void *)which);
}

void sleep_init(void)
{
	struct fadt fadt;
	struct dsdt_sleep s3;
	uint64_t pa;
	uint32_t len;

	if (!start_acpi() || acpi_find(start_acpi(), "FACP", 0, &pa, &len) != 0)
		return;
	const void *table = acpi_table(start_acpi(), pa, "FACP", &len);

	if (!table || fadt_parse(table, len, &fadt) != 0)
		return;
	const void *dsdt = acpi_table(start_acpi(), fadt.dsdt, "DSDT", &len);

	if (!dsdt || dsdt_sleep_type(dsdt, len, 3, &s3) != 0)
		return; /* no S3 on this machine */
	has_s3 = true;
	s3_type[0] = (uint16_t)(s3.slp_typ_a << FADT_SLP_TYP_SHIFT);
	s3_type[1] = (uint16_t)(s3.slp_typ_b << FADT_SLP_TYP_SHIFT);
	watch(&fadt.pm1a_cnt, 0);
	watch(&fadt.pm1b_cnt, 1);
	writable_dsdt = vmmap_device(fadt.dsdt, len);
	dsdt_bytes = len;
}

void sleep_hide(void)
{
	if (writable_dsdt && dsdt_hide_s3(writable_dsdt, dsdt_bytes) > 0)
		log_printf("Suspend to RAM is hidden from the guest\n");
}
