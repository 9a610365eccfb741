/* Tests of boot/multiboot/mbinfo.c: what boot loaders leave, and what they should not. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>
#include "boot/multiboot/mbinfo.h"
#include "core/mm/memmap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Physical memory: one window at 64 KiB. Places in it that the tests use: */
#define BASE    0x10000u
#define SIZE    0x20000u
#define INFO    BASE
#define MAP     (BASE + 0x1000)
#define STRINGS (BASE + 0x4000)
#define MODS    (BASE + 0x8000)
#define FILES   (BASE + 0xc000)

static uint8_t memory[SIZE];
static uint32_t strings_end;

static struct boot_info boot;
static struct mbinfo_extra extra;

static struct {
	enum mbinfo_issue issue;
	uint64_t value;
	char detail[80];
} seen[64];
static uint32_t seen_count;

/* Reads are copies of exactly the size, kept until the next case: the sanitizer sees a byte too
 * much. */
static void *copies[16384];
static size_t copies_count;

static const void *read_memory(void *arg, uint64_t phys, size_t size)
{
	void *copy;

	assert_ptr_equal(arg, memory);
	assert_true(size > 0);
	if (phys < BASE || phys >= BASE + SIZE || size > BASE + SIZE - phys)
		return NULL;
	copy = malloc(size);
	assert_non_null(copy);
	memcpy(copy, memory + (phys - BASE), size);
	assert_true(copies_count < COUNT(copies));
	copies[copies_count++] = copy;
	return copy;
}

static void record(void *arg, enum mbinfo_issue issue, uint64_t value, const char *text,
		   const char *detail)
{
	assert_ptr_equal(arg, memory);
	assert_true(strlen(text) > 10);
	if (seen_count < COUNT(seen)) {
		seen[seen_count].issue = issue;
		seen[seen_count].value = value;
		snprintf(seen[seen_count].detail, sizeof(seen[0].detail), "%s", detail);
	}
	seen_count++;
}

static int parse(uint32_t magic, uint64_t info)
{
	struct mbinfo_io io = {.read = read_memory, .report = record, .arg = memory};
	int err;

	seen_count = 0;
	memset(&boot, 0xa5, sizeof(boot));
	memset(&extra, 0xa5, sizeof(extra));
	err = mbinfo_parse(magic, info, "bitvisor.elf", &io, &boot, &extra);
	while (copies_count > 0)
		free(copies[--copies_count]);
	return err;
}

static bool issued(enum mbinfo_issue issue)
{
	uint32_t i;

	for (i = 0; i < seen_count && i < COUNT(seen); i++) {
		if (seen[i].issue == issue)
			return true;
	}
	return false;
}

static void put8(uint32_t phys, uint8_t value)
{
	memory[phys - BASE] = value;
}

static void put32(uint32_t phys, uint32_t value)
{
	memcpy(memory + (phys - BASE), &value, 4);
}

static void put64(uint32_t phys, uint64_t value)
{
	memcpy(memory + (phys - BASE), &value, 8);
}

static uint32_t put_string(const char *s)
{
	uint32_t at = strings_end;

	memcpy(memory + (at - BASE), s, strlen(s) + 1);
	strings_end += (uint32_t)strlen(s) + 1;
	return at;
}

static void reset(void)
{
	memset(memory, 0, sizeof(memory));
	strings_end = STRINGS;
}

/* Multiboot 1: offsets from the specification's table in 3.3. */

static void mb1_flag(uint32_t bit)
{
	uint32_t flags;

	memcpy(&flags, memory, 4);
	put32(INFO, flags | 1u << bit);
}

static void mb1_cmdline(const char *line)
{
	mb1_flag(2);
	put32(INFO + 16, put_string(line));
}

static uint32_t map_end;

static void mb1_range(uint64_t base, uint64_t size, uint32_t type)
{
	put32(map_end, 20);
	put64(map_end + 4, base);
	put64(map_end + 12, size);
	put32(map_end + 20, type);
	map_end += 24;
	put32(INFO + 44, map_end - MAP);
}

/* SeaBIOS, 512 MiB, as GRUB 2 passes it. */
static void mb1_start(void)
{
	reset();
	mb1_flag(0);
	put32(INFO + 4, 639);
	put32(INFO + 8, 0x1ffe0000 / 1024 - 1024);
	mb1_flag(6);
	put32(INFO + 48, MAP);
	map_end = MAP;
	mb1_range(0, 0x9fc00, 1);
	mb1_range(0x9fc00, 0x400, 2);
	mb1_range(0xf0000, 0x10000, 2);
	mb1_range(0x100000, 0x1fee0000, 1);
	mb1_range(0x1ffe0000, 0x20000, 2);
	mb1_range(0xfffc0000, 0x40000, 2);
}

