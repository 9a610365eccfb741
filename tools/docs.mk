# Documents that are generated from tables in the source, and the check that they are up to date.
# SPDX-License-Identifier: BSD-3-Clause

MSR_PRINTER := $(B)/host/print_msr_policy
EXIT_REFERENCE = $(PYTHON) tools/gen_exit_reference.py $(MSR_PRINTER)

$(MSR_PRINTER): tools/print_msr_policy.c $(B)/host/libpure.a
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	@$(HOSTCC) $(HOST_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(B)/host/libpure.a

-include $(MSR_PRINTER).d

.PHONY: docs check-docs
docs: config-docs $(MSR_PRINTER)
	@mkdir -p Documentation
	$(EXIT_REFERENCE) >$(B)/exit-reference.md
	@mv $(B)/exit-reference.md Documentation/

check-docs: check-config-docs $(MSR_PRINTER)
	@$(EXIT_REFERENCE) | diff -u Documentation/exit-reference.md - || \
		{ echo "Documentation/exit-reference.md is out of date: make docs"; exit 1; }

check-host: check-docs
