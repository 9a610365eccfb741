/* Screen and keys: VGA text or UEFI console before the guest runs, both and the frame buffer in a
 * panic. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/console.h"
#include "core/addr.h"
#include "core/console/fbtext.h"
#include "core/console/font.h"
#include "core/log.h"
#include "core/mm/vmmap.h"
#include "core/string.h"
#include "core/x86/cpu.h"

#define TEXT_BASE    0xb8000u
#define TEXT_COLUMNS ((unsigned)CONSOLE_COLUMNS)
#define TEXT_ROWS    ((unsigned)CONSOLE_ROWS)
#define TEXT_COLOUR  0x0700u

static volatile uint16_t *text_screen;
static unsigned row, column;
static uint32_t firmware;

typedef void(__attribute__((ms_abi)) * conout_fn)(uint64_t this, const char *text);
static conout_fn conout;
static uint64_t conout_this;
typedef uint8_t(__attribute__((ms_abi)) * conin_fn)(uint64_t this);
static conin_fn conin;
static uint64_t conin_this;

#define FB_MAP_MAX                                                                                 \
	UINT64_C(0x1000000) /* bytes of the frame buffer that are mapped: the upper part of a      \
			       large one */
static struct fbtext fb;
static bool has_fb;

static void text_newline(void)
{
	column = 0;
	if (++row < TEXT_ROWS)
		return;
	row = TEXT_ROWS - 1;
	for (unsigned i = 0; i < TEXT_COLUMNS * (TEXT_ROWS - 1); i++)
		text_screen[i] = text_screen[i + TEXT_COLUMNS];
	for (unsigned i = 0; i < TEXT_COLUMNS; i++)
		text_screen[TEXT_COLUMNS * (TEXT_ROWS - 1) + i] = TEXT_COLOUR | ' ';
}

static void text_put(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n' || column == TEXT_COLUMNS)
			text_newline();
		if (text[i] == '\b' && column > 0)
			column--;
		if (text[i] >= ' ')
			text_screen[row * TEXT_COLUMNS + column++] =
			    (uint16_t)(TEXT_COLOUR | (uint8_t)text[i]);
	}
}

static void conout_put(const char *text, size_t length)
{
	char part[81];
	size_t n = 0;

	for (size_t i = 0; i < length; i++) {
		if (n + 2 >= sizeof(part)) {
			part[n] = '\0';
			conout(conout_this, part);
			n = 0;
		}
		if (text[i] == '\n')
			part[n++] = '\r';
		part[n++] = text[i];
	}
	part[n] = '\0';
	conout(conout_this, part);
}

void console_show(const char *text, size_t length)
{
	if (firmware == BOOT_BIOS) {
		if (text_screen)
			text_put(text, length);
		console_serial_show(text, length);
	} else if (conout) {
		conout_put(text, length);
	}
}

void console_show_log(bool on)
{
	void (*put)(const char *text, size_t length) = firmware == BOOT_BIOS ? text_put
						       : conout              ? conout_put
									     : NULL;

	if (!put)
		return;
	if (on)
		log_add_sink_quiet(put);
	else
		log_remove_sink(put);
}

void console_text_init(void)
{
	firmware = BOOT_BIOS;
	text_screen =
	    (volatile uint16_t *)(uintptr_t)TEXT_BASE; /* identity map of the boot tables */
	for (unsigned i = 0; i < TEXT_COLUMNS * TEXT_ROWS; i++)
		text_screen[i] = TEXT_COLOUR | ' ';
	log_add_sink(text_put);
}

static void fb_put(const char *text, size_t length)
{
	fbtext_put(&fb, text, length);
}

void console_framebuffer_init(const struct boot_framebuffer *f)
{
	uint64_t bytes = (uint64_t)f->pitch * f->height;

	if (!f->base || bytes > SIZE_4G || f->base > SIZE_4G - bytes ||
	    !fbtext_init(&fb, (void *)(uintptr_t)f->base, bytes, f, font_8x16))
		return;
	fbtext_clear(&fb);
	log_add_sink(fb_put);
}

void console_uefi_init(const struct boot_info *bi)
{
	firmware = BOOT_UEFI;
	if (bi->conin && bi->conin_this) {
		conin = (conin_fn)(uintptr_t)bi->conin;
		conin_this = bi->conin_this;
	}
	if (!bi->conout)
		return;
	conout = (conout_fn)(uintptr_t)bi->conout;
	conout_this = bi->conout_this;
	log_add_sink(conout_put);
}

