/* From the Multiboot entry to the guest, on a BIOS machine. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/multiboot/mbinfo.h"
#include "boot/realmode/realmode.h"
#include "core/addr.h"
#include "core/console.h"
#include "core/log.h"
#include "core/start.h"
#include "core/vm/vmcall.h"
#include "core/x86/clock.h"
#include "core/x86/reset.h"
#include "core/x86/trap.h"

extern char image_start[], image_end[];
void multiboot_relocate(uint64_t dst_phys, uint64_t size);
_Noreturn void multiboot_main(uint32_t magic, uint32_t info);

static struct boot_info info_block;
static struct mbinfo_extra extra;

static const void *read_physical(void *arg, uint64_t phys, size_t size)
{
	(void)arg;
	return phys && phys + size <= SIZE_4G ? (const void *)(uintptr_t)phys
					      : NULL; /* identity map */
}

static void report(void *arg, enum mbinfo_issue issue, uint64_t value, const char *text,
		   const char *detail)
{
	(void)arg;
	(void)issue;
	log_printf("Multiboot: %s %s(%#lx)\n", text, detail, value);
}

/* A BIOS has interrupt vectors; firmware without one leaves the first page empty. */
static bool has_bios(void)
{
	uintptr_t int13 = 0x13 * 4;

	__asm__("" : "+r"(int13)); /* the compiler takes objects in the first page for a mistake */
	uint32_t vector = *(const volatile uint32_t *)int13;

	return vector != 0 && vector != UINT32_MAX;
}

static _Noreturn void halt(void)
{
	for (;;) {
		if (console_poll_key() == 'r')
			reset_machine();
		clock_delay_us(10000);
	}
}

void multiboot_main(uint32_t magic, uint32_t info)
{
	struct mbinfo_io io = {.read = read_physical, .report = report};

	console_text_init();
	int err = mbinfo_parse(magic, info, "bitvisor.elf", &io, &info_block, &extra);

	if (extra.efi || !has_bios()) {
		console_framebuffer_init(&info_block.fb);
		log_printf("BitVisor is not started: this is an EFI machine. Start loadvmm.efi "
			   "instead (chainloader). Press r to reboot.\n");
		halt();
	}
	if (err) {
		log_printf("BitVisor is not started: the boot loader's information cannot be used. "
			   "Press r to reboot.\n");
		halt();
	}
	trap_init();
	trap_load();
	if (vmcall_is_guest()) {
		log_printf("BitVisor is already running. Boot the operating system's disk instead. "
			   "Press r to reboot.\n");
		halt();
	}
	if (realmode_reserve(&info_block) != 0) {
		log_printf(
		    "BitVisor is not started: the memory map is too long. Press r to reboot.\n");
		halt();
	}
	if (start_early(&info_block) != 0)
		realmode_continue_native(&info_block);
	const struct boot_info *bi = start_boot_info();

	multiboot_relocate(bi->region_base, bi->image_size);
	if (start_init() != 0)
		realmode_continue_native(&info_block); /* its map does not have the VMM's region */
	start_bios_guest(&info_block);
}
