/* Text on a linear frame buffer of 15 to 32 bits a pixel: white on black, 8x16 glyphs. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/boot.h"

#define FBTEXT_GLYPH_WIDTH  8
#define FBTEXT_GLYPH_HEIGHT 16
#define FBTEXT_FIRST        32 /* the font's characters: ASCII without controls */
#define FBTEXT_LAST         126
#define FBTEXT_KEEP         12 /* rows at the top that a text longer than the screen does not overwrite */

/* One byte a line of a glyph, top first, bit 7 left. */
typedef const uint8_t fbtext_font[FBTEXT_LAST - FBTEXT_FIRST + 1][FBTEXT_GLYPH_HEIGHT];

struct fbtext {
	volatile uint8_t *pixels;
	const uint8_t (*font)[FBTEXT_GLYPH_HEIGHT];
	uint32_t width, height; /* pixels that can be written */
	uint32_t pitch;         /* bytes from a line to the next */
	uint32_t pixel;         /* bytes of a pixel: 2, 3 or 4 */
	uint32_t scale;         /* pixels of the screen to one of a glyph, both ways */
	uint32_t columns, rows, column, row;
};

/*
 * `bytes` of memory at `pixels`, where the frame buffer `f` was mapped, can be written; lines that
 * reach beyond are not used. False, and nothing can be drawn: bits of a pixel other than 15, 16, 24
 * and 32, pitch shorter than a line, pixels of 4 bytes not aligned, or not even one character fits.
 * Draws nothing yet. Pure.
 */
bool fbtext_init(struct fbtext *t, volatile void *pixels, size_t bytes,
		 const struct boot_framebuffer *f, fbtext_font font);
/* Black, next character at the top left. */
void fbtext_clear(struct fbtext *t);
/*
 * Draw. '\n' begins a line, '\t' is a blank, other characters outside the font are '?'. The memory
 * is never read, since that is slow; a text longer than the screen goes on below its first
 * FBTEXT_KEEP rows.
 */
void fbtext_put(struct fbtext *t, const char *text, size_t length);
