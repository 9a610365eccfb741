/* Text on a linear frame buffer of 15 to 32 bits a pixel: white on black, 8x16 glyphs. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/console/fbtext.h"

/* All bits set is white, and none is black, in every order and size of the colours. */
enum colour { BLACK = 0, WHITE = 0xff };

#define LARGE_WIDTH 2560 /* from here on a glyph of 8x16 pixels is too small to read */

bool fbtext_init(struct fbtext *t, volatile void *pixels, size_t bytes,
		 const struct boot_framebuffer *f, fbtext_font font)
{
	uint32_t pixel = (f->bpp + 7) / 8, height = f->height;

	if (f->bpp != 15 && f->bpp != 16 && f->bpp != 24 && f->bpp != 32)
		return false;
	if (f->pitch == 0 || f->width > f->pitch / pixel)
		return false;
	if (pixel == 4 && ((uintptr_t)pixels | f->pitch) % 4 != 0)
		return false;
	if (height > bytes / f->pitch)
		height = (uint32_t)(bytes / f->pitch);
	t->pixels = pixels;
	t->font = font;
	t->width = f->width;
	t->height = height;
	t->pitch = f->pitch;
	t->pixel = pixel;
	t->scale = f->width >= LARGE_WIDTH ? 2 : 1;
	t->columns = f->width / (FBTEXT_GLYPH_WIDTH * t->scale);
	t->rows = height / (FBTEXT_GLYPH_HEIGHT * t->scale);
	t->column = t->row = 0;
	return t->columns != 0 && t->rows != 0;
}

/* `count` pixels from (x, y) to the right. */
static void line(struct fbtext *t, uint32_t x, uint32_t y, uint32_t count, enum colour colour)
{
	volatile uint8_t *at = t->pixels + (size_t)y * t->pitch + (size_t)x * t->pixel;

	if (t->pixel == 4) { /* each write goes to the card: as few as can be */
		volatile uint32_t *p = (volatile void *)at;

		for (uint32_t i = 0; i < count; i++)
			p[i] = colour * UINT32_C(0x01010101);
		return;
	}
	for (uint32_t i = 0; i < count * t->pixel; i++)
		at[i] = (uint8_t)colour;
}

static void fill(struct fbtext *t, uint32_t first, uint32_t end)
{
	for (uint32_t y = first; y < end; y++)
		line(t, 0, y, t->width, BLACK);
}

static void clear_row(struct fbtext *t, uint32_t row)
{
	uint32_t height = FBTEXT_GLYPH_HEIGHT * t->scale;

	if (row < t->rows)
		fill(t, row * height, (row + 1) * height);
}

void fbtext_clear(struct fbtext *t)
{
	fill(t, 0, t->height);
	t->column = t->row = 0;
}

static void newline(struct fbtext *t)
{
	t->column = 0;
	if (++t->row >= t->rows)
		t->row = t->rows > 2 * FBTEXT_KEEP ? FBTEXT_KEEP : 0;
	clear_row(t, t->row);
	clear_row(t, t->row + 1); /* a gap tells where the newest line is */
}

static void draw(struct fbtext *t, const uint8_t *glyph)
{
	uint32_t width = FBTEXT_GLYPH_WIDTH * t->scale, height = FBTEXT_GLYPH_HEIGHT * t->scale;

	for (uint32_t y = 0; y < height; y++) {
		uint8_t bits = glyph[y / t->scale];

		for (uint32_t x = 0; x < FBTEXT_GLYPH_WIDTH; x++)
			line(t, t->column * width + x * t->scale, t->row * height + y, t->scale,
			     bits & (0x80u >> x) ? WHITE : BLACK);
	}
}

void fbtext_put(struct fbtext *t, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\n') {
			newline(t);
			continue;
		}
		if (t->column == t->columns)
			newline(t);
		if (c == '\t')
			c = ' ';
		else if (c < FBTEXT_FIRST || c > FBTEXT_LAST)
			c = '?';
		draw(t, t->font[c - FBTEXT_FIRST]);
		t->column++;
	}
}
