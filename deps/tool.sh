#!/bin/sh
# tool.sh PACKAGE FILE DIR: fetch PACKAGE without installing it; DIR gets FILE of it and the libraries FILE needs.
# SPDX-License-Identifier: BSD-3-Clause
set -eu
. "$(dirname "$0")/apt.sh"

package=$1 file=$2
rm -rf "$3"
mkdir -p "$3/tmp"
dir=$(cd "$3" && pwd)
apt_own "$dir/../apt"
say FETCH "$package"
cd "$dir/tmp"
# shellcheck disable=SC2086
apt-get $apt_args -qq download "$package" >log 2>&1 || die "cannot fetch $package: $(grep '^E:' log | head -n 1)"
dpkg-deb --fsys-tarfile ./*.deb | tar -x "./$file"
mkdir -p "$dir/$(dirname "$file")"
mv "$file" "$dir/$file"
ldd "$dir/$file" | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) { print $i; break } }' | while read -r lib; do
	mkdir -p "$dir$(dirname "$lib")"
	cp -L "$lib" "$dir$lib"
done
cd "$dir"
rm -rf tmp
