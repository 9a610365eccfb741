/* Compare-and-swap whose result comes from the zero flag by SETcc, without a branch. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/*
 * If *p is *expected, it becomes `value`. Returns true when it was not: the compare failed, and
 * *expected is then what stands in *p. One locked instruction, a full barrier either way (SDM 3A
 * 9.2.3.9). Functions of their own, so that no compiler joins the result with a jump of the caller:
 * `make check-cas` looks at their instructions. Context: any, NMI handler included.
 */
bool cas32(uint32_t *p, uint32_t *expected, uint32_t value);
bool cas64(uint64_t *p, uint64_t *expected, uint64_t value);
