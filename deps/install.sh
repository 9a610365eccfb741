#!/bin/sh
# Install the packages of deps/packages that are missing; says nothing when all are there.
# SPDX-License-Identifier: BSD-3-Clause
set -eu
here=$(dirname "$0")
. "$here/apt.sh"

command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || die "this needs Debian 12 (apt-get is not here)"

# names on stdin -> those that are not installed
missing() {
	while read -r name; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) || status=
		[ "$status" = installed ] || echo "$name"
	done
}

want=$(sed 's/#.*//; s/[ \t].*//; /^$/d' "$here/packages" | missing | tr '\n' ' ')
[ -n "$want" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	root=
elif command -v sudo >/dev/null; then
	root=sudo
else
	die "missing packages, and installing them needs root or sudo: $want"
fi

say APT "installing: $want"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
$root apt-get -qq update >"$log" 2>&1 || say APT "apt-get update complained: $(grep '^[EW]:' "$log" | head -n 1)"
for name in $want; do
	apt-cache show "$name" >/dev/null 2>&1 || die "package $name cannot be had from this system's apt sources"
done
# shellcheck disable=SC2086
$root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq --no-install-recommends install $want </dev/null >"$log" 2>&1 || {
	cat "$log" >&2
	die "apt-get install failed: $(grep '^E:' "$log" | head -n 1)"
}
left=$(for name in $want; do echo "$name"; done | missing | tr '\n' ' ')
[ -z "$left" ] || die "still missing after apt-get install: $left"
