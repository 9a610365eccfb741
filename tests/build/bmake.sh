#!/bin/sh
# BSD make builds the image that GNU make has built, byte for byte. The last line is "N passed, N failed, N skipped".
# SPDX-License-Identifier: BSD-3-Clause
set -eu
cd "$(dirname "$0")/../.."
image=${1:-build/bitvisor.elf} config=${KCONFIG_CONFIG:-.config} place=build/check/bmake

case $config in /*) ;; *) config=$PWD/$config ;; esac
rm -rf $place
mkdir -p $place/build/deps
git ls-files -z -co --exclude-standard | xargs -0 cp --parents -P -t $place
cp -a build/deps/include build/deps/zydis build/deps/font.psf.gz $place/build/deps/
touch $place/build/deps/packages $place/build/deps/zydis.src $place/build/deps/ready
log=$place/build/log
result() # PASSED FAILED
{
	echo "$1 passed, $2 failed, 0 skipped"
	exit "$2"
}
(cd $place && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS KCONFIG_CONFIG="$config" bmake -j2) >$log 2>&1 || {
	tail -n 20 $log
	result 0 1
}
cmp "$image" $place/build/bitvisor.elf || result 0 1
result 1 0
