#!/usr/bin/python3
"""Count the exits of a Linux guest at its boot and at work, as the VMM counts them and as the emulator does; `make bench-exits`."""
# SPDX-License-Identifier: BSD-3-Clause

import argparse
import collections
import contextlib
import dataclasses
import itertools
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))
from lib import checks, facts, guestprogram, vmstatus  # noqa: E402
from lib.machine import Machine  # noqa: E402

BUILD = os.path.join(TOP, os.environ.get("B", "build"))
RESULTS = os.path.join(BUILD, "bench")
BASELINE = os.path.join(HERE, "baseline-exits.json")
REFERENCE = os.path.join(TOP, "Documentation", "exit-reference.md")
# QEMU's log of entries and exits: the filter names a page where no code ever is.
EXIT_LOG = ("-d", "in_asm", "-dfilter", "0xfffffffffffff000+1", "-D")
UEFI_ICOUNT = 3  # OVMF waits by looking at the clock: with 8 ns for an instruction that takes fewer of them


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
    """A machine. `quiet`: nothing exits there but what is unavoidable, the local APIC passes."""

    name: str
    options: dict
    quiet: bool


PLACES = [
    Place("amdv-bios-1cpu", {"emu": "qemu", "cpus": 1, "icount": 0}, True),
    Place("amdv-bios-4cpu", {"emu": "qemu", "cpus": 4}, False),
    Place("amdv-uefi-1cpu", {"emu": "qemu", "cpus": 1, "fw": "uefi-shell", "icount": UEFI_ICOUNT}, True),
    Place("amdv-uefi-4cpu", {"emu": "qemu", "cpus": 4, "fw": "uefi-shell"}, False),
    Place("vtx-bios-1cpu", {"emu": "bochs", "cpus": 1, "mem": 256, "net": "none", "kernel_args": "+quiet"}, True),
]
# It takes minutes to boot.
SLOW = [Place("vtx-bios-2cpu", {"emu": "bochs", "cpus": 2, "mem": 256, "net": "none", "kernel_args": "+quiet"}, False)]


def place(name):
    return next(p for p in PLACES + SLOW if p.name == name)


def exit_codes(path="svm/exit_codes.h"):
    """{code: name}, as the VMM's own table has them; vt/exit_reasons.h for VT-x."""
    with open(os.path.join(TOP, "core", "x86", path), encoding="ascii") as f:
        return {int(n, 0) & 0xFFFFFFFF: name for n, name in re.findall(r"^\w+\((\S+), (\w+)\)", f.read(), re.M)}


def unavoidable(vendor):
    """Names of the exits that Documentation/exit-reference.md calls unavoidable."""
    with open(REFERENCE, encoding="utf-8") as f:
        section = f.read().split("## Exits that cannot be avoided\n")[1].split("\n## ")[0]
    column = {"AMD-V": 2, "VT-x": 1}[vendor]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| ")][1:]
    return {name.strip() for row in rows for name in row[column].split(",")} - {"-"}


class Guest:
    """A booted guest with the programs that read the VMM's counters and that make work."""

    def __init__(self, machine):
        self.m = machine
        self.is_amdv = machine.options.emu == "qemu"
        self.log = os.path.join(machine.options.out, "exits.log")
        vmstatus.install(machine)
        self.boot = self.exits()  # with those of the few programs that brought it here
        guestprogram.install(machine, "storm", guestprogram.build("storm"))
        self.disk = facts.guest_disk(machine)

    def status(self):
        """{key: value} of the VMM's status text."""
        return vmstatus.read(self.m)

    def exits(self):
        """{exit: how often on all CPUs}, as the VMM counts them."""
        return sum(vmstatus.exits(self.m).values(), collections.Counter())

    def interrupts(self):
        """{name: how often on all CPUs} of the guest's own table: LOC timer ticks, RES and CAL messages between CPUs..."""
        rows = self.m.run("cat /proc/interrupts").splitlines()
        count = len(rows[0].split())
        return {row.split(":")[0].strip(): sum(int(n) for n in row.split(":")[1].split()[:count] if n.isdigit()) for row in rows[1:]}


def log_entries(path):
    """(exit, RIP in hexadecimal) of each exit that QEMU has logged."""
    names = exit_codes()
    with open(path, encoding="ascii", errors="replace") as f:
        for line in f:
            if line.startswith("vmexit("):
                yield names[int(line[7:line.index(",")], 16)], line[line.rindex(" ") + 1:line.index(")")]


def logged(path, calls=None):
    """Exits that QEMU has logged: {exit: how often}, up to the VMM call number `calls`; all calls of the guest count."""
    total = collections.Counter()
    for name, _ in log_entries(path):
        total[name] += 1
        if name == "VMMCALL" and total[name] == calls:
            break
    return total


def asked_by_firmware(path):
    """CPUID exits in QEMU's log before the first exit of a 64-bit kernel: OVMF asks at each of its ticks, which differ with the host's load."""
    before = itertools.takewhile(lambda entry: not int(entry[1], 16) >> 63, log_entries(path))
    return collections.Counter(name for name, _ in before if name == "CPUID")


BOCHS_EXIT_LOG = ("debug: action=ignore, cpu0=report",)


def logged_bochs(path, call, counted):
    """The same from Bochs' log (BOCHS_EXIT_LOG), up to as many VMM calls as `counted` has."""
    names, total = exit_codes("svm/exit_codes.h" if call == "VMMCALL" else "vt/exit_reasons.h"), collections.Counter()
    with open(path, "rb") as f:
        for line in f:
            if found := re.search(rb"VMEXIT reason ?= ?(\d+)", line):
                name = names[int(found[1])]
                total[name] += 1
                if name == call and total[name] == counted[call]:
                    break
    return total


