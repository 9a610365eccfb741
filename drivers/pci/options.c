/* Values of driver options: numbers and yes or no. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/options.h"
#include <stddef.h>
#include "core/errno.h"

static int digit(char c, unsigned base)
{
	int d = -1;

	if (c >= '0' && c <= '9')
		d = c - '0';
	else if (c >= 'a' && c <= 'f')
		d = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		d = c - 'A' + 10;
	return d < (int)base ? d : -1;
}

int pci_option_int(const char *option, int32_t *value, const char **end)
{
	const char *s = option;
	unsigned base = 10;
	int64_t v = 0, limit;
	bool minus, any = false;

	if (end)
		*end = option;
	if (!option)
		return 0;
	while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
		s++;
	minus = *s == '-';
	limit = minus ? -(int64_t)INT32_MIN : INT32_MAX;
	if (*s == '-' || *s == '+')
		s++;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit(s[2], 16) >= 0) {
		base = 16;
		s += 2;
	} else if (s[0] == '0') {
		base = 8; /* the 0 is a digit too: "0x" is 0, followed by an x */
	}
	for (; digit(*s, base) >= 0; s++) {
		v = v * base + digit(*s, base);
		if (v > limit)
			v = limit;
		any = true;
	}
	if (!any || (!end && *s))
		return -EINVAL;
	if (end)
		*end = s;
	*value = (int32_t)(minus ? -v : v);
	return 0;
}

static bool same(const char *s, const char *word)
{
	for (; *s && *word; s++, word++) {
		if (*s != *word && !(*s >= 'A' && *s <= 'Z' && *s - 'A' + 'a' == *word))
			return false;
	}
	return *s == *word;
}

int pci_option_bool(const char *option, bool *value)
{
	static const char *const words[][2] = {
	    {"no", "yes"}, {"off", "on"}, {"false", "true"}, {"n", "y"}, {"f", "t"}};
	int32_t number = 0;
	size_t i;
	int err;

	if (!option)
		return 0;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (same(option, words[i][0]) || same(option, words[i][1])) {
			*value = same(option, words[i][1]);
			return 0;
		}
	}
	err = pci_option_int(option, &number, NULL);
	if (!err)
		*value = number != 0;
	return err;
}
