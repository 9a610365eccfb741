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

$(B)/fuzz/pure/%.o: %.c
	@mkdir -p $(@D)
	@echo "  FUZZCC  $<"
	@$(FUZZCC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(B)/fuzz/libpure.a: $(FUZZ_PURE) tests/host/pure.list
	@rm -f $@
	@ar rcsD $@ $(FUZZ_PURE)

$(B)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(B)/fuzz/libpure.a
	@mkdir -p $(@D)
	@echo "  FUZZCC  $<"
	@$(FUZZCC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d -o $@ $< $(B)/fuzz/libpure.a

-include $(FUZZ_PURE:.o=.d) $(FUZZ_BINS:=.d)

# $(1): name, $(2): folder for new inputs, $(3): further options
fuzz_run = $(B)/fuzz/$(1) -timeout=10 -rss_limit_mb=2048 -artifact_prefix=$(B)/fuzz/$(1)- -print_final_stats=0 \
	$(if $(wildcard tests/fuzz/$(1).dict),-dict=tests/fuzz/$(1).dict) $(3) $(2) $(wildcard tests/fuzz/corpus/$(1))

.PHONY: fuzz-build check-fuzz fuzz $(FUZZ_NAMES:%=check-%) $(FUZZ_NAMES:%=run-%)
fuzz-build: $(FUZZ_BINS)

# The same inputs each time: fixed seed, number of runs, and starting inputs.
check-fuzz: $(FUZZ_NAMES:%=check-%)
$(FUZZ_NAMES:%=check-%): check-%: $(B)/fuzz/%
	@echo "  FUZZ    $*"
	@rm -rf $(B)/fuzz/check/$* && mkdir -p $(B)/fuzz/check/$*
	@$(call fuzz_run,$*,$(B)/fuzz/check/$*,-seed=1 -runs=$(FUZZ_RUNS)) >$(B)/fuzz/check/$*.log 2>&1 || \
		{ tail -60 $(B)/fuzz/check/$*.log; exit 1; }

fuzz: $(FUZZ_NAMES:%=run-%)
$(FUZZ_NAMES:%=run-%): run-%: $(B)/fuzz/%
	@mkdir -p $(B)/fuzz/corpus/$*
	$(call fuzz_run,$*,$(B)/fuzz/corpus/$*,-max_total_time=$(FUZZ_SECONDS))
