/* Instructions of which the guest fuzzer's snippets are made. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>

#define INSN_KERNEL 1u  /* may run at CPL 0 in 64-bit mode */
#define INSN_LEGACY 2u  /* may run at CPL 0 in real and 32-bit modes */
#define INSN_VARIES 4u  /* RAX to RDX are not compared */
#define INSN_PORT   8u  /* RDX is a port that is written */
#define INSN_CALL   32u /* a call to the VMM: nothing is compared */
#define INSN_SVM    64u /* #GP may come before #UD: EFER.SVME is 1 in a guest */
#define INSN_PLAIN  16u /* takes no prefix: it would become something else */
#define INSN_ANY    (INSN_KERNEL | INSN_LEGACY)

struct insn {
	uint8_t length, flags;
	uint8_t bytes[10];
};

/*
 * RDI, RSI and R15 (with a REX prefix) point to scratch memory, with 16-bit addresses BX (the same
 * ModRM byte) does; RDX is a harmless port. All run at CPL 3 as well. Left out: what ends or stops
 * the CPU at CPL 0 (HLT, MWAIT), what goes elsewhere, string instructions with a count that is not
 * known.
 */
#define INSN_LIST(I)                                                                               \
	/* CPUID, RDTSC, RDTSCP, RDPMC, RDRAND, RDSEED */                                          \
	I(INSN_ANY | INSN_VARIES | INSN_PLAIN, 0x0f, 0xa2)                                         \
	I(INSN_ANY | INSN_VARIES, 0x0f, 0x31)                                                      \
	I(INSN_ANY | INSN_VARIES, 0x0f, 0x01, 0xf9)                                                \
	I(INSN_VARIES, 0x0f, 0x33)                                                                 \
	I(INSN_ANY | INSN_VARIES, 0x0f, 0xc7, 0xf0)                                                \
	I(INSN_ANY | INSN_VARIES, 0x0f, 0xc7, 0xf8)                                                \
	/* VMCALL, VMLAUNCH, VMRESUME, VMXOFF, VMRUN, VMMCALL, VMLOAD, VMSAVE */                   \
	I(INSN_ANY | INSN_CALL, 0x0f, 0x01, 0xc1)                                                  \
	I(INSN_ANY, 0x0f, 0x01, 0xc2)                                                              \
	I(INSN_ANY, 0x0f, 0x01, 0xc3)                                                              \
	I(INSN_ANY, 0x0f, 0x01, 0xc4)                                                              \
	I(INSN_ANY | INSN_SVM, 0x0f, 0x01, 0xd8)                                                   \
	I(INSN_ANY | INSN_CALL, 0x0f, 0x01, 0xd9)                                                  \
	I(INSN_ANY | INSN_SVM, 0x0f, 0x01, 0xda)                                                   \
	I(INSN_ANY | INSN_SVM, 0x0f, 0x01, 0xdb)                                                   \
	/* STGI, CLGI, SKINIT, INVLPGA, VMFUNC, ENCLS, ENCLU */                                    \
	I(INSN_ANY | INSN_SVM, 0x0f, 0x01, 0xdc)                                                   \
	I(INSN_ANY | INSN_SVM, 0x0f, 0x01, 0xdd)                                                   \
	I(INSN_ANY | INSN_SVM, 0x0f, 0x01, 0xde)                                                   \
	I(INSN_ANY | INSN_SVM, 0x0f, 0x01, 0xdf)                                                   \
	I(INSN_ANY, 0x0f, 0x01, 0xd4)                                                              \
	I(INSN_ANY, 0x0f, 0x01, 0xcf)                                                              \
	I(INSN_ANY, 0x0f, 0x01, 0xd7)                                                              \
	/* VMPTRLD, VMCLEAR, VMXON, VMPTRST, VMREAD, VMWRITE, INVEPT, INVVPID, INVPCID, GETSEC */  \
	I(INSN_ANY, 0x0f, 0xc7, 0x37)                                                              \
	I(INSN_ANY, 0x66, 0x0f, 0xc7, 0x37)                                                        \
	I(INSN_ANY, 0xf3, 0x0f, 0xc7, 0x37)                                                        \
	I(INSN_ANY, 0x0f, 0xc7, 0x3f)                                                              \
	I(INSN_ANY | INSN_PLAIN, 0x0f, 0x78, 0xc3)                                                 \
	I(INSN_ANY, 0x0f, 0x79, 0xc3)                                                              \
	I(INSN_ANY, 0x66, 0x0f, 0x38, 0x80, 0x07)                                                  \
	I(INSN_ANY, 0x66, 0x0f, 0x38, 0x81, 0x07)                                                  \
	I(INSN_ANY, 0x66, 0x0f, 0x38, 0x82, 0x07)                                                  \
	I(INSN_ANY, 0x0f, 0x37)                                                                    \
	/* INVD, WBINVD, CLTS, UD2, RSM, SYSCALL, SYSENTER, SYSEXIT, SYSRET */                     \
	I(INSN_ANY | INSN_PLAIN, 0x0f, 0x08)                                                       \
	I(INSN_ANY, 0x0f, 0x09)                                                                    \
	I(INSN_ANY, 0x0f, 0x06)                                                                    \
	I(INSN_ANY, 0x0f, 0x0b)                                                                    \
	I(INSN_ANY, 0x0f, 0xaa)                                                                    \
	I(INSN_KERNEL, 0x0f, 0x05)                                                                 \
	I(INSN_ANY, 0x0f, 0x34)                                                                    \
	I(INSN_ANY, 0x0f, 0x35)                                                                    \
	I(INSN_KERNEL, 0x0f, 0x07)                                                                 \
	/* XGETBV, XSETBV, MONITOR, SWAPGS */                                                      \
	I(INSN_ANY, 0x0f, 0x01, 0xd0)                                                              \
	I(INSN_ANY, 0x0f, 0x01, 0xd1)                                                              \
	I(0, 0x0f, 0x01, 0xc8)                                                                     \
	I(INSN_KERNEL, 0x0f, 0x01, 0xf8, 0x0f, 0x01, 0xf8)                                         \
	/* SMSW, LMSW, moves of CR0, CR1, CR2, CR3, CR4, CR8, DR4, DR6, DR7 */                     \
	I(INSN_ANY, 0x0f, 0x01, 0xe0)                                                              \
	I(0, 0x0f, 0x01, 0xf0)                                                                     \
	I(INSN_ANY, 0x0f, 0x20, 0xc0)                                                              \
	I(INSN_ANY, 0x0f, 0x20, 0xc8)                                                              \
	I(INSN_ANY, 0x0f, 0x20, 0xd0)                                                              \
	I(INSN_ANY, 0x0f, 0x20, 0xd8)                                                              \
	I(INSN_ANY, 0x0f, 0x20, 0xe0)                                                              \
	I(INSN_KERNEL, 0x44, 0x0f, 0x20, 0xc0)                                                     \
	I(INSN_ANY, 0x0f, 0x22, 0xd0)                                                              \
	I(INSN_PLAIN, 0x0f, 0x22, 0xc0)                                                            \
	I(INSN_PLAIN, 0x0f, 0x22, 0xe0)                                                            \
	I(INSN_ANY, 0x0f, 0x21, 0xe0)                                                              \
	I(INSN_KERNEL, 0x0f, 0x21, 0xf0)                                                           \
	I(INSN_ANY, 0x0f, 0x21, 0xf8)                                                              \
	/* SLDT, STR, LLDT, LTR, VERR, VERW, LAR, LSL */                                           \
	I(INSN_ANY, 0x0f, 0x00, 0xc0)                                                              \
	I(INSN_ANY, 0x0f, 0x00, 0xc8)                                                              \
	I(0, 0x0f, 0x00, 0xd0)                                                                     \
	I(0, 0x0f, 0x00, 0xd8)                                                                     \
	I(INSN_ANY, 0x0f, 0x00, 0xe0)                                                              \
	I(INSN_ANY, 0x0f, 0x00, 0xe8)                                                              \
	I(INSN_ANY, 0x0f, 0x02, 0xc0)                                                              \
	I(INSN_ANY, 0x0f, 0x03, 0xc0)                                                              \
	/* SGDT, SIDT, LGDT, LIDT, INVLPG */                                                       \
	I(INSN_ANY, 0x0f, 0x01, 0x07)                                                              \
	I(INSN_ANY, 0x0f, 0x01, 0x0f)                                                              \
	I(0, 0x0f, 0x01, 0x17)                                                                     \
	I(0, 0x0f, 0x01, 0x1f)                                                                     \
	I(INSN_ANY, 0x0f, 0x01, 0x3f)                                                              \
	/* RDMSR and WRMSR (CPL 3), and of PAT */                                                  \
	I(0, 0x0f, 0x32)                                                                           \
	I(INSN_PLAIN, 0x0f, 0x30)                                                                  \
	I(INSN_KERNEL | INSN_PLAIN, 0xb9, 0x77, 0x02, 0x00, 0x00, 0x0f, 0x32)                      \
	I(INSN_KERNEL | INSN_PLAIN, 0xb9, 0x77, 0x02, 0x00, 0x00, 0x0f, 0x32, 0x0f, 0x30)          \
	/* IN, OUT, INSB, OUTSB */                                                                 \
	I(INSN_ANY, 0xec)                                                                          \
	I(INSN_ANY, 0xed)                                                                          \
	I(INSN_ANY | INSN_PORT, 0xee)                                                              \
	I(INSN_ANY | INSN_PORT, 0xef)                                                              \
	I(INSN_ANY | INSN_PORT | INSN_PLAIN, 0x6c)                                                 \
	I(INSN_ANY | INSN_PORT | INSN_PLAIN, 0x6e)                                                 \
	I(INSN_ANY, 0xe4, 0xed)                                                                    \
	I(INSN_ANY, 0xe6, 0xed)                                                                    \
	/* HLT, CLI, STI, PUSHF and POPF, INT3, INT1, INTO, INT, SALC, DAA, AAM */                 \
	I(INSN_PLAIN, 0xf4)                                                                        \
	I(INSN_ANY, 0xfa)                                                                          \
	I(INSN_KERNEL, 0xfb)                                                                       \
	I(INSN_ANY | INSN_PLAIN, 0x9c, 0x9d)                                                       \
	I(INSN_ANY, 0xcc)                                                                          \
	I(INSN_ANY, 0xf1)                                                                          \
	I(INSN_ANY, 0xce)                                                                          \
	I(INSN_ANY | INSN_PLAIN, 0xcd, 0x80)                                                       \
	I(INSN_ANY, 0xd6)                                                                          \
	I(INSN_ANY, 0x27)                                                                          \
	I(INSN_ANY, 0xd4, 0x00)                                                                    \
	/* DIV (RDX stays: a port), LOCK NOP, PAUSE, RDFSBASE, XSAVE, FXSAVE, moves to segments */ \
	I(INSN_ANY, 0xf6, 0xf3)                                                                    \
	I(INSN_ANY, 0xf0, 0x90)                                                                    \
	I(INSN_ANY, 0xf3, 0x90)                                                                    \
	I(INSN_KERNEL, 0xf3, 0x0f, 0xae, 0xc0)                                                     \
	I(INSN_ANY, 0x0f, 0xae, 0x27)                                                              \
	I(INSN_ANY, 0x0f, 0xae, 0x07)                                                              \
	I(0, 0x8e, 0xd0)                                                                           \
	I(0, 0x8e, 0xd8)                                                                           \
	I(INSN_KERNEL, 0x8e, 0xe0)                                                                 \
	I(INSN_KERNEL, 0x8e, 0xe8)                                                                 \
	/* MOVAPS, EMMS, MFENCE, CMPXCHG8B, CMPXCHG16B, XCHG, LOCK INC, STOS, LODS, MOVS */        \
	I(INSN_ANY, 0x0f, 0x28, 0xc1)                                                              \
	I(INSN_ANY, 0x0f, 0x77)                                                                    \
	I(INSN_ANY, 0x0f, 0xae, 0xf0)                                                              \
	I(INSN_ANY | INSN_VARIES, 0x0f, 0xc7, 0x0f)                                                \
	I(INSN_KERNEL | INSN_VARIES, 0x48, 0x0f, 0xc7, 0x0f)                                       \
	I(INSN_ANY | INSN_VARIES, 0x87, 0x07)                                                      \
	I(INSN_ANY | INSN_VARIES, 0xf0, 0xff, 0x07)                                                \
	I(INSN_ANY | INSN_PLAIN, 0xaa)                                                             \
	I(INSN_KERNEL | INSN_PLAIN, 0xb9, 0x03, 0x00, 0x00, 0x00, 0xf3, 0xaa)                      \
	I(INSN_KERNEL | INSN_PORT | INSN_PLAIN, 0xb9, 0x03, 0x00, 0x00, 0x00, 0xf3, 0x6c)          \
	I(INSN_ANY | INSN_VARIES | INSN_PLAIN, 0xac)                                               \
	I(INSN_ANY | INSN_PLAIN, 0xa4)                                                             \
	/* nothing, ADD, too long */                                                               \
	I(INSN_ANY, 0x90)                                                                          \
	I(INSN_ANY, 0x01, 0xd8)                                                                    \
	I(INSN_ANY, 0x0f, 0xff, 0xc0)                                                              \
	I(INSN_ANY, 0xf3, 0xf2, 0x66, 0x2e, 0x36, 0x3e, 0x26, 0x90)

#define INSN_BYTES(...)  sizeof((const uint8_t[]){__VA_ARGS__})
#define INSN_ROW(f, ...) {INSN_BYTES(__VA_ARGS__), (f), {__VA_ARGS__}},
static const struct insn insns[] = {INSN_LIST(INSN_ROW)};
#define INSNS (sizeof(insns) / sizeof(insns[0]))
