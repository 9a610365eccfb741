/* Configuration: all run-time settings, the parsers of bitvisor.conf and of command lines. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/config_keys.h"

#define CONFIG_LINE_MAX 4096 /* characters of a line of bitvisor.conf, without its end */
#define CONFIG_NAME_MAX 63   /* characters of a key's name that messages show */
#define CONFIG_TEXT_MAX 255  /* characters of config_error.text */

#define CONFIG_ENUMERATOR(id, value, name) id = value,
#define CONFIG_ENUM_TYPE(list, names)      enum config_##list{names(CONFIG_ENUMERATOR)};
CONFIG_NAME_LISTS(CONFIG_ENUM_TYPE)
#undef CONFIG_ENUM_TYPE
#undef CONFIG_ENUMERATOR

/* Number of each key: CONFIG_KEY_<field>, CONFIG_KEY_COUNT. */
/* clang-format off */
#define CONFIG_B(key, field, def, help)                      CONFIG_KEY_##field,
#define CONFIG_I(key, field, min, max, def, help)            CONFIG_KEY_##field,
#define CONFIG_N(key, field, list, min, max, def, help)      CONFIG_KEY_##field,
#define CONFIG_Z(key, field, list, unit, min, max, def, help) CONFIG_KEY_##field,
#define CONFIG_E(key, field, list, def, help)                CONFIG_KEY_##field,
#define CONFIG_S(key, field, max, def, help)                 CONFIG_KEY_##field,
enum config_key_number {
	CONFIG_KEYS(CONFIG_B, CONFIG_I, CONFIG_N, CONFIG_Z, CONFIG_E, CONFIG_S)
	CONFIG_KEY_COUNT
};
#undef CONFIG_B
#undef CONFIG_I
#undef CONFIG_N
#undef CONFIG_Z
#undef CONFIG_E
#undef CONFIG_S

/*
 * All values, one field a key of config_keys.h: bool, int32_t (INT), uint32_t (NAMED), uint64_t in bytes
 * (SIZE), enum config_<list> (ENUM), or a NUL-terminated string.
 */
#define CONFIG_B(key, field, def, help)                      bool field;
#define CONFIG_I(key, field, min, max, def, help)            int32_t field;
#define CONFIG_N(key, field, list, min, max, def, help)      uint32_t field;
#define CONFIG_Z(key, field, list, unit, min, max, def, help) uint64_t field;
#define CONFIG_E(key, field, list, def, help)                enum config_##list field;
#define CONFIG_S(key, field, max, def, help)                 char field[(max) + 1];
struct config {
	CONFIG_KEYS(CONFIG_B, CONFIG_I, CONFIG_N, CONFIG_Z, CONFIG_E, CONFIG_S)
	bool given[CONFIG_KEY_COUNT]; /* set by a file or the command line, not by the default */
	bool protective_error; /* an entry of a protective key was dropped */
	uint32_t errors; /* entries that were dropped, all parsers together */
};
#undef CONFIG_B
#undef CONFIG_I
#undef CONFIG_N
#undef CONFIG_Z
#undef CONFIG_E
#undef CONFIG_S
/* clang-format on */

enum config_error_code {
	CONFIG_E_UNKNOWN = 1, /* no such key */
	CONFIG_E_VALUE,       /* not a value of the key's type */
	CONFIG_E_RANGE,       /* a number outside the key's range */
	CONFIG_E_VALUE_LONG,  /* a string longer than the key allows */
	CONFIG_E_LINE_LONG,   /* a line longer than CONFIG_LINE_MAX */
	CONFIG_E_NO_EQUALS,   /* text without '=' */
	CONFIG_E_QUOTE,       /* a quote that is not closed */
	CONFIG_E_NOT_TEXT, /* control characters, or a whole file that is not 8-bit text (UTF-16) */
};

