#!/usr/bin/python3
"""Count the instructions that an exit costs: one guest, bare and under the VMM, on each emulator; `make bench`."""
# SPDX-License-Identifier: BSD-3-Clause

import argparse
import bisect
import collections
import dataclasses
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))
from lib import guestkernel  # noqa: E402
from lib.machine import Machine  # noqa: E402

sys.path.insert(0, HERE)
import workloads  # noqa: E402

BUILD = os.path.join(TOP, os.environ.get("B", "build"))
GUEST = os.path.join(BUILD, "bench.elf")
VMM = os.path.join(BUILD, "bitvisor-bench.elf")
RESULTS = os.path.join(BUILD, "bench")
# A row may grow by this much beyond its baseline.
GROWTH = 0.01
APIC_CASES = "bench_apic,bench_x2apic"
PCI_CASES = "bench_pci"
# One rule, for a function that all emulators have at 00:01.1; it names no address, so any function might be meant.
RULE = "vmm.driver.pci=id=8086:7010, driver=monitor, log=0, bars=0"


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
    """An emulator; `trapped` are the words that make it watch the local APIC."""

    name: str
    title: str
    options: dict
    trapped: tuple


PLACES = [
    Place("qemu-amdv", "QEMU, AMD-V", {"emu": "qemu", "icount": 0}, ("vmm.apic=trap",)),
    Place("bochs-vtx", "Bochs, VT-x", {"emu": "bochs"}, ("vmm.startup=icr", "vmm.apic=trap")),
    Place("bochs-amdv", "Bochs, AMD-V", {"emu": "bochs", "cpu": "ryzen"}, ("vmm.apic=trap",)),
]


# What a row may cost at most, net; a row that is not here may cost nothing. None: it exits, and no limit is set.
GATES = {
    "cpuid-0": {"qemu-amdv": 100, "bochs-vtx": 110, "bochs-amdv": 100},
    "cpuid-1": 130, "cpuid-7": 130, "cpuid-80000001": 130, "cpuid-80000002": 130, "cpuid-d": 130,
    "rdmsr-efer": 120, "wrmsr-efer-same": 120, "rdmsr-mtrr": 120, "rdmsr-mtrr-fixed": 120, "rdmsr-mtrr-def-type": 120,
    "rdmsr-feature-control": 120, "rdmsr-misc-enable": 120, "rdmsr-vm-cr": 120,
    "out-trapped": 150, "in-trapped": 150,
    "pci-address, one rule": 150, "pci-read, one rule": 300, "pci-write, one rule": 300,
    "apic-eoi, trapped": 150, "apic-tpr, trapped": 150, "apic-icr-self, trapped": 150, "x2apic-icr-self, trapped": 120,
    "self-ipi, trapped": 300, "hlt, trapped": 300,  # two exits: the message, and the handler's EOI
    "mmio-read-first": 6000, "mmio-write-first": 6000, "mmio-add-first": 6000,
    "mmio-read": 600, "mmio-write": 600, "mmio-add": 600, "mmio-read-lean": 330, "mmio-write-lean": 350,
    "mmio-read-lean-rf": 330,
    # not frequent, or a driver's own work
    "xsetbv-same": None, "invd": None, "vmcall": None, "first-touch": None, "in-pm1-control": None,
    "wrmsr-mtrr-same": None, "wrmsr-apic-base-same": None, "cr0-ne": None, "cr0-cd": None, "exception-db": None,
    "wrmsr-mtrr-unused": None, "wrmsr-mtrr-def-type": None, "wrmsr-mtrr-elsewhere": 20000, "wrmsr-mtrr-ram": 20000,
    "out-trapped-long": None, "in-trapped-long": None, "pci-read-ide, one rule": None,
}
# Rows that miss their limit: (emulator, row).
MISSED = set()


class BenchError(Exception):
    """A run has not come to its end; the text says what is known."""


def start(place, name, command="", extra=(), **options):
    """One run of the guest; returns (what it said, its cases, the folder of its logs)."""
    machine = Machine(f"bench-{place.name}-{name}", **({"mem": 128, "net": "none", "elf": VMM} | place.options | options))
    machine.options.guest = guestkernel.disk(machine.options.out, command, GUEST)
    if machine.options.emu == "qemu":
        machine.options.extra += ("-device", "isa-debug-exit,iobase=0xf4,iosize=1")
    machine.options.extra += extra
    with machine as m:
        m.expect(r"guest: begin cpus \d+\r?\n", 240)
        guestkernel.await_end(m)
        text = m.text
    cases = {}
    guestkernel.parse(text, cases)
    bad = [f"{n}: {c.status} {c.text} {c.fails or ''}" for n, c in cases.items() if c.status not in ("pass", "skip")]
    if bad or "guest: end" not in text:
        raise BenchError(f"{place.name}, {name}: {'; '.join(bad) or 'no end'}; logs in {machine.options.out}")
    return text, cases, machine.options.out


