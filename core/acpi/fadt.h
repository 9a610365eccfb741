/* FADT ("FACP"): fixed hardware registers, reset, addresses of FACS and DSDT (ACPI 6.5,
 * section 5.2.9). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/acpi/acpi.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fixed feature flags, table 5.10 (the ones with a meaning here). */
#define FADT_FLAG_TMR_VAL_EXT   UINT32_C(0x00000100) /* PM timer has 32 bits, else 24 */
#define FADT_FLAG_RESET_REG_SUP UINT32_C(0x00000400)
#define FADT_FLAG_HW_REDUCED    UINT32_C(0x00100000)
#define FADT_FLAG_LOW_POWER_S0  UINT32_C(0x00200000)
#define FADT_SLP_TYP_SHIFT      10 /* PM1 control: SLP_TYPx in bits 12:10, table 4.13 */
#define FADT_SLP_TYP_MASK       UINT32_C(0x1c00)
#define FADT_SLP_EN             UINT32_C(0x2000)

struct fadt {
	uint32_t length; /* of the table, bytes */
	uint8_t revision;
	uint32_t flags;   /* FADT_FLAG_*; 0 bits beyond what the table's length holds */
	uint64_t facs;    /* physical addresses; 0: none. The X_ form wins when it is not 0 */
	uint64_t facs_32; /* the other form, which systems may prefer */
	uint64_t dsdt;
	uint16_t sci_int;
	uint32_t smi_cmd; /* I/O port; 0: none */
	uint8_t acpi_enable, acpi_disable, s4bios_req;
	uint8_t pm1_evt_len, pm1_cnt_len, pm_tmr_len; /* bytes */
	/* Address 0: not there. The X_ form wins when its address is not 0; else the I/O port of
	 * the old form. */
	struct acpi_gas pm1a_evt, pm1b_evt;
	struct acpi_gas pm1a_cnt, pm1b_cnt;
	struct acpi_gas pm_tmr;
	uint8_t pm_tmr_bits; /* 24 or 32; 0: no PM timer */
	bool has_reset;      /* flag set and a register that can be used */
	struct acpi_gas reset;
	uint8_t reset_value;
	struct acpi_gas sleep_control, sleep_status; /* hardware-reduced ACPI */
};

/*
 * Parses a table of `len` readable bytes; fields beyond the table's own length read as 0 (ACPI 1.0
 * has 116 bytes). Returns 0, or -EINVAL when the header is damaged or the table is shorter than 116
 * bytes.
 */
int fadt_parse(const void *table, size_t len, struct fadt *fadt);
