# Configuration: documents that are generated from the key table, and the check that they are up to date.
# SPDX-License-Identifier: BSD-3-Clause

CONFIG_GEN := $(B)/host/gen_config_docs
CONFIG_GEN_SRCS := tools/gen_config_docs.c core/config.c core/cmdline.c

$(CONFIG_GEN): $(CONFIG_GEN_SRCS) core/config.h core/config_keys.h core/cmdline.h
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	@$(HOSTCC) $(HOST_CFLAGS) -o $@ $(CONFIG_GEN_SRCS)

.PHONY: config-docs check-config-docs
config-docs: $(CONFIG_GEN)
	@mkdir -p Documentation
	$(CONFIG_GEN) markdown >Documentation/config-keys.md
	$(CONFIG_GEN) sample >bitvisor.conf

check-config-docs: $(CONFIG_GEN)
	@$(CONFIG_GEN) markdown | diff -u Documentation/config-keys.md - || \
		{ echo "Documentation/config-keys.md is out of date: make config-docs"; exit 1; }
	@$(CONFIG_GEN) sample | diff -u bitvisor.conf - || \
		{ echo "bitvisor.conf is out of date: make config-docs"; exit 1; }
	@$(CONFIG_GEN) check bitvisor.conf

check-host: check-config-docs
