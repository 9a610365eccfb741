/* Zydis in the VMM: the image's own memory functions in place of the byte loops that it has without
 * a libc. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <Zycore/LibC.h>
#include <Zycore/Types.h>

extern void *memcpy(void *restrict dst, const void *restrict src, __SIZE_TYPE__ n);
extern void *memset(void *dst, int value, __SIZE_TYPE__ n);

#define ZYAN_MEMCPY memcpy
#define ZYAN_MEMSET memset
