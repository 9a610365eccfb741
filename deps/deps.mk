# Third-party packages: what is needed, and the rules that fetch and build it.
# SPDX-License-Identifier: BSD-3-Clause

# What other fragments use. Objects depend on DEPS_READY: from then on every package is installed and every header is there.
DEPS_READY       := $(DEPS)/ready
DEPS_LIBS        := $(DEPS)/libzydis.a
HOST_DEPS_LIBS   := $(DEPS)/host/libzydis.a
HOST_DEPS_CFLAGS := $(DEPS_CFLAGS)
# Kernels of the test guest: version -> Debian package.
KERNELS          := 6.1 6.12
KERNEL_PKG_6.1   := linux-image-amd64
KERNEL_PKG_6.12  := linux-image-6.12-amd64
GUEST_DEPS       := $(KERNELS:%=$(DEPS)/kernels/%/release)

.PHONY: deps
deps: $(DEPS_READY) $(DEPS_LIBS) $(HOST_DEPS_LIBS) $(DEPS)/font.psf.gz $(GUEST_DEPS)

# Debian packages. Others depend on this for the order only: a longer list fetches and builds nothing anew.
$(DEPS)/packages: deps/packages deps/install.sh deps/apt.sh
	@mkdir -p $(@D)
	@sh deps/install.sh
	@touch $@

# Sources and headers.
$(DEPS)/zydis.src: deps/zydis | $(DEPS)/packages
	@sh deps/fetch.sh deps/zydis $(DEPS)
	@mkdir -p $(DEPS)/include
	@rm -rf $(DEPS)/include/Zydis $(DEPS)/include/Zycore
	@cp -r $(DEPS)/zydis/include/Zydis /usr/include/Zycore $(DEPS)/include/
	@touch $@

$(DEPS_READY): $(DEPS)/zydis.src | $(DEPS)/packages
	@touch $@

ZYDIS_VMM  := $(ZYDIS_SRCS:%=$(DEPS)/vmm/%.o)
ZYDIS_HOST := $(ZYDIS_SRCS:%=$(DEPS)/host/%.o)
$(ZYDIS_VMM): $(DEPS)/vmm/%.o: $(DEPS_READY) deps/zydis_libc.h
	@mkdir -p $(@D)
	@rm -f $@
	@echo "  CC      zydis/$*.c"
	@$(CC) $(ZYDIS_CFLAGS) $(ZYDIS_VMM_CFLAGS) -c -o $@ $(DEPS)/zydis/src/$*.c

$(ZYDIS_HOST): $(DEPS)/host/%.o: $(DEPS_READY)
	@mkdir -p $(@D)
	@echo "  HOSTCC  zydis/$*.c"
	@$(HOSTCC) $(ZYDIS_CFLAGS) -g -c -o $@ $(DEPS)/zydis/src/$*.c

$(DEPS)/libzydis.a: $(ZYDIS_VMM)
	@rm -f $@
	@ar rcsD $@ $(ZYDIS_VMM)

$(DEPS)/host/libzydis.a: $(ZYDIS_HOST)
	@rm -f $@
	@ar rcsD $@ $(ZYDIS_HOST)

# The panic screen's font: a table made from a file of a package.
$(DEPS)/font.psf.gz: deps/console-font deps/font.sh deps/apt.sh | $(DEPS)/packages
	@sh deps/font.sh deps/console-font $@

$(B)/font.c: $(DEPS)/font.psf.gz tools/psf2c.py
	@echo "  FONT    $@"
	@$(PYTHON) tools/psf2c.py $< $@

VMM_OBJS += $(B)/vmm/font.o
$(B)/vmm/font.o: $(B)/font.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(VMM_CFLAGS) -MMD -MP -c -o $@ $<

# The test guest: kernels, fetched once and never installed here.
$(DEPS)/kernels/%/release: deps/kernel.sh deps/apt.sh deps/guest-modules | $(DEPS)/packages
	@sh deps/kernel.sh $(KERNEL_PKG_$*) $(@D)
