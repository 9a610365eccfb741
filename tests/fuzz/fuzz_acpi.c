/* Fuzzer of the ACPI parsers: the input is physical memory from 0 on, and each table by itself. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/acpi.h"
#include "core/acpi/dmar.h"
#include "core/acpi/dsdt.h"
#include "core/acpi/facs.h"
#include "core/acpi/fadt.h"
#include "core/acpi/hpet.h"
#include "core/acpi/ivrs.h"
#include "core/acpi/madt.h"
#include "core/acpi/mcfg.h"
#include <stdlib.h>
#include <string.h>

struct memory {
	const uint8_t *data;
	size_t size;
	void *window; /* of exact size, dead at the next call */
};

/* The tables of the input with right checksums: else the fuzzer would hardly get past the first. */
static const void *map(void *arg, uint64_t pa, size_t len)
{
	struct memory *m = arg;

	free(m->window);
	m->window = NULL;
	if (len == 0)
		abort();
	if (pa >= m->size || len > m->size - pa)
		return NULL;
	uint8_t *b = m->window = malloc(len);
	memcpy(b, m->data + pa, len);
	if (len >= 20 && memcmp(b, "RSD PTR ", 8) == 0) {
		b[8] = (uint8_t)(b[8] - acpi_sum(b, 20));
		if (len >= 36)
			b[32] = (uint8_t)(b[32] - acpi_sum(b, len));
	} else if (len > ACPI_HEADER_SIZE || (len == ACPI_HEADER_SIZE && acpi_le32(b + 4) == len)) {
		acpi_fix_checksum(b, len);
	}
	return b;
}

/* What is promised of units and regions, for the code that maps and traps them. */
static void parse_remapping(const uint8_t *data, size_t size)
{
	static struct dmar dmar;
	static struct ivrs ivrs;

	if (dmar_parse(data, size, &dmar) == 0) {
		if (dmar.unit_count == 0 || dmar.address_bits == 0 || dmar.address_bits > 64)
			abort();
		for (unsigned i = 0; i < dmar.unit_count; i++)
			if (dmar.unit[i].base == 0 || dmar.unit[i].base % 4096 ||
			    (dmar.unit[i].base + dmar.unit[i].size) >> 52 > 1)
				abort();
		for (unsigned i = 0; i < dmar.region_count; i++)
			if (dmar.region[i].base >= dmar.region[i].end ||
			    (dmar.region[i].base | dmar.region[i].end) % 4096)
				abort();
	}
	if (ivrs_parse(data, size, &ivrs) == 0) {
		if (ivrs.unit_count == 0)
			abort();
		for (unsigned i = 0; i < ivrs.unit_count; i++)
			if (ivrs.unit[i].base == 0 || ivrs.unit[i].base % 0x4000)
				abort();
		for (unsigned i = 0; i < ivrs.region_count; i++)
			if (ivrs.region[i].base >= ivrs.region[i].end ||
			    (ivrs.region[i].base | ivrs.region[i].end) % 4096)
				abort();
		for (unsigned i = 0; i < ivrs.setting_count; i++)
			if (ivrs.setting[i].first > ivrs.setting[i].last || !ivrs.setting[i].data)
				abort();
	}
}

/* A table that was hidden, or left a root, is right and found no more. */
static void hide(const uint8_t *data, size_t size)
{
	uint32_t before, after;
	uint8_t *copy = malloc(size);

	memcpy(copy, data, size);
	if (acpi_blank(copy, size) == 0 &&
	    (acpi_sum(copy, acpi_le32(copy + 4)) != 0 || memcmp(copy, data, 4) == 0) &&
	    memcmp(data, "OEM0", 4) != 0)
		abort();
	memcpy(copy, data, size);
	uint64_t pa = size >= 60 ? acpi_le32(data + 44) : 1;
	int count = acpi_root_drop(copy, size, pa);

	if (count > 0) {
		unsigned width = copy[0] == 'X' ? 8 : 4;

		if (!acpi_header_ok(data, size, NULL, &before) ||
		    !acpi_header_ok(copy, size, NULL, &after) || acpi_sum(copy, after) != 0 ||
		    (before - ACPI_HEADER_SIZE) / width !=
			(after - ACPI_HEADER_SIZE) / width + (unsigned)count ||
		    acpi_root_drop(copy, size, pa) != 0)
			abort();
	}
	free(copy);
}

static void parse(const uint8_t *data, size_t size)
{
	static struct madt madt;
	struct fadt fadt;
	struct facs facs;
	struct hpet hpet;
	struct mcfg_segment seg;
	struct dsdt_sleep sleep;

	madt_parse(data, size, &madt);
	if (madt.cpu_count > MADT_MAX_CPUS || madt.cpus_enabled > madt.cpu_count)
		abort();
	fadt_parse(data, size, &fadt);
	facs_parse(data, size, &facs);
	hpet_parse(data, size, &hpet);
	for (unsigned i = 0; i < 4; i++)
		if (mcfg_get(data, size, i, &seg) == 0 &&
		    mcfg_window_base(&seg) + mcfg_window_size(&seg) < mcfg_window_base(&seg))
			abort();
	for (unsigned i = 0; i <= 5; i++)
		dsdt_sleep_type(data, size, i, &sleep);

	uint8_t *copy = malloc(size);
	memcpy(copy, data, size);
	if (dsdt_hide_s3(copy, size) > 0) {
		uint32_t len;

		if (!acpi_header_ok(copy, size, NULL, &len) ||
		    acpi_sum(copy, len) != acpi_sum(data, len) || dsdt_find_sx(copy, size, 3) >= 0)
			abort();
	}
	memcpy(copy, data, size);
	facs_set_waking_vector(copy, size, 0x9a000);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory m = {.data = data, .size = size};
	struct acpi acpi;
	static const char sigs[][5] = {"APIC", "FACP", "HPET", "MCFG", "XSDT", "DMAR", "IVRS"};

	if (size == 0)
		return 0;
	parse(data, size);
	parse_remapping(data, size);
	hide(data, size);
	if (acpi_init(&acpi, map, &m, size > 64 ? acpi_le16(data) % (uint32_t)size | 1 : 0) == 0 ||
	    acpi_init(&acpi, map, &m, 0) == 0) {
		char sig[4];
		uint64_t pa;
		uint32_t len;
		bool good;

		for (size_t i = 0; i < sizeof sigs / sizeof sigs[0]; i++)
			if (acpi_find(&acpi, sigs[i], i % 2, &pa, &len) == 0 &&
			    (pa >= size || len > size - pa))
				abort();
		for (unsigned n = 0; n < 8; n++)
			acpi_entry(&acpi, n, sig, &pa, &len, &good);
	}
	free(m.window);
	return 0;
}
