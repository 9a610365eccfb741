/* The few configuration values that the loader itself needs (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/loader_config.h"
#include "core/string.h"

#define WORD_MAX 512

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Length of `key` when the `n` bytes at `s` start with it, else 0. */
static size_t starts_with(const char *s, size_t n, const char *key)
{
	size_t i = 0;
	for (; key[i] != '\0'; i++) {
		if (i == n || lower(s[i]) != lower(key[i]))
			return 0;
	}
	return i;
}

/* One `name=value` of `n` bytes against a key (or, with any, against what a key starts with). */
static bool match(const char *s, size_t n, const char *key, bool any, char *out, size_t max)
{
	size_t i = starts_with(s, n, key);
	while (any && i != 0 && i < n && s[i] != '=')
		i++;
	if (i == 0 || i >= n || s[i] != '=')
		return false;
	i++;
	if (any)
		return i < n;
	size_t length = n - i < max - 1 ? n - i : max - 1;
	memcpy(out, s + i, length);
	out[length] = '\0';
	return true;
}

static bool search_words(const char *line, const char *key, bool any, char *out, size_t max)
{
	char word[WORD_MAX];
	bool found = false;
	while (*line != '\0') {
		size_t n = 0;
		bool quoted = false;
		while (is_blank(*line))
			line++;
		for (; *line != '\0' && (quoted || !is_blank(*line)); line++) {
			if (*line == '"') {
				quoted = !quoted;
				continue;
			}
			if (*line == '\\' && (line[1] == '"' || line[1] == '\\'))
				line++;
			if (n < sizeof(word))
				word[n++] = *line;
		}
		found = match(word, n, key, any, out, max) || found;
	}
	return found;
}

static bool search_text(const char *text, size_t size, const char *key, bool any, char *out,
			size_t max)
{
	bool found = false;
	for (size_t at = 0; at < size; at++) {
		size_t start = at, end;
		while (at < size && text[at] != '\n')
			at++;
		for (end = start; end < at && text[end] != '#'; end++)
			;
		while (start < end && is_blank(text[start]))
			start++;
		while (end > start && (is_blank(text[end - 1]) || text[end - 1] == '\r'))
			end--;
		found = match(text + start, end - start, key, any, out, max) || found;
	}
	return found;
}

bool loader_config_get(const struct loader_config *config, const char *key, char *out, size_t max)
{
	out[0] = '\0';
	return search_words(config->cmdline, key, false, out, max) ||
	       (config->text != NULL &&
		search_text(config->text, config->text_size, key, false, out, max));
}

bool loader_config_any(const struct loader_config *config, const char *prefix)
{
	return search_words(config->cmdline, prefix, true, NULL, 0) ||
	       (config->text != NULL &&
		search_text(config->text, config->text_size, prefix, true, NULL, 0));
}
