#!/usr/bin/python3
"""Which lines of the VMM run in machines: takes the counters of build/bitvisor-coverage.elf out of their memory, and adds them up."""
# SPDX-License-Identifier: BSD-3-Clause

import argparse
import array
import collections
import dataclasses
import mmap
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

import coverage
import run

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ELF = os.path.join(TOP, "build", "bitvisor-coverage.elf")
RUNS = os.path.join(TOP, "build", "coverage-target", "runs")  # the counters of one machine each
# It has what these have, the calls for tests included: where it is the product's replacement, it is theirs as well.
REPLACES = ("bitvisor-debug.elf", "bitvisor-bench.elf")

# gcc/gcov-io.h of gcc 12: words of 32 bits, lengths in bytes
GCDA_MAGIC = 0x67636461
TAG_FUNCTION, TAG_ARCS, TAG_SUMMARY = 0x01000000, 0x01A10000, 0xA1000000
GCC = 12


# ---- the image ----

@dataclasses.dataclass
class Object:
    """One object file: where its counters are, and what identifies it to gcov."""

    path: str        # of the .gcda file
    version: int
    stamp: int
    checksum: int
    functions: list  # [(ident, line checksum, flow checksum, address of the counters, their number)]


class Image:
    """The ELF file, and the structures of libgcov in it (gcc/gcov-io.h and libgcc/libgcov.h, gcc 12)."""

    def __init__(self, path=ELF):
        with open(path, "rb") as f:
            self.data = f.read()
        first, size, count = (struct.unpack_from("<Q", self.data, 32)[0], *struct.unpack_from("<HH", self.data, 54))
        self.parts = []  # (address, bytes in the file, offset)
        for at in range(first, first + size * count, size):
            kind, _, offset, virtual, physical, length = struct.unpack_from("<IIQQQQ", self.data, at)
            if kind == 1 and not self.parts:
                self.loaded = physical
            if kind == 1:
                self.parts.append((virtual, length, offset))
        listed = subprocess.run(["nm", path], check=True, capture_output=True, text=True).stdout
        self.symbols = {line.split()[-1]: int(line.split()[0], 16) for line in listed.splitlines() if len(line.split()) == 3}
        self.start = self.symbols["image_start"]
        pointers = range(self.symbols["section_gcov_info_start"], self.symbols["section_gcov_info_end"], 8)
        self.objects = [self.object_at(self.word(p, "<Q")) for p in pointers]
        areas = [(a, a + 8 * n) for o in self.objects for *_, a, n in o.functions]
        self.first, self.end = min(a for a, _ in areas), max(b for _, b in areas)

    def offset(self, address):
        for virtual, length, offset in self.parts:
            if virtual <= address < virtual + length:
                return address - virtual + offset
        raise ValueError(f"{address:#x} is not in the file")

    def word(self, address, form):
        return struct.unpack_from(form, self.data, self.offset(address))[0]

    def object_at(self, a):
        name = self.offset(self.word(a + 24, "<Q"))
        functions = []
        for i in range(self.word(a + 96, "<I")):
            f = self.word(self.word(a + 104, "<Q") + 8 * i, "<Q")
            if f and self.word(f, "<Q") == a:  # else another object has the only copy
                ident, lines, flow = struct.unpack_from("<III", self.data, self.offset(f + 8))
                functions.append((ident, lines, flow, self.word(f + 32, "<Q"), self.word(f + 24, "<I")))
        return Object(self.data[name:self.data.index(b"\0", name)].decode(), self.word(a, "<I"), self.word(a + 16, "<I"),
                      self.word(a + 20, "<I"), functions)


# ---- machines ----

def wanted():
    return run.ELF == ELF


def prepare(o):
    """Make a machine leave its counters: `o` (run.Options) gets the image, and memory that can be read behind its end."""
    if o.bare or o.elf != ELF and os.path.basename(o.elf) not in REPLACES:
        return None
    o.elf = ELF
    if o.emu != "qemu":
        return ""
    fd, path = tempfile.mkstemp(prefix="bitvisor-ram-", dir="/dev/shm" if os.path.isdir("/dev/shm") else o.out)
    os.close(fd)
    o.extra += ("-object", f"memory-backend-file,id=vmmram,size={o.mem}M,mem-path={path},share=on",
                "-machine", "memory-backend=vmmram")
    return path


def place_of(log, image):
    """Where the VMM that started last lies, from its log; one that did not start stays where GRUB has put it."""
    found = re.findall(r"^Memory: VMM at (0x[0-9a-f]+)", log, re.M)
    return int(found[-1], 16) if found else image.loaded


