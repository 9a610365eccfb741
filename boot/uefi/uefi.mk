# The UEFI loader.
# SPDX-License-Identifier: BSD-3-Clause

EFI_LIB    := /usr/lib
EFI_PURE   := elf devpath bootopt pcidrivers pciscan
# The core's own parsers, so that both read the same things the same way.
EFI_CORE   := config cmdline mm/memmap acpi/acpi acpi/madt
# And the rules of vmm.driver.pci.
EFI_PCI    := pattern key record match_parse match compat config
EFI_C      := $(EFI_PURE:%=boot/uefi/%.c) $(addprefix boot/uefi/,loader.c say.c file.c region.c info.c pci.c cpus.c running.c next.c string.c)
EFI_OBJS   := $(EFI_C:boot/uefi/%.c=$(B)/uefi/%.o) $(B)/uefi/handshake.o $(EFI_CORE:%=$(B)/uefi/core/%.o) \
	$(EFI_PCI:%=$(B)/uefi/drivers/pci/%.o)
# clang: -ffreestanding alone keeps loops from becoming calls of memset, and its stack is always accumulated.
EFI_GCC_ONLY := $(if $(findstring clang,$(CC)),,-fno-tree-loop-distribute-patterns -maccumulate-outgoing-args)
EFI_CFLAGS := -std=c17 -O2 -g -ffreestanding -fpic -fshort-wchar -fvisibility=hidden -mno-red-zone -mgeneral-regs-only \
	-fno-strict-aliasing -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
	$(EFI_GCC_ONLY) -ffile-prefix-map=$(CURDIR)=. $(WARN) -Iinclude -I. \
	-DGNU_EFI_USE_MS_ABI -isystem /usr/include/efi -isystem /usr/include/efi/x86_64

all: $(B)/loadvmm.efi

$(B)/uefi/%.o: boot/uefi/%.c
	@mkdir -p $(@D)
	@echo "  EFICC   $<"
	@$(CC) $(EFI_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/uefi/core/%.o: core/%.c
	@mkdir -p $(@D)
	@echo "  EFICC   $<"
	@$(CC) $(EFI_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/uefi/drivers/%.o: drivers/%.c
	@mkdir -p $(@D)
	@echo "  EFICC   $<"
	@$(CC) $(EFI_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/uefi/%.o: boot/uefi/%.S
	@mkdir -p $(@D)
	@echo "  EFIAS   $<"
	@$(CC) $(EFI_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/uefi/loadvmm.so: $(EFI_OBJS)
	@echo "  EFILD   $@"
	@$(LD) -nostdlib -znocombreloc -shared -Bsymbolic --no-undefined --build-id=none --no-warn-rwx-segments \
		-T $(EFI_LIB)/elf_x86_64_efi.lds -o $@ $(EFI_LIB)/crt0-efi-x86_64.o $(EFI_OBJS) -L$(EFI_LIB) -lefi -lgnuefi

# The PE header's time of linking is the only thing that differs between two builds.
$(B)/loadvmm.efi: $(B)/uefi/loadvmm.so
	@echo "  EFI     $@"
	@SOURCE_DATE_EPOCH=0 $(OBJCOPY) -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' -j '.rela.*' \
		-j .reloc --target efi-app-x86_64 --subsystem=10 $< $@

-include $(EFI_OBJS:.o=.d)