static const struct boot_mmap_entry seabios[] = {
    {0, 0x9fc00, 1, 1},           {0x9fc00, 0x400, 2, 1},      {0xf0000, 0x10000, 2, 1},
    {0x100000, 0x1fee0000, 1, 1}, {0x1ffe0000, 0x20000, 2, 1}, {0xfffc0000, 0x40000, 2, 1},
};

static uint32_t mods;

static void mb1_module(uint32_t start, uint32_t end, const char *string)
{
	mb1_flag(3);
	put32(INFO + 24, MODS);
	put32(MODS + mods * 16, start);
	put32(MODS + mods * 16 + 4, end);
	put32(MODS + mods * 16 + 8, put_string(string));
	mods++;
	put32(INFO + 20, mods);
}

/* Multiboot 2: tags from the specification's 3.6. */

static uint32_t tag_end;

static uint32_t mb2_tag(uint32_t type, uint32_t size)
{
	uint32_t at = tag_end;

	put32(at, type);
	put32(at + 4, size);
	tag_end += (size + 7) & ~7u;
	put32(tag_end, 0);
	put32(tag_end + 4, 8);
	put32(INFO, tag_end + 8 - INFO);
	return at;
}

static void mb2_string(uint32_t type, const char *s)
{
	uint32_t at = mb2_tag(type, 8 + (uint32_t)strlen(s) + 1);

	memcpy(memory + (at + 8 - BASE), s, strlen(s) + 1);
}

static void mb2_module(uint32_t start, uint32_t end, const char *s)
{
	uint32_t at = mb2_tag(3, 16 + (uint32_t)strlen(s) + 1);

	put32(at + 8, start);
	put32(at + 12, end);
	memcpy(memory + (at + 16 - BASE), s, strlen(s) + 1);
}

static void mb2_map(uint32_t entry_size)
{
	uint32_t at = mb2_tag(6, 16 + (uint32_t)COUNT(seabios) * entry_size), i;

	put32(at + 8, entry_size);
	for (i = 0; i < COUNT(seabios); i++) {
		put64(at + 16 + i * entry_size, seabios[i].base);
		put64(at + 16 + i * entry_size + 8, seabios[i].size);
		put32(at + 16 + i * entry_size + 16, seabios[i].type);
	}
}

static void mb2_start(void)
{
	reset();
	tag_end = INFO + 8;
	mb2_map(24);
}

static void check_seabios(void)
{
	assert_int_equal(boot.mmap_count, COUNT(seabios));
	assert_memory_equal(boot.mmap, seabios, sizeof(seabios));
}

static void test_mb1(void **state)
{
	(void)state;
	mb1_start();
	mb1_flag(1);
	put32(INFO + 12, 0x8100ffff); /* drive 0x81, first partition */
	mb1_cmdline("vmm.serial=com1 vmm.probe=1");
	mb1_flag(9);
	put32(INFO + 64, put_string("GRUB 2.06-13"));
	mods = 0;
	memcpy(memory + (FILES - BASE), "vmm.probe=1\n", 12);
	mb1_module(FILES, FILES + 12, "bitvisor.conf");
	mb1_flag(12);
	put64(INFO + 88, 0xfd000000);
	put32(INFO + 96, 4096);
	put32(INFO + 100, 1024);
	put32(INFO + 104, 768);
	put8(INFO + 108, 32);
	put8(INFO + 109, 1);

	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_int_equal(seen_count, 0);
	assert_int_equal(boot.magic, BOOT_INFO_MAGIC);
	assert_int_equal(boot.size, sizeof(boot));
	assert_int_equal(boot.firmware, BOOT_BIOS);
	assert_int_equal(boot.boot_drive, 0x81);
	assert_int_equal(boot.region_base, 0);
	assert_int_equal(boot.low_base, 0);
	assert_int_equal(boot.rsdp, 0);
	assert_int_equal(boot.efi_system_table, 0);
	assert_int_equal(boot.conout, 0);
	assert_int_equal(boot.cpu_count, 0);
	assert_string_equal(boot.cmdline, "vmm.serial=com1 vmm.probe=1");
	assert_int_equal(boot.config, FILES);
	assert_int_equal(boot.config_size, 12);
	assert_int_equal(boot.fb.base, 0xfd000000);
	assert_int_equal(boot.fb.pitch, 4096);
	assert_int_equal(boot.fb.width, 1024);
	assert_int_equal(boot.fb.height, 768);
	assert_int_equal(boot.fb.bpp, 32);
	check_seabios();
	assert_false(extra.multiboot2);
	assert_false(extra.efi);
	assert_false(extra.cmdline_lost);
	assert_false(extra.config_lost);
	assert_int_equal(extra.modules, 1);
	assert_int_equal(extra.rsdp_size, 0);
	assert_string_equal(extra.loader, "GRUB 2.06-13");
}

