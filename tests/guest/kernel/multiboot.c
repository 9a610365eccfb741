/* From the Multiboot information to the boot block. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/kernel.h"

#define MB_CMDLINE BIT(2)
#define MB_MMAP    BIT(6)

/* Multiboot Specification 0.6.96, 3.3; what is not used is left out. */
struct information {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
	uint32_t mmap_length, mmap_addr;
};

struct entry {
	uint32_t size;
	struct {
		uint64_t base, length;
		uint32_t type;
	} __attribute__((packed)) range;
} __attribute__((packed));

static struct boot_block block;

void multiboot_start(const void *information)
{
	const struct information *mb = information;
	const uint8_t *at = (const uint8_t *)(uintptr_t)mb->mmap_addr, *end = at + mb->mmap_length;

	while ((mb->flags & MB_MMAP) && at < end && block.count < BOOT_RANGES_MAX) {
		struct entry e;

		memcpy(&e, at, sizeof(e));
		block.memory[block.count++] = (struct memory_range){
		    .base = e.range.base, .length = e.range.length, .type = e.range.type};
		at += e.size + sizeof(e.size);
	}
	if (mb->flags & MB_CMDLINE) {
		const char *s = (const char *)(uintptr_t)mb->cmdline;
		size_t n = strlen(s);

		memcpy(block.words, s, n < sizeof(block.words) ? n : sizeof(block.words) - 1);
	}
	guest_start(&block);
}
