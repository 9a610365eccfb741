"""An image of the VMM in which a CPU is refused, as one that lacks something is."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import struct
import subprocess

from lib.machine import TOP

DEBUG_ELF = os.path.join("build", "bitvisor-debug.elf")
SYMBOL = "test_refused_cpu"  # core/vm/handover.c


def make(path, cpu):
    """Write the image in which the CPU with this index is refused; returns its path."""
    subprocess.run(["make", "-s", "-C", TOP, DEBUG_ELF], check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(TOP, DEBUG_ELF), "rb") as f:
        image = bytearray(f.read())
    listed = subprocess.run(["nm", os.path.join(TOP, DEBUG_ELF)], check=True, capture_output=True, text=True).stdout
    [address] = [int(line.split()[0], 16) for line in listed.splitlines() if line.split()[-1] == SYMBOL]
    first, size, count = (struct.unpack_from("<Q", image, 32)[0], *struct.unpack_from("<HH", image, 54))
    for at in range(first, first + size * count, size):
        _, _, offset, virtual, _, length = struct.unpack_from("<IIQQQQ", image, at)
        if virtual <= address < virtual + length:
            where = offset + address - virtual
            assert image[where:where + 4] == b"\xff" * 4
            struct.pack_into("<I", image, where, cpu)
            break
    else:
        raise AssertionError(f"{SYMBOL} is not in the file")
    with open(path, "wb") as f:
        f.write(image)
    return str(path)
