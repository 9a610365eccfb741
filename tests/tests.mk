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

# The last line of each of these is "N passed, N failed, N skipped"; the exit status tells the same.
CHECK := $(PYTHON) tests/check.py
IMAGES := $(B)/bitvisor.elf $(B)/loadvmm.efi $(B)/guest.elf $(B)/bench.elf $(B)/bitvisor-bench.elf $(B)/qemuexits.so

# Documents and files that are generated: each of these is a check of its own, counted as one.
DOC_CHECKS := check-doc-links check-config-docs check-docs

.PHONY: check-host check-fast check-system check check-all check-doc-links
check-doc-links:
	@$(PYTHON) tools/check_docs.py

check-host: $(HOST_TESTS) check-doc-links
	@$(CHECK) --host $(HOST_TESTS)

check-fast: $(IMAGES) $(HOST_TESTS) $(GUESTS)
	@$(CHECK) --host $(HOST_TESTS) --system -- -m fast

# PYTEST='-k name' picks tests.
check-system: $(IMAGES) $(GUESTS)
	@$(CHECK) --system -- $(PYTEST)

# The same with the image that audits each entry in the product's place; not part of check. PYTEST= picks tests.
.PHONY: check-audited
check-audited: $(IMAGES) $(GUESTS) $(B)/bitvisor-debug.elf
	@BITVISOR_IMAGE=bitvisor-debug $(CHECK) --system -- $(PYTEST)

check: $(IMAGES) $(B)/bitvisor.iso $(HOST_TESTS) $(GUESTS)
	@$(CHECK) --host $(HOST_TESTS) --make $(DOC_CHECKS) check-spin check-cas check-bmake check-exit-path check-cpus --fuzz-runs $(FUZZ_RUNS) --fuzz $(FUZZ_BINS) --system

check-all: $(IMAGES) $(B)/bitvisor.iso $(HOST_TESTS) $(GUESTS)
	@$(CHECK) --host $(HOST_TESTS) --make $(DOC_CHECKS) check-spin check-cas check-bmake check-exit-path check-cpus --fuzz-runs $(FUZZ_RUNS) --fuzz $(FUZZ_BINS) --system -- --all-rows

# Line coverage of pure code by the host tests; not part of check. Without sanitizers and optimization, so that
# each line is code of its own.
COVERAGE_MIN    ?= 95
COVERAGE_CFLAGS := $(filter-out -O1 -fsanitize=% -fno-sanitize-recover=%,$(HOST_CFLAGS)) -O0 --coverage
COVERAGE_OBJS   := $(PURE_SRCS:%.c=$(B)/coverage/pure/%.o)
COVERAGE_TESTS  := $(HOST_TESTS:$(B)/host/%=$(B)/coverage/%)

$(B)/coverage/pure/%.o: %.c | $(DEPS_READY)
	@mkdir -p $(@D)
	@echo "  COVCC   $<"
	@$(HOSTCC) $(COVERAGE_CFLAGS) $(HOST_DEPS_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/coverage/libpure.a: $(COVERAGE_OBJS) tests/host/pure.list
	@rm -f $@
	@ar rcsD $@ $(COVERAGE_OBJS)

$(B)/coverage/test_%.o: tests/host/test_%.c | $(DEPS_READY)
	@mkdir -p $(@D)
	@echo "  COVCC   $<"
	@$(HOSTCC) $(COVERAGE_CFLAGS) $(HOST_DEPS_CFLAGS) -MMD -MP -c -o $@ $<

$(COVERAGE_TESTS): %: %.o $(B)/coverage/libpure.a $(HOST_DEPS_LIBS)
	@$(HOSTCC) --coverage -o $@ $< $(B)/coverage/libpure.a $(HOST_DEPS_LIBS) -lcmocka

-include $(COVERAGE_OBJS:.o=.d) $(COVERAGE_TESTS:=.d)

.PHONY: coverage
coverage: $(COVERAGE_TESTS)
	@$(PYTHON) tools/coverage.py --min $(COVERAGE_MIN) --objects $(COVERAGE_OBJS) --tests $(COVERAGE_TESTS)

# Line coverage of the VMM in machines: the system tests with an image that counts, whose counters are read out of the machines' memory;
# not part of check. Tests of time may fail with it, which is told and does not matter. PYTEST= picks tests,
# COVERAGE_ROOM= what is counted.
COVERAGE_TARGET_MIN ?= 80
COVERAGE_ROOM       ?= core/
.PHONY: coverage-target coverage-target-report
coverage-target: $(IMAGES) $(GUESTS) $(B)/bitvisor-debug.elf $(B)/bitvisor-coverage.elf
	@rm -rf $(B)/coverage-target/runs
	-@BITVISOR_IMAGE=bitvisor-coverage $(CHECK) --system -- $(PYTEST)
	@$(MAKE) -s coverage-target-report

# From the counters that are there.
coverage-target-report:
	@$(PYTHON) tools/coverage_target.py --room $(COVERAGE_ROOM) --min $(COVERAGE_TARGET_MIN)

# Many boots, mixed; not part of check. EMU=bochs for VT-x, JOBS= machines at a time.
BOOTS ?= 100
.PHONY: soak
soak: $(IMAGES) $(GUESTS)
	@$(PYTHON) tests/soak.py --boots $(BOOTS) $(if $(EMU),--emu $(EMU)) $(if $(JOBS),--jobs $(JOBS))

# The guest fuzzer for long; not part of check. EMU=bochs for VT-x, KINDS=io,msr for some kinds of operation.
OPS ?= 100000000
.PHONY: fuzz-guest
fuzz-guest: $(IMAGES)
	@$(PYTHON) tests/guest_fuzz.py --ops $(OPS) $(if $(EMU),--emu $(EMU)) $(if $(CPUS),--cpus $(CPUS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(ROUND),--round $(ROUND)) $(if $(KINDS),--kinds $(KINDS))

# The kernel's own x86 tests in the guest, bare and under the VMM; not part of check.
$(DEPS)/selftests/selftests.tar: deps/selftests.sh deps/apt.sh | $(DEPS)/packages
	@sh deps/selftests.sh $(@D)

.PHONY: check-selftests
check-selftests: $(IMAGES) $(GUESTS) $(DEPS)/selftests/selftests.tar
	@$(PYTHON) tests/selftests.py $(DEPS)/selftests/selftests.tar
