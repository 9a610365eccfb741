#!/bin/sh
# Build everything in every way that counts. The last line is "N passed, N failed, N skipped".
# SPDX-License-Identifier: BSD-3-Clause
cd "$(dirname "$0")/../.." || exit 1
out=build/check
passed=0 failed=0
mkdir -p $out

# What a build directory needs of the dependencies, without fetching it once more: $1/deps
seed_deps()
{
	mkdir -p "$1/deps" && cp -a build/deps/include build/deps/zydis "$1/deps/" &&
		touch "$1/deps/packages" "$1/deps/zydis.src" "$1/deps/ready"
}

# step NAME COMMAND...: the output is shown when it fails
step()
{
	name=$1
	shift
	if "$@" >$out/log 2>&1; then
		passed=$((passed + 1))
		echo "  PASS    $name"
	else
		failed=$((failed + 1))
		grep -v '^  [A-Z]' $out/log | tail -n 40
		echo "  FAIL    $name"
	fi
}

# build DIRECTORY CONFIG VARIABLE...: the image, that with audits, the loader, and every header alone
build()
{
	dir=$1 config=$2
	shift 2
	[ -e "$dir/deps/ready" ] || seed_deps "$dir" || return 1
	make -j2 B="$dir" KCONFIG_CONFIG="$config" "$@" all "$dir/bitvisor-debug.elf" check-headers "$dir/guest.elf"
}

# host DIRECTORY VARIABLE...
host()
{
	dir=$1
	shift
	[ -e "$dir/deps/ready" ] || seed_deps "$dir" || return 1
	make -j2 B="$dir" "$@" check-host
}

# The same sources in two places of different depth
reproduce()
{
	for place in $out/one $out/another/place/deeper; do
		rm -rf "$place" && mkdir -p "$place" || return 1
		git ls-files -z -co --exclude-standard | xargs -0 cp --parents -P -t "$place" || return 1
		seed_deps "$place/build" || return 1
	done
	for place in $out/one $out/another/place/deeper; do
		make -C "$place" -j2 all || return 1
	done
	for file in bitvisor.elf loadvmm.efi; do
		cmp $out/one/build/$file $out/another/place/deeper/build/$file || return 1
	done
}

none=$out/none.config # does not exist: the defaults
rm -f $none
[ -e build/deps/zydis ] || { echo "make deps first"; exit 1; }
step "gcc" build $out/gcc $none CC=gcc
step "clang" build $out/clang $none CC=clang
/usr/bin/python3 tests/build/flip.py $out >$out/flips || failed=$((failed + 1))
while read -r config; do
	for cc in gcc clang; do
		step "$cc $(basename "$config" .config)" build "$out/$cc-flip" "$config" CC=$cc </dev/null
	done
done <$out/flips
step "host tests, clang" host $out/clang HOSTCC=clang
step "the same bytes from two directories" reproduce
step "format" make check-format
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