def bochs_memory(proc, log, base, image):
    """Stop it in its debugger, and have that print the counters."""
    at, count = base + image.first - image.start, (image.end - image.first) // 4
    with open(log, "rb") as f:
        f.seek(0, os.SEEK_END)
        os.killpg(proc.pid, signal.SIGINT)
        os.write(proc.keyboard, f"xp /{count}wx {at:#x}\nq\n".encode())
        said, end = b"", time.monotonic() + 60
        while proc.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
            said += f.read()
        said += f.read()
    words = {}
    for address, values in re.findall(rb"0x([0-9a-f]+) <[^>]*>:((?:\s+0x[0-9a-f]{8}\b)+)", said):
        for i, value in enumerate(values.split()):
            words[int(address, 16) + 4 * i] = int(value, 16)
    if any(at + 4 * i not in words for i in range(count)):
        return None
    return array.array("I", [words[at + 4 * i] for i in range(count)]).tobytes()


def qemu_memory(path, base, image):
    """What QEMU left in the file; None: the image is not there."""
    if os.path.getsize(path) == 0:
        return None  # it has not started
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as ram:
        code = image.data[image.offset(image.start):][:4096]
        if ram[base:base + len(code)] != code:
            return None
        return bytes(ram[base + image.first - image.start:base + image.end - image.start])


def take(machine, path):
    """Behind the machine's end (Bochs: before it): keep its counters."""
    image, o = Image(), machine.options
    base, counters = place_of(machine.vmm_log(), image), None
    if o.emu == "qemu":
        counters = qemu_memory(path, base, image)
    elif machine.proc.poll() is None:
        counters = bochs_memory(machine.proc, os.path.join(o.out, "screen.log"), base, image)
    name = f"{os.path.basename(o.out)}-{os.getpid()}-{time.monotonic_ns()}"
    os.makedirs(RUNS, exist_ok=True)
    with open(os.path.join(RUNS, name + (".counters" if counters else ".none")), "wb") as f:
        f.write(counters or b"")
    if path:
        os.unlink(path)


# ---- the report ----

def write_gcda(o, image, counters):
    """The counters of one object, as libgcov would have left them."""
    out = struct.pack("<IIII", GCDA_MAGIC, o.version, o.stamp, o.checksum)
    highest = max((counters[(a - image.first) // 8 + i] for *_, a, n in o.functions for i in range(n)), default=0)
    out += struct.pack("<IIII", TAG_SUMMARY, 8, 1, min(highest, 0xFFFFFFFF))
    for ident, lines, flow, address, number in o.functions:
        first = (address - image.first) // 8
        out += struct.pack("<IIIII", TAG_FUNCTION, 12, ident, lines, flow)
        out += struct.pack("<II", TAG_ARCS, 8 * number) + counters[first:first + number].tobytes()
    with open(o.path, "wb") as f:
        f.write(out + bytes(4))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--room", default="core/", help="what is counted: the start of the files' names")
    p.add_argument("--min", type=float, default=0, help="fail when the room is below this, in per cent")
    a = p.parse_args()
    image, names = Image(), sorted(os.listdir(RUNS)) if os.path.isdir(RUNS) else []
    if any(o.version >> 24 != ord("A") + GCC // 10 or o.version >> 16 & 0xFF != ord("0") + GCC % 10 for o in image.objects):
        sys.exit(f"the image is not of gcc {GCC}, whose structures are known here")
    total = array.array("Q", bytes(image.end - image.first))
    runs = [n for n in names if n.endswith(".counters")]
    for name in runs:
        with open(os.path.join(RUNS, name), "rb") as f:
            counters = array.array("Q", f.read())
        if len(counters) != len(total):
            sys.exit(f"{name} is of another image: make clean")
        total = array.array("Q", [x + y & (1 << 64) - 1 for x, y in zip(total, counters)])
    for o in image.objects:
        write_gcda(o, image, total)
    files = {n: lines for n, lines in coverage.read_lines([o.path.removesuffix(".gcda") + ".gcno" for o in image.objects]).items()
             if n.startswith(a.room)}
    folders, rows = collections.defaultdict(lambda: [0, 0]), []
    for name, lines in files.items():
        missed = [n for n, count in lines.items() if count == 0]
        rows.append((100 * (len(lines) - len(missed)) / len(lines), name, len(lines), missed))
        for key in (os.path.dirname(name), a.room):
            folders[key][0] += len(lines)
            folders[key][1] += len(lines) - len(missed)
    width = max([len(row[1]) for row in rows], default=0)
    for percent, name, count, missed in sorted(rows):
        print(f"{name:{width}} {count:6} {count - len(missed):8} {percent:6.1f}  {coverage.ranges(missed)}".rstrip())
    for key in sorted(folders):
        print(f"{key:{width}} {folders[key][0]:6} {folders[key][1]:8} {100 * folders[key][1] / folders[key][0]:6.1f}")
    print(f"{len(runs)} machines, and {len(names) - len(runs)} that left no counters")
    percent = 100 * folders[a.room][1] / folders[a.room][0] if folders else 0
    return 0 if runs and percent >= a.min else 1


if __name__ == "__main__":
    sys.exit(main())
