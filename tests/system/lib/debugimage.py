"""The VMM's image with calls for tests, and those made of it in which something goes wrong."""
# SPDX-License-Identifier: BSD-3-Clause

import fcntl
import os
import struct
import subprocess

from lib.machine import TOP

ELF = os.path.join(TOP, "build", "bitvisor-debug.elf")
REFUSED_CPU = "test_refused_cpu"  # core/vm/handover.c
STAYS_AWAKE = "test_stays_awake"  # core/vm/suspend.c


def build(name="bitvisor-debug"):
    """Make an image of core/debug.mk; returns its path. Tests that run side by side wait for each other: they share objects."""
    path = os.path.join(TOP, "build", f"{name}.elf")
    with open(ELF + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", "-C", TOP, os.path.relpath(path, TOP)], check=True, stdout=subprocess.DEVNULL)
    return path


def patched(path, symbol, value):
    """Write the image in which this variable of 32 bits, all ones, is another; returns its path."""
    build()
    with open(ELF, "rb") as f:
        image = bytearray(f.read())
    listed = subprocess.run(["nm", ELF], check=True, capture_output=True, text=True).stdout
    [address] = [int(line.split()[0], 16) for line in listed.splitlines() if line.split()[-1] == symbol]
    first, size, count = (struct.unpack_from("<Q", image, 32)[0], *struct.unpack_from("<HH", image, 54))
    for at in range(first, first + size * count, size):
        _, _, offset, virtual, _, length = struct.unpack_from("<IIQQQQ", image, at)
        if virtual <= address < virtual + length:
            where = offset + address - virtual
            assert image[where:where + 4] == b"\xff" * 4
            struct.pack_into("<I", image, where, value)
            break
    else:
        raise AssertionError(f"{symbol} is not in the file")
    with open(path, "wb") as f:
        f.write(image)
    return str(path)


def refusing(path, cpu):
    """Write the image in which the CPU with this index is refused; returns its path."""
    return patched(path, REFUSED_CPU, cpu)
