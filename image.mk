# What the image is made of, in the syntax that GNU make (GNUmakefile) and BSD make (Makefile) have in common. CURDIR is the tree.
# SPDX-License-Identifier: BSD-3-Clause

B      := build
CC     := gcc
LD     := ld
PYTHON := /usr/bin/python3

# Every .c and .S file of these rooms belongs to the image.
VMM_DIRS := boot/multiboot boot/realmode core drivers net

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla \
	-Wformat=2 -Wcast-align -Werror
VMM_CFLAGS = -std=c17 -O2 -g -ffreestanding -fno-pic -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	-fno-strict-aliasing -fno-omit-frame-pointer -fcf-protection=none -fno-asynchronous-unwind-tables \
	-fno-common -fstack-protector-strong -mstack-protector-guard=global -ffunction-sections -fdata-sections \
	-ffile-prefix-map=$(CURDIR)=. $(WARN) -Iinclude -I. $(DEPS_CFLAGS) \
	-include $(CONFIG_H)
LINK_IMAGE = $(LD) -nostdlib -static --build-id=none -z max-page-size=4096 -z noexecstack --gc-sections \
	--no-warn-rwx-segments -T core/image.lds -o $@

# Build options become a header that every source of the image sees.
KCONFIG_CONFIG ?= .config
CONFIG_H       := $(B)/include/config.h
KCONFIG         = KCONFIG_CONFIG=$(KCONFIG_CONFIG) $(PYTHON) -m

# Third-party code in it.
DEPS := $(B)/deps
DEPS_CFLAGS      := -isystem $(DEPS)/include -DZYAN_NO_LIBC -DZYDIS_STATIC_BUILD -DZYCORE_STATIC_BUILD \
	-DZYDIS_DISABLE_FORMATTER -DZYDIS_DISABLE_ENCODER -DZYDIS_DISABLE_AVX512 -DZYDIS_DISABLE_KNC
ZYDIS_SRCS := Decoder DecoderData SharedData Register Mnemonic Utils Segment MetaInfo Zydis
# -ffile-prefix-map: the same bytes wherever the tree lies.
ZYDIS_CFLAGS := -std=c11 -O2 -w $(DEPS_CFLAGS) -I$(DEPS)/zydis/src -ffile-prefix-map=$(CURDIR)=.
ZYDIS_VMM_CFLAGS := -include deps/zydis_libc.h -ffreestanding -fno-pic -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	-fcf-protection=none -fno-asynchronous-unwind-tables -fno-stack-protector -ffunction-sections -fdata-sections
