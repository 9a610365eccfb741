"""Cases of the guest micro-kernel that need an image or a machine of their own."""
# SPDX-License-Identifier: BSD-3-Clause

import glob
import os
import re

import pytest

from lib import debugimage, facts, guestkernel
from lib.machine import TOP, Machine
from test_attack import ELF as BENCH
from test_guest import EDU, MACHINES


def passes(name, case, line, **options):
    report = guestkernel.run(name, f"case={case} {line}", **({"emu": "qemu", "mem": 128, "net": "none"} | options))
    assert report.cases[case].status == "pass", (report.cases[case], report.vmm_log[-2000:])
    return report


def passes_both(name, case, line, bare_line="", **options):
    """Bare, and then under the VMM, where the kernel knows what memory is missing: it looks whether all CPUs are inside."""
    only_vmm = {k: options.pop(k) for k in ("words",) if k in options}
    bare = passes(f"{name}-bare", case, f"{line} {bare_line}", bare=True, **options)
    passes(name, case, f"{line} {bare.ram_word}", **options, **only_vmm)


def test_right_taken_away():
    """A page that becomes emulated is so for another CPU, too, which reads it all the while."""
    debugimage.build()
    passes("stale-right", "stale_right", "calls=1", elf=debugimage.ELF, cpus=2)


def test_product_has_no_test_calls():
    """The product has the calls of the start and the status; those with CONFIG_TEST_CALLS, all called test_..., are the debug image's."""
    debugimage.build()
    names = []
    for path in sorted(path for room in ("boot", "core", "drivers") for path in glob.glob(os.path.join(TOP, room, "**", "*.c"), recursive=True)):
        with open(path, encoding="utf-8") as f:
            names += re.findall(r'^VMCALL\("(\w+)"', f.read(), re.M)
    assert len(names) > 10 and len(names) == len(set(names))
    for name, elf, expected in (("calls", {}, lambda n: not n.startswith("test_")), ("calls-debug", {"elf": debugimage.ELF}, lambda n: True)):
        report = passes(name, "vmm_calls", f"names={','.join(names)} ram=0x100000-0x7fe0000", **elf)
        answers = dict(value.split() for value in report.cases["vmm_calls"].values)
        assert [n for n in names if answers[n] != "0"] == [n for n in names if expected(n)], answers


# What ends or hangs the machine in the middle of a list that goes on, and what has a run of its own.
SUMS_OUT = ("stale_right",)


@pytest.mark.parametrize("place", [pytest.param(m, id=m.name) for m in MACHINES if m.name in ("qemu-4cpu", "bochs-vtx")])
def test_code_and_constants(place):
    """The VMM's code and constants are the same behind each case: the debug image gives a sum of them, and its audits watch."""
    debugimage.build()
    out = [*(name for name, _ in place.leave_out), *SUMS_OUT]
    bare = guestkernel.run(f"guest-sums-{place.name}-bare", "case=none", bare=True, **dict(place.options) | {"net": "none"})
    report = guestkernel.run(f"guest-sums-{place.name}", f"{place.words} sums=1 {bare.ram_word}", out, elf=debugimage.ELF,
                             **dict(place.options) | {"net": "none"})
    wrong = [f"{name}: {at} {got} {want}" for name, case in report.cases.items() for what, (at, got, want) in case.fails.items()
             if what.startswith("the VMM's code")]
    ended = [f"{name}: {case.status} {case.text}" for name, case in report.cases.items() if case.status not in ("pass", "fail", "skip")]
    summed = [name for name, case in report.cases.items() if case.passed + case.failed]
    assert not wrong and not ended, "\n".join(wrong + ended)
    assert len(summed) > len(guestkernel.CASES) / 2, report.cases
    assert "panic" not in report.vmm_log.lower(), report.vmm_log


def test_x2apic():
    """CPUs are started by x2APIC messages, which QEMU's TCG does not have; Bochs loses an INIT exit's CPU, hence vmm.startup=icr."""
    passes_both("x2apic", "start_x2apic", "x2apic=1", "logical=0", emu="bochs", cpus=2, words=("vmm.startup=icr",))


def test_apic_off():
    """A CPU whose guest switches its APIC off is interrupted as one that has none, and the VMM still reaches it: the APIC is on."""
    passes_both("apic-off", "apic_off", "off=1", cpus=2)


def test_look_outside():
    """What looks at the end of each case sees CPUs that leave the VMM: QEMU has no R_INIT, and nobody watches the APIC here."""
    bare = passes("outside-bare", "startup", "", bare=True, cpus=3)
    report = guestkernel.run("outside", f"case=startup {bare.ram_word}", emu="qemu", mem=128, net="none", cpus=3, words=("vmm.apic=pass",))
    assert "a CPU that gets an INIT leaves the VMM" in report.vmm_log
    assert {what: got for what, (_, got, _) in report.cases["startup"].fails.items()} == {"CPUs outside of the VMM": "0x6"}


