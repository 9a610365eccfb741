/* Sleep states of the machine: S3 goes by way of the VMM, or is refused; the rest passes. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/sleep.h"
#include "core/acpi/dsdt.h"
#include "core/acpi/fadt.h"
#include "core/log.h"
#include "core/mm/vmmap.h"
#include "core/start.h"
#include "core/vm/gmem.h"
#include "core/vm/io.h"
#include "core/vm/suspend.h"
#include "core/x86/cpu.h"

static struct {
	uint16_t port;
	uint16_t s3_type; /* SLP_TYP of S3, shifted into place */
} pm1[2];                 /* PM1a and PM1b control */
static bool has_s3;
static const char *cannot; /* why the VMM could not come back; NULL: it could */
static uint8_t *writable_dsdt;
static uint32_t dsdt_bytes;

void sleep_cannot(const char *reason)
{
	if (!cannot)
		cannot = reason;
}

static void pm1_control(void *arg, const struct io_access *io, uint32_t *value)
{
	unsigned which = (uintptr_t)arg & 1;
	int shift = 8 * ((int)io->port - pm1[which].port);
	uint64_t bits = *value & ((UINT64_C(1) << 8 * io->size) - 1);

	/* as the register sees it: type and enable may come in a byte, or behind other registers */
	bits = shift >= 0 ? bits << shift : bits >> -shift;
	if (io->write && has_s3 && (bits & FADT_SLP_EN) &&
	    (bits & FADT_SLP_TYP_MASK) == pm1[which].s3_type) {
		const char *reason = cannot;

		/* firmware need not make the register answer again behind a sleep: q35 with SeaBIOS
		 */
		if (!reason && inw(pm1[which].port) == 0xffff)
			reason = "the register does not answer";
		if (!reason)
			reason = suspend_ask(io, *value);
		if (reason)
			log_printf("Suspend to RAM refused: %s\n", reason);
		return;
	}
	io_pass(io, value);
}

static void watch(const struct acpi_gas *reg, uintptr_t which)
{
	if (!reg->address)
		return;
	if (reg->space != ACPI_SPACE_IO) {
		sleep_cannot("PM1 control is not a port");
		return;
	}
	pm1[which].port = (uint16_t)reg->address;
	if (io_trap(pm1[which].port, 2, pm1_control, (void *)which) < 0)
		log_printf("Suspend to RAM cannot be refused: too many trapped ports\n");
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
	pm1[0].s3_type = (uint16_t)(s3.slp_typ_a << FADT_SLP_TYP_SHIFT);
	pm1[1].s3_type = (uint16_t)(s3.slp_typ_b << FADT_SLP_TYP_SHIFT);
	watch(&fadt.pm1a_cnt, 0);
	watch(&fadt.pm1b_cnt, 1);
	/* it would sleep at the guest's second write, and the guest runs until then */
	if (fadt.pm1b_cnt.address)
		sleep_cannot("the machine has two registers for it");
	const char *reason = suspend_init(&fadt);

	if (reason)
		sleep_cannot(reason);
	writable_dsdt = vmmap_device(fadt.dsdt, len);
	dsdt_bytes = len;
}

void sleep_hide(void)
{
	if (cannot && writable_dsdt && dsdt_hide_s3(writable_dsdt, dsdt_bytes) > 0)
		log_printf("Suspend to RAM is hidden from the guest: %s\n", cannot);
}
