/* Boot options of UEFI's boot manager: parsing, order, and their command lines (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One Boot#### variable, taken apart. The pointers lead into the variable's bytes. */
struct bootopt {
	uint32_t attributes;
	const uint8_t *description; /* UCS-2, NUL-terminated, may be unaligned */
	const uint8_t *path;        /* first device path of the list, checked with devpath_size() */
	size_t path_size;
	const uint8_t *data; /* optional data: the load options of the program; may be NULL */
	size_t data_size;
};

/* EFI_LOAD_OPTION, UEFI 2.10, section 3.1.3. Returns 0 or -EINVAL for a damaged one. */
int bootopt_parse(const void *bytes, size_t size, struct bootopt *option);

/* True for what the boot manager may start by itself: active, and of the category "boot". */
bool bootopt_is_bootable(const struct bootopt *option);

/*
 * The numbers to try, in turn: what follows `current` in BootOrder, then the beginning of
 * BootOrder; without `current` itself and without repetitions. A `current` that is not in the order
 * (or none, when !has_current) gives the whole order. `out` has room for `count` numbers. Returns
 * how many there are.
 */
size_t bootopt_order(const uint16_t *order, size_t count, bool has_current, uint16_t current,
		     uint16_t *out);

/*
 * Load options as a line of ASCII: UCS-2 or bytes, with or without NUL at the end. With
 * `skip_first` the first word goes (a shell puts the program's name there, in double quotes when it
 * has blanks). Quotes of other words stay. Returns 0; -EINVAL when it is no text (binary data) or
 * not ASCII; -ENOSPC when `max` bytes do not hold it with its NUL. `out` is "" on error.
 */
int bootopt_words(const void *data, size_t size, bool skip_first, char *out, size_t max);
