/* DMA remapping: finds the machine's units, and keeps devices out of the VMM's memory. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/iommu/iommu.h"
#include "core/acpi/mcfg.h"
#include "core/errno.h"
#include "core/initcall.h"
#include "core/log.h"
#include "core/mm/pages.h"
#include "core/start.h"
#include "core/string.h"
#include "core/vm/dma.h"
#include "core/vm/hide.h"
#include "core/vm/mmio.h"
#include "core/x86/apic.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"

#define TABLES_MAX 2048u /* pages: 8 MiB */
#define UNITS_MAX  64

/* Messages of devices in this range are interrupts; it must not be mapped (VT-d 4.1, 3.14). */
#define INTERRUPTS     UINT64_C(0xfee00000)
#define INTERRUPTS_END UINT64_C(0xfef00000)
/* HyperTransport: special cycles, no memory (48882, section 2.1.4). */
#define HT_SPECIAL     UINT64_C(0xfd00000000)
#define HT_SPECIAL_END UINT64_C(0x10000000000)

static const struct iommu_driver *const drivers[] = {&iommu_vtd, &iommu_amdvi};
static const struct iommu_driver *driver;

static struct {
	uint64_t base, size;
	const struct mmio_ops *ops;
	void *arg;
} registers[UNITS_MAX];
static unsigned register_count;

int iommu_registers(uint64_t base, uint64_t size, const struct mmio_ops *ops, void *arg)
{
	if (register_count == UNITS_MAX)
		return -ENOSPC;
	registers[register_count].base = base;
	registers[register_count].ops = ops;
	registers[register_count].arg = arg;
	registers[register_count++].size = size;
	return 0;
}

int iommu_wait64(const volatile uint8_t *unit, uint32_t offset, uint64_t mask, uint64_t value)
{
	uint64_t start = clock_us();

	while ((iommu_read64(unit, offset) & mask) != value) {
		if (clock_us() - start > IOMMU_TIMEOUT_US)
			return -ETIMEDOUT;
		cpu_pause();
	}
	return 0;
}

int iommu_unusable(uint64_t base, const char *why)
{
	dma_cannot("the unit at %#lx %s", base, why);
	return -ENODEV;
}

void iommu_write_back(const volatile void *p, size_t size)
{
	uintptr_t end = (uintptr_t)p + size;

	for (uintptr_t a = (uintptr_t)p & ~(uintptr_t)63; a < end; a += 64)
		__asm__ volatile("clflush (%0)" : : "r"(a) : "memory");
	__asm__ volatile("mfence" : : : "memory");
}

uint32_t iommu_nmi_address(void)
{
	uint32_t id = cpus[0]->apic_id;

	/* destinations beyond 8 bits want interrupt remapping, which stays off */
	return id < 0xff ? APIC_DEFAULT_BASE | id << 12 : 0;
}

void iommu_log_fault(const char *name, uint64_t base, uint16_t segment, const struct iommu_fault *f)
{
	static struct iommu_fault_rate rate; /* the boot CPU's own */
	char text[80];

	if (!iommu_fault_may_log(&rate, clock_us()))
		return;
	iommu_fault_text(f, segment, text, sizeof(text));
	if (rate.silent)
		log_printf("%s at %#lx: %s; %lu more before it\n", name, base, text, rate.silent);
	else
		log_printf("%s at %#lx: %s\n", name, base, text);
	rate.silent = 0;
}

/* ---- registers, for the guest ---- */

static int read_ones(void *arg, uint64_t offset, unsigned size, uint64_t *value)
{
	(void)arg;
	(void)offset;
	(void)size;
	*value = UINT64_MAX;
	return 0;
}

static void drop_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	(void)arg;
	(void)offset;
	(void)size;
	(void)value;
}

static const struct mmio_ops absent = {.read = read_ones, .write = drop_write};

static int hide_registers(void)
{
	for (unsigned i = 0; i < register_count; i++) {
		int err =
		    mmio_register(GPA(registers[i].base), registers[i].size, MMIO_READS_AND_WRITES,
				  registers[i].ops ? registers[i].ops : &absent, registers[i].arg);

		if (err < 0)
			return err;
	}
	return 0;
}

/* ---- the map ---- */

static struct iommu_map map = {.alloc = pages_table_alloc, .at = pages_table_at};

/* End of what devices must be able to reach: memory, as firmware lists it. */
static uint64_t memory_end(void)
{
	const struct boot_info *bi = start_boot_info();
	uint64_t end = SIZE_4G;

	for (uint32_t i = 0; i < bi->mmap_count; i++) {
		const struct boot_mmap_entry *e = &bi->mmap[i];
		bool memory = e->type == BOOT_MMAP_RAM || e->type == BOOT_MMAP_ACPI ||
			      e->type == BOOT_MMAP_NVS || e->type == BOOT_MMAP_PMEM;

		if (memory && e->base + e->size > end)
			end = e->base + e->size;
	}
	return end;
}

