/* Start-up of the VMM, from the boot code's hand-over to the guest's first instruction. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/start.h"
#include "boot/realmode/realmode.h"
#include "core/acpi/madt.h"
#include "core/console.h"
#include "core/errno.h"
#include "core/initcall.h"
#include "core/log.h"
#include "core/logring.h"
#include "core/mm/memmap.h"
#include "core/mm/pages.h"
#include "core/mm/vmmap.h"
#include "core/panic.h"
#include "core/probe.h"
#include "core/string.h"
#include "core/vm/cpuid.h"
#include "core/vm/dma.h"
#include "core/vm/handover.h"
#include "core/vm/msr.h"
#include "core/vm/mtrr.h"
#include "core/vm/nested.h"
#include "core/vm/sleep.h"
#include "core/vm/startup.h"
#include "core/vmm_ops.h"
#include "core/x86/apic.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"
#include "core/x86/reset.h"
#include "core/x86/smp.h"
#include "core/x86/trap.h"

#define PROMPT_SECONDS 30
#define PROMPT_POLL_US 10000

const struct vmm_ops *vmm_ops;

static struct boot_info boot;
static struct config config;
static struct acpi acpi;
static bool has_acpi;
extern char image_start[], image_end[];

const struct config *start_config(void)
{
	return &config;
}

const struct boot_info *start_boot_info(void)
{
	return &boot;
}

const struct acpi *start_acpi(void)
{
	return has_acpi ? &acpi : NULL;
}

bool start_refuse(const char *format, ...)
{
	va_list ap;

	log_printf("BitVisor is not started: ");
	va_start(ap, format);
	log_vprintf(format, ap);
	va_end(ap);
	log_printf("\n");
	if (boot.firmware == BOOT_UEFI)
		return true; /* the loader asks: it has the firmware's keyboards, or a shell */
	log_printf("Press c to continue without BitVisor, r to reboot. ");
	bool stop = config_stop_on_error(&config);

	log_printf("After %u seconds: %s (vmm.on_error).\n", PROMPT_SECONDS,
		   stop ? "stop" : "continue");
	for (unsigned i = 0; i < PROMPT_SECONDS * (1000000 / PROMPT_POLL_US); i++) {
		char key = console_poll_key();

		if (key == 'c')
			return true;
		if (key == 'r')
			reset_machine();
		clock_delay_us(PROMPT_POLL_US);
	}
	if (!stop)
		return true;
	log_printf("Stopped.\n");
	for (;;) {
		if (console_poll_key() == 'r')
			reset_machine();
		clock_delay_us(PROMPT_POLL_US);
	}
}

static void report_config(void *arg, const struct config_error *e)
{
	(void)arg;
	log_printf("%s:%u:%u: %s: %s\n", e->file, e->line, e->column, e->key, e->text);
}

static uint16_t serial_port(void)
{
	return (uint16_t)config.serial;
}

static const void *map_table(void *arg, uint64_t pa, size_t len)
{
	(void)arg;
	return vmmap_firmware(pa, len);
}

/* Before the VMM's address space exists: the boot tables map the first 4 GiB one to one. */
static const void *map_table_early(void *arg, uint64_t pa, size_t len)
{
	(void)arg;
	return pa && pa + len <= SIZE_4G ? (const void *)(uintptr_t)pa : NULL;
}

/* The MADT of `a`, or NULL when there is none. */
static const struct madt *read_madt(const struct acpi *a)
{
	static struct madt madt;
	uint64_t pa;
	uint32_t len;

	if (acpi_find(a, "APIC", 0, &pa, &len) != 0)
		return NULL;
	const void *table = acpi_table(a, pa, "APIC", &len);

	return table && madt_parse(table, len, &madt) == 0 ? &madt : NULL;
}

static uint32_t cpus_in_machine(void)
{
	struct acpi early;
	const struct madt *madt =
	    acpi_init(&early, map_table_early, NULL, boot.rsdp) == 0 ? read_madt(&early) : NULL;

	return madt ? madt->cpus_enabled : 1;
}

static int find_cpus(void)
{
	uint32_t self = apic_id();
	int err = percpu_alloc(0, self);
	const struct madt *madt = has_acpi ? read_madt(&acpi) : NULL;

	cpu_count = 1;
	if (err || !madt)
		return err;
	for (unsigned i = 0; i < madt->cpu_count && cpu_count < BOOT_MAX_CPUS; i++) {
		if (!madt->cpu[i].enabled || madt->cpu[i].apic_id == self)
			continue;
		err = percpu_alloc(cpu_count, madt->cpu[i].apic_id);
		if (err)
			return err;
		cpu_count++;
	}
	return 0;
}

int start_early(const struct boot_info *bi)
{
	boot = *bi;
	clock_init();
	if (boot.firmware == BOOT_UEFI)
		console_uefi_init(&boot);
	log_printf("BitVisor\n");
	config_init(&config);
	if (boot.config)
		config_parse_text(&config, "bitvisor.conf", (const char *)(uintptr_t)boot.config,
				  boot.config_size, report_config, NULL);
	config_parse_cmdline(&config, boot.cmdline, report_config, NULL);
	if (serial_port())
		console_serial_init(serial_port());
	if (config_must_ask(&config)) {
		if (start_refuse("the configuration has errors (listed above)"))
			return -EINVAL;
	}
	if (boot.firmware == BOOT_UEFI)
		return 0;
	uint64_t size = memmap_region_size(config.memory, cpus_in_machine());
	int err = memmap_choose_region(boot.mmap, boot.mmap_count, size, SIZE_2M, SIZE_4G,
				       &boot.region_base);

	if (err) {
		start_refuse("%lu MiB of memory between 16 MiB and 4 GiB are needed in one piece, "
			     "the largest is %lu MiB",
			     size >> 20,
			     memmap_largest_region(boot.mmap, boot.mmap_count, SIZE_2M, SIZE_4G) >>
				 20);
		return err;
	}
	if ((err = memmap_reserve(boot.mmap, &boot.mmap_count, BOOT_MMAP_MAX, boot.region_base,
				  size, BOOT_MMAP_RESERVED)) != 0) {
		start_refuse("the firmware's memory map is too long");
		return err;
	}
	boot.region_size = size;
	boot.image_size = (uint64_t)(image_end - image_start);
	return 0;
}

