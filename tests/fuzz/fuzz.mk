# Fuzzers: each tests/fuzz/fuzz_*.c with all pure cores, by clang's libFuzzer.
# SPDX-License-Identifier: BSD-3-Clause
#
# Optional, by name: tests/fuzz/fuzz_x.dict (a dictionary), tests/fuzz/corpus/fuzz_x/ (inputs to start from).
# What `make fuzz` finds of new inputs stays in build/fuzz/corpus/, inputs that fail in build/fuzz/.

FUZZCC       := clang
FUZZ_RUNS    ?= 20000
FUZZ_SECONDS ?= 600
FUZZ_CFLAGS  := -std=gnu17 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all $(WARN) -Iinclude -I.
FUZZ_NAMES   := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_BINS    := $(FUZZ_NAMES:%=$(B)/fuzz/%)
FUZZ_PURE    := $(PURE_SRCS:%.c=$(B)/fuzz/pure/%.o)

$(B)/fuzz/pure/%.o: %.c | $(DEPS_READY)
	@mkdir -p $(@D)
	@echo "  FUZZCC  $<"
	@$(FUZZCC) $(FUZZ_CFLAGS) $(HOST_DEPS_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(B)/fuzz/libpure.a: $(FUZZ_PURE) tests/host/pure.list
	@rm -f $@
	@ar rcsD $@ $(FUZZ_PURE)

$(B)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(B)/fuzz/libpure.a $(HOST_DEPS_LIBS)
	@mkdir -p $(@D)
	@echo "  FUZZCC  $<"
	@$(FUZZCC) $(FUZZ_CFLAGS) $(HOST_DEPS_CFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d -o $@ $< $(B)/fuzz/libpure.a $(HOST_DEPS_LIBS)

-include $(FUZZ_PURE:.o=.d) $(FUZZ_BINS:=.d)

.PHONY: fuzz-build check-fuzz fuzz $(FUZZ_NAMES:%=run-%)
fuzz-build: $(FUZZ_BINS)

# The same inputs each time: tests/check.py runs them with a fixed seed, number of runs, and starting inputs.
check-fuzz: $(FUZZ_BINS)
	@$(CHECK) --fuzz-runs $(FUZZ_RUNS) --fuzz $(FUZZ_BINS)

check check-all: $(FUZZ_BINS)

fuzz: $(FUZZ_NAMES:%=run-%)
$(FUZZ_NAMES:%=run-%): run-%: $(B)/fuzz/%
	@mkdir -p $(B)/fuzz/corpus/$*
	$< -timeout=10 -rss_limit_mb=2048 -artifact_prefix=$<- -max_total_time=$(FUZZ_SECONDS) \
		$(if $(wildcard tests/fuzz/$*.dict),-dict=tests/fuzz/$*.dict) \
		$(B)/fuzz/corpus/$* $(wildcard tests/fuzz/corpus/$*)
