/* Boot options of UEFI's boot manager: parsing, order, and their command lines (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/bootopt.h"
#include "boot/uefi/devpath.h"
#include "core/errno.h"
#include "core/string.h"

#define LOAD_OPTION_ACTIVE   UINT32_C(0x00000001)
#define LOAD_OPTION_CATEGORY UINT32_C(0x00001f00) /* 0 is "boot" */

int bootopt_parse(const void *bytes, size_t size, struct bootopt *option)
{
	const uint8_t *p = bytes;
	if (size < 8) /* attributes, length of the path list, an empty description */
		return -EINVAL;
	size_t list = (size_t)(p[4] | p[5] << 8);
	size_t at = 6;
	while (p[at] != 0 || p[at + 1] != 0) {
		at += 2;
		if (size - at < 2)
			return -EINVAL;
	}
	at += 2;
	if (list > size - at)
		return -EINVAL;
	memcpy(&option->attributes, p, sizeof(option->attributes));
	option->description = p + 6;
	option->path = p + at;
	option->path_size = devpath_size(option->path, list);
	if (option->path_size == 0)
		return -EINVAL;
	option->data_size = size - at - list;
	option->data = option->data_size != 0 ? p + at + list : NULL;
	return 0;
}

bool bootopt_is_bootable(const struct bootopt *option)
{
	return (option->attributes & LOAD_OPTION_ACTIVE) != 0 &&
	       (option->attributes & LOAD_OPTION_CATEGORY) == 0;
}

size_t bootopt_order(const uint16_t *order, size_t count, bool has_current, uint16_t current,
		     uint16_t *out)
{
	size_t first = 0, n = 0;
	for (size_t i = 0; has_current && i < count; i++) {
		if (order[i] == current) {
			first = i + 1;
			break;
		}
	}
	for (size_t i = 0; i < count; i++) {
		uint16_t number = order[(first + i) % count];
		bool skip = has_current && number == current;
		for (size_t j = 0; j < n; j++)
			skip = skip || out[j] == number;
		if (!skip)
			out[n++] = number;
	}
	return n;
}

static bool is_text(uint32_t c)
{
	return (c >= ' ' && c <= '~') || c == '\t';
}

/* Characters of `width` bytes up to the end or a NUL; -1 when one is not text. */
static long text_length(const uint8_t *p, size_t size, size_t width)
{
	size_t n = 0;
	for (; (n + 1) * width <= size; n++) {
		uint32_t c = p[n * width];
		if (width == 2)
			c |= (uint32_t)p[n * width + 1] << 8;
		if (c == 0)
			return (long)n;
		if (!is_text(c))
			return -1;
	}
	return n * width == size ? (long)n : -1;
}

int bootopt_words(const void *data, size_t size, bool skip_first, char *out, size_t max)
{
	const uint8_t *p = data;
	size_t width = 2;

	if (max == 0)
		return -ENOSPC;
	out[0] = '\0';
	/* Bytes of ASCII never look like UCS-2: their second byte would be 0, which ends them. */
	long length = text_length(p, size, 2);
	if (length < 0) {
		width = 1;
		length = text_length(p, size, 1);
	}
	if (length < 0)
		return -EINVAL;
	size_t i = 0, end = (size_t)length;
	if (skip_first) {
		bool quoted = false;
		while (i < end && (p[i * width] == ' ' || p[i * width] == '\t'))
			i++;
		for (; i < end; i++) {
			if (p[i * width] == '"')
				quoted = !quoted;
			else if (!quoted && (p[i * width] == ' ' || p[i * width] == '\t'))
				break;
		}
	}
	while (i < end && (p[i * width] == ' ' || p[i * width] == '\t'))
		i++;
	while (end > i && (p[(end - 1) * width] == ' ' || p[(end - 1) * width] == '\t'))
		end--;
	if (end - i >= max)
		return -ENOSPC;
	size_t n = 0;
	for (; i < end; i++)
		out[n++] = (char)p[i * width];
	out[n] = '\0';
	return 0;
}