static int add_holes(void)
{
	int err = iommu_map_hole(&map, region_base, region_base + region_size);

	if (!err)
		err = iommu_map_hole(&map, INTERRUPTS, INTERRUPTS_END);
	if (!err && driver == &iommu_amdvi)
		err = iommu_map_hole(&map, HT_SPECIAL, HT_SPECIAL_END);
	/* a device must not switch its unit off, be it by way of configuration space */
	for (unsigned i = 0; i < register_count && !err; i++)
		err =
		    iommu_map_hole(&map, registers[i].base, registers[i].base + registers[i].size);
	uint32_t len;
	uint64_t pa;
	const void *mcfg = NULL;

	if (!err && acpi_find(start_acpi(), "MCFG", 0, &pa, &len) == 0)
		mcfg = acpi_table(start_acpi(), pa, "MCFG", &len);
	for (int i = 0, n = mcfg ? mcfg_count(mcfg, len) : 0; i < n && !err; i++) {
		struct mcfg_segment s;

		if (mcfg_get(mcfg, len, (unsigned)i, &s) == 0)
			err = iommu_map_hole(&map, mcfg_window_base(&s),
					     mcfg_window_base(&s) + mcfg_window_size(&s));
	}
	return err;
}

/*
 * All addresses that the CPU and the units have, for devices that talk to devices as well; where
 * the tables for that would be too large, memory. They come out of the VMM's own memory, of which
 * half stays for everything else.
 */
static int make_map(const struct iommu_need *need, uint64_t *root, uint64_t *root3)
{
	uint64_t memory = memory_end();
	size_t half = pages_available() / 2;
	uint32_t most = half < TABLES_MAX ? (uint32_t)half : TABLES_MAX;
	unsigned bits = need->width < cpu_phys_bits() ? need->width : cpu_phys_bits();

	if (memory < need->end)
		memory = need->end;
	if (memory > UINT64_C(1) << bits) {
		dma_cannot("the IOMMU has addresses of %u bits, and there is memory at %#lx", bits,
			   memory - 1);
		return -ENODEV;
	}
	map.format = driver->format;
	map.max_leaf = need->max_leaf;
	map.end = UINT64_C(1) << bits;
	if (add_holes() != 0) {
		dma_cannot("the machine has too many windows");
		return -ENOSPC;
	}
	if (iommu_map_count(&map, most) > most)
		map.end = align_up(memory, SIZE_1G);
	if (iommu_map_count(&map, most) > most || iommu_map_build(&map, root, root3) != 0) {
		dma_cannot("its tables need more than %u KiB of the VMM's memory",
			   most * (uint32_t)(PAGE_SIZE >> 10));
		return -ENOMEM;
	}
	return 0;
}

/* ---- start-up ---- */

static char guard_name[200]; /* "VT-d (0xfed90000, 0xfed91000)" */

static void make_name(void)
{
	int n = log_snprintf(guard_name, sizeof(guard_name), "%s (", driver->name);

	for (unsigned i = 0; i < register_count && (size_t)n + 24 < sizeof(guard_name); i++)
		n += log_snprintf(guard_name + n, sizeof(guard_name) - (size_t)n, "%s%#lx",
				  i ? ", " : "", registers[i].base);
	log_snprintf(guard_name + n, sizeof(guard_name) - (size_t)n, ")");
}

static struct dma_guard guard = {.name = guard_name};

/* The table of a driver, or NULL; *bad: there is one, and it is damaged. */
static const void *find_table(const struct iommu_driver *d, uint32_t *len, bool *bad)
{
	char name[4];
	uint64_t pa;
	bool good;

	*bad = false;
	for (unsigned i = 0; i < start_acpi()->root_count; i++) {
		if (acpi_entry(start_acpi(), i, name, &pa, len, &good) != 0 ||
		    memcmp(name, d->table, sizeof(name)) != 0)
			continue;
		*bad = !good;
		return good ? acpi_table(start_acpi(), pa, d->table, len) : NULL;
	}
	return NULL;
}

static int take(const void *table, uint32_t len)
{
	struct iommu_need need = {.width = 48, .max_leaf = 3};
	uint64_t root, root3;
	int err = driver->find(table, len, &need);

	if (!err)
		err = make_map(&need, &root, &root3);
	if (err)
		return err;
	if (driver->prepare(root, root3) != 0) {
		dma_cannot("the VMM's memory of %lu KiB is too small for its tables",
			   region_size >> 10);
		return -ENOMEM;
	}
	if (hide_registers() != 0) {
		dma_cannot("its registers cannot be hidden");
		return -ENOSPC;
	}
	/* whatever its caches, all units find the tables in memory */
	__asm__ volatile("wbinvd" : : : "memory");
	hide_table(driver->table);
	make_name();
	log_printf("%s: all DMA below %#lx passes but to the VMM, %u KiB of tables\n", driver->name,
		   map.end, map.tables * (uint32_t)(PAGE_SIZE >> 10));
	guard.start = driver->start;
	guard.stop = driver->stop;
	guard.pass_nmi = driver->pass_nmi;
	dma_provide(&guard);
	return 0;
}

static int iommu_init(void)
{
	if (start_config()->iommu != CONFIG_IOMMU_ON)
		return 0;
	if (!start_acpi()) {
		dma_cannot("no ACPI tables that list an IOMMU");
		return 0;
	}
	for (unsigned i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		uint32_t len;
		bool bad;
		const void *table = find_table(drivers[i], &len, &bad);

		if (bad)
			dma_cannot("the firmware's %s table is damaged", drivers[i]->table);
		if (!table)
			continue;
		driver = drivers[i];
		take(table, len);
		return 0;
	}
	return 0;
}
INITCALL(INITCALL_DRIVERS, iommu_init);
