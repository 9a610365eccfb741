/* UEFI device paths as bytes: size, kind, parts (pure). Source: UEFI 2.10, chapter 10. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/devpath.h"
#include "core/errno.h"
#include "core/string.h"

#define TYPE_MEDIA  4
#define TYPE_END    0x7f
#define SUB_END_ALL 0xff

#define MEDIA_HARD_DRIVE 1
#define MEDIA_FILE       4
#define MEDIA_FV_FILE    6

#define HARD_DRIVE_SIZE 42 /* UEFI 2.10, table 10.49 */

static uint8_t node_type(const uint8_t *node)
{
	return node[0];
}

static uint8_t node_subtype(const uint8_t *node)
{
	return node[1];
}

static size_t node_size(const uint8_t *node)
{
	return (size_t)(node[2] | node[3] << 8);
}

static bool is_end(const uint8_t *node)
{
	return node_type(node) == TYPE_END;
}

static bool is_media(const uint8_t *node, uint8_t subtype)
{
	return node_type(node) == TYPE_MEDIA && node_subtype(node) == subtype;
}

size_t devpath_size(const void *path, size_t max)
{
	size_t at = 0;
	while (max - at >= DEVPATH_END_SIZE) {
		const uint8_t *node = (const uint8_t *)path + at;
		size_t size = node_size(node);
		if (size < DEVPATH_END_SIZE || size > max - at)
			return 0;
		at += size;
		/* A path of several instances ends here too: only consoles have those. */
		if (is_end(node))
			return node_subtype(node) == SUB_END_ALL && size == DEVPATH_END_SIZE ? at
											     : 0;
	}
	return 0;
}

enum devpath_kind devpath_kind(const void *path)
{
	if (is_media(path, MEDIA_HARD_DRIVE))
		return DEVPATH_PARTITION;
	return is_media(path, MEDIA_FILE) ? DEVPATH_FILE : DEVPATH_FULL;
}

size_t devpath_first_size(const void *path)
{
	return is_end(path) ? 0 : node_size(path);
}

size_t devpath_disk_size(const void *path)
{
	const uint8_t *node = path;
	while (!is_end(node) && node_type(node) != TYPE_MEDIA)
		node += node_size(node);
	return (size_t)(node - (const uint8_t *)path);
}

bool devpath_starts_with(const void *path, const void *head, size_t size)
{
	const uint8_t *node = path;
	size_t at = 0;
	while (at < size && !is_end(node + at))
		at += node_size(node + at);
	return at == size && memcmp(path, head, size) == 0;
}

bool devpath_partition(const void *path, struct devpath_partition *partition)
{
	for (const uint8_t *node = path; !is_end(node); node += node_size(node)) {
		if (!is_media(node, MEDIA_HARD_DRIVE) || node_size(node) < HARD_DRIVE_SIZE)
			continue;
		memcpy(&partition->number, node + 4, sizeof(partition->number));
		memcpy(partition->signature, node + 24, sizeof(partition->signature));
		partition->signature_type = node[41];
		return true;
	}
	return false;
}

bool devpath_partition_same(const struct devpath_partition *a, const struct devpath_partition *b)
{
	if (a->signature_type != b->signature_type ||
	    memcmp(a->signature, b->signature, sizeof(a->signature)) != 0)
		return false;
	return a->signature_type == 2 || (a->signature_type == 1 && a->number == b->number);
}

bool devpath_names_file(const void *path)
{
	for (const uint8_t *node = path; !is_end(node); node += node_size(node)) {
		if (is_media(node, MEDIA_FILE) || is_media(node, MEDIA_FV_FILE))
			return true;
	}
	return false;
}

int devpath_file_text(const void *path, uint16_t *out, size_t max)
{
	size_t length = 0;
	for (const uint8_t *node = path; !is_end(node); node += node_size(node)) {
		if (!is_media(node, MEDIA_FILE))
			continue;
		bool first = true;
		for (size_t at = 4; at + 2 <= node_size(node); at += 2) {
			uint16_t c = (uint16_t)(node[at] | node[at + 1] << 8);
			if (c == 0)
				break;
			bool ends = length != 0 && out[length - 1] == '\\';
			if (first && length != 0 && c != '\\' && !ends) {
				if (length + 1 >= max)
					return -ENOSPC;
				out[length++] = '\\';
			}
			bool twice = first && ends && c == '\\';
			first = false;
			if (twice)
				continue;
			if (length + 1 >= max)
				return -ENOSPC;
			out[length++] = c;
		}
	}
	if (length >= max)
		return -ENOSPC;
	out[length] = 0;
	return (int)length;
}

size_t devpath_make_file(const void *head, size_t head_size, const char *text, void *out,
			 size_t max)
{
	uint8_t *bytes = out;
	size_t chars = strlen(text) + 1;
	size_t node = DEVPATH_END_SIZE + chars * 2;
	if (node > UINT16_MAX || head_size > max || max - head_size < node + DEVPATH_END_SIZE)
		return 0;
	memcpy(bytes, head, head_size);
	bytes += head_size;
	*bytes++ = TYPE_MEDIA;
	*bytes++ = MEDIA_FILE;
	*bytes++ = (uint8_t)node;
	*bytes++ = (uint8_t)(node >> 8);
	for (size_t i = 0; i < chars; i++) {
		*bytes++ = (uint8_t)text[i];
		*bytes++ = 0;
	}
	*bytes++ = TYPE_END;
	*bytes++ = SUB_END_ALL;
	*bytes++ = DEVPATH_END_SIZE;
	*bytes++ = 0;
	return (size_t)(bytes - (uint8_t *)out);
}

size_t devpath_join(const void *head, size_t head_size, const void *tail, size_t tail_size,
		    void *out, size_t max)
{
	if (head_size > max || max - head_size < tail_size)
		return 0;
	memcpy(out, head, head_size);
	memcpy((uint8_t *)out + head_size, tail, tail_size);
	return head_size + tail_size;
}
