# The guest micro-kernel: one image with all cases.
# SPDX-License-Identifier: BSD-3-Clause

GUEST_CASES  := $(sort $(wildcard tests/guest/cases/*.c))
GUEST_KERNEL := $(sort $(wildcard tests/guest/kernel/*.c))
GUEST_S      := $(sort $(wildcard tests/guest/kernel/*.S))
GUEST_FUZZ   := $(sort $(wildcard tests/guest/fuzz/*.c))
GUEST_OBJS   := $(GUEST_FUZZ:%.c=$(B)/%.o) $(GUEST_CASES:%.c=$(B)/%.o) $(GUEST_KERNEL:%.c=$(B)/%.o) $(GUEST_S:%.S=$(B)/%.S.o)
# Linked and run at 1 MiB. -O1: the code is small, and stays near to what a case says.
GUEST_CFLAGS := -std=c17 -O1 -g -ffreestanding -fno-pic -fno-pie -mcmodel=small -mno-red-zone -mgeneral-regs-only \
	-fno-strict-aliasing -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-common \
	-ffile-prefix-map=$(CURDIR)=. $(WARN) -I.

$(B)/tests/guest/%.o: tests/guest/%.c
	@mkdir -p $(@D)
	@echo "  GUESTCC $<"
	@$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/guest/%.S.o: tests/guest/%.S
	@mkdir -p $(@D)
	@echo "  GUESTAS $<"
	@$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/guest.elf: $(GUEST_OBJS) tests/guest/kernel/guest.lds
	@echo "  LD      $@"
	@$(LD) -nostdlib -static --build-id=none -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments \
		-T tests/guest/kernel/guest.lds -o $@ $(GUEST_OBJS)

-include $(GUEST_OBJS:.o=.d)

# The same image as a UEFI program.
GUEST_EFI_OBJS := $(B)/tests/guest/uefi/loader.o $(B)/tests/guest/uefi/image.o

$(B)/guest.bin: $(B)/guest.elf
	@$(OBJCOPY) -O binary $< $@

$(B)/tests/guest/uefi/image.o: tests/guest/uefi/image.S $(B)/guest.bin
	@mkdir -p $(@D)
	@echo "  EFIAS   $<"
	@$(CC) -c -o $@ $<

$(B)/tests/guest/uefi/loader.o: tests/guest/uefi/loader.c
	@mkdir -p $(@D)
	@echo "  EFICC   $<"
	@$(CC) $(EFI_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/guest.so: $(GUEST_EFI_OBJS)
	@echo "  EFILD   $@"
	@$(LD) -nostdlib -znocombreloc -shared -Bsymbolic --no-undefined --build-id=none --no-warn-rwx-segments \
		-T $(EFI_LIB)/elf_x86_64_efi.lds -o $@ $(EFI_LIB)/crt0-efi-x86_64.o $(GUEST_EFI_OBJS) -L$(EFI_LIB) -lefi -lgnuefi

$(B)/guest.efi: $(B)/guest.so
	@echo "  EFI     $@"
	@SOURCE_DATE_EPOCH=0 $(OBJCOPY) -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' -j '.rela.*' \
		-j .reloc --target efi-app-x86_64 --subsystem=10 $< $@

-include $(B)/tests/guest/uefi/loader.d
