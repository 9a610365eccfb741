/* Command lines: how words are split, as boot loaders write them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Words are separated by blanks (space, tab, CR, LF). Double and single quotes keep blanks inside a
 * word and are removed, wherever in the word they stand. A backslash before a backslash, a quote or
 * a blank is removed and makes that character ordinary, inside quotes too; before anything else it
 * is itself, so that \EFI\BOOT stands for what it looks like. This reads back what GRUB 2 writes: a
 * word with spaces in double quotes, and a backslash before each backslash and quote.
 */
struct cmdline_word {
	const char *raw; /* first character, quotes not removed */
	size_t raw_len;  /* up to the separator */
	size_t offset;   /* of raw from the start of the line, bytes */
	bool open;       /* the line ended inside quotes */
};

/* Walks over the characters of one word with quotes and backslashes removed. */
struct cmdline_cursor {
	const char *at;
	const char *end;
	char quote; /* the quote we are in, or 0 */
};

/*
 * Finds the word at or after *offset of the `len` bytes at `line` (a NUL ends the line earlier) and
 * moves *offset behind it. Returns false when there is none. An empty pair of quotes is an empty
 * word.
 */
bool cmdline_next(const char *line, size_t len, size_t *offset, struct cmdline_word *word);

/* Starts a walk over `word`. */
void cmdline_start(struct cmdline_cursor *cursor, const struct cmdline_word *word);

/* The word's next character as unsigned char, or -1 at its end. */
int cmdline_char(struct cmdline_cursor *cursor);

/*
 * Copies the word, quotes and backslashes removed, cut to size - 1 characters and terminated (size
 * > 0). Returns the whole word's length.
 */
size_t cmdline_copy(const struct cmdline_word *word, char *buf, size_t size);