def run(place, name, command="", **options):
    """The same; returns {row: instructions}."""
    text, _, _ = start(place, name, command, **options)
    return {row: int(median) for row, median in re.findall(r"^value \S+ (\S+) (\d+) \d+ \d+\r?$", text, re.M)}


def measure(place):
    """{row: {bare, vmm, net}} of an emulator."""
    bare = run(place, "bare", bare=True)
    vmm = run(place, "vmm", "vmm=1")
    trapped = run(place, "trapped", f"vmm=1 case={APIC_CASES}", words=place.trapped)
    ruled = run(place, "ruled", f"vmm=1 case={PCI_CASES}", words=(RULE,))
    rows = {}
    for suffix, values in (("", vmm), (", trapped", trapped), (", one rule", ruled)):
        for row, value in values.items():
            rows[row + suffix] = {"bare": bare[row], "vmm": value, "net": value - bare[row]}
    return rows


def count_exits(place):
    """What should cause no exit causes none, by the VMM's own counters (tests/bench/bench_exits.c); the case passes, or BenchError.

    Returns ({exit: how often}, as the VMM counted; the same as the emulator has logged).
    """
    folder = os.path.join(TOP, "build", "test-logs", f"bench-{place.name}-exits")
    log = os.path.join(folder, "exits.log")
    is_qemu = place.options["emu"] == "qemu"
    extra = (*workloads.EXIT_LOG, log) if is_qemu else workloads.BOCHS_EXIT_LOG
    _, cases, folder = start(place, "exits", "vmm=1 status=1 case=bench_exits", extra, words=("vmm.status=1",))
    case = cases["bench_exits"]
    if case.status != "pass":
        raise BenchError(f"{place.name}, bench_exits: {case.status} {case.text}")
    counted = {name: int(n) for name, n in (re.fullmatch(r"exits\.cpu0\.(\w+)=(\d+)", v).groups() for v in case.values)}
    if is_qemu:
        return counted, dict(workloads.logged(log, counted["VMMCALL"]))
    log = os.path.join(folder, "bochs.log")
    seen = dict(workloads.logged_bochs(log, "VMMCALL" if "cpu" in place.options else "VMCALL", counted))
    os.remove(log)  # it is large
    return counted, seen


# What a CPU takes long for, or must wait for.
HEAVY = ("vmload", "vmsave", "vmrun", "stgi", "clgi", "vmread", "vmwrite", "vmlaunch", "vmresume", "rdmsr", "wrmsr", "cpuid", "lgdt", "lidt",
         "lldt", "ltr", "swapgs", "wbinvd", "invlpg", "invept", "invvpid", "invlpga", "mfence", "lfence", "sfence", "iret", "xsetbv",
         "xgetbv", "in", "out")
TRACED = 40000  # instructions at most
HEAVY_ROWS = ("cpuid-0",)  # kept in the baseline


def heavy_name(mnemonic, operands):
    """The name under which an instruction is counted as heavy, or None."""
    if mnemonic == "mov" and re.search(r"\b[cd]r\d", operands):
        return "mov cr/dr"
    if mnemonic == "mov" and re.match(r"[c-gs]s,", operands):
        return "mov segment"
    if mnemonic.startswith("lock") or (mnemonic == "xchg" and "ptr" in operands):
        return "locked"
    return mnemonic if mnemonic in HEAVY else None


def symbols(elf):
    """[(address, name)] of an image's functions, sorted."""
    out = subprocess.run(["nm", "-n", elf], stdout=subprocess.PIPE, check=True).stdout.decode()
    return [(int(f[0], 16), f[2]) for f in map(str.split, out.splitlines()) if len(f) == 3 and f[1] in "tT"]


def trace(place, row, words=()):
    """The VMM's instructions in one exit of `row`, by Bochs' debugger: [(address, mnemonic, operands)]."""
    options = place.options | {"words": words, "debugger": f"c\ntrace on\ns {TRACED}\nq\n", "extra": ("magic_break: enabled=1",)}
    machine = Machine(f"bench-{place.name}-trace", **({"mem": 128, "net": "none", "elf": VMM} | options))
    machine.options.guest = guestkernel.disk(machine.options.out, f"vmm=1 trace={row}", GUEST)
    with machine as m:
        m.expect(r"guest: begin cpus \d+\r?\n", 240)
        m.wait_exit(240)
    with open(os.path.join(machine.options.out, "screen.log"), encoding="ascii", errors="replace") as f:
        lines = re.findall(r"^\(0\)\.\[\d+\] \[0x[0-9a-f]+\] [0-9a-f]{4}:([0-9a-f]{16}) \(.*?\): (?:rep\w* |lock )?(\w+) ?(.*?) *;", f.read(), re.M)
    inside, ours = False, []
    for address, mnemonic, operands in lines:
        at = int(address, 16)
        if at >> 63 and not inside and ours:
            break  # a second exit
        inside = bool(at >> 63)
        if inside:
            ours.append((at, mnemonic, operands))
    return ours