@contextlib.contextmanager
def booted(where, name="exits", **more):
    """The guest of a place at its shell: yields (Guest, exits of the boot, those of them that do not repeat); QEMU's as it counts them."""
    options = where.options | {"words": (vmstatus.WORD, *more.pop("words", ()))} | more
    m = Machine(f"{name}-{where.name}", **options)
    log = os.path.join(m.options.out, "exits.log")
    if m.options.emu == "qemu":
        if os.path.exists(log):
            os.remove(log)
        m.options.extra += (*EXIT_LOG, log)
    with m:
        m.expect(r"guest# ", 300 if m.options.emu == "qemu" else 500)
        boot = logged(log) if m.options.emu == "qemu" else None
        unsteady = asked_by_firmware(log) if m.options.fw != "bios" else collections.Counter()
        m.mark = 0
        m.boot()
        g = Guest(m)
        yield g, boot or g.boot, unsteady


def run_idle(g, size):
    g.m.run(f"sleep {size}", size + 120)


def storm(what, per_unit):
    def work(g, size):
        g.m.run(f"/tmp/storm {what} {size * per_unit} {g.disk}", 60 + 30 * size)
    return work


def run_network(g, size):
    body = bytes(1 << 20)
    with checks.web_server(body) as (port, _):
        got = g.m.run(f"for i in $(seq {size}); do wget -q -O - http://10.0.2.2:{port}/; done | wc -c", 60 + 30 * size)
        assert int(got) == size << 20


def nothing(_g, _size):
    """What reading the counters costs is in every workload."""


# name -> (work, size in `make bench-exits`, size in `make check`, what a unit is, what it wants)
WORKLOADS = {
    "reading": (nothing, 1, 1, "", ""),
    "idle": (run_idle, 60, 5, "s", ""),
    "switches": (storm("switches", 1000), 50, 2, "1000 round trips between processes", ""),
    "timers": (storm("timers", 1000), 20, 2, "1000 sleeps of 100 us", ""),
    "processes": (storm("processes", 10), 50, 5, "10 processes started", ""),
    "disk": (storm("reads", 1), 256, 16, "MiB", ""),
    "network": (run_network, 256, 4, "MiB", "net"),
}


@dataclasses.dataclass
class Work:
    """What one workload caused."""

    size: int
    exits: dict       # by the VMM's count, without those of the reading itself
    interrupts: dict  # by the guest's count


READING = 2  # VMM calls of one reading of the status


def measure(g, name, size):
    # interrupts from before the exits are read till behind it: what the reading of the one causes counts in the other
    irqs, before = g.interrupts(), g.exits()
    WORKLOADS[name][0](g, size)
    after, irqs_after = g.exits(), g.interrupts()
    call = "VMMCALL" if g.is_amdv else "VMCALL"
    found = {k: n - before[k] for k, n in after.items() if n != before[k]}
    found[call] -= READING
    return Work(size, {k: n for k, n in found.items() if n}, {k: n - irqs.get(k, 0) for k, n in irqs_after.items() if n != irqs.get(k, 0)})


def possible(g, name):
    return WORKLOADS[name][4] != "net" or g.m.options.net != "none"


def baseline():
    """{place: {exit: how often at the boot, without those that do not repeat}} as it was kept."""
    with open(BASELINE, encoding="ascii") as f:
        return json.load(f)


def growth(kept, exits, by=0.01):
    """Text for each exit that comes more often than the baseline and that part of it say."""
    return [f"{n} {name}, the baseline says {kept.get(name, 0)}" for name, n in exits.items() if n > kept.get(name, 0) * (1 + by)]


def show(title, exits):
    print(f"{title}: {sum(exits.values())} exits" + "".join(f", {n} {name}" for name, n in sorted(exits.items(), key=lambda i: -i[1])), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--quick", action="store_true", help="the sizes of make check")
    p.add_argument("--work", action="append", help="only this workload; may be repeated: boot, " + ", ".join(WORKLOADS))
    p.add_argument("--baseline", action="store_true", help="keep the boots' counts as the new baseline")
    p.add_argument("place", nargs="*", help="machines: " + ", ".join(x.name for x in PLACES + SLOW))
    a = p.parse_args()
    boots = {}
    for where in PLACES + SLOW:
        if where.name not in (a.place or [x.name for x in PLACES]):
            continue
        result = {}
        with booted(where) as (g, boot, unsteady):
            show(f"{where.name}, boot", boot)
            result["boot"] = dict(boot)
            boots[where.name] = dict(boot - unsteady)
            for name, (_, large, small, unit, _) in WORKLOADS.items():
                if not possible(g, name) or (a.work and name not in a.work):
                    continue
                w = measure(g, name, small if a.quick else large)
                show(f"{where.name}, {name} ({w.size} x {unit})", w.exits)
                print("  interrupts: " + ", ".join(f"{n} {k}" for k, n in w.interrupts.items()), flush=True)
                result[name] = dataclasses.asdict(w)
            result["status"] = g.status()
        os.makedirs(RESULTS, exist_ok=True)
        with open(os.path.join(RESULTS, f"exits-{where.name}.json"), "w", encoding="ascii") as f:
            json.dump(result, f, indent=1)
            f.write("\n")
    if a.baseline:
        kept = baseline() if os.path.exists(BASELINE) else {}
        with open(BASELINE, "w", encoding="ascii") as f:
            json.dump(kept | boots, f, indent=1, sort_keys=True)
            f.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