void console_remap(const struct boot_info *bi)
{
	const struct boot_framebuffer *f = &bi->fb;
	uint64_t bytes = (uint64_t)f->pitch * f->height;

	if (firmware == BOOT_BIOS) {
		text_screen = vmmap_device(TEXT_BASE, TEXT_COLUMNS * TEXT_ROWS * 2);
		return;
	}
	/* now, because a panic must not take the locks that mapping takes */
	if (!f->base)
		return;
	if (bytes > FB_MAP_MAX)
		bytes = FB_MAP_MAX;
	void *pixels = bytes ? vmmap_device(f->base, bytes) : NULL;

	has_fb = pixels && fbtext_init(&fb, pixels, bytes, f, font_8x16);
}

void console_release(void)
{
	log_remove_sink(text_put);
	log_remove_sink(conout_put);
	conout = NULL;
	conin = NULL;
}

/* VGA registers for 80x25 text, as after INT 10h mode 3 (IBM VGA manual): sequencer, CRTC,
 * graphics, attribute. */
static void vga_text_mode(void)
{
	static const uint8_t crtc[25] = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00,
					 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
					 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff};
	static const uint8_t graphics[9] = {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff};
	static const uint8_t sequencer[5] = {3, 0, 3, 0, 2};

	outb(0x3c2, 0x67);
	for (uint8_t i = 0; i < 5; i++)
		outw(0x3c4, (uint16_t)(sequencer[i] << 8 | i));
	outb(0x3d4, 0x11);
	outb(0x3d5, inb(0x3d5) & 0x7f); /* unlock registers 0-7 */
	for (uint8_t i = 0; i < 25; i++)
		outw(0x3d4, (uint16_t)(crtc[i] << 8 | i));
	for (uint8_t i = 0; i < 9; i++)
		outw(0x3ce, (uint16_t)(graphics[i] << 8 | i));
	inb(0x3da);
	for (uint8_t i = 0; i < 21; i++) {
		outb(0x3c0, i);
		outb(0x3c0, i < 16    ? (i < 8 ? (i == 6 ? 0x14 : i) : 0x38 + i - 8)
			    : i == 16 ? 0x0c
			    : i == 18 ? 0x0f
			    : i == 19 ? 8
				      : 0);
	}
	outb(0x3c0, 0x20);
}

void console_panic(void)
{
	if (firmware != BOOT_BIOS) {
		/* before the guest runs, the firmware's console shows it; later the guest may have
		 * moved the frame buffer, but nothing better is known, and nothing is left to lose
		 */
		if (!conout && has_fb) {
			fbtext_clear(&fb);
			log_add_sink_quiet(fb_put);
		}
		return;
	}
	vga_text_mode();
	row = column = 0;
	for (unsigned i = 0; i < TEXT_COLUMNS * TEXT_ROWS; i++)
		text_screen[i] = TEXT_COLOUR | ' ';
	log_remove_sink(text_put);
	log_add_sink_quiet(text_put);
}

bool console_has_keys(void)
{
	return firmware == BOOT_BIOS || conin;
}

/* Scan code set 1, make codes; legacy USB keyboards come this way as well. */
static char keyboard_key(void)
{
	static const struct {
		uint8_t code;
		char key;
	} keys[] = {{0x2e, 'c'}, {0x13, 'r'}, {0x30, 'b'}, {0x39, ' '},
		    {0x10, 'q'}, {0x22, 'g'}, {0x1c, '\r'}};
	uint8_t code;

	if (!(inb(0x64) & 1))
		return '\0';
	code = inb(0x60);
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (keys[i].code == code)
			return keys[i].key;
	}
	return '\0';
}

/* Of what a terminal sends, the same keys. */
static char terminal_key(uint8_t c)
{
	for (const char *k = "cgqbr \r"; *k; k++) {
		if (c == (uint8_t)*k)
			return *k;
	}
	return c == '\n' ? '\r' : '\0';
}

char console_poll_key(void)
{
	char key;

	if (firmware != BOOT_BIOS)
		return terminal_key(conin ? conin(conin_this) : 0);
	key = keyboard_key();
	return key ? key : terminal_key(console_serial_take());
}
