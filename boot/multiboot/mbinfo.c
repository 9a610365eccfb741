/* Multiboot 1 and 2 information: what the boot loader left, turned into struct boot_info. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/multiboot/mbinfo.h"
#include "core/cmdline.h"
#include "core/errno.h"
#include "core/mm/memmap.h"
#include "core/string.h"

#define KIB 1024
#define MIB (1024 * KIB)

/* No loader writes more; a corrupt length must not keep us walking through all memory. */
#define SANE_SIZE    (1 * MIB)
#define SANE_MODULES 64
#define DETAIL_MAX   64
#define CONF_SUFFIX  ".conf"

/* Multiboot 0.6.96, 3.3: bits of `flags`, offsets of the fields. */
enum {
	MB1_FLAG_MEM = 1 << 0,
	MB1_FLAG_BOOT_DEVICE = 1 << 1,
	MB1_FLAG_CMDLINE = 1 << 2,
	MB1_FLAG_MODS = 1 << 3,
	MB1_FLAG_MMAP = 1 << 6,
	MB1_FLAG_LOADER = 1 << 9,
	MB1_FLAG_FRAMEBUFFER = 1 << 12,

	MB1_FLAGS = 0,
	MB1_MEM_LOWER = 4,
	MB1_MEM_UPPER = 8,
	MB1_BOOT_DEVICE = 12,
	MB1_CMDLINE = 16,
	MB1_MODS_COUNT = 20,
	MB1_MODS_ADDR = 24,
	MB1_MMAP_LENGTH = 44,
	MB1_MMAP_ADDR = 48,
	MB1_LOADER = 64,
	MB1_SIZE = 88, /* up to here in each version of the specification */
	MB1_FB = 88,
	MB1_FB_SIZE = 28,

	MB1_MOD_SIZE = 16, /* start, end, string, reserved */
	MB1_MMAP_MIN = 20, /* base, length, type; the size itself is in front of them */
};

/* Multiboot2 2.0, 3.6: types of tags. */
enum {
	MB2_END = 0,
	MB2_CMDLINE = 1,
	MB2_LOADER = 2,
	MB2_MODULE = 3,
	MB2_MEM = 4,
	MB2_BOOT_DEVICE = 5,
	MB2_MMAP = 6,
	MB2_FRAMEBUFFER = 8,
	MB2_EFI32 = 11,
	MB2_EFI64 = 12,
	MB2_RSDP1 = 14,
	MB2_RSDP2 = 15,
	MB2_EFI_MMAP = 17,
	MB2_EFI_BOOT_SERVICES = 18,
	MB2_EFI32_IMAGE = 19,
	MB2_EFI64_IMAGE = 20,

	MB2_TAG_SIZE = 8,
	MB2_MMAP_MIN = 20, /* base, length, type */
};

#define FRAMEBUFFER_RGB 1 /* both versions: direct colour */

struct parser {
	const struct mbinfo_io *io;
	struct boot_info *boot;
	struct mbinfo_extra *extra;
	const char *image_name;
	bool have_map;
	bool have_mem;
	uint32_t mem_lower, mem_upper; /* KiB */
};

static void report(const struct parser *p, enum mbinfo_issue issue, uint64_t value,
		   const char *text, const char *detail)
{
	if (p->io->report)
		p->io->report(p->io->arg, issue, value, text, detail);
}

static const uint8_t *read_at(const struct parser *p, uint64_t phys, size_t size)
{
	if (size == 0 || size - 1 > UINT64_MAX - phys)
		return NULL;
	return p->io->read(p->io->arg, phys, size);
}

/* Fields lie at any address. */
static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/*
 * Copies a string that ends with a NUL or after `max` bytes of the source, cut to size - 1
 * characters. *cut: it was longer. False when it is not readable.
 */
