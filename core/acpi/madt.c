/* MADT ("APIC"): processors, I/O APICs and NMI wiring (ACPI 6.5, section 5.2.12). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/madt.h"
#include "core/acpi/acpi.h"
#include "core/errno.h"
#include "core/string.h"

#define MADT_LAPIC_ADDRESS 36
#define MADT_FLAGS         40
#define MADT_ENTRIES       44
#define MADT_PCAT_COMPAT   1u

/* Local APIC flags, table 5.23. */
#define CPU_ENABLED        1u
#define CPU_ONLINE_CAPABLE 2u

#define XAPIC_BROADCAST  0xffu
#define X2APIC_BROADCAST UINT32_C(0xffffffff)
#define XAPIC_UID_ALL    0xffu

enum entry_type {
	ENTRY_LAPIC = 0,
	ENTRY_IOAPIC = 1,
	ENTRY_NMI_SOURCE = 3,
	ENTRY_LAPIC_NMI = 4,
	ENTRY_ADDRESS_OVERRIDE = 5,
	ENTRY_X2APIC = 9,
	ENTRY_X2APIC_NMI = 10,
};

static void add_cpu(struct madt *m, uint32_t apic_id, uint32_t uid, uint32_t flags, bool x2apic)
{
	/* With "enabled" set, "online capable" is reserved and means nothing. */
	bool enabled = flags & CPU_ENABLED;
	bool capable = !enabled && (flags & CPU_ONLINE_CAPABLE);

	if (!enabled && !capable)
		return;
	/* Firmware may list a processor both ways; the APIC id is what it is known by. */
	for (unsigned i = 0; i < m->cpu_count; i++) {
		struct madt_cpu *c = &m->cpu[i];

		if (c->apic_id != apic_id)
			continue;
		if (enabled && !c->enabled) {
			c->enabled = true;
			c->online_capable = false;
			m->cpus_enabled++;
		}
		return;
	}
	if (m->cpu_count == MADT_MAX_CPUS) {
		m->cpus_left_out++;
		return;
	}
	m->cpu[m->cpu_count++] = (struct madt_cpu){
	    .apic_id = apic_id,
	    .uid = uid,
	    .enabled = enabled,
	    .online_capable = capable,
	    .x2apic = x2apic,
	};
	m->cpus_enabled += enabled;
}

static void add_nmi(struct madt *m, struct madt_nmi nmi)
{
	if (m->nmi_count < MADT_MAX_NMIS)
		m->nmi[m->nmi_count++] = nmi;
}

static void parse_entry(struct madt *m, const uint8_t *e, uint8_t len)
{
	switch (e[0]) {
	case ENTRY_LAPIC: /* table 5.22 */
		if (len >= 8 && e[3] != XAPIC_BROADCAST)
			add_cpu(m, e[3], e[2], acpi_le32(e + 4), false);
		break;
	case ENTRY_X2APIC: /* table 5.34 */
		if (len >= 16 && acpi_le32(e + 4) != X2APIC_BROADCAST)
			add_cpu(m, acpi_le32(e + 4), acpi_le32(e + 12), acpi_le32(e + 8), true);
		break;
	case ENTRY_IOAPIC: /* table 5.24 */
		if (len >= 12 && m->ioapic_count < MADT_MAX_IOAPICS)
			m->ioapic[m->ioapic_count++] = (struct madt_ioapic){
			    .id = e[2],
			    .address = acpi_le32(e + 4),
			    .gsi_base = acpi_le32(e + 8),
			};
		break;
	case ENTRY_NMI_SOURCE: /* table 5.27 */
		if (len >= 8)
			add_nmi(m, (struct madt_nmi){.flags = acpi_le16(e + 2),
						     .gsi = acpi_le32(e + 4)});
		break;
	case ENTRY_LAPIC_NMI: /* table 5.28 */
		if (len >= 6)
			add_nmi(m, (struct madt_nmi){
				       .local = true,
				       .uid = e[2] == XAPIC_UID_ALL ? MADT_UID_ALL : e[2],
				       .flags = acpi_le16(e + 3),
				       .lint = e[5],
				   });
		break;
	case ENTRY_X2APIC_NMI: /* table 5.35 */
		if (len >= 12)
			add_nmi(m, (struct madt_nmi){.local = true,
						     .flags = acpi_le16(e + 2),
						     .uid = acpi_le32(e + 4),
						     .lint = e[8]});
		break;
	case ENTRY_ADDRESS_OVERRIDE: /* table 5.29 */
		if (len >= 12) {
			m->lapic_address = acpi_le64(e + 4);
			m->override = true;
		}
		break;
	default:
		break;
	}
}

int madt_parse(const void *table, size_t len, struct madt *madt)
{
	const uint8_t *b = table;
	uint32_t end;

	memset(madt, 0, sizeof *madt);
	if (!acpi_header_ok(table, len, "APIC", &end) || end < MADT_ENTRIES)
		return -EINVAL;
	madt->lapic_address = acpi_le32(b + MADT_LAPIC_ADDRESS);
	madt->pcat_compat = acpi_le32(b + MADT_FLAGS) & MADT_PCAT_COMPAT;
	for (uint32_t off = MADT_ENTRIES; end - off >= 2;) {
		uint8_t entry_len = b[off + 1];

		if (entry_len < 2 || entry_len > end - off)
			break;
		parse_entry(madt, b + off, entry_len);
		off += entry_len;
	}
	return 0;
}
