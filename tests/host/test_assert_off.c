/* ASSERT with assertions off: the same tests. */
/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONFIG_NO_ASSERT
#define CONFIG_NO_ASSERT 1
#endif
#include "tests/host/test_assert.c"
