#!/bin/sh
# kernel.sh META DIR: fetch the Debian kernel that package META depends on; DIR gets vmlinuz, release and lib/modules.
# SPDX-License-Identifier: BSD-3-Clause
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/apt.sh"

meta=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
apt_own "$dir/../../apt"
find_image() {
	# shellcheck disable=SC2086
	image=$(apt-cache $apt_args depends "$meta" 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }')
}
find_image
[ -n "$image" ] || ! apt_security || find_image
[ -n "$image" ] || die "package $meta cannot be had from this system's apt sources"
say FETCH "$image"
tmp=$dir/tmp
rm -rf "$tmp"
mkdir "$tmp"
cd "$tmp"
# shellcheck disable=SC2086
apt-get $apt_args -qq download "$image" >log 2>&1 || die "cannot fetch $image: $(grep '^E:' log | head -n 1)"
dpkg-deb --fsys-tarfile ./*.deb | tar -x ./boot ./lib/modules
release=$(ls lib/modules)
depmod -b . "$release"

# The wanted modules and all that modules.dep says they need.
sed 's/#.*//; s/[ \t]//g; /^$/d' "$here/guest-modules" | awk -v dep="lib/modules/$release/modules.dep" '
	function glob(s) {
		gsub(/\./, "\\.", s)
		gsub(/\*/, "[^/]*", s)
		return "^kernel/" s "\\.ko(\\.xz)?$"
	}
	BEGIN {
		while ((getline line < dep) > 0) {
			n = split(line, w, /[: ]+/)
			all[w[1]] = line
		}
	}
	{
		for (m in all)
			if (m ~ glob($0)) {
				n = split(all[m], w, /[: ]+/)
				for (i = 1; i <= n; i++)
					if (w[i] != "")
						take[w[i]] = 1
			}
	}
	END { for (m in take) print m }' | sort >wanted
grep -q ahci wanted || die "$image: no ahci module found"
rm -rf "$dir/lib" && mkdir -p "$dir/lib/modules/$release"
(cd "lib/modules/$release" && tar -c -T "$tmp/wanted" modules.builtin modules.order modules.builtin.modinfo) |
	tar -x -C "$dir/lib/modules/$release"
find "$dir/lib" -name '*.ko.xz' -exec xz -d {} +
sed -i 's/\.ko\.xz$/.ko/' "$dir/lib/modules/$release/modules.order"
depmod -b "$dir" "$release"
cp boot/vmlinuz-* "$dir/vmlinuz"
cp boot/config-* "$dir/config"
echo "$release" >"$dir/release"
cd "$dir"
rm -rf "$tmp"
