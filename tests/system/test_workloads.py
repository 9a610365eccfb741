"""Exits of a Linux guest at its boot and at work: which, how many, and that the VMM counts them as the emulator does."""
# SPDX-License-Identifier: BSD-3-Clause

import collections
import os
import sys

import pytest

from lib import guestprogram
from lib.machine import TOP, Machine

sys.path.insert(0, os.path.join(TOP, "tests", "bench"))
import workloads  # noqa: E402

AT_WORK = {"CPUID", "XSETBV"}
BOOT_MOST = 1500
CALLS = 2  # of the VMM in one reading of its counters


def same_count(g):
    """The counters hold what the emulator has logged."""
    first = g.exits()
    calls = first["VMMCALL"]
    low = workloads.logged(g.log, calls)
    if g.m.options.cpus == 1:
        assert first == low
        return
    # Other CPUs go on while the counters are read: what they hold lies between two moments of the log. Each may be where its
    # exit is logged and not counted yet, some instructions later.
    g.exits()
    high = workloads.logged(g.log, calls + CALLS)
    assert sum((low - first).values()) < g.m.options.cpus, (low, first)
    assert not first - high, (first, high)


def apic_cost(work):
    """Stores to the watched local APIC that a workload needs at most: each tick ends (EOI), and the next one is set behind it
    and once more by who waits for it; each message between CPUs is written in two halves, and ends; each interrupt of a device ends."""
    ticks, messages = work.interrupts.get("LOC", 0), sum(work.interrupts.get(n, 0) for n in ("RES", "CAL", "TLB", "IWI"))
    devices = sum(n for name, n in work.interrupts.items() if name.isdigit())
    return 3 * ticks + 3 * messages + devices


def pytest_generate_tests(metafunc):
    if "where" in metafunc.fixturenames:
        places = workloads.PLACES + (workloads.SLOW if metafunc.config.getoption("--all-rows") else [])
        metafunc.parametrize("where", [pytest.param(p, id=p.name) for p in places])


def test_exits(where, request):
    """With --all-rows Bochs' own count, too: its log has gigabytes."""
    logs = where.quiet and where.options["emu"] == "bochs" and request.config.getoption("--all-rows")
    more = {"extra": workloads.BOCHS_EXIT_LOG} if logs else {}
    with workloads.booted(where, "workloads", **more) as (g, boot, unsteady):
        if g.is_amdv:
            same_count(g)
        if where.quiet or not g.is_amdv:
            assert set(boot) <= workloads.unavoidable("AMD-V" if g.is_amdv else "VT-x"), boot
        if where.quiet:
            assert not workloads.growth(workloads.baseline()[where.name], boot - unsteady)
        if where.quiet and g.m.options.fw == "bios":
            assert sum(boot.values()) <= BOOT_MOST, boot
        for name, (_, _, size, _, _) in workloads.WORKLOADS.items():
            if not workloads.possible(g, name):
                continue
            work = workloads.measure(g, name, size)
            exits = collections.Counter(work.exits)
            print(where.name, name, work)
            apic = 0 if where.quiet or not g.is_amdv else exits.pop("NPF", 0)
            # the reader of /proc/interrupts causes messages and ticks itself, between its two readings and the counters'
            assert apic <= apic_cost(work) * 1.02 + 50, (name, work)
            assert set(exits) <= AT_WORK, (name, work)
        if g.is_amdv:
            same_count(g)
        last = g.exits()
    if logs:  # complete at its end
        log = os.path.join(g.m.options.out, "bochs.log")
        assert workloads.logged_bochs(log, "VMCALL", last) == last
        os.remove(log)


def test_status_call():
    """The call writes where its caller could, says how long the text is when it does not fit, and does nothing unless it is allowed."""
    with workloads.booted(workloads.place("amdv-bios-1cpu"), "status") as (g, *_):
        def buffer(address, size):
            return g.m.run(f"/tmp/status vmmcall {address} {size:x}").split()

        length = len(g.m.run("/tmp/status vmmcall")) + 1
        for address, size in (("0", 65536), ("READ-ONLY", 4096), ("READ-ONLY", 0), ("ffff888000000000", 65536),
                              ("ffffffff80000000", 65536), ("8000000000000000", 65536)):
            became, said, *changed = buffer(address, size)
            assert became == "refused" and abs(int(said) - length) < 64 and not changed, (address, size, became, said, changed)
    with Machine("status-off") as m:
        m.boot()
        guestprogram.install(m, "status", guestprogram.build("status"))
        assert m.run("/tmp/status vmmcall READ-ONLY 123") == f"none {0x123}"


@pytest.mark.parametrize("n, said", [(100, 0), (101, 0), (102, 1)])
def test_growth_is_named(n, said):
    wrong = workloads.growth({"CPUID": 100}, {"CPUID": n})
    assert len(wrong) == said and all("CPUID" in text for text in wrong)


def test_growth_names_what_is_new():
    assert "NPF" in workloads.growth({"CPUID": 100}, {"NPF": 1})[0]