/* Flags decide: fields whose bit is clear hold anything. */
static void test_mb1_flags(void **state)
{
	(void)state;
	mb1_start();
	memset(memory + 12, 0xff, 32); /* device, command line, modules, symbols */
	memset(memory + 52, 0xff, 64); /* drives and what follows */
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_int_equal(seen_count, 0);
	assert_int_equal(boot.boot_drive, 0xff);
	assert_string_equal(boot.cmdline, "");
	assert_string_equal(extra.loader, "");
	assert_int_equal(boot.config, 0);
	assert_int_equal(boot.fb.base, 0);
	assert_int_equal(extra.modules, 0);
	check_seabios();

	/* The information may lie at the end of what can be read: only version 0.6.96 is so long.
	 */
	mb1_start();
	memmove(memory + SIZE - 88, memory, 88);
	assert_int_equal(parse(MBINFO_MAGIC1, BASE + SIZE - 88), 0);
	check_seabios();
	assert_int_equal(parse(MBINFO_MAGIC1, BASE + SIZE - 87), -EFAULT);
	assert_int_equal(seen[0].issue, MBINFO_UNREADABLE);
	assert_int_equal(parse(MBINFO_MAGIC1, UINT64_MAX - 8), -EFAULT);
	assert_int_equal(parse(MBINFO_MAGIC1, 0), -EFAULT);
	assert_int_equal(parse(0x2badb003, INFO), -EINVAL);
	assert_int_equal(seen[0].issue, MBINFO_BAD_MAGIC);
	assert_int_equal(seen[0].value, 0x2badb003);
	assert_int_equal(boot.magic, BOOT_INFO_MAGIC);
	assert_int_equal(boot.mmap_count, 0);
}

static const struct {
	const char *in, *out;
} cmdlines[] = {
    {"", ""},
    {"   ", ""},
    {"vmm.probe=1", "vmm.probe=1"},
    {" vmm.probe=1", " vmm.probe=1"},
    /* with a file name: GRUB Legacy, QEMU, iPXE, SYSLINUX */
    {"/boot/bitvisor.elf", ""},
    {"/boot/bitvisor.elf vmm.probe=1", "vmm.probe=1"},
    {"/anything vmm.probe=1", "vmm.probe=1"},
    {"(hd0,0)/boot/bitvisor.elf vmm.probe=1", "vmm.probe=1"},
    {"bitvisor.elf vmm.probe=1", "vmm.probe=1"},
    {"BITVISOR.ELF  vmm.probe=1", "vmm.probe=1"},
    {"build/bitvisor.elf vmm.probe=1", "vmm.probe=1"},
    {"http://192.0.2.1/bitvisor.elf vmm.probe=1", "vmm.probe=1"},
    {"\"/boot/my vmm.elf\" vmm.probe=1", "vmm.probe=1"},
    {"/x \"vmm.driver.pci=a, b\"", "\"vmm.driver.pci=a, b\""},
    /* no file name: only the first word, and nothing with '=' */
    {"vmm.probe=1 /boot/bitvisor.elf", "vmm.probe=1 /boot/bitvisor.elf"},
    {"/boot=x vmm.probe=1", "/boot=x vmm.probe=1"},
    {"xbitvisor.elf vmm.probe=1", "xbitvisor.elf vmm.probe=1"},
    {"bitvisor.elf.old vmm.probe=1", "bitvisor.elf.old vmm.probe=1"},
    {"bitvisor vmm.probe=1", "bitvisor vmm.probe=1"},
    {"vmm.boot_next=/bitvisor.elf", "vmm.boot_next=/bitvisor.elf"},
};

