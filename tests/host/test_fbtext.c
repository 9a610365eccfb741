/* Text on a frame buffer: pixels, wrapping, and that nothing outside the screen is written. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/console/fbtext.h"

#define PAINT 0xab /* what was there before */
#define WHITE UINT32_C(0xffffffff)

/* Glyph of character c: every line is the byte c; line 0 all white. */
static uint8_t font[FBTEXT_LAST - FBTEXT_FIRST + 1][FBTEXT_GLYPH_HEIGHT];

static int make_font(void **state)
{
	(void)state;
	for (unsigned c = 0; c < sizeof(font) / sizeof(font[0]); c++) {
		memset(font[c], (int)(c + FBTEXT_FIRST), FBTEXT_GLYPH_HEIGHT);
		font[c][0] = 0xff;
	}
	return 0;
}

/* The character that stands at a place, read back from line 1 of its glyph; 0 when it is black. */
static unsigned char read_back(const struct fbtext *t, uint32_t row, uint32_t column)
{
	unsigned char c = 0;
	const volatile uint8_t *p = t->pixels + (size_t)(row * 16 + 1) * t->scale * t->pitch +
				    column * 8 * t->scale * t->pixel;

	for (unsigned x = 0; x < 8; x++) {
		unsigned white = 0;

		for (unsigned i = 0; i < t->pixel; i++)
			white += p[x * t->scale * t->pixel + i] == 0xff;
		assert_true(white == 0 || white == t->pixel);
		if (white)
			c = (unsigned char)(c | 0x80u >> x);
	}
	return c;
}

static bool init(struct fbtext *t, void *pixels, size_t bytes, uint32_t width, uint32_t height,
		 uint32_t pitch, uint32_t bpp)
{
	const struct boot_framebuffer f = {
	    .base = 0xe0000000, .width = width, .height = height, .pitch = pitch, .bpp = bpp};

	return fbtext_init(t, pixels, bytes, &f, font);
}

static void test_geometry(void **state)
{
	static const struct {
		uint32_t width, height, pitch, bpp;
		size_t bytes;
		bool ok;
		uint32_t columns, rows, scale;
	} rows[] = {
	    {800, 600, 3200, 32, 3200 * 600, true, 100, 37, 1},
	    {1024, 768, 4096, 32, 4096 * 768, true, 128, 48, 1},
	    {1366, 768, 1376 * 4, 32, 1376 * 4 * 768, true, 170, 48, 1},
	    {3840, 2160, 15360, 32, 15360 * 2160, true, 240, 67, 2},
	    {3840, 2160, 15360, 32, 15360 * 100, true, 240, 3, 2}, /* only part can be written */
	    {8, 16, 32, 32, 32 * 16, true, 1, 1, 1},
	    {7, 16, 32, 32, 32 * 16, false, 0, 0, 0},
	    {8, 16, 32, 32, 32 * 15, false, 0, 0, 0},
	    {8, 15, 32, 32, 32 * 16, false, 0, 0, 0},
	    {9, 16, 32, 32, 32 * 16, false, 0, 0, 0}, /* line longer than the pitch */
	    {8, 16, 34, 32, 34 * 16, false, 0, 0, 0},
	    {8, 16, 0, 32, 0, false, 0, 0, 0},
	    {0, 0, 4, 32, 0, false, 0, 0, 0},
	    {UINT32_MAX, UINT32_MAX, 4096, 32, 4096, false, 0, 0, 0},
	    {1024, 768, 3072, 24, 3072 * 768, true, 128, 48, 1},
	    {801, 600, 2403, 24, 2403 * 600, true, 100, 37, 1}, /* no line is aligned */
	    {8, 16, 23, 24, 23 * 16, false, 0, 0, 0},
	    {640, 480, 1280, 16, 1280 * 480, true, 80, 30, 1},
	    {640, 480, 1280, 15, 1280 * 480, true, 80, 30, 1},
	    {640, 480, 1279, 15, 1279 * 480, false, 0, 0, 0},
	    {640, 480, 640, 8, 640 * 480, false, 0, 0, 0}, /* a palette: nobody knows its white */
	    {640, 480, 80, 1, 80 * 480, false, 0, 0, 0},
	    {640, 480, 5120, 64, 5120 * 480, false, 0, 0, 0},
	    {640, 480, 2560, 0, 2560 * 480, false, 0, 0, 0},
	    {640, 480, 2560, UINT32_MAX, 2560 * 480, false, 0, 0, 0},
	};
	struct fbtext t;
	uint32_t none;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool ok = init(&t, &none, rows[i].bytes, rows[i].width, rows[i].height,
			       rows[i].pitch, rows[i].bpp);

		assert_int_equal(ok, rows[i].ok);
		if (!ok)
			continue;
		assert_int_equal(t.columns, rows[i].columns);
		assert_int_equal(t.rows, rows[i].rows);
		assert_int_equal(t.scale, rows[i].scale);
	}
	assert_false(init(&t, (uint8_t *)&none + 2, 3200 * 600, 800, 600, 3200, 32));
	assert_true(init(&t, (uint8_t *)&none + 1, 2400 * 600, 800, 600, 2400, 24));
}

