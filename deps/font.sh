#!/bin/sh
# font.sh PIN OUT: fetch the binary package that the file PIN describes, check it, and write its one wanted file to OUT.
# SPDX-License-Identifier: BSD-3-Clause
set -eu
. "$(dirname "$0")/apt.sh"

pin=$1
font_out=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
deps=$(dirname "$font_out")
name=$(sed -n 's/^name:[ \t]*//p' "$pin")
version=$(sed -n 's/^version:[ \t]*//p' "$pin")
file=$(sed -n 's/^file:[ \t]*//p' "$pin")
sum=$(sed -n 's/^sha256:[ \t]*\([0-9a-f]*\)[ \t]*\(.*\)/\1  \2/p' "$pin")
deb=${sum##* }

mkdir -p "$deps/src"
cd "$deps/src"
if ! echo "$sum" | sha256sum --status -c - 2>/dev/null; then
	apt_own "$deps/apt"
	say FETCH "$name $version"
	# shellcheck disable=SC2086
	apt-get $apt_args -qq download "$name=$version" >"$name.log" 2>&1 ||
		die "cannot fetch $name $version: $(grep '^E:' "$name.log" | head -n 1)"
	echo "$sum" | sha256sum --status -c - || die "$name $version: wrong sha256: $deb"
fi
dpkg-deb --fsys-tarfile "$deb" | tar -xO "./$file" >"$font_out.tmp"
mv "$font_out.tmp" "$font_out"
