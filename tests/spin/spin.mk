# Models of what several CPUs do at once, verified by spin.
# SPDX-License-Identifier: BSD-3-Clause

.PHONY: check-spin
check-spin: | $(DEPS)/packages
	@sh tests/spin/check.sh $(B)/spin
