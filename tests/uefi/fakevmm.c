/* A stand-in for the VMM's image: tells on the debug port what the UEFI loader asked and gave;
 * fails where the command line says so. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/boot.h"
#include "drivers/pci_driver.h"

#define DEBUG_PORT 0xe9 /* isa-debugcon: no firmware writes there */

/* struct boot_image: differences of addresses that only the linker knows. */
__asm__(".section .image, \"a\"\n"
	".quad 0x31303056424d4956\n"
	".quad fake_entry_offset\n"
	".quad fake_size\n"
	".long fake_drivers_offset\n"
	".long fake_drivers_end_offset\n"
	".text\n");

int fake_entry(uint32_t op, struct boot_info *info);

/* Records for rules to name; the stand-in takes nothing. */
PCI_DRIVER(conceal) = {.name = "conceal", .driver_options = "stub"};
PCI_DRIVER(nic) = {.name = "nic", .longname = "network", .device = "class=0200"};

static volatile int lock;
static volatile int entered;
static uint8_t zeroes[0x5000]; /* bss: the loader must clear it */

static void put_char(char c)
{
	__asm__ volatile("outb %0, %w1" ::"a"(c), "Nd"(DEBUG_PORT));
}

static void put(const char *s)
{
	while (*s != '\0')
		put_char(*s++);
}

static void put_hex(uint64_t v)
{
	for (int shift = 60; shift >= 0; shift -= 4) {
		unsigned digit = (unsigned)(v >> shift) & 15;
		if (v >> shift != 0 || shift == 0)
			put_char((char)(digit < 10 ? '0' + digit : 'a' + digit - 10));
	}
}

static void field(const char *name, uint64_t v)
{
	put(name);
	put_char('=');
	put_hex(v);
	put_char('\n');
}

static uint32_t config_read(uint32_t bus, uint32_t slot, uint32_t offset)
{
	uint32_t v = 0x80000000 | bus << 16 | slot << 8 | offset;
	__asm__ volatile("outl %0, %w1" ::"a"(v), "Nd"(0xcf8));
	__asm__ volatile("inl %w1, %0" : "=a"(v) : "Nd"(0xcfc));
	return v;
}

/* The functions of the first buses: address, id, command register. */
static void functions(void)
{
	for (uint32_t i = 0; i < 4 * 256; i++) {
		uint32_t id = config_read(i >> 8, i & 255, 0);
		if (id == 0xffffffff)
			continue;
		put("pci ");
		put_hex(i >> 8);
		put_char(':');
		put_hex(i >> 3 & 31);
		put_char('.');
		put_hex(i & 7);
		put_char(' ');
		put_hex(id);
		put_char(' ');
		put_hex(config_read(i >> 8, i & 255, 4) & 0xffff);
		put_char('\n');
	}
}

static void functions_left(const struct boot_info *info)
{
	for (uint32_t i = 0; i < info->pci_left_count; i++) {
		const struct boot_pci_left *f = &info->pci_left[i];
		put("left ");
		put_hex(f->segment);
		put_char(':');
		put_hex(f->bus);
		put_char(':');
		put_hex(f->device);
		put_char('.');
		put_hex(f->function);
		put_char(' ');
		put_hex(f->reason);
		put_char('\n');
	}
}

static uint32_t apic_id(void)
{
	uint32_t a = 1, b, c, d;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	return b >> 24;
}

/* Value of a decimal digit after `key` in the command line; -1: not there. */
static int option(const struct boot_info *info, const char *key)
{
	for (const char *p = info->cmdline; *p != '\0'; p++) {
		size_t i = 0;
		while (key[i] != '\0' && p[i] == key[i])
			i++;
		if (key[i] == '\0')
			return p[i] - '0';
	}
	return -1;
}

static int init(struct boot_info *info)
{
	field("magic", info->magic);
	field("size_ok", info->size == sizeof(*info));
	field("firmware", info->firmware);
	field("region_base", info->region_base);
	field("region_size", info->region_size);
	field("image_size", info->image_size);
	field("here", (uint64_t)fake_entry);
	field("low_base", info->low_base);
	field("cpu_count", info->cpu_count);
	field("rsdp_ok", info->rsdp != 0 && *(const uint64_t *)info->rsdp == 0x2052545020445352);
	field("table_ok", info->efi_system_table != 0 &&
			      *(const uint64_t *)info->efi_system_table == 0x5453595320494249);
	field("fb_base", info->fb.base);
	field("fb_width", info->fb.width);
	field("fb_height", info->fb.height);
	field("fb_pitch", info->fb.pitch);
	field("fb_bpp", info->fb.bpp);
	put("cmdline=");
	put(info->cmdline);
	put("\nconfig=");
	for (uint64_t i = 0; i < info->config_size; i++) {
		char c = ((const char *)info->config)[i];
		put_char(c == '\n' ? '|' : c);
	}
	bool clear = true;
	for (size_t i = 0; i < sizeof(zeroes); i++)
		clear = clear && zeroes[i] == 0;
	zeroes[0] = 1; /* a second start must find it cleared again */
	put("\n");
	field("bss_clear", clear);
	for (uint32_t i = 0; i < info->mmap_count; i++) {
		put("mmap ");
		put_hex(info->mmap[i].base);
		put_char(' ');
		put_hex(info->mmap[i].size);
		put_char(' ');
		put_hex(info->mmap[i].type);
		put_char('\n');
	}
	functions();
	functions_left(info);
	void __attribute__((ms_abi)) (*conout)(uint64_t, const char *);
	conout = (void __attribute__((ms_abi)) (*)(uint64_t, const char *))info->conout;
	conout(info->conout_this, "fakevmm: hello\n");
	int fail = option(info, "fake.init=");
	return fail >= 0 ? -fail : 0;
}

int fake_entry(uint32_t op, struct boot_info *info)
{
	static const char *const names = "INIT\0\0\0\0ENTER\0\0\0LEAVE\0\0\0START\0\0";
	uint32_t me = apic_id();
	int result = 0;

	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE) != 0)
		__asm__ volatile("pause");
	put("op ");
	put(names + 8 * op);
	put(" cpu ");
	put_hex(me);
	put_char('\n');
	if (op == BOOT_OP_INIT)
		result = init(info);
	if (op == BOOT_OP_ENTER && option(info, "fake.enter=") == (int)me)
		result = -19;
	if (op == BOOT_OP_ENTER && result == 0)
		entered++;
	if (op == BOOT_OP_LEAVE)
		entered--;
	if (op == BOOT_OP_START)
		field("entered", (uint64_t)entered);
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	return result;
}