/* One entry that was dropped. Everything pointed to lives only during the callback. */
struct config_error {
	const char *file; /* as given to the parser, or "command line" */
	uint32_t line;    /* from 1 */
	uint32_t column;  /* from 1: where the bad name or value begins, in bytes */
	enum config_error_code code;
	bool protective; /* the boot must stop with a question (CONFIG_PROTECTIVE) */
	char key[CONFIG_NAME_MAX +
		 1]; /* as written, printable, cut when longer; "" when there is none */
	char text[CONFIG_TEXT_MAX + 1]; /* English: what is wrong, and what would be valid there */
};

typedef void (*config_report_fn)(void *arg, const struct config_error *error);

enum config_type {
	CONFIG_TYPE_BOOL,
	CONFIG_TYPE_INT,
	CONFIG_TYPE_NAMED,
	CONFIG_TYPE_SIZE,
	CONFIG_TYPE_ENUM,
	CONFIG_TYPE_STRING,
};

struct config_name {
	const char *name;
	uint32_t value;
};

/* What the table says about one key, for messages, status and documentation. */
struct config_key {
	const char *name;
	const char *help;
	const struct config_name *names; /* NAMED, SIZE, ENUM: ends with a NULL name; else NULL */
	enum config_type type;
	uint32_t offset;  /* of the field in struct config */
	uint64_t unit;    /* SIZE: bytes that a bare number counts */
	int64_t min, max; /* INT, NAMED; SIZE: bytes; STRING: max = longest length */
};

/* Sets every value to its default; nothing counts as given. */
void config_init(struct config *config);

/*
 * Reads the text of a configuration file over the values already in `config`.
 *
 * One entry a line: name=value. Blanks (space, tab) around the name and around the value are not
 * part of them. '#' outside double quotes starts a comment. Names: any letter case. A value that is
 * one pair of double quotes from its first to its last character loses them, and \" and \\ in it
 * become " and \; any other value is taken as written, quotes included. Lines end with LF, CR LF or
 * CR; a UTF-8 signature is skipped.
 *
 * `text` need not be terminated; `file` is only used for messages. `report` may be NULL.
 * A bad entry is reported and dropped, the value before it stays. Returns the number of errors.
 */
uint32_t config_parse_text(struct config *config, const char *file, const char *text, size_t len,
			   config_report_fn report, void *arg);

/*
 * Reads key=value words of a command line (core/cmdline.h says how words are split; quotes and
 * backslashes are removed). The NUL-terminated `cmdline` holds no file name: a word without '=' is
 * an error. Errors as config_parse_text(), with file "command line", line 1.
 */
uint32_t config_parse_cmdline(struct config *config, const char *cmdline, config_report_fn report,
			      void *arg);

/*
 * True when the errors so far must stop the boot with a question: an entry of a protective key was
 * dropped, or any entry while vmm.config_strict is set.
 */
bool config_must_ask(const struct config *config);

/*
 * What to do when the question after a start-up error is not answered: true = stop, false =
 * continue without the VMM. vmm.on_error, with auto decided: stop when a protective key was given
 * (an empty string is not), rightly or wrongly.
 */
bool config_stop_on_error(const struct config *config);

/* The entry of a key, `number` < CONFIG_KEY_COUNT (enum config_key_number); NULL when out of range.
 */
const struct config_key *config_key_at(uint32_t number);

/* Number of the key with this name in any letter case, or -ENOENT. */
int config_key_find(const char *name);

/* True when `name` is, in any letter case, a protective key or begins like one (CONFIG_PROTECTIVE).
 */
bool config_is_protective(const char *name);

/*
 * Writes the key's value in the form that bitvisor.conf accepts (strings without added quotes).
 * Returns its length without the NUL; like snprintf it is cut to `size` and always terminated when
 * size > 0. -EINVAL when `number` is out of range.
 */
int config_value_text(const struct config *config, uint32_t number, char *buf, size_t size);

/* Writes what the key accepts, in English, as error messages say it. Result as config_value_text().
 */
int config_valid_text(uint32_t number, char *buf, size_t size);