static bool copy_string(const struct parser *p, uint64_t phys, uint64_t max, char *buf, size_t size,
			bool *cut)
{
	uint64_t i;

	*cut = false;
	buf[0] = 0;
	for (i = 0; i < max; i++) {
		const uint8_t *c = phys > UINT64_MAX - i ? NULL : read_at(p, phys + i, 1);

		if (!c) {
			buf[0] = 0;
			return false;
		}
		if (*c == 0)
			return true;
		if (i + 1 == size) {
			*cut = true;
			return true;
		}
		buf[i] = (char)*c;
		buf[i + 1] = 0;
	}
	return true;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool ends_with(const char *s, size_t len, const char *end)
{
	size_t n = strlen(end), i;

	if (len < n)
		return false;
	for (i = 0; i < n; i++) {
		if (lower(s[len - n + i]) != lower(end[i]))
			return false;
	}
	return true;
}

/* Is the first word the file that was loaded? */
static bool is_image(const struct parser *p, const struct cmdline_word *word)
{
	char name[BOOT_CMDLINE_MAX]; /* room for any word of the line: a cut name is another one */
	size_t len = cmdline_copy(word, name, sizeof(name)), tail;

	if (strchr(name, '='))
		return false;
	if (name[0] == '/')
		return true;
	if (!p->image_name || !p->image_name[0] || !ends_with(name, len, p->image_name))
		return false;
	tail = len - strlen(p->image_name);
	return tail == 0 || name[tail - 1] == '/' || name[tail - 1] == '\\';
}

static void get_cmdline(struct parser *p, uint64_t phys, uint64_t max)
{
	char *line = p->boot->cmdline;
	struct cmdline_word word;
	size_t len, offset = 0;
	bool cut;

	if (!copy_string(p, phys, max, line, BOOT_CMDLINE_MAX, &cut)) {
		p->extra->cmdline_lost = true;
		report(p, MBINFO_CMDLINE_UNREADABLE, phys, "the command line cannot be read", "");
		return;
	}
	len = strlen(line);
	if (cut) {
		/* Half a word could mean something else than the whole. */
		while (len > 0 && line[len - 1] != ' ' && line[len - 1] != '\t')
			len--;
		line[len] = 0;
		p->extra->cmdline_lost = true;
		report(p, MBINFO_CMDLINE_LONG, len,
		       "the command line is too long; its end was cut off", "");
	}
	if (!cmdline_next(line, len, &offset, &word)) {
		line[0] = 0;
		return;
	}
	if (is_image(p, &word)) {
		while (line[offset] == ' ' || line[offset] == '\t')
			offset++;
		memmove(line, line + offset, len - offset + 1);
		memset(line + (len - offset), 0, offset);
	}
}

static void get_module(struct parser *p, uint32_t start, uint32_t end, uint64_t string,
		       uint64_t max)
{
	uint32_t number = p->extra->modules++;
	char text[256], name[DETAIL_MAX] = "";
	struct cmdline_word word;
	bool config = false, cut;
	size_t offset = 0;

	if (copy_string(p, string, max, text, sizeof(text), &cut) &&
	    cmdline_next(text, strlen(text), &offset, &word)) {
		char full[sizeof(text)];
		size_t len = cmdline_copy(&word, full, sizeof(full));

		config = ends_with(full, len, CONF_SUFFIX);
		cmdline_copy(&word, name, sizeof(name));
	}
	if (!config || p->boot->config || p->extra->config_lost) {
		report(
		    p, MBINFO_MODULE_UNUSED, number,
		    config
			? "a second configuration file is not used"
			: "the module is not used; a configuration file's first word ends in .conf",
		    name);
		return;
	}
	if (end < start || (end > start && !read_at(p, start, end - start))) {
		p->extra->config_lost = true;
		report(p, MBINFO_MODULE_BAD, number, "the configuration file cannot be read", name);
		return;
	}
	if (end - start > BOOT_CONFIG_MAX) {
		p->extra->config_lost = true;
		report(p, MBINFO_CONFIG_LARGE, end - start,
		       "the configuration file is too large; at most 16384 bytes are read", name);
		return;
	}
	if (end > start) { /* an empty one says nothing */
		p->boot->config = start;
		p->boot->config_size = end - start;
	}
}

_Static_assert(BOOT_CONFIG_MAX == 16384, "the number is in a message");

/* The last 28 bytes are laid out alike in both versions. */
static void get_framebuffer(struct parser *p, const uint8_t *at)
{
	struct boot_framebuffer fb = {
	    .base = get64(at),
	    .pitch = get32(at + 8),
	    .width = get32(at + 12),
	    .height = get32(at + 16),
	    .bpp = at[20],
	};

	if (at[21] != FRAMEBUFFER_RGB) /* text or palette: nothing to draw to */
		return;
	if (fb.base == 0 || fb.bpp == 0 || fb.width == 0 || fb.height == 0 ||
	    (uint64_t)fb.width * fb.bpp > (uint64_t)fb.pitch * 8 ||
	    (uint64_t)fb.pitch * fb.height > UINT64_MAX - fb.base) {
		report(p, MBINFO_FRAMEBUFFER_BAD, fb.base, "the frame buffer's size makes no sense",
		       "");
		return;
	}
	p->boot->fb = fb;
}

static int add_range(struct parser *p, uint64_t base, uint64_t size, uint32_t type)
{
	int err =
	    memmap_add(p->boot->mmap, &p->boot->mmap_count, BOOT_MMAP_MAX, base, size, type, 1);

	if (err)
		report(p, MBINFO_MEMORY_MAP_LARGE, BOOT_MMAP_MAX,
		       "the memory map has more ranges than can be kept", "");
	return err;
}

static int bad_map(struct parser *p, uint64_t where)
{
	report(p, MBINFO_MEMORY_MAP_CORRUPT, where, "the memory map is corrupt", "");
	return -EINVAL;
}

/* What both versions end with: without a map, the two sizes must do. */
static int finish(struct parser *p)
{
	int err = 0;

	if (!p->have_map && p->have_mem) {
		report(p, MBINFO_MEMORY_MAP_SIMPLE, p->mem_upper,
		       "the boot loader gave no memory map, only two sizes", "");
		err = add_range(p, 0, (uint64_t)p->mem_lower * KIB, BOOT_MMAP_RAM);
		if (!err)
			err = add_range(p, MIB, (uint64_t)p->mem_upper * KIB, BOOT_MMAP_RAM);
	}
	if (!err && memmap_total_ram(p->boot->mmap, p->boot->mmap_count) == 0) {
		report(p, MBINFO_NO_MEMORY_MAP, 0, "the boot loader named no memory", "");
		err = -ENOENT;
	}
	return err;
}

static int mb1_map(struct parser *p, uint32_t addr, uint32_t length)
{
	uint32_t at = 0;

	if (length > SANE_SIZE)
		return bad_map(p, addr);
	while (at < length) {
		const uint8_t *entry;
		uint32_t size;
		int err;

		if (length - at < 4 + MB1_MMAP_MIN)
			return bad_map(p, (uint64_t)addr + at);
		entry = read_at(p, (uint64_t)addr + at, 4 + MB1_MMAP_MIN);
		if (!entry)
			return bad_map(p, (uint64_t)addr + at);
		size = get32(entry);
		if (size < MB1_MMAP_MIN || size > length - at - 4)
			return bad_map(p, (uint64_t)addr + at);
		err = add_range(p, get64(entry + 4), get64(entry + 12), get32(entry + 20));
		if (err)
			return err;
		at += 4 + size;
	}
	p->have_map = length > 0;
	return 0;
}

static int parse1(struct parser *p, uint64_t info)
{
	const uint8_t *mbi = read_at(p, info, MB1_SIZE);
	uint32_t flags, i, count;
	uint64_t mods;
	bool cut;
	int err;

	if (!mbi) {
		report(p, MBINFO_UNREADABLE, info, "the Multiboot information cannot be read", "");
		return -EFAULT;
	}
	flags = get32(mbi + MB1_FLAGS);
	if (flags & MB1_FLAG_MEM) {
		p->have_mem = true;
		p->mem_lower = get32(mbi + MB1_MEM_LOWER);
		p->mem_upper = get32(mbi + MB1_MEM_UPPER);
	}
	if (flags & MB1_FLAG_BOOT_DEVICE)
		p->boot->boot_drive = mbi[MB1_BOOT_DEVICE + 3];
	if (flags & MB1_FLAG_CMDLINE)
		get_cmdline(p, get32(mbi + MB1_CMDLINE), UINT32_MAX);
	if (flags & MB1_FLAG_LOADER)
		copy_string(p, get32(mbi + MB1_LOADER), UINT32_MAX, p->extra->loader,
			    sizeof(p->extra->loader), &cut);
	if (flags & MB1_FLAG_MODS) {
		count = get32(mbi + MB1_MODS_COUNT);
		mods = get32(mbi + MB1_MODS_ADDR);
		for (i = 0; i < count; i++) {
			const uint8_t *mod =
			    read_at(p, mods + (uint64_t)i * MB1_MOD_SIZE, MB1_MOD_SIZE);

			if (!mod || i == SANE_MODULES) {
				/* The configuration may be among those that are not seen. */
				if (!p->boot->config)
					p->extra->config_lost = true;
				report(p, MBINFO_MODULE_BAD, i,
				       "the list of modules cannot be read", "");
				break;
			}
			get_module(p, get32(mod), get32(mod + 4), get32(mod + 8), UINT32_MAX);
		}
	}
	if (flags & MB1_FLAG_FRAMEBUFFER) {
		const uint8_t *fb = read_at(p, info + MB1_FB, MB1_FB_SIZE);

		if (fb)
			get_framebuffer(p, fb);
	}
	if (flags & MB1_FLAG_MMAP) {
		err = mb1_map(p, get32(mbi + MB1_MMAP_ADDR), get32(mbi + MB1_MMAP_LENGTH));
		if (err)
			return err;
	}
	return finish(p);
}

static void found_efi(struct parser *p, uint32_t type)
{
	if (!p->extra->efi)
		report(p, MBINFO_EFI, type,
		       "started by Multiboot on an EFI machine; start loadvmm.efi instead", "");
	p->extra->efi = true;
}

static void get_rsdp(struct parser *p, uint32_t type, const uint8_t *rsdp, uint32_t size)
{
	uint32_t want = type == MB2_RSDP1 ? 20 : 36, i;
	uint8_t sum1 = 0, sum = 0;

	for (i = 0; i < want && i < size; i++) {
		sum = (uint8_t)(sum + rsdp[i]);
		if (i == 19) /* ACPI 1.0's part has a sum of its own: ACPI 6.5, 5.2.5.3 */
			sum1 = sum;
	}
	if (size < want || memcmp(rsdp, "RSD PTR ", 8) != 0 || sum1 != 0 || sum != 0) {
		report(p, MBINFO_RSDP_BAD, type, "the copy of the ACPI RSDP is damaged", "");
		return;
	}
	if (p->extra->rsdp_size > want) /* the newer one says more */
		return;
	memcpy(p->extra->rsdp, rsdp, want);
	p->extra->rsdp_size = want;
}

static int mb2_map(struct parser *p, uint64_t where, const uint8_t *tag, uint32_t size)
{
	uint32_t entry_size, at;

	if (size < 16)
		return bad_map(p, where);
	entry_size = get32(tag + 8);
	if (entry_size < MB2_MMAP_MIN || entry_size > SANE_SIZE || (size - 16) % entry_size != 0)
		return bad_map(p, where);
	for (at = 16; at < size; at += entry_size) {
		int err = add_range(p, get64(tag + at), get64(tag + at + 8), get32(tag + at + 16));

		if (err)
			return err;
	}
	p->have_map = size > 16;
	return 0;
}

/* One tag, all of which is readable. Fields that a short tag does not have are not there. */
static int parse_tag(struct parser *p, uint64_t where, const uint8_t *tag, uint32_t size)
{
	uint32_t type = get32(tag);
	bool cut;

	switch (type) {
	case MB2_CMDLINE:
		get_cmdline(p, where + 8, size - 8);
		break;
	case MB2_LOADER:
		copy_string(p, where + 8, size - 8, p->extra->loader, sizeof(p->extra->loader),
			    &cut);
		break;
	case MB2_MODULE:
		if (size >= 16) {
			get_module(p, get32(tag + 8), get32(tag + 12), where + 16, size - 16);
			break;
		}
		if (!p->boot->config)
			p->extra->config_lost = true;
		report(p, MBINFO_MODULE_BAD, p->extra->modules++, "the module's tag is too short",
		       "");
		break;
	case MB2_MEM:
		if (size >= 16) {
			p->have_mem = true;
			p->mem_lower = get32(tag + 8);
			p->mem_upper = get32(tag + 12);
		}
		break;
	case MB2_BOOT_DEVICE:
		if (size >= 12 && get32(tag + 8) <= 0xff)
			p->boot->boot_drive = get32(tag + 8);
		break;
	case MB2_MMAP:
		return mb2_map(p, where, tag, size);
	case MB2_FRAMEBUFFER:
		if (size >= 30)
			get_framebuffer(p, tag + 8);
		break;
	case MB2_EFI64:
		if (size >= 16)
			p->boot->efi_system_table = get64(tag + 8);
		found_efi(p, type);
		break;
	case MB2_EFI_BOOT_SERVICES:
		p->extra->efi_boot_services = true;
		found_efi(p, type);
		break;
	case MB2_EFI32:
	case MB2_EFI_MMAP:
	case MB2_EFI32_IMAGE:
	case MB2_EFI64_IMAGE:
		found_efi(p, type);
		break;
	case MB2_RSDP1:
	case MB2_RSDP2:
		get_rsdp(p, type, tag + 8, size - 8);
		break;
	default:
		break;
	}
	return 0;
}

static int corrupt(struct parser *p, uint64_t offset)
{
	report(p, MBINFO_CORRUPT, offset, "the Multiboot information is corrupt", "");
	return -EINVAL;
}

static int parse2(struct parser *p, uint64_t info)
{
	const uint8_t *head = read_at(p, info, MB2_TAG_SIZE);
	uint32_t total, at, size;

	p->extra->multiboot2 = true;
	if (!head || info & 7) {
		report(p, MBINFO_UNREADABLE, info, "the Multiboot information cannot be read", "");
		return -EFAULT;
	}
	total = get32(head);
	if (total < 16 || total > SANE_SIZE)
		return corrupt(p, 0);
	for (at = 8;; at += (size + 7) & ~UINT32_C(7)) {
		const uint8_t *tag;
		int err;

		if (at > total || total - at < MB2_TAG_SIZE) /* the end tag is missing */
			return corrupt(p, at);
		tag = read_at(p, info + at, MB2_TAG_SIZE);
		if (!tag)
			return corrupt(p, at);
		size = get32(tag + 4);
		if (size < MB2_TAG_SIZE || size > total - at)
			return corrupt(p, at);
		if (get32(tag) == MB2_END)
			return finish(p);
		tag = read_at(p, info + at, size);
		if (!tag)
			return corrupt(p, at);
		err = parse_tag(p, info + at, tag, size);
		if (err)
			return err;
	}
}

int mbinfo_parse(uint32_t magic, uint64_t info, const char *image_name, const struct mbinfo_io *io,
		 struct boot_info *boot, struct mbinfo_extra *extra)
{
	struct parser p = {.io = io, .boot = boot, .extra = extra, .image_name = image_name};

	memset(boot, 0, sizeof(*boot));
	memset(extra, 0, sizeof(*extra));
	boot->magic = BOOT_INFO_MAGIC;
	boot->size = (uint32_t)sizeof(*boot);
	boot->firmware = BOOT_BIOS;
	boot->boot_drive = 0xff;

	if (magic == MBINFO_MAGIC1)
		return parse1(&p, info);
	if (magic == MBINFO_MAGIC2)
		return parse2(&p, info);
	report(&p, MBINFO_BAD_MAGIC, magic, "not started by a Multiboot boot loader", "");
	return -EINVAL;
}