/* Choose the vendor; 0, or the user has been told. */
static int choose_vendor(void)
{
	const char *reason = "VT-x or AMD-V";

	vmm_ops = cpu_is_intel() ? &vmm_ops_vt : &vmm_ops_svm;
	if (vmm_ops->probe(&reason) == 0)
		return 0;
	vmm_ops = NULL;
	start_refuse("the CPU has no %s", reason);
	return -ENODEV;
}

/* What the VMM's memory is used for. */
static void report_memory(void)
{
	uint64_t image = boot.image_size ? boot.image_size : (uint64_t)(image_end - image_start),
		 log = LOG_RING_PAGES * PAGE_SIZE, blocks = (uint64_t)cpu_count * CPU_BLOCK_SIZE,
		 free = pages_available() * PAGE_SIZE;
	struct nested_use use;

	nested_use(&use);
	log_printf("Nested tables: %u pages, %u large pages split\n", use.tables, use.splits);
	log_printf("Memory: image %lu, log %lu, CPUs %lu, tables and drivers %lu, free %lu KiB\n",
		   image >> 10, log >> 10, blocks >> 10,
		   (boot.region_size - image - log - blocks - free) >> 10, free >> 10);
}

int start_init(void)
{
	int err;

	pages_init(boot.region_base, boot.region_size,
		   boot.image_size ? boot.image_size : (uint64_t)(image_end - image_start));
	struct log_ring *log_memory = pages_take_end(LOG_RING_PAGES);

	if ((err = vmmap_init(boot.mmap, boot.mmap_count)) != 0)
		goto no_memory;
	trap_init();
	if (boot.firmware == BOOT_BIOS) {
		vmmap_load();
		trap_load(); /* faults of the start-up itself are reported from here on */
	}
	console_remap(&boot);
	log_keep_in(log_memory);
	log_printf("Memory: VMM at %#lx, %lu KiB\n", boot.region_base, boot.region_size >> 10);
	has_acpi = acpi_init(&acpi, map_table, NULL, boot.rsdp) == 0;
	if (config.probe) {
		probe_run();
		return -ENODEV;
	}
	if ((err = choose_vendor()) != 0)
		return err;
	if ((err = apic_init()) != 0 || (err = find_cpus()) != 0 ||
	    (err = smp_init(boot.low_base)) != 0)
		goto no_memory;
	if ((err = initcall_run(INITCALL_EARLY)) != 0)
		return err;
	if ((err = vmm_ops->init()) != 0)
		goto no_memory;
	cpuid_init();
	if ((err = mtrr_guest_init()) != 0 ||
	    (err = nested_init(boot.mmap, boot.mmap_count)) != 0 ||
	    (err = startup_init(vmm_ops == &vmm_ops_vt)) != 0)
		goto no_memory;
	msr_init();
	vmm_ops->policy_ready();
	if ((err = initcall_run(INITCALL_PLATFORM)) != 0 ||
	    (err = initcall_run(INITCALL_DRIVERS)) != 0)
		return err;
	sleep_init();
	if (!dma_report())
		return -ENODEV;
	report_memory();
	log_printf("%s, %u CPUs, TSC %lu Hz\n", vmm_ops->name, cpu_count, clock_tsc_hz());
	if (boot.firmware == BOOT_UEFI)
		console_release(); /* CPUs that enter do not have the firmware in their address
				      space */
	return 0;
no_memory:
	start_refuse("its memory of %lu KiB is too small (vmm.memory)", boot.region_size >> 10);
	return err;
}

/* Another CPU, on its block, with the boot tables. */
static void ap_main(void)
{
	struct cpu *cpu = this_cpu();
	struct vcpu_state s;

	vmmap_load();
	percpu_load(cpu);
	mtrr_cpu_wake();
	handover_real_mode(&s, 0, 0, 0);
	vcpu_enter_at(&s, RUN_WAIT_FOR_SIPI);
	for (;;)
		__asm__ volatile("cli; hlt");
}

uint32_t start_others(void)
{
	uint32_t missing = smp_start(ap_main);

	for (uint32_t i = 1; missing && i < cpu_count; i++) {
		if (!cpus[i]->online)
			log_printf("CPU%u: not started: no answer (APIC ID %u)\n", i,
				   cpus[i]->apic_id);
	}
	return missing;
}

static const struct boot_info *native_info; /* to go on with when the start is given up */

static _Noreturn void bsp_main(struct cpu *cpu)
{
	struct vcpu_state s;
	uint32_t missing;

	percpu_load(cpu);
	missing = start_others();
	if (!missing) {
		realmode_guest_state(&s);
		vcpu_enter_at(&s, RUN_GUEST);
		missing = 1;
	}
	start_refuse("%u of %u CPUs cannot run it (see above)", missing, cpu_count);
	handover_retire_others();
	realmode_continue_native(native_info);
}

void start_bios_guest(const struct boot_info *native)
{
	native_info = native;
	handover_on_stack(cpus[0], bsp_main);
}
