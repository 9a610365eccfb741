# The benchmark of exits: a guest micro-kernel with measurements in place of cases, and the product's objects with
# some VMM calls of the debug image.
# SPDX-License-Identifier: BSD-3-Clause

BENCH_C    := $(sort $(wildcard tests/bench/*.c))
BENCH_OBJS := $(BENCH_C:%.c=$(B)/%.o) $(GUEST_KERNEL:%.c=$(B)/%.o) $(GUEST_FUZZ:%.c=$(B)/%.o) $(GUEST_S:%.S=$(B)/%.S.o)

$(B)/tests/bench/%.o: tests/bench/%.c
	@mkdir -p $(@D)
	@echo "  GUESTCC $<"
	@$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/bench.elf: $(BENCH_OBJS) tests/guest/kernel/guest.lds
	@echo "  LD      $@"
	@$(LD) -nostdlib -static --build-id=none -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments \
		-T tests/guest/kernel/guest.lds -o $@ $(BENCH_OBJS)

-include $(BENCH_OBJS:.o=.d)

BENCH_CALLS := core/vm/mmio_test core/vm/io_test core/wake_test
BENCH_LINK  := $(filter-out $(BENCH_CALLS:%=$(B)/vmm/%.o),$(VMM_OBJS)) $(BENCH_CALLS:%=$(B)/debug/%.o) $(DEPS_LIBS)

$(B)/bitvisor-bench.elf: $(BENCH_LINK) core/image.lds
	@echo "  LD      $@"
	@$(LD) -nostdlib -static --build-id=none -z max-page-size=4096 -z noexecstack --gc-sections \
		--no-warn-rwx-segments -T core/image.lds -o $@ $(BENCH_LINK)

BENCH_IMAGES := $(B)/bench.elf $(B)/bitvisor-bench.elf

.PHONY: bench bench-baseline
# ROWS= chooses emulators: qemu-amdv, bochs-vtx, bochs-amdv.
bench: $(BENCH_IMAGES)
	@B=$(B) $(PYTHON) tests/bench/bench.py $(ROWS)
	@echo "What it costs that the VMM is there: make bench-presence. How often it exits: make bench-exits."

bench-baseline: $(BENCH_IMAGES)
	@B=$(B) $(PYTHON) tests/bench/bench.py --baseline $(ROWS)

# For real machines: a program of Linux that measures CPUID in cycles.
$(B)/cpuidloop: tools/cpuidloop.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	@$(HOSTCC) -std=c17 -O2 -static $(WARN) -o $@ $<

# Exits of a Linux guest at its boot and at work, by the VMM's count and the emulator's.
.PHONY: bench-exits bench-exits-baseline bench-presence
bench-exits: $(B)/bitvisor.elf $(B)/loadvmm.efi $(GUESTS)
	@B=$(B) $(PYTHON) tests/bench/workloads.py $(ROWS)

bench-exits-baseline: $(B)/bitvisor.elf $(B)/loadvmm.efi $(GUESTS)
	@B=$(B) $(PYTHON) tests/bench/workloads.py --baseline --work boot $(ROWS)

# What the VMM's presence costs: memory, image, its start, the dearest exits of a boot.
$(B)/qemuexits.so: tools/qemuexits.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	@$(HOSTCC) -std=gnu17 -O2 -fPIC -shared -fvisibility=hidden $(WARN) -o $@ $<

bench-presence: $(B)/bitvisor.elf $(B)/qemuexits.so $(GUESTS)
	@B=$(B) $(PYTHON) tests/bench/presence.py

# What driver=monitor costs devices in use.
.PHONY: bench-devices
bench-devices: $(B)/bitvisor.elf $(B)/qemuexits.so $(GUESTS)
	@B=$(B) $(PYTHON) tests/bench/devices.py