static void test_cmdline(void **state)
{
	char line[BOOT_CMDLINE_MAX + 20];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cmdlines); i++) {
		mb1_start();
		mb1_cmdline(cmdlines[i].in);
		assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
		assert_string_equal(boot.cmdline, cmdlines[i].out);
		assert_int_equal(seen_count, 0);
		mb2_start();
		mb2_string(1, cmdlines[i].in);
		assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
		assert_string_equal(boot.cmdline, cmdlines[i].out);
	}

	/* 2047 characters fit; of one more, the last word goes. */
	memset(line, 'x', sizeof(line));
	memcpy(line, "vmm.probe=1 vmm.boot_next=", 26);
	line[BOOT_CMDLINE_MAX - 1] = 0;
	mb1_start();
	mb1_cmdline(line);
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_string_equal(boot.cmdline, line);
	assert_int_equal(seen_count, 0);
	line[BOOT_CMDLINE_MAX - 1] = 'x';
	line[BOOT_CMDLINE_MAX] = 0;
	mb1_start();
	mb1_cmdline(line);
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_string_equal(boot.cmdline, "vmm.probe=1 ");
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0].issue, MBINFO_CMDLINE_LONG);
	assert_true(extra.cmdline_lost);

	/* A file name as long as an address may be, with the start of a name that looks like ours.
	 */
	for (i = 0; i < 600; i++) {
		static const struct {
			const char *end;
			bool is_image;
		} ends[] = {
		    {"/bitvisor.elf", true},
		    {"/bitvisor.elf.old", false},
		    {"/bitvisor.elf=", false},
		};
		const size_t prefix = strlen("http://192.0.2.1/");

		for (size_t k = 0; k < COUNT(ends); k++) {
			memset(line, 'x', sizeof(line));
			memcpy(line, "http://192.0.2.1/", prefix);
			snprintf(line + prefix + i, sizeof(line) - prefix - i, "%s vmm.probe=1",
				 ends[k].end);
			mb1_start();
			mb1_cmdline(line);
			assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
			assert_string_equal(boot.cmdline, ends[k].is_image ? "vmm.probe=1" : line);
		}
	}

	/* Not readable, at once or at its end. */
	mb1_start();
	mb1_cmdline("x");
	put32(INFO + 16, 0xfffffff0);
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_int_equal(seen[0].issue, MBINFO_CMDLINE_UNREADABLE);
	assert_true(extra.cmdline_lost);
	mb1_start();
	mb1_cmdline("x");
	memset(memory + SIZE - 4, 'a', 4);
	put32(INFO + 16, BASE + SIZE - 4);
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_int_equal(seen[0].issue, MBINFO_CMDLINE_UNREADABLE);
	assert_string_equal(boot.cmdline, "");

	/* A tag ends its string, NUL or not. */
	mb2_start();
	memcpy(memory + (mb2_tag(1, 8 + 5) + 8 - BASE), "a=1 bcdef", 8);
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
	assert_string_equal(boot.cmdline, "a=1 b");
	mb2_start();
	mb2_tag(1, 8);
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
	assert_string_equal(boot.cmdline, "");
}

