/* The firmware's memory map in the form of the boot contract (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "core/boot.h"

/*
 * Converts the descriptors of GetMemoryMap (`size` bytes, one every `desc_size`; UEFI 2.10,
 * section 7.2) to entries sorted by address, neighbours of one type joined. What the operating
 * system may use after ExitBootServices is RAM; runtime services, OEM and unknown types are
 * reserved. Returns the number of entries, -EINVAL (descriptor size or a range that wraps) or
 * -ENOSPC (more than `max`).
 */
int efimap_convert(const void *map, size_t size, size_t desc_size, struct boot_mmap_entry *out,
		   uint32_t max);
