/* FADT ("FACP"): fixed hardware registers, reset, addresses of FACS and DSDT (ACPI 6.5,
 * section 5.2.9). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/fadt.h"
#include "core/errno.h"
#include "core/string.h"

/* Offsets, table 5.9. */
#define FIRMWARE_CTRL     36
#define DSDT              40
#define SCI_INT           46
#define SMI_CMD           48
#define ACPI_ENABLE       52
#define ACPI_DISABLE      53
#define S4BIOS_REQ        54
#define PM1A_EVT_BLK      56
#define PM1B_EVT_BLK      60
#define PM1A_CNT_BLK      64
#define PM1B_CNT_BLK      68
#define PM_TMR_BLK        76
#define PM1_EVT_LEN       88
#define PM1_CNT_LEN       89
#define PM_TMR_LEN        91
#define FLAGS             112
#define RESET_REG         116
#define RESET_VALUE       128
#define X_FIRMWARE_CTRL   132
#define X_DSDT            140
#define X_PM1A_EVT_BLK    148
#define X_PM1B_EVT_BLK    160
#define X_PM1A_CNT_BLK    172
#define X_PM1B_CNT_BLK    184
#define X_PM_TMR_BLK      208
#define SLEEP_CONTROL_REG 244
#define SLEEP_STATUS_REG  256
#define FADT_FULL         268
#define FADT_MIN          116 /* ACPI 1.0 */

#define PM_TIMER_LEN 4

/* Register block: the X_ form when it is there, else `len` bytes of I/O space at the port of the
 * old form. */
static struct acpi_gas block(const uint8_t *f, unsigned old, unsigned x, uint8_t len)
{
	struct acpi_gas gas = acpi_gas_read(f + x);
	uint32_t port = acpi_le32(f + old);

	if (gas.address)
		return gas;
	if (!port || !len)
		return (struct acpi_gas){0};
	return (struct acpi_gas){
	    .space = ACPI_SPACE_IO,
	    .bit_width = (uint8_t)(len < 32 ? len * 8 : 255),
	    .address = port,
	};
}

int fadt_parse(const void *table, size_t len, struct fadt *fadt)
{
	uint8_t f[FADT_FULL] = {0};
	uint32_t n;

	memset(fadt, 0, sizeof *fadt);
	if (!acpi_header_ok(table, len, "FACP", &n) || n < FADT_MIN)
		return -EINVAL;
	/* A copy filled up with zeros: absent fields then read as absent. */
	memcpy(f, table, n < FADT_FULL ? n : FADT_FULL);

	fadt->length = n;
	fadt->revision = f[8];
	fadt->flags = acpi_le32(f + FLAGS);
	fadt->facs = acpi_le64(f + X_FIRMWARE_CTRL);
	fadt->facs_32 = acpi_le32(f + FIRMWARE_CTRL);
	if (!fadt->facs)
		fadt->facs = fadt->facs_32;
	fadt->dsdt = acpi_le64(f + X_DSDT);
	if (!fadt->dsdt)
		fadt->dsdt = acpi_le32(f + DSDT);
	fadt->sci_int = acpi_le16(f + SCI_INT);
	fadt->smi_cmd = acpi_le32(f + SMI_CMD);
	fadt->acpi_enable = f[ACPI_ENABLE];
	fadt->acpi_disable = f[ACPI_DISABLE];
	fadt->s4bios_req = f[S4BIOS_REQ];
	fadt->pm1_evt_len = f[PM1_EVT_LEN];
	fadt->pm1_cnt_len = f[PM1_CNT_LEN];
	fadt->pm_tmr_len = f[PM_TMR_LEN];
	fadt->pm1a_evt = block(f, PM1A_EVT_BLK, X_PM1A_EVT_BLK, fadt->pm1_evt_len);
	fadt->pm1b_evt = block(f, PM1B_EVT_BLK, X_PM1B_EVT_BLK, fadt->pm1_evt_len);
	fadt->pm1a_cnt = block(f, PM1A_CNT_BLK, X_PM1A_CNT_BLK, fadt->pm1_cnt_len);
	fadt->pm1b_cnt = block(f, PM1B_CNT_BLK, X_PM1B_CNT_BLK, fadt->pm1_cnt_len);
	/* PM_TMR_LEN is 4 when the timer is there, else 0 (section 5.2.9); the X_ form does not
	 * override that. */
	if (fadt->pm_tmr_len == PM_TIMER_LEN)
		fadt->pm_tmr = block(f, PM_TMR_BLK, X_PM_TMR_BLK, PM_TIMER_LEN);
	if (fadt->pm_tmr.address)
		fadt->pm_tmr_bits = fadt->flags & FADT_FLAG_TMR_VAL_EXT ? 32 : 24;
	fadt->reset = acpi_gas_read(f + RESET_REG);
	fadt->reset_value = f[RESET_VALUE];
	/* Section 4.8.3.6: an 8-bit register in memory, I/O or PCI configuration space. */
	fadt->has_reset = n > RESET_VALUE && (fadt->flags & FADT_FLAG_RESET_REG_SUP) &&
			  fadt->reset.address && fadt->reset.space <= ACPI_SPACE_PCI_CONFIG;
	fadt->sleep_control = acpi_gas_read(f + SLEEP_CONTROL_REG);
	fadt->sleep_status = acpi_gas_read(f + SLEEP_STATUS_REG);
	return 0;
}
