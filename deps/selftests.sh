#!/bin/sh
# selftests.sh DIR: fetch Debian's kernel source, build its tools/testing/selftests/x86 as static programs into DIR, with the tar that the test guest gets.
# SPDX-License-Identifier: BSD-3-Clause
set -eu
. "$(dirname "$0")/apt.sh"

package=linux-source-6.1 # the test guest's kernel, guest-6.1.img
mkdir -p "$1"
dir=$(cd "$1" && pwd)
apt_own "$dir/../apt"
# shellcheck disable=SC2086
[ -n "$(apt-cache $apt_args show $package 2>/dev/null)" ] || apt_security
say FETCH "$package"
tmp=$dir/tmp
rm -rf "$tmp"
mkdir -p "$tmp/out"
cd "$tmp"
# shellcheck disable=SC2086
apt-get $apt_args -qq download "$package" >log 2>&1 || die "cannot fetch $package: $(grep '^E:' log | head -n 1)"
dpkg-deb --fsys-tarfile ./*.deb | tar -x "./usr/src/$package.tar.xz"
tar -xJf "usr/src/$package.tar.xz" "$package/tools/testing/selftests/x86" \
	"$package/tools/testing/selftests/kselftest.h" "$package/arch/x86/include/asm/desc_defs.h"
cd "$package/tools/testing/selftests/x86"

# The 64-bit ones; the others need a C library of 32 bits.
words() {
	sed -n ":a; /\\\\\$/{N; ba}; s/^$1 := //p" Makefile | tr -d '\\'
}
for t in $(words TARGETS_C_BOTHBITS) $(words TARGETS_C_64BIT_ONLY) $(words TARGETS_C_32BIT_NEEDED); do
	more=
	[ "$t" != sysret_ss_attrs ] || more=thunks.S
	# shellcheck disable=SC2086
	gcc -O2 -std=gnu99 -pthread -w -no-pie -static -s -DCAN_BUILD_64 -I. -o "$tmp/out/$t" "$t.c" $more -lrt -ldl 2>"$tmp/$t.log" ||
		say SKIP "$t: $(grep -m 1 error "$tmp/$t.log")"
done
[ "$(find "$tmp/out" -type f | wc -l)" -ge 15 ] || die "$package: most selftests do not build"
tar -C "$tmp/out" -cf "$dir/selftests.tar.part" .
cd "$dir"
rm -rf "$tmp"
mv selftests.tar.part selftests.tar
