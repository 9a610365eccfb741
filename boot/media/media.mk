# Boot media and the default guest disk.
# SPDX-License-Identifier: BSD-3-Clause
