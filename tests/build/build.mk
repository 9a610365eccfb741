# Checks of the build itself: compilers, options, headers, format, reproducibility.
# SPDX-License-Identifier: BSD-3-Clause

.PHONY: check-build check-headers check-format format
check-build: | $(DEPS_READY)
	@MAKEFLAGS= MFLAGS= sh tests/build/check.sh

# Compare-and-swap takes its result by SETcc, nowhere by a jump.
.PHONY: check-cas
check-cas: $(B)/bitvisor.elf
	@$(PYTHON) tests/build/check_cas.py $<

# The path that every exit takes has no locked instruction.
.PHONY: check-exit-path
check-exit-path: $(B)/bitvisor.elf
	@$(PYTHON) tests/build/check_exit_path.py $<

# With more CPUs no structure of the image grows faster than their number.
.PHONY: check-cpus
check-cpus: | $(CONFIG_H) $(DEPS_READY)
	@$(PYTHON) tests/build/check_cpus.py $(CC) $(VMM_CFLAGS)

# BSD make reads Makefile, and gives the same image.
.PHONY: check-bmake
check-bmake: $(B)/bitvisor.elf
	@KCONFIG_CONFIG=$(KCONFIG_CONFIG) sh tests/build/bmake.sh $<

# Each header of these rooms compiles alone, but for lists that are included several times with a macro.
LISTS      := core/vm/features_table.h core/x86/svm/exit_codes.h core/x86/vt/exit_reasons.h core/x86/vt/vmcs_fields.h
HEADERS    := $(filter-out $(LISTS),$(sort $(shell find include core drivers -name '*.h')))
HEADERS_OK := $(HEADERS:%=$(B)/headers/%.ok)

$(HEADERS_OK): $(B)/headers/%.ok: % | $(CONFIG_H) $(DEPS_READY)
	@mkdir -p $(@D)
	@echo '#include "$<"' | $(CC) $(VMM_CFLAGS) -MMD -MP -MT $@ -MF $@.d -fsyntax-only -x c -
	@touch $@

check-headers: $(HEADERS_OK)

-include $(HEADERS_OK:=.d)

FORMATTED = $(shell git ls-files -co --exclude-standard '*.c' '*.h')

check-format:
	@status=0; for f in $(FORMATTED); do \
		clang-format --dry-run -Werror $$f 2>/dev/null || { echo "$$f: not as .clang-format says: make format"; status=1; }; \
	done; exit $$status

format:
	@clang-format -i $(FORMATTED)
