/* C side of the UEFI entry. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stddef.h>
#include "core/boot.h"
#include "core/errno.h"
#include "core/start.h"
#include "core/vm/handover.h"
#include "core/vm/handover_offsets.h"

#define CHECK(name, field)                                                                         \
	_Static_assert(HANDOVER_##name == offsetof(struct vcpu_state, field), #name)
CHECK(RIP, rip);
CHECK(RFLAGS, rflags);
CHECK(ES, seg[SEG_ES]);
CHECK(CS, seg[SEG_CS]);
CHECK(SS, seg[SEG_SS]);
CHECK(DS, seg[SEG_DS]);
CHECK(FS, seg[SEG_FS]);
CHECK(FS_BASE, seg[SEG_FS].base);
CHECK(GS, seg[SEG_GS]);
CHECK(GS_BASE, seg[SEG_GS].base);
CHECK(LDTR, seg[SEG_LDTR]);
CHECK(TR, seg[SEG_TR]);
CHECK(GDTR, gdtr);
CHECK(IDTR, idtr);
CHECK(CR0, cr0);
CHECK(CR2, cr2);
CHECK(CR3, cr3);
CHECK(CR4, cr4);
CHECK(EFER, efer);
_Static_assert(offsetof(struct handover_frame, rflags) == 128, "frame");
_Static_assert(offsetof(struct handover_frame, return_rip) == 160, "frame");

uint64_t uefi_image_phys; /* handover_restore() */

int uefi_main(uint32_t op, const struct boot_info *bi, const struct handover_frame *f);

int uefi_main(uint32_t op, const struct boot_info *bi, const struct handover_frame *f)
{
	int err;

	switch (op) {
	case BOOT_OP_INIT:
		if (bi->magic != BOOT_INFO_MAGIC || bi->size != sizeof(*bi) ||
		    bi->region_base != f->image)
			return -EINVAL;
		uefi_image_phys = f->image;
		err = start_early(bi);
		return err ? err : start_init();
	case BOOT_OP_ENTER:
		return vcpu_enter_here(f);
	case BOOT_OP_LEAVE: /* called natively: this CPU has been reset out of the guest, or never
			       entered */
		return 0;
	default:
		return -EINVAL;
	}
}
