# Boot media and the default guest disk.
# SPDX-License-Identifier: BSD-3-Clause

MEDIA      := $(PYTHON) boot/media/media.py
GRUB_READY := $(B)/media/grub/bootx64.efi
GUESTS     := $(KERNELS:%=$(B)/guest-%.img)

$(GRUB_READY): boot/media/media.py $(DEPS)/packages
	@echo "  GRUB    $(@D)"
	@$(MEDIA) grub $(@D)

# The ISO works on BIOS machines without loadvmm.efi; it is on it whenever it is there.
.PHONY: iso
iso: $(B)/bitvisor.iso
$(B)/bitvisor.iso: $(B)/bitvisor.elf bitvisor.conf $(wildcard $(B)/loadvmm.efi) $(GRUB_READY)
	@echo "  ISO     $@"
	@$(MEDIA) iso $@ --grub $(B)/media/grub --elf $(B)/bitvisor.elf --conf bitvisor.conf --loadvmm $(B)/loadvmm.efi

.PHONY: guests
guests: $(GUESTS)
$(B)/guest-%.img: $(DEPS)/kernels/%/release $(DEPS)/kexec/sbin/kexec $(GRUB_READY) $(wildcard boot/media/guest/* boot/media/guest/checklist/*)
	@echo "  GUEST   $@"
	@$(MEDIA) guest $@ --grub $(B)/media/grub --kernel $(DEPS)/kernels/$* --deps $(DEPS)
