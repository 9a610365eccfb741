/* Fuzzer of core/config.c: any file and command line leave valid values, and their print is read
 * back. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/config.h"
#include "tests/fuzz/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t reports;
static bool protective;

static void record(void *arg, const struct config_error *e)
{
	(void)arg;
	CHECK(memchr(e->text, 0, sizeof(e->text)) && e->text[0]);
	CHECK(memchr(e->key, 0, sizeof(e->key)));
	CHECK(e->line >= 1 && e->column >= 1 && e->file);
	/* The first bytes of a name are enough to know a protective one. */
	CHECK(!config_is_protective(e->key) || e->protective);
	protective = protective || e->protective;
	reports++;
}

static void check_values(const struct config *c)
{
	static struct config again;
	uint32_t i;

	for (i = 0; i < CONFIG_KEY_COUNT; i++) {
		const struct config_key *key = config_key_at(i);
		const char *field = (const char *)c + key->offset;
		char value[4096], line[2 * 4096 + 100], *out = line;
		int len = config_value_text(c, i, value, sizeof(value));
		uint32_t u32;
		uint64_t u64;
		const char *in;

		CHECK(len >= 0 && (size_t)len < sizeof(value) && strlen(value) == (size_t)len);
		memcpy(&u32, field, sizeof(u32));
		memcpy(&u64, field, sizeof(u64));
		if (key->type == CONFIG_TYPE_STRING)
			CHECK(memchr(field, 0, (size_t)key->max + 1));
		if (key->type == CONFIG_TYPE_BOOL)
			CHECK(*(const unsigned char *)field <= 1);
		if (key->type == CONFIG_TYPE_INT)
			CHECK((int32_t)u32 >= key->min && (int32_t)u32 <= key->max);
		if (key->type == CONFIG_TYPE_SIZE)
			CHECK(u64 == 0 || (u64 >= (uint64_t)key->min && u64 <= (uint64_t)key->max));

		/* In quotes, as a file would have it; long lines are refused, so are not tried. */
		if (len > 1900)
			continue;
		out += sprintf(out, "%s=\"", key->name);
		for (in = value; *in; in++) {
			if (*in == '"' || *in == '\\')
				*out++ = '\\';
			*out++ = *in;
		}
		*out++ = '"';
		*out = 0;
		config_init(&again);
		CHECK(config_parse_text(&again, "x", line, (size_t)(out - line), NULL, NULL) == 0);
		if (key->type == CONFIG_TYPE_STRING) {
			CHECK(strcmp((const char *)&again + key->offset, field) == 0);
			config_init(&again);
			CHECK(config_parse_cmdline(&again, line, NULL, NULL) == 0);
			CHECK(strcmp((const char *)&again + key->offset, field) == 0);
		} else if (key->type == CONFIG_TYPE_SIZE) {
			CHECK(memcmp((const char *)&again + key->offset, field, sizeof(u64)) == 0);
		} else if (key->type != CONFIG_TYPE_BOOL) {
			CHECK(memcmp((const char *)&again + key->offset, field, sizeof(u32)) == 0);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;
	char *text = malloc(size + 1);
	uint32_t errors;

	CHECK(text);
	config_init(&c);
	reports = 0;
	protective = false;
	if (size > 0 && data[0] == '!') {
		memcpy(text, data + 1, size - 1);
		text[size - 1] = 0;
		errors = config_parse_cmdline(&c, text, record, NULL);
	} else {
		char *exact = malloc(size ? size : 1);

		CHECK(exact);
		memcpy(exact, data, size);
		errors = config_parse_text(&c, "fuzz", exact, size, record, NULL);
		free(exact);
	}
	CHECK(errors == reports && c.errors == reports && c.protective_error == protective);
	if (protective && c.on_error == CONFIG_ON_ERROR_AUTO)
		CHECK(config_stop_on_error(&c));
	if (protective)
		CHECK(config_must_ask(&c));
	check_values(&c);
	free(text);
	return 0;
}
