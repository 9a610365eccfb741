# Images for tests. The same image with CONFIG_TEST_CALLS: audits before each entry (core/audit.h), and VMM calls that tests need and a
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
	@$(LINK_IMAGE) $(DEBUG_LINK)

# And the image that lists PCI functions at the start, as DUMP_PCI_DEV_LIST=y in .config makes it.
$(B)/debug/devlist.o: drivers/pci/list.c $(DEPS_READY)
	@mkdir -p $(@D)
	@echo "  CC      $< (DUMP_PCI_DEV_LIST)"
	@$(CC) $(VMM_CFLAGS) -DCONFIG_DUMP_PCI_DEV_LIST=1 -MMD -MP -c -o $@ $<

DEVLIST_LINK := $(filter-out $(B)/vmm/drivers/pci/list.o,$(VMM_OBJS)) $(B)/debug/devlist.o $(DEPS_LIBS)

$(B)/bitvisor-devlist.elf: $(DEVLIST_LINK) core/image.lds
	@echo "  LD      $@"
	@$(LINK_IMAGE) $(DEVLIST_LINK)

# And the image with the driver that the documentation shows.
$(B)/debug/example.c: Documentation/adding-a-driver.md
	@mkdir -p $(@D)
	@sed -n '/^```c$$/,/^```$$/{/^```/!p}' $< >$@

$(B)/debug/example.o: $(B)/debug/example.c $(DEPS_READY)
	@echo "  CC      $<"
	@$(CC) $(VMM_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/bitvisor-example.elf: $(VMM_OBJS) $(B)/debug/example.o $(DEPS_LIBS) core/image.lds
	@echo "  LD      $@"
	@$(LINK_IMAGE) $(VMM_OBJS) $(B)/debug/example.o $(DEPS_LIBS)

# And the image that counts how often each of its lines runs. The counters are read out of the machine's memory (tools/coverage_target.py),
# so nothing of libgcov is in it. -Og: lines stay apart.
COVERAGE_VMM_CFLAGS = $(filter-out -O2,$(VMM_CFLAGS)) -Og -DCONFIG_TEST_CALLS -fprofile-arcs -ftest-coverage \
	-fprofile-info-section -fprofile-update=atomic
COVERAGE_VMM_OBJS := $(VMM_C:%.c=$(B)/coverage-target/%.o)

$(COVERAGE_VMM_OBJS): $(DEPS_READY)

$(B)/coverage-target/%.o: %.c
	@mkdir -p $(@D)
	@echo "  COVCC   $<"
	@$(CC) $(COVERAGE_VMM_CFLAGS) -MMD -MP -c -o $@ $<

COVERAGE_VMM_LINK := $(COVERAGE_VMM_OBJS) $(filter-out $(VMM_C:%.c=$(B)/vmm/%.o),$(VMM_OBJS)) $(DEPS_LIBS)

$(B)/bitvisor-coverage.elf: $(COVERAGE_VMM_LINK) core/image.lds
	@echo "  LD      $@"
	@$(LINK_IMAGE) --defsym=__gcov_merge_add=0 $(COVERAGE_VMM_LINK)

-include $(COVERAGE_VMM_OBJS:.o=.d)

-include $(B)/debug/devlist.d $(B)/debug/example.d

-include $(DEBUG_OBJS:.o=.d)
