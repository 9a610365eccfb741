# Boot media and the default guest disk.
# SPDX-License-Identifier: BSD-3-Clause

MEDIA      := $(PYTHON) boot/media/media.py
GRUB_READY := $(B)/media/grub/bootx64.efi
GUESTS     := $(KERNELS:%=$(B)/guest-%.img)

$(GRUB_READY): boot/media/media.py | $(DEPS)/packages
	@echo "  GRUB    $(@D)"
	@$(MEDIA) grub $(@D)

.PHONY: iso
iso: $(B)/bitvisor.iso
$(B)/bitvisor.iso: $(B)/bitvisor.elf $(wildcard bitvisor.conf) $(B)/loadvmm.efi $(GRUB_READY)
	@echo "  ISO     $@"
	@$(MEDIA) iso $@ --grub $(B)/media/grub --elf $(B)/bitvisor.elf --conf $(or $(wildcard bitvisor.conf),/dev/null) --loadvmm $(B)/loadvmm.efi

$(B)/media/kexec: boot/media/guest/kexec.c | $(DEPS)/packages
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	@$(HOSTCC) -std=gnu17 -O2 -static $(WARN) -Wl,--build-id=none -o $@ $<

.PHONY: guests
guests: $(GUESTS)
$(B)/guest-%.img: $(DEPS)/kernels/%/release $(B)/media/kexec $(GRUB_READY) $(wildcard boot/media/guest/* boot/media/guest/checklist/*)
	@echo "  GUEST   $@"
	@$(MEDIA) guest $@ --grub $(B)/media/grub --kernel $(DEPS)/kernels/$* --kexec $(B)/media/kexec

# make run: boot a guest under the VMM with its console in this terminal. All of these may be given:
# EMU=qemu|bochs FW=bios|uefi|uefi-shell|uefi-iso CPUS=n MEM=MiB CONF=file GUEST=image KERNEL=6.1|6.12 RUN='more options of tools/run.py'
KERNEL ?= 6.1
RUN_ARGS = $(if $(EMU),--emu $(EMU)) $(if $(FW),--fw $(FW)) $(if $(CPUS),--cpus $(CPUS)) $(if $(MEM),--mem $(MEM)) \
	$(if $(CONF),--conf $(CONF)) $(if $(GUEST),--guest $(GUEST),--kernel $(KERNEL)) $(RUN)
RUN_BARE = $(filter --bare,$(RUN))

.PHONY: run
run: $(GRUB_READY) $(if $(GUEST),$(GUEST),$(B)/guest-$(KERNEL).img) $(if $(RUN_BARE),,$(B)/bitvisor.elf) \
		$(if $(RUN_BARE),,$(if $(filter uefi%,$(FW)),$(B)/loadvmm.efi))
	@$(PYTHON) tools/run.py $(RUN_ARGS)
