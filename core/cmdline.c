/* Command lines: how words are split, as boot loaders write them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/cmdline.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'';
}

/* A backslash is removed only before these. */
static bool is_escaped(char c)
{
	return c == '\\' || is_quote(c) || is_blank(c);
}

/*
 * One step: returns how many characters at `at` make the next one, 0 at the end. *c is that
 * character, or -1 for a quote that only opens or closes.
 */
static size_t step(const char *at, const char *end, char *quote, int *c)
{
	if (at == end)
		return 0;
	if (*at == '\\' && end - at > 1 && is_escaped(at[1])) {
		*c = (unsigned char)at[1];
		return 2;
	}
	*c = (unsigned char)*at;
	if (*quote ? *at == *quote : is_quote(*at)) {
		*quote = *quote ? 0 : *at;
		*c = -1;
	}
	return 1;
}

bool cmdline_next(const char *line, size_t len, size_t *offset, struct cmdline_word *word)
{
	size_t at = *offset, n;
	char quote = 0;
	int c;

	while (at < len && is_blank(line[at]))
		at++;
	if (at >= len || line[at] == 0) {
		*offset = at;
		return false;
	}
	word->raw = line + at;
	word->offset = at;
	while (at < len && line[at] != 0 && (quote || !is_blank(line[at]))) {
		n = step(line + at, line + len, &quote, &c);
		at += n;
	}
	word->raw_len = at - word->offset;
	word->open = quote != 0;
	*offset = at;
	return true;
}

void cmdline_start(struct cmdline_cursor *cursor, const struct cmdline_word *word)
{
	cursor->at = word->raw;
	cursor->end = word->raw + word->raw_len;
	cursor->quote = 0;
}

int cmdline_char(struct cmdline_cursor *cursor)
{
	for (;;) {
		int c = -1;
		size_t n = step(cursor->at, cursor->end, &cursor->quote, &c);

		if (n == 0)
			return -1;
		cursor->at += n;
		if (c >= 0)
			return c;
	}
}

size_t cmdline_copy(const struct cmdline_word *word, char *buf, size_t size)
{
	struct cmdline_cursor cursor;
	size_t len = 0;
	int c;

	cmdline_start(&cursor, word);
	while ((c = cmdline_char(&cursor)) >= 0) {
		if (len + 1 < size)
			buf[len] = (char)c;
		len++;
	}
	if (size > 0)
		buf[len < size ? len : size - 1] = 0;
	return len;
}
