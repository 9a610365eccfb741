#!/bin/sh
# fetch.sh PIN DIR: fetch the source package that the file PIN describes, check it, unpack it to DIR/NAME.
# SPDX-License-Identifier: BSD-3-Clause
set -eu
. "$(dirname "$0")/apt.sh"

pin=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
mkdir -p "$2/src"
deps=$(cd "$2" && pwd)
name=$(sed -n 's/^name:[ \t]*//p' "$pin")
version=$(sed -n 's/^version:[ \t]*//p' "$pin")
sed -n 's/^sha256:[ \t]*\([0-9a-f]*\)[ \t]*\(.*\)/\1  \2/p' "$pin" >"$deps/src/$name.sha256"

cd "$deps/src"
if ! sha256sum --status -c "$name.sha256" 2>/dev/null; then
	apt_own "$deps/apt"
	say FETCH "$name $version"
	# shellcheck disable=SC2086
	apt-get $apt_args -qq --only-source --download-only source "$name=$version" >"$name.log" 2>&1 ||
		die "cannot fetch $name $version: $(grep '^E:' "$name.log" | head -n 1)"
	bad=$(sha256sum -c --quiet "$name.sha256" 2>/dev/null) || die "$name $version: wrong sha256: $bad"
fi
rm -rf "${deps:?}/$name"
dpkg-source --no-check -q -x "${name}_${version#*:}.dsc" "$deps/$name" >/dev/null
