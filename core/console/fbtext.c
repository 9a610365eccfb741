/* Text on a linear frame buffer of 32-bit pixels: white on black, 8x16 glyphs. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/console/fbtext.h"

/* All bits set is white, and none is black, in every order of the colours. */
#define WHITE UINT32_MAX
#define BLACK UINT32_C(0)

#define LARGE_WIDTH 2560 /* from here on a glyph of 8x16 pixels is too small to read */

bool fbtext_init(struct fbtext *t, volatile void *pixels, size_t bytes, uint32_t width,
		 uint32_t height, uint32_t pitch, fbtext_font font)
{
	if (pitch == 0 || pitch % 4 || width > pitch / 4)
		return false;
	if (height > bytes / pitch)
		height = (uint32_t)(bytes / pitch);
	t->pixels = pixels;
	t->font = font;
	t->width = width;
	t->height = height;
	t->stride = pitch / 4;
	t->scale = width >= LARGE_WIDTH ? 2 : 1;
	t->columns = width / (FBTEXT_GLYPH_WIDTH * t->scale);
	t->rows = height / (FBTEXT_GLYPH_HEIGHT * t->scale);
	t->column = t->row = 0;
	return t->columns != 0 && t->rows != 0;
}

static void fill(struct fbtext *t, uint32_t first, uint32_t end)
{
	for (uint32_t y = first; y < end; y++) {
		volatile uint32_t *line = t->pixels + (size_t)y * t->stride;

		for (uint32_t x = 0; x < t->width; x++)
			line[x] = BLACK;
	}
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
		volatile uint32_t *p =
		    t->pixels + (size_t)(t->row * height + y) * t->stride + t->column * width;
		uint8_t bits = glyph[y / t->scale];

		for (uint32_t x = 0; x < width; x++)
			p[x] = bits & (0x80u >> (x / t->scale)) ? WHITE : BLACK;
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
