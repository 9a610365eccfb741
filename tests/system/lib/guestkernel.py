"""The guest micro-kernel (tests/guest): its disk, a run of it on a machine, and what it reports."""
# SPDX-License-Identifier: BSD-3-Clause

import collections
import dataclasses
import glob
import os
import re
import time

from lib import grubdisk
from lib.machine import TOP, Machine
import media  # of tools

ELF = os.path.join(TOP, "build", "guest.elf")
EFI = os.path.join(TOP, "build", "guest.efi")
CASES = sorted(os.path.basename(f)[:-2] for f in glob.glob(os.path.join(TOP, "tests", "guest", "cases", "*.c")))
# Seconds without a word until a case counts as hanging, by emulator.
PATIENCE = {"qemu": 25, "bochs": 60}
RESTARTS = 5  # of the machine, after cases that hang or end it


@dataclasses.dataclass
class Case:
    """What one case said in one run."""

    status: str = "missing"  # pass, fail, skip, error; hang: no word any more; missing: never begun
    text: str = ""
    passed: int = 0
    failed: int = 0
    fails: dict = dataclasses.field(default_factory=dict)   # assertion -> (where, got, want)
    values: list = dataclasses.field(default_factory=list)  # what is for comparing only


@dataclasses.dataclass
class Report:
    cases: dict     # name -> Case
    memory: list    # [(first byte, byte behind, type)] as the boot loader gave it
    vmm_log: str
    folder: str     # logs
    exits: collections.Counter  # name -> how many, of all CPUs: what the VMM has counted, with status=1

    @property
    def ram_word(self):
        return ram_word([(a, b) for a, b, kind in self.memory if kind == 1])


def ram_word(ranges):
    """The word by which the kernel finds the VMM's memory: what RAM there is without it, [(first byte, byte behind)]."""
    return "ram=" + ",".join(f"{a:#x}-{b:#x}" for a, b in ranges)


def parse(text, cases):
    """Take the lines of one run into `cases`; returns the case that has begun and not ended."""
    begun = None
    for line in text.replace("\r", "").split("\n"):
        if found := re.match(r"case (\S+): b", line):  # it may have ended in the middle of "begin"
            begun = found[1]
            cases[begun] = Case("hang")
        elif found := re.fullmatch(r"case (\S+): (pass|fail|skip|error) (\d+) (\d+) ?(.*)", line):
            case = cases[found[1]]
            case.status, case.passed, case.failed, case.text = found[2], int(found[3]), int(found[4]), found[5]
            begun = None
        elif found := re.fullmatch(r"fail (\S+) (\S+:\d+) (.*): got (\S+) want (\S+)", line):
            cases[found[1]].fails[found[3]] = found[2], found[4], found[5]
        elif found := re.fullmatch(r"value (\S+) (.*)", line):
            cases[found[1]].values.append(found[2])
    return begun


def await_end(m, patience=0):
    """Read until all cases have ended, or the machine has: no word any more, a panic of the VMM, a new start."""
    size, since, patience = 0, time.monotonic(), patience or PATIENCE[m.options.emu]
    while not re.search(r"guest: end .*\n", m.text) and m._read(1):
        if len(m.text) != size:
            size, since = len(m.text), time.monotonic()
        if time.monotonic() - since > patience or "panic(" in m.vmm_log() or m.text.count("guest: begin") > 1:
            return


def disk(folder, words, elf=ELF):
    """A disk that starts the micro-kernel by itself."""
    early = grubdisk.EARLY + f"multiboot (hd0,msdos1)/guest.elf {words}\nboot\n"
    return grubdisk.make(folder, {"guest.elf": elf}, early)


def uefi_disk(folder, words):
    """A disk whose boot program is the micro-kernel."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "guest.img")
    if os.path.exists(path):
        os.remove(path)
    media.fat_image(path, 40 * media.MIB, {"EFI/BOOT/BOOTX64.EFI": EFI, "EFI/BOOT/guest.txt": words.encode()})
    return path


def run(name, select="", leave_out=(), patience=0, **options):
    """All cases (or what `select` chooses, without `leave_out`) on one machine; a case that ends the machine is left out and the rest run again.
    patience: seconds without a word that count as a hang."""
    cases, memory, log, left_out, exits = {}, [], "", list(leave_out), collections.Counter()
    for attempt in range(RESTARTS):
        machine = Machine(name, **options)
        emu = machine.options.emu
        folder = machine.options.out
        machine.options.guest = (uefi_disk if machine.options.uefi else disk)(folder, select + (" not=" + ",".join(left_out) if left_out else ""))
        if emu == "qemu":
            machine.options.extra += ("-device", "isa-debug-exit,iobase=0xf4,iosize=1")
        with machine as m:
            m.expect(r"guest: begin cpus \d+\r?\n", 240)
            await_end(m, patience)
            text = m.text
            log += m.vmm_log()
        hung = parse(text, cases)
        memory = [(int(a, 16), int(a, 16) + int(n, 16), int(t))
                  for a, n, t in re.findall(r"^memory (\S+) (\S+) (\d+)\r?$", text, re.M)]
        for exit_name, count in re.findall(r"^exits\.cpu\d+\.(\w+)=(\d+)\r?$", text, re.M):
            exits[exit_name] += int(count)
        if "guest: end" in text or not hung:
            break
        os.replace(os.path.join(folder, "console.log"), os.path.join(folder, f"console-{attempt}.log"))
        left_out = sorted({*leave_out, *cases})
    return Report(cases, memory, log, folder, exits)
