#!/usr/bin/python3
"""The exit tables' rows: which ones the guest suite reaches on each machine, and why not the others. Run alone: prints the last runs."""
# SPDX-License-Identifier: BSD-3-Clause

import collections
import fnmatch
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tools"))
import gen_exit_reference as reference  # noqa: E402

FOLDER = os.path.join(TOP, "build", "test-logs")
VENDORS = {"VT-x": reference.VENDORS[0], "AMD-V": reference.VENDORS[1]}

# (machine, row, why it is not reached there), patterns; a test that does reach it is named as FILE::NAME.
UNREACHED = [
    ("bochs-vtx", "EXTERNAL_INTERRUPT", "asked for only while the VMM is woken by its timer and the guest is in MWAIT: test_wake.py::test_bound"),
    ("bochs-vtx", "MWAIT", "asked for only while the VMM is woken by its timer: test_wake.py::test_bound"),
    ("bochs-vtx", "TRIPLE_FAULT", "ends the machine: test_guest_alone.py::test_resets"),
    ("bochs-vtx", "INIT", "one CPU; with two: test_boot.py::test_cpus"),
    ("bochs-vtx", "SIPI", "one CPU; with two: test_boot.py::test_cpus"),
    ("bochs-vtx", "GETSEC", "#UD before it exits: the guest cannot set CR4.SMXE, and the emulated CPU has no SMX"),
    ("bochs-vtx", "MONITOR_TRAP_FLAG", "Bochs has no monitor trap flag"),
    ("bochs-vtx", "EPT_MISCONFIGURATION", "a mistake of the VMM's, which ends in a panic; the tables are checked by test_audit.py::test_rule_is_named"),
    ("bochs-vtx", "VMFUNC", "#UD before it exits, where VM functions are not enabled"),
    ("*", "CR4_WRITE", "asked for only where the CPU has bits of CR4 that the guest must not set; the emulated ones have none"),
    ("*", "EXCP30", "#SX needs VM_CR.R_INIT, which neither emulator has"),
    ("*", "INTR", "asked for only while the VMM is woken by the guest's interrupts: test_wake.py::test_bound"),
    ("*", "HLT", "asked for only while the VMM is woken by the guest's interrupts: test_wake.py::test_bound"),
    ("*", "MWAIT", "asked for only while the VMM is woken by the guest's interrupts, and no guest uses it on these CPUs"),
    ("*", "SHUTDOWN", "ends the machine: test_guest_alone.py::test_resets"),
    ("*", "INVALID", "a refused entry is a mistake of the VMM's; audits find it before: test_audit.py::test_rule_is_named"),
    ("qemu-*", "INVD", "QEMU looks it up as WBINVD, which is not asked for"),
    ("qemu-*", "EXCP17", "QEMU checks no alignment"),
    ("qemu-*", "XSETBV", "QEMU knows no such exit"),
]


def vendor_of(machine):
    """Which table a machine of tests/system/test_guest.py runs with."""
    return "VT-x" if machine == "bochs-vtx" else "AMD-V"


def rows_of(vendor):
    """Names of the exits that have a handler."""
    numbers = reference.exit_numbers(*VENDORS[vendor]["list"])
    rows = reference.Rows(VENDORS[vendor], numbers)
    return [name for number, name in numbers if number in rows.handlers]


def reason(machine, row):
    """Why the row is not reached on the machine, or None."""
    return next((why for m, r, why in UNREACHED if fnmatch.fnmatchcase(machine, m) and fnmatch.fnmatchcase(row, r)), None)


def wrong(machine, exits):
    """What is not as the list says: rows neither reached nor explained, and explained ones that are reached."""
    out = []
    for row in rows_of(vendor_of(machine)):
        why = reason(machine, row)
        if exits[row] and why:
            out.append(f"{row}: reached {exits[row]} times, though it is listed: {why}")
        elif not exits[row] and not why:
            out.append(f"{row}: neither reached nor explained")
    return out


def missing_tests():
    """Tests that the reasons name and that do not exist."""
    out = []
    for _, _, why in UNREACHED:
        for file, name in re.findall(r"(test_\w+\.py)::(\w+)", why):
            path = os.path.join(HERE, file)
            if not os.path.exists(path) or not re.search(rf"^def {name}\(", reference.read(path), re.M):
                out.append(f"{file}::{name}")
    return out


def path_of(machine):
    return os.path.join(FOLDER, f"exits-{machine}.json")


def keep(machine, exits):
    """For main()."""
    with open(path_of(machine), "w", encoding="ascii") as f:
        json.dump(exits, f)


def text(vendor, runs):
    """The table of one vendor; runs: {machine: exits}."""
    rows = rows_of(vendor)
    reached = [r for r in rows if any(exits[r] for exits in runs.values())]
    lines = [f"{vendor}: {len(reached)} of {len(rows)} rows reached by the guest suite on {', '.join(runs)}"]
    for row in rows:
        counts = ", ".join(f"{m} {exits[row]}" for m, exits in runs.items() if exits[row])
        why = {reason(m, row) for m, exits in runs.items() if not exits[row]} - {None}
        lines.append(f"  {row:24} {counts}{' ' if counts else ''}" + ("; ".join(sorted(why)) if not counts else ""))
    return "\n".join(lines)


def main():
    for vendor in VENDORS:
        runs = {}
        for name in sorted(os.listdir(FOLDER) if os.path.isdir(FOLDER) else []):
            found = re.fullmatch(r"exits-(.*)\.json", name)
            if found and vendor_of(found[1]) == vendor:
                with open(path_of(found[1]), encoding="ascii") as f:
                    runs[found[1]] = collections.Counter(json.load(f))
        print(text(vendor, runs) if runs else f"{vendor}: no run yet, make check-system PYTEST=test_guest.py")


if __name__ == "__main__":
    main()
