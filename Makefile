# BitVisor: the one Makefile. `make help` lists what it can do.
# SPDX-License-Identifier: BSD-3-Clause

B       := build
CC      := gcc
HOSTCC  := gcc
LD      := ld
OBJCOPY := objcopy
PYTHON  := /usr/bin/python3
export LC_ALL := C

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla \
	-Wformat=2 -Wcast-align -Werror
VMM_CFLAGS = -std=c17 -O2 -g -ffreestanding -fno-pic -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	-fno-strict-aliasing -fno-omit-frame-pointer -fcf-protection=none -fno-asynchronous-unwind-tables \
	-fno-common -fstack-protector-strong -mstack-protector-guard=global -ffunction-sections -fdata-sections \
	-ffile-prefix-map=$(CURDIR)=. $(WARN) -Iinclude -I. $(DEPS_CFLAGS) \
	-include $(CONFIG_H)
HOST_CFLAGS := -std=gnu17 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all $(WARN) -Iinclude -I.

# Sources: every .c and .S file of a room belongs to the image.
VMM_DIRS := boot/multiboot boot/realmode core drivers net
VMM_C    := $(sort $(shell find $(VMM_DIRS) -name '*.c' 2>/dev/null))
VMM_S    := $(sort $(shell find $(VMM_DIRS) -name '*.S' 2>/dev/null))
VMM_OBJS := $(VMM_C:%.c=$(B)/vmm/%.o) $(VMM_S:%.S=$(B)/vmm/%.S.o)

.DEFAULT_GOAL := all
.PHONY: all help
all: $(B)/bitvisor.elf

include deps/deps.mk
include kconfig.mk
include boot/uefi/uefi.mk
include boot/media/media.mk
include tests/tests.mk
include tests/guest/guest.mk
include core/config.mk
include core/debug.mk
include tests/bench/bench.mk
include tests/fuzz/fuzz.mk
include tests/spin/spin.mk
include tests/build/build.mk
include tools/docs.mk

$(VMM_OBJS): $(DEPS_READY) | $(CONFIG_H)

$(B)/vmm/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(VMM_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/vmm/%.S.o: %.S
	@mkdir -p $(@D)
	@echo "  AS      $<"
	@$(CC) $(VMM_CFLAGS) -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

LINK_IMAGE = $(LD) -nostdlib -static --build-id=none -z max-page-size=4096 -z noexecstack --gc-sections \
	--no-warn-rwx-segments -T core/image.lds -o $@

$(B)/bitvisor.elf: $(VMM_OBJS) $(DEPS_LIBS) core/image.lds
	@echo "  LD      $@"
	@$(LINK_IMAGE) $(VMM_OBJS) $(DEPS_LIBS)

-include $(VMM_OBJS:.o=.d)

.PHONY: clean
clean:
	rm -rf $(B)/vmm $(B)/tests $(B)/include $(B)/check $(B)/host $(B)/coverage $(B)/fuzz $(B)/spin $(B)/uefi $(B)/media $(B)/*.elf $(B)/*.efi $(B)/*.iso

help:
	@echo "make            build/bitvisor.elf and build/loadvmm.efi"
	@echo "make config     choose build options (writes .config); defconfig, olddefconfig: without questions"
	@echo "make deps       install Debian packages, fetch and check third-party sources"
	@echo "make iso        build/bitvisor.iso, for BIOS and UEFI, CD or USB stick"
	@echo "make run        boot a Debian kernel under the VMM (EMU=qemu|bochs FW=bios|uefi CPUS=n MEM= CONF= GUEST=)"
	@echo "make check-fast build, host tests, one boot on AMD-V and one on VT-x"
	@echo "make check-build both compilers, every build option both ways, headers, format, reproducible image"
	@echo "make format     clang-format all sources"
	@echo "make docs       regenerate the documents that come from tables in the source"
	@echo "make check-spin models of threads and their queue, verified by spin"
	@echo "make check-cas  no compare-and-swap of the image has a branch"
	@echo "make check-exit-path  no locked instruction on the path that every exit takes"
	@echo "make check-cpus no structure of the image grows faster than the number of CPUs"
	@echo "make check-fuzz each fuzzer, briefly, on the same inputs each time"
	@echo "make coverage   which lines of pure code the host tests run; fails below COVERAGE_MIN=95 per cent"
	@echo "make check      host tests, fuzzers, document checks and the system tests"
	@echo "make check-all  the same on the whole product of machines"
	@echo "make bench      instructions of an exit, bare and under the VMM, on each emulator (bench-baseline: keep them)"
	@echo "make bench-exits exits of a Linux guest at its boot and at work (bench-exits-baseline: keep those of the boots)"
	@echo "make bench-presence memory, image, instructions of the start, dearest exits of a boot"
	@echo "make soak       BOOTS=100 boots of mixed machines (EMU=qemu|bochs)"
	@echo "make fuzz-guest OPS=100000000 random operations in the guest (EMU=qemu|bochs CPUS= SEED= KINDS=)"
	@echo "make clean      remove what was built (deps stay)"
