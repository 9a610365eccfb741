# Build options: Kconfig and .config become a header that every source of the image sees.
# SPDX-License-Identifier: BSD-3-Clause

# Looked at each time, for .config may come and go; the file is written when it changes, and then all is built anew.
.PHONY: FORCE config defconfig olddefconfig savedefconfig
$(CONFIG_H): FORCE | $(DEPS)/packages
	@mkdir -p $(@D)
	@$(KCONFIG) genconfig --header-path $@ Kconfig

config: | $(DEPS)/packages
	@$(KCONFIG) menuconfig Kconfig

defconfig: | $(DEPS)/packages
	@$(KCONFIG) defconfig --kconfig Kconfig defconfig

# Keeps what .config says, and takes the default for what it does not say.
olddefconfig: | $(DEPS)/packages
	@$(KCONFIG) olddefconfig Kconfig

savedefconfig: | $(DEPS)/packages
	@$(KCONFIG) savedefconfig --kconfig Kconfig --out defconfig