/* Exactly `bytes` of heap: ASan sees the first byte outside; the pixels between lines keep their
 * paint. */
static void test_bounds(void **state)
{
	static const struct {
		uint32_t width, height, pitch, bpp;
		size_t cut; /* bytes missing at the end */
	} rows[] = {
	    {8, 16, 32, 32, 0},           {17, 35, 100, 32, 0},        {100, 50, 400, 32, 1},
	    {100, 500, 416, 32, 399},     {64, 900, 260, 32, 0},       {2560, 70, 2561 * 4, 32, 0},
	    {2565, 65, 2600 * 4, 32, 17}, {8, 16, 24, 24, 0},          {17, 35, 53, 24, 0},
	    {100, 500, 301, 24, 299},     {2560, 70, 2560 * 3, 24, 0}, {17, 35, 35, 16, 0},
	    {100, 50, 200, 15, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t bytes = (size_t)rows[i].pitch * rows[i].height - rows[i].cut;
		uint8_t *memory = malloc(bytes);
		struct fbtext t;

		memset(memory, PAINT, bytes);
		assert_true(init(&t, memory, bytes, rows[i].width, rows[i].height, rows[i].pitch,
				 rows[i].bpp));
		fbtext_clear(&t);
		for (unsigned k = 0; k < 20000; k++) {
			char c = (char)(k * 7 % 256);

			fbtext_put(&t, &c, 1);
			assert_true(t.row < t.rows && t.column <= t.columns);
		}
		for (size_t k = 0; k < bytes; k++) {
			bool seen =
			    k % rows[i].pitch < (size_t)rows[i].width * ((rows[i].bpp + 7) / 8) &&
			    k / rows[i].pitch < t.height;

			assert_int_equal(memory[k] == PAINT, !seen);
			assert_true(!seen || memory[k] == 0 || memory[k] == 0xff);
		}
		free(memory);
	}
}

static void test_glyphs(void **state)
{
	static uint32_t memory[80 * 40];
	struct fbtext t;

	(void)state;
	memset(memory, 0x55, sizeof(memory));
	assert_true(init(&t, memory, sizeof(memory), 80, 40, 320, 32));
	fbtext_clear(&t);
	fbtext_put(&t, "A~ \x7f\n\tz", 7);
	assert_int_equal(read_back(&t, 0, 0), 'A');
	assert_int_equal(read_back(&t, 0, 1), '~');
	assert_int_equal(read_back(&t, 0, 2), ' ');
	assert_int_equal(read_back(&t, 0, 3), '?');
	assert_int_equal(read_back(&t, 0, 4), 0);
	assert_int_equal(read_back(&t, 1, 0), ' ');
	assert_int_equal(read_back(&t, 1, 1), 'z');
	for (unsigned x = 0; x < 32; x++)
		assert_int_equal(memory[x], WHITE); /* line 0 of each glyph */
	assert_int_equal(memory[80 + 0], 0);        /* 'A' = 41h: bits 6 and 0 */
	assert_int_equal(memory[80 + 1], WHITE);
	assert_int_equal(memory[80 + 2], 0);
	assert_int_equal(memory[80 + 7], WHITE);
}

/* Three bytes a pixel, lines that begin at odd addresses. */
static void test_24_bits(void **state)
{
	static uint8_t memory[247 * 40 + 1];
	uint8_t *screen = memory + 1;
	struct fbtext t;

	(void)state;
	assert_true(init(&t, screen, sizeof(memory) - 1, 80, 40, 247, 24));
	fbtext_clear(&t);
	fbtext_put(&t, "A~\nz", 4);
	assert_int_equal(read_back(&t, 0, 0), 'A');
	assert_int_equal(read_back(&t, 0, 1), '~');
	assert_int_equal(read_back(&t, 0, 2), 0);
	assert_int_equal(read_back(&t, 1, 0), 'z');
	/* line 5 of 'A' = 41h: pixels 1 and 7 */
	static const uint8_t line[27] = {0, 0, 0, 255, 255, 255, [21] = 255, 255, 255, 0, 0, 0};
	assert_memory_equal(screen + 5 * 247, line, sizeof(line));
}

static void test_scaled(void **state)
{
	uint32_t *memory = calloc(2560 * 32, 4);
	struct fbtext t;

	(void)state;
	assert_true(init(&t, memory, 2560 * 32 * 4, 2560, 32, 2560 * 4, 32));
	fbtext_put(&t, "@A", 2);
	assert_int_equal(read_back(&t, 0, 1), 'A');
	for (unsigned y = 2; y < 4; y++) { /* '@' = 40h: one dot of 2x2 pixels */
		assert_int_equal(memory[y * 2560 + 1], 0);
		assert_int_equal(memory[y * 2560 + 2], WHITE);
		assert_int_equal(memory[y * 2560 + 3], WHITE);
		assert_int_equal(memory[y * 2560 + 4], 0);
	}
	free(memory);
}

static void test_long_text(void **state)
{
	static uint32_t memory[16 * 16 * 30]; /* 2 columns, 30 rows */
	struct fbtext t;

	(void)state;
	assert_true(init(&t, memory, sizeof(memory), 16, 16 * 30, 64, 32));
	fbtext_clear(&t);
	for (unsigned i = 0; i < 30; i++)
		fbtext_put(&t, (const char[]){(char)('A' + i), '\n'}, 2);
	/* row 30 is row FBTEXT_KEEP: cleared, with the one below; the first ones are still there */
	assert_int_equal(t.row, FBTEXT_KEEP);
	for (uint32_t i = 0; i < 30; i++)
		assert_int_equal(read_back(&t, i, 0),
				 i == FBTEXT_KEEP || i == FBTEXT_KEEP + 1 ? 0 : 'A' + i);
	fbtext_put(&t, "abc", 3); /* wraps after two columns */
	assert_int_equal(read_back(&t, FBTEXT_KEEP, 0), 'a');
	assert_int_equal(read_back(&t, FBTEXT_KEEP, 1), 'b');
	assert_int_equal(read_back(&t, FBTEXT_KEEP + 1, 0), 'c');
	assert_int_equal(read_back(&t, FBTEXT_KEEP + 2, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_geometry),  cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_glyphs),    cmocka_unit_test(test_scaled),
	    cmocka_unit_test(test_long_text), cmocka_unit_test(test_24_bits),
	};

	return cmocka_run_group_tests(tests, make_font, NULL);
}
