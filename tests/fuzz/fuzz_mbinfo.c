/* Fuzzer of boot/multiboot/mbinfo.c: any memory contents, readable in one window only. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "boot/multiboot/mbinfo.h"
#include "core/errno.h"
#include "core/mm/memmap.h"
#include "tests/fuzz/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WINDOW 0x100 /* small: addresses in the input hit it often */
#define READS  65536

static const uint8_t *window;
static size_t window_size;
static void *copies[READS];
static size_t copies_count;

/* Each read is a copy of its own, so that the sanitizer sees a byte too much. */
static const void *read_window(void *arg, uint64_t phys, size_t size)
{
	void *copy;

	(void)arg;
	CHECK(size > 0);
	if (phys < WINDOW || phys - WINDOW > window_size || size > window_size - (phys - WINDOW) ||
	    copies_count == READS)
		return NULL;
	copy = malloc(size);
	CHECK(copy);
	memcpy(copy, window + (phys - WINDOW), size);
	copies[copies_count++] = copy;
	return copy;
}

static bool fatal;

static void record(void *arg, enum mbinfo_issue issue, uint64_t value, const char *text,
		   const char *detail)
{
	(void)arg;
	(void)value;
	CHECK(text[0] && strlen(detail) < 256);
	fatal = fatal || issue <= MBINFO_MEMORY_MAP_LARGE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mbinfo_io io = {.read = read_window, .report = record};
	static struct boot_info boot;
	static struct mbinfo_extra extra;
	int err;

	if (size < 2)
		return 0;
	memset(&boot, 0xa5, sizeof(boot));
	memset(&extra, 0xa5, sizeof(extra));
	window = data + 2;
	window_size = size - 2;
	fatal = false;
	err =
	    mbinfo_parse(data[0] & 1 ? MBINFO_MAGIC1 : MBINFO_MAGIC2,
			 WINDOW + (data[0] & 2 ? data[1] : 0), "bitvisor.elf", &io, &boot, &extra);
	while (copies_count > 0)
		free(copies[--copies_count]);

	CHECK((err != 0) == fatal);
	CHECK(err == 0 || err == -EINVAL || err == -EFAULT || err == -ENOENT || err == -ENOSPC);
	CHECK(boot.magic == BOOT_INFO_MAGIC && boot.size == sizeof(boot));
	CHECK(boot.boot_drive <= 0xff);
	CHECK(memchr(boot.cmdline, 0, sizeof(boot.cmdline)));
	CHECK(memchr(extra.loader, 0, sizeof(extra.loader)));
	CHECK(boot.mmap_count <= BOOT_MMAP_MAX && memmap_is_normal(boot.mmap, boot.mmap_count));
	CHECK(err || memmap_total_ram(boot.mmap, boot.mmap_count) > 0);
	CHECK(extra.rsdp_size == 0 || extra.rsdp_size == 20 || extra.rsdp_size == 36);
	CHECK((boot.config == 0) == (boot.config_size == 0) && boot.config_size <= BOOT_CONFIG_MAX);
	if (boot.config)
		CHECK(boot.config >= WINDOW && boot.config - WINDOW <= window_size &&
		      boot.config_size <= window_size - (boot.config - WINDOW));
	return 0;
}
