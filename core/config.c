/* Configuration: all run-time settings, the parsers of bitvisor.conf and of command lines. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/config.h"
#include "core/cmdline.h"
#include "core/errno.h"
#include "core/string.h"

/* The table of config_keys.h, unfolded. */
/* clang-format off */
#define NAME(id, value, name) {name, value},
#define LIST(list, names) static const struct config_name names_##list[] = {names(NAME) {NULL, 0}};
CONFIG_NAME_LISTS(LIST)

#define ENUM_SIZE(list, names) \
	_Static_assert(sizeof(enum config_##list) == sizeof(uint32_t), "enum config_" #list " is 32 bits");
CONFIG_NAME_LISTS(ENUM_SIZE)

#define AT(field) (uint32_t)offsetof(struct config, field)
#define B(key, field, def, help) \
	{key, help, NULL, CONFIG_TYPE_BOOL, AT(field), 0, 0, 1},
#define I(key, field, min, max, def, help) \
	{key, help, NULL, CONFIG_TYPE_INT, AT(field), 0, min, max},
#define N(key, field, list, min, max, def, help) \
	{key, help, names_##list, CONFIG_TYPE_NAMED, AT(field), 0, min, max},
#define Z(key, field, list, unit, min, max, def, help) \
	{key, help, names_##list, CONFIG_TYPE_SIZE, AT(field), unit, min, max},
#define E(key, field, list, def, help) \
	{key, help, names_##list, CONFIG_TYPE_ENUM, AT(field), 0, 0, 0},
#define S(key, field, max, def, help) \
	{key, help, NULL, CONFIG_TYPE_STRING, AT(field), 0, 0, max},
static const struct config_key keys[CONFIG_KEY_COUNT] = {CONFIG_KEYS(B, I, N, Z, E, S)};
#undef B
#undef I
#undef N
#undef Z
#undef E
#undef S

#define B(key, field, def, help)                       config->field = (def) != 0;
#define I(key, field, min, max, def, help)             config->field = (def);
#define N(key, field, list, min, max, def, help)       config->field = (uint32_t)(def);
#define Z(key, field, list, unit, min, max, def, help) config->field = (def);
#define E(key, field, list, def, help)                 config->field = (def);
#define S(key, field, max, def, help) \
	_Static_assert(sizeof(def) <= (max) + 1, key); \
	memcpy(config->field, def, sizeof(def));
void config_init(struct config *config)
{
	memset(config, 0, sizeof(*config));
	CONFIG_KEYS(B, I, N, Z, E, S)
}
#undef B
#undef I
#undef N
#undef Z
#undef E
#undef S

#define PREFIX(prefix) prefix,
static const char *const protective[] = {CONFIG_PROTECTIVE(PREFIX)};
/* clang-format on */

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SMALL_VALUE   80 /* longer ones are of no type but string */
#define VALUE_SHOWN   40 /* characters of a bad value in a message */
#define NEAR_MAX      2  /* a misspelt name differs by this many characters at most */
#define COMMAND_LINE  "command line"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_control(int c)
{
	return (c < ' ' && c != '\t') || c == 0x7f;
}

static bool same_name(const char *a, size_t len, const char *b)
{
	size_t i;

	for (i = 0; i < len && b[i]; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return i == len && b[i] == 0;
}

/* Text of bounded length, always terminated; counts what did not fit. */
struct text {
	char *buf;
	size_t size;
	size_t len;
};

static void put_char(struct text *t, char c)
{
	if (t->len + 1 < t->size) {
		t->buf[t->len] = c;
		t->buf[t->len + 1] = 0;
	}
	t->len++;
}

static void put(struct text *t, const char *s)
{
	while (*s)
		put_char(t, *s++);
}

static void put_number(struct text *t, uint64_t value, unsigned base)
{
	char digits[20];
	size_t n = 0;

	if (base == 16)
		put(t, "0x");
	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n > 0)
		put_char(t, digits[--n]);
}

static void put_signed(struct text *t, int64_t value)
{
	if (value < 0) {
		put_char(t, '-');
		put_number(t, -(uint64_t)value, 10);
	} else {
		put_number(t, (uint64_t)value, 10);
	}
}

static void put_size(struct text *t, uint64_t bytes)
{
	static const char suffix[] = {'K', 'M', 'G'};
	int n = -1;

	while (n < 2 && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		n++;
	}
	put_number(t, bytes, 10);
	if (n >= 0)
		put_char(t, suffix[n]);
}

/* The characters of a value, wherever they come from; -1 at the end. */
struct source {
	const char *at, *end; /* of a line */
	bool quoted;          /* a pair of quotes was removed: \" and \\ are escapes */
	bool word;            /* of a command line: the cursor counts, not the two pointers */
	struct cmdline_cursor cursor;
};

static int next_char(struct source *s)
{
	if (s->word)
		return cmdline_char(&s->cursor);
	if (s->at == s->end)
		return -1;
	if (s->quoted && *s->at == '\\' && s->end - s->at > 1 &&
	    (s->at[1] == '"' || s->at[1] == '\\'))
		s->at++;
	return (unsigned char)*s->at++;
}

struct parser {
	struct config *config;
	const char *file;
	uint32_t line;
	uint32_t errors;
	config_report_fn report;
	void *arg;
};

/*
 * Number of single-character edits between `name` and `wanted`, in any letter case; with `prefix`,
 * the fewest between any beginning of `name` and `wanted`. Large when one of the two is too long to
 * judge.
 */
static size_t distance(const char *name, size_t len, const char *wanted, bool prefix)
{
	uint8_t row[CONFIG_NAME_MAX + 1];
	size_t wanted_len = strlen(wanted), i, j, best;

	if (len > CONFIG_NAME_MAX || wanted_len > CONFIG_NAME_MAX)
		return SIZE_MAX;
	for (j = 0; j <= wanted_len; j++)
		row[j] = (uint8_t)j;
	best = row[wanted_len];
	for (i = 1; i <= len; i++) {
		uint8_t diagonal = row[0];

		row[0] = (uint8_t)i;
		for (j = 1; j <= wanted_len; j++) {
			uint8_t up = row[j];
			uint8_t edit =
			    (uint8_t)(diagonal + (lower(name[i - 1]) != lower(wanted[j - 1])));

			if (up + 1 < edit)
				edit = (uint8_t)(up + 1);
			if (row[j - 1] + 1 < edit)
				edit = (uint8_t)(row[j - 1] + 1);
			row[j] = edit;
			diagonal = up;
		}
		if (row[wanted_len] < best)
			best = row[wanted_len];
	}
	return prefix ? best : row[wanted_len];
}

/* The key that a misspelt name probably means, or NULL. */
static const struct config_key *nearest(const char *name, size_t len)
{
	const struct config_key *found = NULL;
	size_t best = NEAR_MAX + 1;
	uint32_t i;

	for (i = 0; i < CONFIG_KEY_COUNT; i++) {
		size_t d = distance(name, len, keys[i].name, false);

		if (d < best) {
			best = d;
			found = &keys[i];
		}
	}
	return found;
}

static bool protects(const char *name, size_t len)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(protective); i++) {
		const char *p = protective[i];

		for (j = 0; j < len && p[j] && lower(name[j]) == p[j]; j++)
			;
		if (p[j] == 0)
			return true;
	}
	return false;
}

/* A name that is not known: does it look like a misspelt protective one? */
static bool resembles_protective(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(protective); i++) {
		size_t allowed = strlen(protective[i]) / 4;

		if (distance(name, len, protective[i], true) <=
		    (allowed < NEAR_MAX ? allowed : NEAR_MAX))
			return true;
	}
	return false;
}

bool config_is_protective(const char *name)
{
	return protects(name, strlen(name));
}

static void error_init(const struct parser *p, struct config_error *e, struct text *t,
		       enum config_error_code code, size_t column, const char *name, size_t len)
{
	size_t i;

	memset(e, 0, sizeof(*e));
	e->file = p->file;
	e->line = p->line;
	e->column = (uint32_t)(column + 1);
	e->code = code;
	e->protective = protects(name, len);
	for (i = 0; i < len && i < CONFIG_NAME_MAX; i++)
		e->key[i] = is_control((unsigned char)name[i]) ? '?' : name[i];
	t->buf = e->text;
	t->size = sizeof(e->text);
	t->len = 0;
}

static void error_done(struct parser *p, const struct config_error *e)
{
	p->errors++;
	p->config->errors++;
	if (e->protective)
		p->config->protective_error = true;
	if (p->report)
		p->report(p->arg, e);
}

static void error_text(struct parser *p, enum config_error_code code, size_t column,
		       const char *name, size_t len, const char *message)
{
	struct config_error e;
	struct text t;

	error_init(p, &e, &t, code, column, name, len);
	put(&t, message);
	error_done(p, &e);
}

static void error_unknown(struct parser *p, size_t column, const char *name, size_t len)
{
	const struct config_key *key = nearest(name, len);
	struct config_error e;
	struct text t;

	error_init(p, &e, &t, CONFIG_E_UNKNOWN, column, name, len);
	if (key) {
		put(&t, "no such key; did you mean ");
		put(&t, key->name);
		put(&t, "?");
		if (protects(key->name, strlen(key->name)))
			e.protective = true;
	} else {
		put(&t, len ? "no such key; Documentation/config-keys.md lists all"
			    : "a key is missing before '='; write key=value");
	}
	if (resembles_protective(name, len))
		e.protective = true;
	error_done(p, &e);
}

/* Says what the key takes: "auto, sipi or icr". */
static void put_valid(struct text *t, const struct config_key *key)
{
	const struct config_name *name;
	bool more = key->type != CONFIG_TYPE_ENUM;

	for (name = key->names; name && name->name; name++) {
		if (name != key->names)
			put(t, name[1].name || more ? ", " : " or ");
		put(t, name->name);
	}
	if (key->names && more)
		put(t, " or ");
	switch (key->type) {
	case CONFIG_TYPE_BOOL:
		put(t, "yes, no, on, off, true, false or a number (0: no)");
		break;
	case CONFIG_TYPE_INT:
		put(t, "a number from ");
		put_signed(t, key->min);
		put(t, " to ");
		put_signed(t, key->max);
		break;
	case CONFIG_TYPE_NAMED:
		put(t, "a number from ");
		put_number(t, (uint64_t)key->min, 16);
		put(t, " to ");
		put_number(t, (uint64_t)key->max, 16);
		break;
	case CONFIG_TYPE_SIZE:
		put(t, "a size from ");
		put_size(t, (uint64_t)key->min);
		put(t, " to ");
		put_size(t, (uint64_t)key->max);
		put(t, " (a bare number counts ");
		put_size(t, key->unit);
		put(t, ")");
		break;
	case CONFIG_TYPE_STRING:
		put(t, "at most ");
		put_signed(t, key->max);
		put(t, " characters");
		break;
	case CONFIG_TYPE_ENUM:
		break;
	}
}

/* A C number with its base by prefix, the whole of s. 0, -EINVAL (no number) or -ERANGE (over 64
 * bits). */
static int parse_u64(const char *s, size_t len, uint64_t *value)
{
	unsigned base = 10;
	uint64_t v = 0;
	size_t i = 0;
	bool over = false;

	if (len > 2 && s[0] == '0' && lower(s[1]) == 'x') {
		base = 16;
		i = 2;
	} else if (len > 1 && s[0] == '0') {
		base = 8;
		i = 1;
	}
	if (i == len)
		return -EINVAL;
	for (; i < len; i++) {
		char c = lower(s[i]);
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			return -EINVAL;
		if (digit >= base)
			return -EINVAL;
		if (v > (UINT64_MAX - digit) / base)
			over = true;
		v = v * base + digit;
	}
	*value = v;
	return over ? -ERANGE : 0;
}

static int parse_signed(const char *s, size_t len, int64_t *value)
{
	bool minus = len > 0 && s[0] == '-';
	uint64_t v;
	int err;

	if (len > 0 && (s[0] == '-' || s[0] == '+')) {
		s++;
		len--;
	}
	err = parse_u64(s, len, &v);
	if (err)
		return err;
	if (v > INT64_MAX)
		return -ERANGE;
	*value = minus ? -(int64_t)v : (int64_t)v;
	return 0;
}

/* A size with a suffix K, M or G; a bare number counts units. Bytes. */
static int parse_size(const char *s, size_t len, uint64_t unit, uint64_t *value)
{
	uint64_t v;
	int err;

	if (len > 1) {
		char c = lower(s[len - 1]);

		if (c == 'k' || c == 'm' || c == 'g') {
			unit = UINT64_C(1) << (c == 'k' ? 10 : c == 'm' ? 20 : 30);
			len--;
		}
	}
	err = parse_u64(s, len, &v);
	if (err)
		return err;
	if (v > UINT64_MAX / unit)
		return -ERANGE;
	*value = v * unit;
	return 0;
}

static int parse_bool(const char *s, size_t len, bool *value)
{
	static const char *const words[][2] = {
	    {"no", "yes"}, {"off", "on"}, {"false", "true"}, {"n", "y"}, {"f", "t"}};
	int64_t number;
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(words) * 2; i++) {
		if (same_name(s, len, words[i / 2][i % 2])) {
			*value = i % 2 != 0;
			return 0;
		}
	}
	err = parse_signed(s, len, &number);
	if (err == 0)
		*value = number != 0;
	return err;
}

static bool parse_name(const struct config_key *key, const char *s, size_t len, uint32_t *value)
{
	const struct config_name *name;

	for (name = key->names; name->name; name++) {
		if (same_name(s, len, name->name)) {
			*value = name->value;
			return true;
		}
	}
	return false;
}

/* Sets any key but a string from the blank-free text. 0, -EINVAL, -ERANGE. */
static int set_small(struct config *config, const struct config_key *key, const char *s, size_t len)
{
	char *field = (char *)config + key->offset;
	uint32_t u32 = 0;
	uint64_t u64 = 0;
	int64_t s64 = 0;
	bool flag = false;
	int err = 0;

	switch (key->type) {
	case CONFIG_TYPE_BOOL:
		err = parse_bool(s, len, &flag);
		if (!err)
			memcpy(field, &flag, sizeof(flag));
		return err;
	case CONFIG_TYPE_INT:
		err = parse_signed(s, len, &s64);
		if (!err && (s64 < key->min || s64 > key->max))
			err = -ERANGE;
		if (!err) {
			int32_t s32 = (int32_t)s64;

			memcpy(field, &s32, sizeof(s32));
		}
		return err;
	case CONFIG_TYPE_NAMED:
		if (!parse_name(key, s, len, &u32)) {
			err = parse_u64(s, len, &u64);
			if (!err && (u64 < (uint64_t)key->min || u64 > (uint64_t)key->max))
				err = -ERANGE;
			u32 = (uint32_t)u64;
		}
		break;
	case CONFIG_TYPE_ENUM:
		if (!parse_name(key, s, len, &u32))
			err = -EINVAL;
		break;
	case CONFIG_TYPE_SIZE:
		if (parse_name(key, s, len, &u32)) {
			u64 = u32;
		} else {
			err = parse_size(s, len, key->unit, &u64);
			if (!err && (u64 < (uint64_t)key->min || u64 > (uint64_t)key->max))
				err = -ERANGE;
		}
		if (!err)
			memcpy(field, &u64, sizeof(u64));
		return err;
	case CONFIG_TYPE_STRING: /* cannot be: the caller copies strings itself */
		return -EINVAL;
	}
	if (!err)
		memcpy(field, &u32, sizeof(u32));
	return err;
}

/* One name with its value: sets the field, or reports why not. */
static void entry(struct parser *p, const char *name, size_t len, size_t name_column,
		  struct source value, size_t value_column)
{
	enum config_error_code code = CONFIG_E_VALUE;
	const struct config_key *key = NULL;
	struct source walk = value;
	struct config_error e;
	struct text t;
	size_t length = 0, i;
	bool control = false;
	char small[SMALL_VALUE], *s = small;
	int c, err;

	for (i = 0; i < CONFIG_KEY_COUNT && !key; i++) {
		if (same_name(name, len, keys[i].name))
			key = &keys[i];
	}
	if (!key) {
		error_unknown(p, name_column, name, len);
		return;
	}

	/* First walk: how long, and is it text; the old value stays until all is known to be good.
	 */
	while ((c = next_char(&walk)) >= 0) {
		control = control || is_control(c);
		if (length < sizeof(small))
			small[length] = (char)c;
		length++;
	}
	if (control) {
		error_text(p, CONFIG_E_NOT_TEXT, value_column, name, len,
			   "the value contains control characters");
		return;
	}

	if (key->type == CONFIG_TYPE_STRING) {
		char *field = (char *)p->config + key->offset;

		if (length > (uint64_t)key->max) {
			code = CONFIG_E_VALUE_LONG;
			err = -EINVAL;
		} else {
			while ((c = next_char(&value)) >= 0)
				*field++ = (char)c;
			*field = 0;
			err = 0;
		}
	} else {
		size_t n = length < sizeof(small) ? length : sizeof(small);

		for (; n > 0 && is_blank(*s); n--)
			s++;
		while (n > 0 && is_blank(s[n - 1]))
			n--;
		err = length > sizeof(small) ? -EINVAL : set_small(p->config, key, s, n);
		if (err == -ERANGE)
			code = CONFIG_E_RANGE;
	}
	if (!err) {
		p->config->given[key - keys] = true;
		return;
	}

	error_init(p, &e, &t, code, value_column, name, len);
	if (code == CONFIG_E_VALUE_LONG) {
		put(&t, "the value has ");
		put_number(&t, length, 10);
		put(&t, " characters");
	} else {
		put(&t, "\"");
		for (i = 0; i < length && i < VALUE_SHOWN; i++)
			put_char(&t, small[i]);
		put(&t, length > VALUE_SHOWN ? "...\"" : "\"");
		put(&t, code == CONFIG_E_RANGE ? " is out of range" : " is no value of this key");
	}
	put(&t, "; valid: ");
	put_valid(&t, key);
	error_done(p, &e);
}

/* Length of a line up to its comment; *open says that a double quote was not closed. */
static size_t without_comment(const char *line, size_t len, bool *open)
{
	size_t i;

	*open = false;
	for (i = 0; i < len; i++) {
		if (line[i] == '\\' && i + 1 < len && (line[i + 1] == '"' || line[i + 1] == '\\'))
			i++;
		else if (line[i] == '"')
			*open = !*open;
		else if (line[i] == '#' && !*open)
			break;
	}
	return i;
}

/* True when the value is one pair of quotes: the first character's quote is closed by the last one.
 */
static bool is_quoted(const char *value, size_t len)
{
	size_t i;

	if (len < 2 || value[0] != '"')
		return false;
	for (i = 1; i < len; i++) {
		if (value[i] == '\\' && i + 1 < len &&
		    (value[i + 1] == '"' || value[i + 1] == '\\'))
			i++;
		else if (value[i] == '"')
			return i == len - 1;
	}
	return false;
}

static void parse_line(struct parser *p, const char *line, size_t len)
{
	size_t start = 0, end, equals, name_end, i;
	struct source value = {0};
	bool open;

	while (start < len && is_blank(line[start]))
		start++;
	if (start == len || line[start] == '#')
		return;

	/* The name is needed for each message, whatever is wrong. */
	end = without_comment(line, len, &open);
	while (end > start && is_blank(line[end - 1]))
		end--;
	for (equals = start; equals < end && line[equals] != '='; equals++)
		;
	name_end = equals;
	if (equals == end) {
		for (name_end = start; name_end < end && !is_blank(line[name_end]); name_end++)
			;
	}
	while (name_end > start && is_blank(line[name_end - 1]))
		name_end--;

	for (i = start; i < end && !is_control((unsigned char)line[i]); i++)
		;
	if (i < name_end) {
		/* Which key was meant cannot be told, so the worst is assumed. */
		struct config_error e;
		struct text t;

		error_init(p, &e, &t, CONFIG_E_NOT_TEXT, i, line + start, name_end - start);
		e.protective = true;
		put(&t, "the name contains control characters");
		error_done(p, &e);
		return;
	}
	if (len > CONFIG_LINE_MAX) {
		error_text(p, CONFIG_E_LINE_LONG, start, line + start, name_end - start,
			   "the line is too long; at most 4096 characters are read");
		return;
	}
	if (equals == end) {
		struct config_error e;
		struct text t;

		error_init(p, &e, &t, CONFIG_E_NO_EQUALS, start, line + start, name_end - start);
		if (resembles_protective(line + start, name_end - start))
			e.protective = true;
		put(&t, "'=' is missing; write key=value");
		error_done(p, &e);
		return;
	}
	if (open) {
		error_text(p, CONFIG_E_QUOTE, start, line + start, name_end - start,
			   "a double quote is not closed");
		return;
	}

	for (i = equals + 1; i < end && is_blank(line[i]); i++)
		;
	value.at = line + i;
	value.end = line + end;
	if (is_quoted(value.at, end - i)) {
		value.at++;
		value.end--;
		value.quoted = true;
	}
	entry(p, line + start, name_end - start, start, value, i);
}

_Static_assert(CONFIG_LINE_MAX == 4096, "the number is in a message");

/* An encoding that is not 8-bit text says nothing that can be trusted: all protection may be in it.
 */
static bool refuse_file(struct parser *p, const char *message)
{
	struct config_error e;
	struct text t;

	error_init(p, &e, &t, CONFIG_E_NOT_TEXT, 0, "", 0);
	e.protective = true;
	put(&t, message);
	error_done(p, &e);
	return false;
}

static bool is_text(struct parser *p, const char *text, size_t len)
{
	size_t i;

	if (len >= 2 && ((unsigned char)text[0] ^ (unsigned char)text[1]) == 0x01 &&
	    ((unsigned char)text[0] | (unsigned char)text[1]) == 0xff)
		return refuse_file(p, "the file is UTF-16 text; save it as plain text or UTF-8");
	for (i = 0; i < len; i++) {
		if (text[i] == 0)
			return refuse_file(p,
					   "the file is not text; save it as plain text or UTF-8");
	}
	return true;
}

uint32_t config_parse_text(struct config *config, const char *file, const char *text, size_t len,
			   config_report_fn report, void *arg)
{
	struct parser p = {.config = config, .file = file, .line = 1, .report = report, .arg = arg};
	size_t at = 0;

	while (len > 0 && text[len - 1] == 0) /* padding of a loader */
		len--;
	if (!is_text(&p, text, len))
		return p.errors;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		at = 3;
	for (; at < len; p.line++) {
		size_t end = at;

		while (end < len && text[end] != '\n' && text[end] != '\r')
			end++;
		parse_line(&p, text + at, end - at);
		at = end + 1;
		if (end + 1 < len && text[end] == '\r' && text[end + 1] == '\n')
			at++;
	}
	return p.errors;
}

/* One word of a command line. Its name is decoded into a buffer; the value is walked where it lies.
 */
static void parse_word(struct parser *p, const struct cmdline_word *word)
{
	char name[2 * CONFIG_NAME_MAX];
	struct source value = {.word = true};
	size_t len = 0, column;
	bool control = false;
	int c;

	cmdline_start(&value.cursor, word);
	while ((c = cmdline_char(&value.cursor)) >= 0 && c != '=') {
		control = control || is_control(c);
		if (len < sizeof(name))
			name[len++] = (char)c;
	}
	column = word->offset + (size_t)(value.cursor.at - word->raw);

	if (control || c != '=' || word->open) {
		struct config_error e;
		struct text t;

		error_init(p, &e, &t,
			   control      ? CONFIG_E_NOT_TEXT
			   : word->open ? CONFIG_E_QUOTE
					: CONFIG_E_NO_EQUALS,
			   word->offset, name, len);
		if (control || resembles_protective(name, len))
			e.protective = true;
		put(&t, control      ? "the name contains control characters"
			: word->open ? "a quote is not closed"
				     : "'=' is missing; write key=value");
		error_done(p, &e);
		return;
	}
	entry(p, name, len, word->offset, value, column);
}

uint32_t config_parse_cmdline(struct config *config, const char *cmdline, config_report_fn report,
			      void *arg)
{
	struct parser p = {
	    .config = config, .file = COMMAND_LINE, .line = 1, .report = report, .arg = arg};
	struct cmdline_word word;
	size_t len = strlen(cmdline), offset = 0;

	while (cmdline_next(cmdline, len, &offset, &word))
		parse_word(&p, &word);
	return p.errors;
}

bool config_must_ask(const struct config *config)
{
	return config->protective_error || (config->config_strict && config->errors);
}

bool config_stop_on_error(const struct config *config)
{
	uint32_t i;

	if (config->on_error != CONFIG_ON_ERROR_AUTO)
		return config->on_error == CONFIG_ON_ERROR_STOP;
	if (config->protective_error)
		return true;
	for (i = 0; i < CONFIG_KEY_COUNT; i++) {
		if (!config->given[i] || !config_is_protective(keys[i].name))
			continue;
		if (keys[i].type != CONFIG_TYPE_STRING || ((const char *)config)[keys[i].offset])
			return true;
	}
	return false;
}

const struct config_key *config_key_at(uint32_t number)
{
	return number < CONFIG_KEY_COUNT ? &keys[number] : NULL;
}

int config_key_find(const char *name)
{
	int i;

	for (i = 0; i < CONFIG_KEY_COUNT; i++) {
		if (same_name(name, strlen(name), keys[i].name))
			return i;
	}
	return -ENOENT;
}

int config_value_text(const struct config *config, uint32_t number, char *buf, size_t size)
{
	struct text t = {.buf = buf, .size = size, .len = 0};
	const struct config_key *key = config_key_at(number);
	const struct config_name *name;
	const char *field;
	uint64_t u64 = 0;
	uint32_t u32 = 0;
	int32_t s32 = 0;
	bool flag = false;

	if (!key)
		return -EINVAL;
	if (size > 0)
		buf[0] = 0;
	field = (const char *)config + key->offset;
	switch (key->type) {
	case CONFIG_TYPE_BOOL:
		memcpy(&flag, field, sizeof(flag));
		put(&t, flag ? "yes" : "no");
		return (int)t.len;
	case CONFIG_TYPE_INT:
		memcpy(&s32, field, sizeof(s32));
		put_signed(&t, s32);
		return (int)t.len;
	case CONFIG_TYPE_STRING:
		put(&t, field);
		return (int)t.len;
	case CONFIG_TYPE_NAMED:
	case CONFIG_TYPE_ENUM:
		memcpy(&u32, field, sizeof(u32));
		u64 = u32;
		break;
	case CONFIG_TYPE_SIZE:
		memcpy(&u64, field, sizeof(u64));
		break;
	}
	for (name = key->names; name->name; name++) {
		if (name->value == u64) {
			put(&t, name->name);
			return (int)t.len;
		}
	}
	if (key->type == CONFIG_TYPE_SIZE)
		put_size(&t, u64);
	else
		put_number(&t, u64, 16);
	return (int)t.len;
}

int config_valid_text(uint32_t number, char *buf, size_t size)
{
	struct text t = {.buf = buf, .size = size, .len = 0};
	const struct config_key *key = config_key_at(number);

	if (!key)
		return -EINVAL;
	if (size > 0)
		buf[0] = 0;
	put_valid(&t, key);
	return (int)t.len;
}
