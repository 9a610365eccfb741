# The image, for BSD make: build/bitvisor.elf, with the same bytes as GNU make's. GNUmakefile has everything.
# SPDX-License-Identifier: BSD-3-Clause

CURDIR := ${.CURDIR}
LC_ALL = C
.export LC_ALL

.include "image.mk"

VMM_C != find ${VMM_DIRS} -name '*.c' 2>/dev/null | sort
VMM_S != find ${VMM_DIRS} -name '*.S' 2>/dev/null | sort

VMM_OBJS  := ${VMM_C:S,^,$B/vmm/,:.c=.o} ${VMM_S:S,^,$B/vmm/,:.S=.S.o} $B/vmm/font.o
ZYDIS_VMM := ${ZYDIS_SRCS:S,^,${DEPS}/vmm/,:S,$,.o,}
DEPS_LIBS := ${DEPS}/libzydis.a

# Installed when nothing is yet; they never make anything anew.
.if !exists(${DEPS}/packages)
PACKAGES := ${DEPS}/packages
.endif

.MAIN: all
.PHONY: all clean
all: $B/bitvisor.elf

$B/bitvisor.elf: ${VMM_OBJS} ${DEPS_LIBS} core/image.lds
	@echo "  LD      $@"
	@${LINK_IMAGE} ${VMM_OBJS} ${DEPS_LIBS}

.for f in ${VMM_C}
$B/vmm/${f:.c=.o}: $f ${DEPS}/ready ${CONFIG_H}
	@mkdir -p ${@D}
	@echo "  CC      $f"
	@${CC} ${VMM_CFLAGS} -MMD -MP -c -o $@ $f
.endfor

.for f in ${VMM_S}
$B/vmm/${f:.S=.S.o}: $f ${DEPS}/ready ${CONFIG_H}
	@mkdir -p ${@D}
	@echo "  AS      $f"
	@${CC} ${VMM_CFLAGS} -D__ASSEMBLY__ -MMD -MP -c -o $@ $f
.endfor

# What objects were made of when they were made. Headers that are gone are nobody's fault: .d files have a rule for each.
.for o in ${VMM_OBJS}
.  if exists(${o:.o=.d})
.    include "${.CURDIR}/${o:.o=.d}"
.  endif
.endfor

# Written when it changes; .config may come and go.
${CONFIG_H}: FORCE ${PACKAGES}
	@mkdir -p ${@D}
	@${KCONFIG} genconfig --header-path $@ Kconfig
FORCE: .PHONY

# Third-party packages, as deps/deps.mk has them.
${DEPS}/packages:
	@mkdir -p ${@D}
	@sh deps/install.sh
	@touch $@

${DEPS}/zydis.src: deps/zydis ${PACKAGES}
	@sh deps/fetch.sh deps/zydis ${DEPS}
	@mkdir -p ${DEPS}/include
	@rm -rf ${DEPS}/include/Zydis ${DEPS}/include/Zycore
	@cp -r ${DEPS}/zydis/include/Zydis /usr/include/Zycore ${DEPS}/include/
	@touch $@

${DEPS}/ready: ${DEPS}/zydis.src
	@touch $@

.for s in ${ZYDIS_SRCS}
${DEPS}/vmm/$s.o: ${DEPS}/ready deps/zydis_libc.h
	@mkdir -p ${@D}
	@rm -f $@
	@echo "  CC      zydis/$s.c"
	@${CC} ${ZYDIS_CFLAGS} ${ZYDIS_VMM_CFLAGS} -c -o $@ ${DEPS}/zydis/src/$s.c
.endfor

${DEPS}/libzydis.a: ${ZYDIS_VMM}
	@rm -f $@
	@ar rcsD $@ ${ZYDIS_VMM}

${DEPS}/font.psf.gz: deps/console-font deps/font.sh deps/apt.sh ${PACKAGES}
	@sh deps/font.sh deps/console-font $@

$B/font.c: ${DEPS}/font.psf.gz tools/psf2c.py
	@echo "  FONT    $@"
	@${PYTHON} tools/psf2c.py ${DEPS}/font.psf.gz $@

$B/vmm/font.o: $B/font.c ${CONFIG_H}
	@mkdir -p ${@D}
	@echo "  CC      $B/font.c"
	@${CC} ${VMM_CFLAGS} -MMD -MP -c -o $@ $B/font.c

clean:
	rm -rf $B/vmm $B/bitvisor.elf
