"""The VMM's image with calls for tests, and one made of it in which a CPU is refused, as one that lacks something is."""
# SPDX-License-Identifier: BSD-3-Clause

import fcntl
import os
import struct
import subprocess

from lib.machine import TOP

ELF = os.path.join(TOP, "build", "bitvisor-debug.elf")
SYMBOL = "test_refused_cpu"  # core/vm/handover.c


def build():
    """Make the image; tests that run side by side wait for each other."""
    with open(ELF + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", "-C", TOP, os.path.relpath(ELF, TOP)], check=True, stdout=subprocess.DEVNULL)


def refusing(path, cpu):
    """Write the image in which the CPU with this index is refused; returns its path."""
    build()
    with open(ELF, "rb") as f:
        image = bytearray(f.read())
    listed = subprocess.run(["nm", ELF], check=True, capture_output=True, text=True).stdout
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
