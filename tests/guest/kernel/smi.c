/* A handler of SMIs where a CPU looks for it that nobody has told another place. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/smi.h"

#define SMBASE  0x30000u /* SDM 3C 32.4, APM 2 10.2.1; CS has this base, and the state its end */
#define HANDLER (SMBASE + 0x8000u)
#define COUNT   (SMBASE + 0x8100u)

#define MSR_SMI_COUNT 0x34u

__asm__(".pushsection .rodata\n.code16\n"
	"smi_handler: lock; incl %cs:0x8100\n rsm\nsmi_handler_end:\n"
	".code64\n.popsection");
extern const uint8_t smi_handler[], smi_handler_end[];

const volatile uint32_t *smi_handler_set(void)
{
	uint32_t *count = (uint32_t *)(uintptr_t)COUNT;

	__asm__("" : "+r"(count)); /* no object of C lies there */
	memcpy((void *)(uintptr_t)HANDLER, smi_handler, (size_t)(smi_handler_end - smi_handler));
	*count = 0;
	return count;
}

uint32_t smi_counted(void)
{
	uint64_t value;

	return rdmsr_try(MSR_SMI_COUNT, &value) == VECTOR_NONE ? (uint32_t)value : 0;
}
