/* The few configuration values that the loader itself needs (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Where values come from: the command line goes before the file, a later word or line before an
 * earlier one. */
struct loader_config {
	const char *cmdline; /* NUL-terminated; words `key=value`, blanks in double quotes */
	const char *text;    /* bitvisor.conf, not terminated; NULL: none */
	size_t text_size;
};

/*
 * The value of `key` (names are compared without case), NUL-terminated in `out`, cut to `max` - 1
 * bytes. False, and "", when it is not set. In the command line a backslash before a double quote
 * or a backslash is an escape; before anything else it stands for itself, so that paths can be
 * written as they are.
 */
bool loader_config_get(const struct loader_config *config, const char *key, char *out, size_t max);

/* True when a key that starts with `prefix` has a value that is not empty. */
bool loader_config_any(const struct loader_config *config, const char *prefix);