static void test_modules(void **state)
{
	static const struct {
		const char *string;
		bool used;
	} names[] = {
	    {"bitvisor.conf", true},
	    {"/boot/bitvisor.conf", true},
	    {"x.CONF y", true},
	    {".conf", true},
	    {"\"/my files/a.conf\"", true},
	    {" a.conf", true},
	    {"bitvisor.conf.old", false},
	    {"initrd.img a.conf", false},
	    {"", false},
	    {"conf", false},
	    {"xconf", false},
	};
	size_t i;
	uint32_t n;

	(void)state;
	for (i = 0; i < COUNT(names); i++) {
		for (n = 0; n < 2; n++) {
			if (n == 0) {
				mb1_start();
				mods = 0;
				mb1_module(FILES, FILES + 100, names[i].string);
				assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
			} else {
				mb2_start();
				mb2_module(FILES, FILES + 100, names[i].string);
				assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
			}
			assert_int_equal(boot.config, names[i].used ? FILES : 0);
			assert_int_equal(boot.config_size, names[i].used ? 100 : 0);
			assert_int_equal(seen_count, names[i].used ? 0 : 1);
			if (!names[i].used)
				assert_int_equal(seen[0].issue, MBINFO_MODULE_UNUSED);
			assert_false(extra.config_lost);
		}
	}

	/* The first .conf counts; the others are named with their numbers. */
	mb1_start();
	mods = 0;
	mb1_module(FILES, FILES + 1, "vmlinuz quiet");
	mb1_module(FILES + 16, FILES + 48, "a.conf");
	mb1_module(FILES + 64, FILES + 80, "b.conf");
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_int_equal(boot.config, FILES + 16);
	assert_int_equal(boot.config_size, 32);
	assert_int_equal(extra.modules, 3);
	assert_int_equal(seen_count, 2);
	assert_int_equal(seen[0].value, 0);
	assert_string_equal(seen[0].detail, "vmlinuz");
	assert_int_equal(seen[1].value, 2);
	assert_string_equal(seen[1].detail, "b.conf");

	/* A configuration that cannot be used is lost, whatever follows it. */
	for (i = 0; i < 4; i++) {
		static const struct {
			uint32_t start, end;
			enum mbinfo_issue issue;
		} lost[] = {
		    {FILES + 10, FILES, MBINFO_MODULE_BAD},
		    {BASE + SIZE - 4, BASE + SIZE + 4, MBINFO_MODULE_BAD},
		    {FILES, FILES + BOOT_CONFIG_MAX + 1, MBINFO_CONFIG_LARGE},
		    {0xfffffff0, 0xffffffff, MBINFO_MODULE_BAD},
		};

		mb1_start();
		mods = 0;
		mb1_module(lost[i].start, lost[i].end, "a.conf");
		mb1_module(FILES, FILES + 10, "b.conf");
		assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
		assert_true(extra.config_lost);
		assert_int_equal(boot.config, 0);
		assert_int_equal(boot.config_size, 0);
		assert_int_equal(seen[0].issue, lost[i].issue);
		assert_int_equal(seen[1].issue, MBINFO_MODULE_UNUSED);
	}
	mb1_start();
	mods = 0;
	mb1_module(FILES, FILES + BOOT_CONFIG_MAX, "a.conf");
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_int_equal(boot.config_size, BOOT_CONFIG_MAX);

	/* An empty file is fine, and none. */
	mb1_start();
	mods = 0;
	mb1_module(FILES, FILES, "a.conf");
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_int_equal(boot.config, 0);
	assert_int_equal(seen_count, 0);
	assert_false(extra.config_lost);

	/* A list that cannot be read may have named one. */
	mb1_start();
	mb1_flag(3);
	put32(INFO + 20, 1);
	put32(INFO + 24, 0xfffffff8);
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_true(extra.config_lost);
	assert_int_equal(seen[0].issue, MBINFO_MODULE_BAD);
	put32(INFO + 20, 0xffffffff);
	put32(INFO + 24, MODS);
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_true(extra.config_lost);
	assert_true(seen_count <= 65);
	mb2_start();
	mb2_tag(3, 12);
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
	assert_true(extra.config_lost);
}