def heavies_of(steps):
    """{heavy instruction: how often}."""
    return dict(collections.Counter(filter(None, (heavy_name(mnemonic, operands) for _, mnemonic, operands in steps))))


def heavy(place):
    """{row: {heavy instruction: how often}} of the rows of HEAVY_ROWS; {} where no debugger tells."""
    return {row: heavies_of(trace(place, row)) for row in HEAVY_ROWS} if place.options["emu"] == "bochs" else {}


def report_trace(place, row, words):
    steps, names, functions = trace(place, row, words), symbols(VMM), collections.Counter()
    heavies = heavies_of(steps)
    for at, _, _ in steps:
        functions[names[bisect.bisect_right(names, (at, "\x7f")) - 1][1]] += 1
    print(f"{place.name}, {row}: {len(steps)} instructions of the VMM; heavy: {', '.join(f'{n} {m}' for m, n in heavies.items()) or 'none'}")
    for name, count in functions.most_common(25):
        print(f"  {count:6} {name}")


def result_file(place):
    return os.path.join(RESULTS, f"{place.name}.json")


def baseline_file(place):
    return os.path.join(HERE, f"baseline-{place.name}.json")


def write(path, place, rows, heavies):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        json.dump({"emulator": place.title, "unit": "instructions", "rows": rows, "heavy": heavies}, f, indent=1)
        f.write("\n")


def read(path, part="rows"):
    with open(path, encoding="ascii") as f:
        return json.load(f)[part]


def growth(baseline, rows):
    """What is wrong with `rows`: text for each row that costs more than its baseline, is new, or is missing."""
    wrong = []
    for row, cost in baseline.items():
        now = rows.get(row, {}).get("net")
        if now is None:
            wrong.append(f"{row}: not measured any more")
        elif now > cost * (1 + GROWTH):
            wrong.append(f"{row}: {now} instructions, the baseline says {cost}")
    wrong += [f"{row}: no baseline (make bench-baseline)" for row in rows if row not in baseline]
    return wrong


def gate(place, row):
    """The limit of a row there, or None."""
    limit = GATES.get(row, 0)
    return limit[place.name] if isinstance(limit, dict) else limit


def over(place, rows):
    """Text for each row that costs more than it may and is not known to, or is known to and does not."""
    wrong = []
    for row, cost in rows.items():
        limit, known = gate(place, row), (place.name, row) in MISSED
        missed = limit is not None and cost["net"] > limit
        if missed and not known:
            wrong.append(f"{row}: {cost['net']} instructions, {limit} are allowed")
        elif known and not missed:
            wrong.append(f"{row}: {cost['net']} instructions, {limit} are allowed: not missed any more")
    return wrong


def table(results):
    """Lines of one table: rows down, emulators across, net instructions."""
    names = list(dict.fromkeys(row for rows in results.values() for row in rows))
    width = max(map(len, names))
    yield f"{'':{width}}  " + "  ".join(f"{p.title:>14}" for p in results)
    for name in names:
        cells = [f"{rows[name]['net'] if name in rows else '-':>14}" for rows in results.values()]
        yield f"{name:{width}}  " + "  ".join(cells)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--baseline", action="store_true", help="write what was measured as the new baseline")
    p.add_argument("--trace", metavar="ROW", help="list what the VMM executes in one exit of ROW, and the heavy instructions (Bochs only)")
    p.add_argument("--trapped", action="store_true", help="with --trace: the local APIC is watched")
    p.add_argument("--rule", action="store_true", help="with --trace: vmm.driver.pci has a rule")
    p.add_argument("place", nargs="*", help="emulators: " + ", ".join(x.name for x in PLACES))
    a = p.parse_args()
    results, status = {}, 0
    places = [x for x in PLACES if not a.place or x.name in a.place]
    if a.trace:
        for place in places:
            if place.options["emu"] == "bochs":
                report_trace(place, a.trace, (place.trapped if a.trapped else ()) + ((RULE,) if a.rule else ()))
        return 0
    for place in places:
        print(f"{place.title} ...", file=sys.stderr, flush=True)
        rows, heavies = measure(place), heavy(place)
        results[place] = rows
        write(result_file(place), place, rows, heavies)
        if a.baseline:
            write(baseline_file(place), place, {row: r["net"] for row, r in rows.items()}, heavies)
    print("Instructions of an exit, net of the same operation without the VMM (medians):")
    print("\n".join(table(results)))
    for place in results:
        for row, found in read(result_file(place), "heavy").items():
            print(f"{place.title}, heavy instructions of {row}: {', '.join(f'{n} {name}' for name, n in found.items())}")
    for place, rows in results.items():
        for text in (growth(read(baseline_file(place)), rows) if os.path.exists(baseline_file(place)) else []) + over(place, rows):
            print(f"{place.name}: {text}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
