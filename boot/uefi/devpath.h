/* UEFI device paths as bytes: size, kind, parts (pure). Source: UEFI 2.10, chapter 10. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVPATH_END_SIZE 4 /* bytes of the node that ends a path */

enum devpath_kind {
	DEVPATH_FULL, /* starts at a piece of hardware (or at something this file does not know) */
	DEVPATH_PARTITION, /* short form: HD(), to be found by its signature */
	DEVPATH_FILE,      /* short form: only a file's path, on any file system */
};

/* What identifies a partition: Hard Drive node, UEFI 2.10, table 10.49. */
struct devpath_partition {
	uint32_t number;
	uint8_t signature[16];
	uint8_t signature_type; /* 1: MBR, 2: GUID */
};

/*
 * Bytes of the path at `path` with the node that ends it, 0 when it is damaged or does not end
 * within `max` bytes. All other functions want a path for which this is not 0.
 */
size_t devpath_size(const void *path, size_t max);

enum devpath_kind devpath_kind(const void *path);

/* The first node's bytes: what comes after it is the rest of a short form. */
size_t devpath_first_size(const void *path);

/* Bytes of the path up to its first media node (or end): the disk without partition and file. */
size_t devpath_disk_size(const void *path);

/* True when `path` starts with the first `size` bytes of `head`, at a border between nodes. */
bool devpath_starts_with(const void *path, const void *head, size_t size);

/* The first Hard Drive node; false when there is none. */
bool devpath_partition(const void *path, struct devpath_partition *partition);

/* True when both name the same partition: same signature; on MBR disks, where it is the disk's,
 * same number. */
bool devpath_partition_same(const struct devpath_partition *a, const struct devpath_partition *b);

/* True when the path names a file (a File Path node, or a file of a firmware volume). */
bool devpath_names_file(const void *path);

/*
 * The text of all File Path nodes, joined with one backslash between them (UEFI 2.10, 10.3.5.4),
 * NUL-terminated. Returns its length without the NUL, or -ENOSPC when `max` characters do not hold
 * it.
 */
int devpath_file_text(const void *path, uint16_t *out, size_t max);

/*
 * Writes `head_size` bytes of head, then a File Path node with `text` (ASCII) and the end: returns
 * its bytes, or 0 when they are more than `max`.
 */
size_t devpath_make_file(const void *head, size_t head_size, const char *text, void *out,
			 size_t max);

/* Writes `head_size` bytes of head, then the whole path `tail`: returns its bytes, 0 when more than
 * `max`. */
size_t devpath_join(const void *head, size_t head_size, const void *tail, size_t tail_size,
		    void *out, size_t max);