def test_firmware_smm():
    """SMIs go to a firmware's handler in SMRAM, of which the guest sees nothing; other machines of QEMU have no SMM."""
    options = {"emu": "qemu", "mem": 128, "net": "none", "extra": (*EDU, "-machine", "smm=on")}
    values = []
    for name, bare in (("firmware-smm-bare", True), ("firmware-smm", False)):
        cases = guestkernel.run(name, "case=msi_smi,smi", bare=bare, **options).cases
        assert [cases[case].status for case in ("msi_smi", "smi")] == ["pass", "pass"], cases
        values.append([cases[case].values for case in ("msi_smi", "smi")])
    assert values[0] == values[1] == [["SMIs: handler 0, CPU 100"], ["SMIs: handler 0, CPU 1000"]]


def test_debug_loop():
    """The delivery of #DB without end on one CPU, which takes no NMI then, does not stop the VMM on the other; Bochs has that loop."""
    passes_both("debug-loop", "loop_db", "loops=1", emu="bochs", cpus=2, words=("vmm.startup=icr",))


# Machines whose local APIC's timer is the guest's alone, or shared. All but the last count time in instructions.
TIMERS = {
    "qemu": ("calls=1 counted=1 mwait=1", {"icount": 0, "cpu": "EPYC,+svm,+npt,-hypervisor,+monitor"}),
    "bochs-amdv": ("calls=1 counted=1 mwait=1 bound=1000", {"emu": "bochs", "cpu": "ryzen"}),
    "bochs-vtx": ("calls=1 counted=1 mwait=1 off=1 bound=1000", {"emu": "bochs"}),
    "qemu-4cpu": ("calls=1", {"cpus": 4}),
}


@pytest.mark.parametrize("place", TIMERS)
def test_timer_and_wakes(place):
    """The timer of the local APIC is as without the VMM while that runs when it wants to, and it does in time, whatever the guest does."""
    words, options = TIMERS[place]
    report = guestkernel.run(f"timer-{place}", f"case=apic_timer {words}", patience=120, elf=BENCH, **({"emu": "qemu", "mem": 128, "net": "none"} | options))
    case, means = report.cases["apic_timer"], "VT-x preemption timer" if place == "bochs-vtx" else "timer of the local APIC"
    known = {"switched off"} if place.startswith("qemu") else set()  # faults.txt
    assert case.status in ("pass", "fail") and set(case.fails) == known, (case, report.vmm_log[-1000:])
    assert f"Wake-up: {means}" in report.vmm_log


def memory_of_starts(name, kinds, **options):
    """Let the kernel reset the machine by each of these ways, and begin again behind each; returns the RAM that it found each time."""
    machine = Machine(name, **({"mem": 128, "net": "none", "reboot": True} | options))
    machine.options.guest = guestkernel.disk(machine.options.out, f"case=reset reset={','.join(kinds)}")
    with machine as m:
        for kind in kinds:
            m.expect(rf"guest: begin.*?reset {kind}\r?\n", 180)
        m.expect(r"guest: begin.*?case reset: pass ", 180)
        starts = m.text.split("guest: begin")[1:]
    assert len(starts) == len(kinds) + 1
    return [[(int(a, 16), int(a, 16) + int(n, 16)) for a, n in re.findall(r"^memory (\S+) (\S+) 1\r?$", s, re.M)] for s in starts]


SHUTDOWNS = ("int3", "ud", "absent-gates", "absent-stack", "absent-tss", "bad-task", "real")
REGISTERS = ("port-92", "kbc-pulse", "kbc-output", "cf9-init", "cf9-hard")
# Bochs ends at a shutdown unless it is told otherwise, and then stops in its debugger.
SHUTDOWN_RESETS = {"extra": ("cpu: reset_on_triple_fault=1",), "debugger": "c\n" * 16}
# Emulator, CPUs, ways, options of the bare machine, of the one with the VMM. There the guest's shutdown is none of the CPU; but
# Bochs' BIOS has one at each reset that leaves MSRs as they are.
RESETS = {
    "qemu": ("qemu", 2, (*SHUTDOWNS, "other-cpu", *REGISTERS), {}, {}),
    "bochs-shutdown": ("bochs", 1, ("ud", "absent-stack", "bad-task", "real", "cf9-hard"), SHUTDOWN_RESETS, {}),
    "bochs-init": ("bochs", 1, ("port-92", "cf9-init"), SHUTDOWN_RESETS, SHUTDOWN_RESETS),
}


@pytest.mark.parametrize("name", RESETS)
def test_resets(name, request):
    """Each way to reset the machine does, as without the VMM, which is there again behind each."""
    emu, cpus, kinds, as_bare, with_vmm = RESETS[name]
    bare = memory_of_starts(f"resets-{name}-bare", kinds, emu=emu, cpus=cpus, bare=True, **as_bare)
    assert all(ram == bare[0] for ram in bare), bare
    if request.config.getoption("--as-bare"):
        return
    for ram in memory_of_starts(f"resets-{name}", kinds, emu=emu, cpus=cpus, **with_vmm):
        taken = facts.ram_missing(bare[0], ram)
        assert sum(b - a for a, b in taken) >= 8 << 20, taken
