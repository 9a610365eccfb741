/* VMCS field encodings and exit reasons as enumerations. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>

/* VMCS_<NAME> = encoding. */
enum vmcs_field {
#define VMCS_FIELD(name, encoding, width, area) VMCS_##name = (encoding),
#include "core/x86/vt/vmcs_fields.h"
};

enum vmcs_width {
	VMCS_WIDTH_16,
	VMCS_WIDTH_64,
	VMCS_WIDTH_32,
	VMCS_WIDTH_NATURAL
}; /* encoding bits 14:13 */
enum vmcs_area {
	VMCS_AREA_CONTROL,
	VMCS_AREA_EXIT_INFO,
	VMCS_AREA_GUEST,
	VMCS_AREA_HOST
}; /* bits 11:10 */

#define VMCS_WIDTH(encoding) (((unsigned int)(encoding) >> 13) & 3)
#define VMCS_AREA(encoding)  (((unsigned int)(encoding) >> 10) & 3)

/* VT_REASON_<NAME>: bits 15:0 of the exit reason; VT_REASON_COUNT: length of a total table. */
enum vt_reason {
#define VT_REASON(number, name) VT_REASON_##name = (number),
#include "core/x86/vt/exit_reasons.h"
	VT_REASON_COUNT
};

#define VT_REASON_BASIC(reason) ((reason)&UINT32_C(0xffff))
#define VT_REASON_ENTRY_FAILED  (UINT32_C(1) << 31)
