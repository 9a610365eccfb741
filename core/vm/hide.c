/* ACPI tables that the guest must not find. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/hide.h"
#include "core/log.h"
#include "core/mm/vmmap.h"
#include "core/start.h"
#include "core/string.h"

#define HIDE_MAX  4
#define ROOT_MAX  2 /* RSDT and XSDT */
#define RSDP_SIZE 36

static struct hidden {
	uint64_t pa;
	uint32_t length;
	uint8_t *table; /* where it can be written */
} hidden[HIDE_MAX];
static unsigned hidden_count;

static struct {
	uint32_t length;
	uint8_t *table;
} roots[ROOT_MAX];
static unsigned root_count;

static void open_root(uint64_t pa, const char *signature)
{
	uint32_t len;

	if (pa && acpi_table(start_acpi(), pa, signature, &len) &&
	    (roots[root_count].table = vmmap_device(pa, len)) != NULL)
		roots[root_count++].length = len;
}

/* Both roots, whichever of them the VMM itself uses. */
static void open_roots(void)
{
	const uint8_t *r = vmmap_firmware(start_acpi()->rsdp, RSDP_SIZE);
	/* of ACPI 1.0 only the first part is there, and the rest means nothing */
	bool has_xsdt = r && start_acpi()->revision >= 2;

	if (r && !root_count) {
		open_root(acpi_le32(r + 16), "RSDT");
		if (has_xsdt)
			open_root(acpi_le64(r + 24), "XSDT");
	}
}

static void remember(uint64_t pa, uint32_t len)
{
	for (unsigned i = 0; i < hidden_count; i++) {
		if (hidden[i].pa == pa)
			return;
	}
	if (hidden_count == HIDE_MAX)
		return;
	struct hidden *h = &hidden[hidden_count];

	*h = (struct hidden){pa, len, vmmap_device(pa, len)};
	if (h->table)
		hidden_count++;
}

void hide_table(const char signature[4])
{
	char name[5] = "";
	uint64_t pa;
	uint32_t len;

	if (!start_acpi())
		return;
	memcpy(name, signature, 4);
	open_roots();
	for (unsigned n = 0; acpi_find(start_acpi(), name, n, &pa, &len) == 0; n++)
		remember(pa, len);
	for (unsigned i = 0; i < root_count; i++) { /* the other root may have copies */
		unsigned width = roots[i].table[0] == 'X' ? 8 : 4;

		for (uint32_t at = ACPI_HEADER_SIZE; at + width <= roots[i].length; at += width) {
			pa = width == 8 ? acpi_le64(roots[i].table + at)
					: acpi_le32(roots[i].table + at);
			if (pa && acpi_table(start_acpi(), pa, name, &len))
				remember(pa, len);
		}
	}
}

void hide_apply(void)
{
	for (unsigned i = 0; i < hidden_count; i++) {
		char name[5] = "";

		memcpy(name, hidden[i].table, 4);
		acpi_blank(hidden[i].table, hidden[i].length);
		/*
		 * UEFI firmware appends to its XSDT until the system takes over, at an index that
		 * it counts by itself: an entry must not go. What it leads to has no meaning.
		 */
		for (unsigned k = 0; start_boot_info()->firmware == BOOT_BIOS && k < root_count;
		     k++)
			acpi_root_drop(roots[k].table, roots[k].length, hidden[i].pa);
		log_printf("ACPI table %s is hidden from the guest\n", name);
	}
}
