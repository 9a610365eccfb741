#!/usr/bin/python3
"""No structure of the image grows faster than linearly with the number of CPUs: sizes of its variables, built for 64, 128, 256 CPUs."""
# SPDX-License-Identifier: BSD-3-Clause

import subprocess
import sys
import tempfile

COUNTS = (64, 128, 256)


def sources():
    """C files of the VMM that name the number of CPUs, themselves or by a macro of such a file."""
    out = subprocess.run(["grep", "-rlE", "BOOT_MAX_CPUS|MADT_MAX_CPUS|struct madt\\b", "--include=*.c", "core", "drivers"],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    return sorted(out.split())


def variables(compiler, source, count):
    """{variable: bytes} of one object, built for `count` CPUs."""
    with tempfile.NamedTemporaryFile(suffix=".o") as obj:
        subprocess.run([*compiler, f"-DBOOT_MAX_CPUS={count}", f"-DMADT_MAX_CPUS={count}", "-c", "-o", obj.name, source], check=True)
        listed = subprocess.run(["nm", "-S", obj.name], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {f[3]: int(f[1], 16) for f in map(str.split, listed.splitlines()) if len(f) == 4 and f[2] in "bBdDC"}


def faster(sizes):
    """Does a size grow by more than in proportion?"""
    a, b, c = sizes
    return (c - b) * (COUNTS[1] - COUNTS[0]) > (b - a) * (COUNTS[2] - COUNTS[1])


def main():
    compiler, wrong, grown = sys.argv[1:], [], 0
    assert faster((64 * 64, 128 * 128, 256 * 256)) and not faster((10 + 64, 10 + 128, 10 + 256))
    for source in sources():
        by_count = [variables(compiler, source, n) for n in COUNTS]
        for name in by_count[0]:
            sizes = [v[name] for v in by_count]
            grown += sizes[2] > sizes[0]
            if faster(sizes):
                wrong.append(f"{source}: {name}: {sizes} bytes with {COUNTS} CPUs")
    if not grown:
        wrong.append("nothing grows with the number of CPUs: this check is broken")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
