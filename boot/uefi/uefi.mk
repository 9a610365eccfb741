# The UEFI loader.
# SPDX-License-Identifier: BSD-3-Clause
