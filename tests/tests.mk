# Tests: host programs (cmocka), fuzzers, and the system tests.
# SPDX-License-Identifier: BSD-3-Clause

# Pure cores: sources that also compile on the host. One path a line; '#' starts a comment.
PURE_SRCS  := $(shell grep -v '^\#' tests/host/pure.list)
PURE_OBJS  := $(PURE_SRCS:%.c=$(B)/host/pure/%.o)
HOST_TESTS := $(patsubst tests/host/%.c,$(B)/host/%,$(sort $(wildcard tests/host/test_*.c)))

$(B)/host/pure/%.o: %.c | $(DEPS_READY)
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	@$(HOSTCC) $(HOST_CFLAGS) $(HOST_DEPS_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/host/libpure.a: $(PURE_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcsD $@ $(PURE_OBJS)

$(B)/host/test_%: tests/host/test_%.c $(B)/host/libpure.a $(HOST_DEPS_LIBS)
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	@$(HOSTCC) $(HOST_CFLAGS) $(HOST_DEPS_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(B)/host/libpure.a $(HOST_DEPS_LIBS) -lcmocka

-include $(PURE_OBJS:.o=.d) $(HOST_TESTS:=.d)

.PHONY: check-host
check-host: $(HOST_TESTS)
	@set -e; for t in $(HOST_TESTS); do echo "  TEST    $$t"; $$t; done