static void test_mb1_maps(void **state)
{
	static const struct {
		uint32_t offset, value; /* put over a good map */
		int err;
		enum mbinfo_issue issue;
	} rows[] = {
	    {INFO + 44, 5, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {INFO + 44, 24 * 6 - 1, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {INFO + 44, 0xffffffff, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {INFO + 48, 0, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {INFO + 48, BASE + SIZE - 24, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {INFO + 48, 0xfffffff0, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {MAP, 0, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {MAP, 19, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {MAP, 21, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {MAP, 0xffffffff, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {MAP, 0xfffffffc, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {MAP + 24 * 5, 24, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	};
	uint32_t i, at;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		mb1_start();
		put32(rows[i].offset, rows[i].value);
		if (parse(MBINFO_MAGIC1, INFO) != rows[i].err || !issued(rows[i].issue))
			fail_msg("row %u", i);
	}

	/* Entries may be longer than 20 bytes, each of its own size. */
	mb1_start();
	for (i = 0, at = MAP; i < COUNT(seabios); i++) {
		put32(at, 20 + i * 4);
		put64(at + 4, seabios[i].base);
		put64(at + 12, seabios[i].size);
		put32(at + 20, seabios[i].type);
		memset(memory + (at + 24 - BASE), 0xee, i * 4);
		at += 24 + i * 4;
	}
	put32(INFO + 44, at - MAP);
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	check_seabios();

	/* Overlaps are decided here, too: the VMM must never lie in what is reserved. */
	mb1_start();
	map_end = MAP;
	mb1_range(0x100000, 0x10000000, 2);
	mb1_range(0, 0x20000000, 1);
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_int_equal(boot.mmap_count, 3);
	assert_int_equal(boot.mmap[0].size, 0x100000);
	assert_int_equal(boot.mmap[1].type, 2);
	assert_int_equal(boot.mmap[2].base, 0x10100000);

	/* Full, and one more. */
	for (i = BOOT_MMAP_MAX; i <= BOOT_MMAP_MAX + 1; i++) {
		mb1_start();
		map_end = MAP;
		for (at = 0; at < i; at++)
			mb1_range(UINT64_C(0x200000) * at, 0x100000, 1);
		assert_int_equal(parse(MBINFO_MAGIC1, INFO), i == BOOT_MMAP_MAX ? 0 : -ENOSPC);
		assert_int_equal(issued(MBINFO_MEMORY_MAP_LARGE), i != BOOT_MMAP_MAX);
	}

	/* Without a map, the two sizes; without both, nothing. */
	mb1_start();
	put32(INFO, 1);
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_int_equal(seen[0].issue, MBINFO_MEMORY_MAP_SIMPLE);
	assert_int_equal(boot.mmap_count, 2);
	assert_int_equal(boot.mmap[0].size, 639 * 1024);
	assert_int_equal(boot.mmap[1].base, 0x100000);
	assert_int_equal(boot.mmap[1].size, 0x1fee0000);
	mb1_start();
	put32(INFO + 44, 0); /* an empty map */
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), 0);
	assert_int_equal(seen[0].issue, MBINFO_MEMORY_MAP_SIMPLE);
	put32(INFO, 0);
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), -ENOENT);
	assert_true(issued(MBINFO_NO_MEMORY_MAP));
	mb1_start();
	map_end = MAP;
	mb1_range(0, 0x100000, 2);
	assert_int_equal(parse(MBINFO_MAGIC1, INFO), -ENOENT);
}

static void test_framebuffer(void **state)
{
	static const struct {
		uint64_t base;
		uint32_t pitch, width, height;
		uint8_t bpp, type;
		bool used, reported;
	} rows[] = {
	    {0xfd000000, 4096, 1024, 768, 32, 1, true, false},
	    {0x4000000000, 7680, 1920, 1080, 32, 1, true, false},
	    {0xfd000000, 3072, 1024, 768, 24, 1, true, false},
	    {0xfd000000, 4096, 1024, 768, 8, 0, false, false}, /* palette */
	    {0xb8000, 160, 80, 25, 16, 2, false, false},       /* EGA text */
	    {0, 4096, 1024, 768, 32, 1, false, true},
	    {0xfd000000, 4095, 1024, 768, 32, 1, false, true},
	    {0xfd000000, 0, 1024, 768, 32, 1, false, true},
	    {0xfd000000, 4096, 0, 768, 32, 1, false, true},
	    {0xfd000000, 4096, 1024, 0, 32, 1, false, true},
	    {0xfd000000, 4096, 1024, 768, 0, 1, false, true},
	    {0xfd000000, 0xffffffff, 0xffffffff, 768, 32, 1, false, true},
	    {UINT64_MAX - 4096, 4096, 1024, 768, 32, 1, false, true},
	};
	uint32_t i, n, at;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		for (n = 1; n <= 2; n++) {
			if (n == 1) {
				mb1_start();
				mb1_flag(12);
				at = INFO + 88;
			} else {
				mb2_start();
				at = mb2_tag(8, 38) + 8;
			}
			put64(at, rows[i].base);
			put32(at + 8, rows[i].pitch);
			put32(at + 12, rows[i].width);
			put32(at + 16, rows[i].height);
			put8(at + 20, rows[i].bpp);
			put8(at + 21, rows[i].type);
			assert_int_equal(parse(n == 1 ? MBINFO_MAGIC1 : MBINFO_MAGIC2, INFO), 0);
			if ((boot.fb.base != 0) != rows[i].used ||
			    issued(MBINFO_FRAMEBUFFER_BAD) != rows[i].reported)
				fail_msg("row %u, version %u", i, n);
			if (rows[i].used) {
				assert_int_equal(boot.fb.base, rows[i].base);
				assert_int_equal(boot.fb.bpp, rows[i].bpp);
				assert_int_equal(boot.fb.height, rows[i].height);
			}
		}
	}
}

static void put_rsdp(uint32_t at, uint32_t size)
{
	uint8_t *rsdp = memory + (at - BASE), sum = 0;
	uint32_t i;

	memcpy(rsdp, "RSD PTR \0BOCHS ", 15);
	rsdp[15] = size == 36 ? 2 : 0;
	put32(at + 16, 0x7ffe1234);
	for (i = 0; i < 20; i++)
		sum = (uint8_t)(sum + rsdp[i]);
	rsdp[8] = (uint8_t)-sum;
	if (size == 36) {
		put32(at + 20, 36);
		put64(at + 24, 0x7ffe5678);
		sum = 0;
		for (i = 0; i < 36; i++)
			sum = (uint8_t)(sum + rsdp[i]);
		rsdp[32] = (uint8_t)-sum;
	}
}

static void test_mb2(void **state)
{
	uint32_t at;

	(void)state;
	mb2_start();
	mb2_string(2, "GRUB 2.06-13");
	mb2_string(1, "vmm.serial=com1");
	at = mb2_tag(4, 16);
	put32(at + 8, 639);
	put32(at + 12, 0x7fb80);
	at = mb2_tag(5, 20);
	put32(at + 8, 0x80);
	put32(at + 12, 0xffffffff);
	put32(at + 16, 0xffffffff);
	at = mb2_tag(9, 20);      /* ELF sections: not of interest */
	at = mb2_tag(0x1234, 11); /* unknown, odd size */
	mb2_module(FILES, FILES + 20, "/boot/bitvisor.conf");
	at = mb2_tag(14, 28);
	put_rsdp(at + 8, 20);
	at = mb2_tag(15, 44);
	put_rsdp(at + 8, 36);

	assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
	assert_int_equal(seen_count, 0);
	assert_true(extra.multiboot2);
	assert_false(extra.efi);
	assert_int_equal(boot.firmware, BOOT_BIOS);
	assert_int_equal(boot.boot_drive, 0x80);
	assert_string_equal(boot.cmdline, "vmm.serial=com1");
	assert_string_equal(extra.loader, "GRUB 2.06-13");
	assert_int_equal(boot.config, FILES);
	assert_int_equal(boot.config_size, 20);
	check_seabios();
	assert_int_equal(extra.rsdp_size, 36);
	assert_memory_equal(extra.rsdp, memory + (at + 8 - BASE), 36);

	/* A damaged new copy leaves the old one; the other order, too. */
	memory[at + 8 + 33 - BASE] ^= 1;
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
	assert_true(issued(MBINFO_RSDP_BAD));
	assert_int_equal(extra.rsdp_size, 20);
	mb2_start();
	at = mb2_tag(15, 44);
	put_rsdp(at + 8, 36);
	at = mb2_tag(14, 28);
	put_rsdp(at + 8, 20);
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
	assert_int_equal(extra.rsdp_size, 36);
	memory[at + 8 - BASE] = 'X';
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
	assert_int_equal(seen[0].issue, MBINFO_RSDP_BAD);
	mb2_start();
	mb2_tag(14, 27);
	mb2_tag(15, 8);
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
	assert_int_equal(seen_count, 2);
	assert_int_equal(extra.rsdp_size, 0);

	/* Short tags say nothing; drives have 8 bits. */
	mb2_start();
	mb2_tag(4, 12);
	mb2_tag(5, 8);
	mb2_tag(8, 29);
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
	assert_int_equal(boot.boot_drive, 0xff);
	at = mb2_tag(5, 20);
	put32(at + 8, 0x180);
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
	assert_int_equal(boot.boot_drive, 0xff);
}

static void test_mb2_efi(void **state)
{
	static const struct {
		uint32_t type, size;
		bool services;
	} tags[] = {{11, 12, false}, {12, 16, false}, {17, 64, false},
		    {18, 8, true},   {19, 12, false}, {20, 16, false}};
	uint32_t i, at;

	(void)state;
	for (i = 0; i < COUNT(tags); i++) {
		mb2_start();
		at = mb2_tag(tags[i].type, tags[i].size);
		if (tags[i].size > 8)
			memset(memory + (at + 8 - BASE), 0x12, tags[i].size - 8);
		assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
		assert_true(extra.efi);
		assert_int_equal(extra.efi_boot_services, tags[i].services);
		assert_true(boot.efi_system_table ==
			    (tags[i].type == 12 ? UINT64_C(0x1212121212121212) : 0));
		assert_int_equal(seen_count, 1);
		assert_int_equal(seen[0].issue, MBINFO_EFI);
		assert_int_equal(seen[0].value, tags[i].type);
	}

	/* With boot services alive there is no map: what kind of machine it is, is told
	 * nevertheless. */
	reset();
	tag_end = INFO + 8;
	mb2_tag(18, 8);
	mb2_tag(12, 16);
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), -ENOENT);
	assert_true(extra.efi);
	assert_int_equal(seen[0].issue, MBINFO_EFI);
	assert_int_equal(seen_count, 2);
}

static void test_mb2_corrupt(void **state)
{
	static const struct {
		uint32_t offset, value; /* put over: map tag at 8 (size 160), command line at 168
					   (size 12), end at 184 */
		int err;
		enum mbinfo_issue issue;
	} rows[] = {
	    {0, 0, -EINVAL, MBINFO_CORRUPT},
	    {0, 8, -EINVAL, MBINFO_CORRUPT},
	    {0, 15, -EINVAL, MBINFO_CORRUPT},
	    {0, 0xffffffff, -EINVAL, MBINFO_CORRUPT},
	    {0, 0x100001, -EINVAL, MBINFO_CORRUPT},
	    {0, 167, -EINVAL, MBINFO_CORRUPT}, /* in the first tag */
	    {0, 168, -EINVAL, MBINFO_CORRUPT}, /* behind the first tag: no end */
	    {0, 184, -EINVAL, MBINFO_CORRUPT}, /* before the end tag */
	    {0, 191, -EINVAL, MBINFO_CORRUPT},
	    {12, 0, -EINVAL, MBINFO_CORRUPT},
	    {12, 7, -EINVAL, MBINFO_CORRUPT},
	    {12, 185, -EINVAL, MBINFO_CORRUPT},
	    {12, 0xffffffff, -EINVAL, MBINFO_CORRUPT},
	    {12, 0xfffffff8, -EINVAL, MBINFO_CORRUPT},
	    {172, 4, -EINVAL, MBINFO_CORRUPT},
	    {172, 25, -EINVAL, MBINFO_CORRUPT},
	    {184, 7, -EINVAL, MBINFO_CORRUPT}, /* the end tag is another, and the end is missing */
	    {188, 0, -EINVAL, MBINFO_CORRUPT},
	    {16, 0, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT}, /* entry size */
	    {16, 19, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {16, 23, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {16, 0x80000000, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	    {16, 145, -EINVAL, MBINFO_MEMORY_MAP_CORRUPT},
	};
	uint32_t i;

	(void)state;
	mb2_start();
	mb2_string(1, "a=1");
	assert_int_equal(tag_end, INFO + 184);
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
	for (i = 0; i < COUNT(rows); i++) {
		mb2_start();
		mb2_string(1, "a=1");
		put32(INFO + rows[i].offset, rows[i].value);
		if (parse(MBINFO_MAGIC2, INFO) != rows[i].err || !issued(rows[i].issue))
			fail_msg("row %u", i);
	}

	/* A size that memory does not have, an address that is not aligned or not there. */
	mb2_start();
	put32(INFO, 0x100000);
	put32(INFO + 168, 1);
	put32(INFO + 172, 0x50000);
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), -EINVAL);
	mb2_start();
	assert_int_equal(parse(MBINFO_MAGIC2, INFO + 4), -EFAULT);
	assert_int_equal(parse(MBINFO_MAGIC2, 8), -EFAULT);
	assert_int_equal(parse(MBINFO_MAGIC2, BASE + SIZE), -EFAULT);

	/* Larger entries are fine (entry_size is there for that); a short map tag is not. */
	reset();
	tag_end = INFO + 8;
	mb2_map(40);
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), 0);
	check_seabios();
	reset();
	tag_end = INFO + 8;
	mb2_tag(6, 12);
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), -EINVAL);

	/* Full, and one more. */
	for (i = BOOT_MMAP_MAX; i <= BOOT_MMAP_MAX + 1; i++) {
		uint32_t at, n;

		reset();
		tag_end = INFO + 8;
		at = mb2_tag(6, 16 + i * 24);
		put32(at + 8, 24);
		for (n = 0; n < i; n++) {
			put64(at + 16 + n * 24, UINT64_C(0x200000) * n);
			put64(at + 16 + n * 24 + 8, 0x100000);
			put32(at + 16 + n * 24 + 16, 1);
		}
		assert_int_equal(parse(MBINFO_MAGIC2, INFO), i == BOOT_MMAP_MAX ? 0 : -ENOSPC);
		assert_int_equal(issued(MBINFO_MEMORY_MAP_LARGE), i != BOOT_MMAP_MAX);
	}

	/* Memory ends behind a tag, where the next one should be. */
	reset();
	put32(INFO, SIZE + 8);
	put32(INFO + 8, 99);
	put32(INFO + 12, SIZE - 8);
	assert_int_equal(parse(MBINFO_MAGIC2, INFO), -EINVAL);
	assert_true(issued(MBINFO_CORRUPT));

	/* Nobody to report to. */
	{
		struct mbinfo_io io = {.read = read_memory, .report = NULL, .arg = memory};

		assert_int_equal(mbinfo_parse(0, INFO, NULL, &io, &boot, &extra), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mb1),         cmocka_unit_test(test_mb1_flags),
	    cmocka_unit_test(test_cmdline),     cmocka_unit_test(test_modules),
	    cmocka_unit_test(test_mb1_maps),    cmocka_unit_test(test_framebuffer),
	    cmocka_unit_test(test_mb2),         cmocka_unit_test(test_mb2_efi),
	    cmocka_unit_test(test_mb2_corrupt),
	};

	return cmocka_run_group_tests_name("mbinfo", tests, NULL, NULL);
}
