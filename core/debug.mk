# The same image with CONFIG_TEST_CALLS: audits before each entry (core/audit.h), and VMM calls that tests need and a
# product must not have.
# SPDX-License-Identifier: BSD-3-Clause

DEBUG_OBJS := $(VMM_C:%.c=$(B)/debug/%.o)

$(DEBUG_OBJS): $(DEPS_READY)

$(B)/debug/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $< (debug)"
	@$(CC) $(VMM_CFLAGS) -DCONFIG_TEST_CALLS -MMD -MP -c -o $@ $<

DEBUG_LINK := $(DEBUG_OBJS) $(filter-out $(VMM_C:%.c=$(B)/vmm/%.o),$(VMM_OBJS)) $(DEPS_LIBS)

$(B)/bitvisor-debug.elf: $(DEBUG_LINK) core/image.lds
	@echo "  LD      $@"
	@$(LD) -nostdlib -static --build-id=none -z max-page-size=4096 -z noexecstack --gc-sections \
		--no-warn-rwx-segments -T core/image.lds -o $@ $(DEBUG_LINK)

-include $(DEBUG_OBJS:.o=.d)
