"""What the system tests share."""
# SPDX-License-Identifier: BSD-3-Clause
