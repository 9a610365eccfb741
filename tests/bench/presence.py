#!/usr/bin/python3
"""What it costs that the VMM is there: memory, image, instructions of its start, and the dearest exits of a boot; `make bench-presence`."""
# SPDX-License-Identifier: BSD-3-Clause

import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import workloads  # noqa: E402
from workloads import BUILD, RESULTS, Machine  # noqa: E402
from lib.machine import ELF as VMM  # noqa: E402

PLUGIN = os.path.join(BUILD, "qemuexits.so")
IMAGE_VIRT, IMAGE_PHYS = 0xFFFFFFFF80000000, 0x200000  # core/image.lds
START_MOST = 200_000_000
EXIT_MOST = 20_000
MEMORY_MOST = 16 << 20


def image():
    """(entry address as the boot loader jumps to it, first byte of the code, byte behind it, bytes of text, data, bss)."""
    names = dict(reversed(line.split()[0::2]) for line in
                 subprocess.run(["nm", VMM], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines() if len(line.split()) == 3)
    entry, begin, end = (int(names[n], 16) for n in ("multiboot_entry", "image_start", "image_text_end"))
    sizes = subprocess.run(["size", VMM], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[1].split()[:3]
    return entry - IMAGE_VIRT + IMAGE_PHYS, begin, end, [int(n) for n in sizes]


def measure(name="presence", **more):
    """A BIOS boot of one CPU to the guest's shell, each exit counted."""
    entry, begin, end, sizes = image()
    m = Machine(name, **({"emu": "qemu", "cpus": 1, "icount": 0, "words": ("vmm.status=1",)} | more))
    folder = m.options.out
    os.makedirs(folder, exist_ok=True)
    log, costs = os.path.join(folder, "exits.log"), os.path.join(folder, "costs.log")
    for path in (log, costs):
        if os.path.exists(path):
            os.remove(path)
    m.options.extra += (*workloads.EXIT_LOG, log, "-plugin", f"{PLUGIN},out={costs},entry={entry:#x},first={begin:#x},end={end:#x}")
    with m:
        m.expect(r"guest# ", 300)
        m.mark = 0
        m.boot()
        status = workloads.Guest(m).status()
    with open(costs, encoding="ascii") as f:
        start, *each = f.read().splitlines()
    with open(log, encoding="ascii", errors="replace") as f:
        names = workloads.exit_codes()
        kinds = [(names[int(line[7:line.index(",")], 16)], line.strip()) for line in f if line.startswith("vmexit(")]
    exits = sorted(((int(cost), *kind) for cost, kind in zip(each, kinds)), reverse=True)
    own = ("VMMCALL",)  # made by the programs of this measurement
    exits = [e for e in exits if e[1] not in own]
    with open(os.path.join(folder, "vmm.log"), encoding="ascii", errors="replace") as f:
        parts = re.search(r"Memory: image (\d+), log (\d+), CPUs (\d+), tables and drivers (\d+), free (\d+) KiB", f.read())
    return {
        "memory": int(status["memory.size"]), "memory_free": int(status["memory.free"]),
        "memory_parts_kib": dict(zip(("image", "log", "cpus", "tables_and_drivers", "free"), map(int, parts.groups()))),
        "nested_tables": int(status["nested.tables"]), "nested_splits": int(status["nested.splits"]),
        "text": sizes[0], "data": sizes[1], "bss": sizes[2], "file_stripped": stripped_size(folder),
        "start": int(start.split()[1]), "exits": len(exits), "dearest": exits[:10],
    }


def stripped_size(folder):
    path = os.path.join(folder, "stripped.elf")
    subprocess.run(["strip", "-o", path, VMM], check=True)
    return os.path.getsize(path)


def wrong(found):
    """What is beyond its bound, as text."""
    dearest = found["dearest"][0]
    bounds = (("instructions from the boot loader to the guest", found["start"], START_MOST),
              (f"instructions of one exit ({dearest[2]})", dearest[0], EXIT_MOST),
              ("bytes of memory", found["memory"], MEMORY_MOST))
    return [f"{n} {what}, {most} at most" for what, n, most in bounds if n > most]


def main():
    found = measure()
    os.makedirs(RESULTS, exist_ok=True)
    with open(os.path.join(RESULTS, "presence.json"), "w", encoding="ascii") as f:
        json.dump(found, f, indent=1)
        f.write("\n")
    for key, value in found.items():
        if key != "dearest":
            print(f"{key:20} {value}")
    print("dearest exits of the boot, in instructions:")
    for cost, name, line in found["dearest"]:
        print(f"{cost:8} {name:10} {line}")
    texts = wrong(found)
    print("\n".join(texts), end="\n" if texts else "")
    return 1 if texts else 0


if __name__ == "__main__":
    sys.exit(main())
