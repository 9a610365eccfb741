/*
 * The same instructions on emulated memory and on plain, in modes with addresses of 16 and 32 bits,
 * and their segments' limits. On a machine whose VMM has a device there (word device=1;
 * core/vm/mmio_test.c) nothing is different (bug classes 2, 7 and 10).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define PLAIN  0x2e000u
#define DEVICE 0x2f000u /* the last page of a real-mode segment at SNIPPET_BASE(0) */
#define AT     0x100u   /* in either page */

/* clang-format off */
#define TEXT(di, both, seg)                                                                       \
	"movl %eax, " seg "(" di "); movzbl " seg "1(" di "), %ebx; addw %ax, " seg "4(" di ")\n"  \
	"lock xaddl %ecx, " seg "8(" di "); btsl $3, " seg "(" di ")\n"                            \
	"xchgb %dh, " seg "2(" di "); cmpb $5, " seg "(" both "); setc %bh\n"                      \
	"movsbw " seg "3(" di "), %dx; lock cmpxchgw %cx, " seg "12(" di ")\n"                     \
	"pushl " seg "(" di "); popl " seg "16(" di "); negw " seg "20(" di ")\n"                  \
	"sbbl %eax, " seg "24(" both ")\n"
SNIPPET(modes_text32, 32,
	"movl %edi, %ebp\n" TEXT("%edi", "%ebp,%esi", "%ds:")
	"lea 64(%edi), %edi; movl $9, %ecx; rep stosw\n"
	"lea (%edi), %esi; movl $3, %ecx; std; rep movsl; cld");
SNIPPET(modes_text16, 16,
	"movw %di, %bp\n" TEXT("%di", "%bp,%si", "%es:")
	"lea 64(%di), %di; movw $9, %cx; rep stosw\n"
	"lea (%di), %si; movw $3, %cx; std; rep movsl %es:(%si), %es:(%di); cld");
/* clang-format on */
SNIPPET(modes_limit, 16, "movw %es:(%di), %ax");

static uint64_t call;

static uint64_t ask(uint64_t operation, uint64_t rcx)
{
	if (call && vmm_call(call, operation, &rcx, 4096) != 0)
		case_error("device: %lu", operation);
	return rcx;
}

static void one(enum mode mode)
{
	bool low = mode_is_64k(mode);
	struct snippet s[2];
	uint64_t counts;
	uint8_t *plain = (uint8_t *)(uintptr_t)PLAIN, *device = (uint8_t *)(uintptr_t)DEVICE;

	__asm__("" : "+r"(plain), "+r"(device)); /* no objects of C lie there */
	for (unsigned n = 0; n < 4096; n++)
		plain[n] = device[n] = (uint8_t)(n * 37 + 11 + mode);
	ask(1, DEVICE);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t at = (i ? DEVICE : PLAIN) + AT - (low ? SNIPPET_BASE(0) : 0);

		s[i] = (struct snippet){
		    .mode = mode,
		    .code = low ? modes_text16 : modes_text32,
		    .code_end = low ? modes_text16_end : modes_text32_end,
		    .in =
			{.rax = 0x89abcdef, .rcx = 0x12345678, .rdx = 0x4455, .rsi = 3, .rdi = at},
		};
		snippet_run(&s[i]);
		CHECK_EQ(s[i].out.vector, VECTOR_END, "%s %u vector", mode_name[mode], i);
		s[i].out.rdi -= at;
		s[i].out.rsi -= at;
	}
	counts = ask(5, 0);
	ask(4, 0); /* memory has now what the device had */
	CHECK(!call || (counts >> 32 > 10 && (uint32_t)counts > 10), "%s device", mode_name[mode]);
	CHECK_EQ(s[1].out.rax, s[0].out.rax, "%s EAX", mode_name[mode]);
	CHECK_EQ(s[1].out.rbx, s[0].out.rbx, "%s EBX", mode_name[mode]);
	CHECK_EQ(s[1].out.rcx, s[0].out.rcx, "%s ECX", mode_name[mode]);
	CHECK_EQ(s[1].out.rdx, s[0].out.rdx, "%s EDX", mode_name[mode]);
	CHECK_EQ((uint16_t)s[1].out.rsi, (uint16_t)s[0].out.rsi, "%s SI", mode_name[mode]);
	CHECK_EQ((uint16_t)s[1].out.rdi, (uint16_t)s[0].out.rdi, "%s DI", mode_name[mode]);
	CHECK_EQ((s[1].out.rflags ^ s[0].out.rflags) & 0x8d5, 0, "%s flags", mode_name[mode]);
	for (unsigned n = 0; n < 4096; n++) {
		if (plain[n] != device[n]) {
			CHECK_EQ(device[n], plain[n], "%s memory", mode_name[mode]);
			break;
		}
	}
}

/* The last byte of a segment of 64 KiB, and one more. */
static void limit(enum mode mode)
{
	struct snippet s = {
	    .mode = mode, .code = modes_limit, .code_end = modes_limit_end, .in = {.rdi = 0xffff}};

	ask(1, DEVICE);
	snippet_run(&s);
	ask(4, 0);
	CHECK_EQ(s.out.vector, VECTOR_GP, "%s limit vector", mode_name[mode]);
	CHECK_EQ(s.out.rip, 0, "%s limit RIP", mode_name[mode]);
}

GUEST_CASE(mmio_modes, "SDM 2, each instruction; SDM 3A 5.3 and 20.1.1")
{
	static const enum mode modes[] = {
	    MODE_32,  MODE_USER32, MODE_REAL,        MODE_PROT32,      MODE_PAGED32,     MODE_PAE32,
	    MODE_V86, MODE_PROT16, MODE_PROT_USER32, MODE_PROT_USER16, MODE_PAGED_USER32};

	if (word_number("device", 0)) {
		uint64_t none = 0;

		call = vmm_call(0, (uintptr_t) "test_mmio", &none, 0);
		if (!call)
			case_error("the VMM has no device for tests");
	}
	for (unsigned m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		if (modes[m] != MODE_V86 || word_number("v86", 1))
			one(modes[m]);
	}
	limit(MODE_REAL);
	limit(MODE_PROT16);
	limit(MODE_PROT_USER16);
	if (word_number("v86", 1))
		limit(MODE_V86);
}
