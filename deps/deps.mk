# Third-party packages: what is needed, and the rules that fetch and build it.
# SPDX-License-Identifier: BSD-3-Clause
DEPS_READY :=
DEPS_LIBS :=
DEPS_CFLAGS :=
