/* Offsets in struct vcpu_state, for assembly; uefi_main.c asserts that they are right. */
/* SPDX-License-Identifier: BSD-3-Clause */
#define HANDOVER_RIP     128
#define HANDOVER_RFLAGS  136
#define HANDOVER_ES      144
#define HANDOVER_CS      160
#define HANDOVER_SS      176
#define HANDOVER_DS      192
#define HANDOVER_FS      208
#define HANDOVER_FS_BASE 216
#define HANDOVER_GS      224
#define HANDOVER_GS_BASE 232
#define HANDOVER_LDTR    240
#define HANDOVER_TR      256
#define HANDOVER_GDTR    272
#define HANDOVER_IDTR    288
#define HANDOVER_CR0     304
#define HANDOVER_CR2     312
#define HANDOVER_CR3     320
#define HANDOVER_CR4     328
#define HANDOVER_EFER    336
