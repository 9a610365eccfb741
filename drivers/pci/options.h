/* Values of driver options: numbers and yes or no. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/*
 * Both take an entry of pci_device.driver_options. NULL, an option that is not given, leaves *value
 * as it is and is no error: set the default before.
 */

/*
 * A number as C writes it, base by prefix (0x, 0), with a sign and blanks before it, cut to what
 * int32_t holds. With `end`, *end is set behind it (at `option` when there is none, NULL for NULL);
 * without, nothing may follow. 0, or -EINVAL with *value as it was.
 */
int pci_option_int(const char *option, int32_t *value, const char **end);

/*
 * A number (0: no), or yes, no, on, off, true, false, y, n, t, f in any letter case. 0, or -EINVAL
 * with *value as it was.
 */
int pci_option_bool(const char *option, bool *value);
