"""Cases of the guest micro-kernel that need an image or a machine of their own."""
# SPDX-License-Identifier: BSD-3-Clause

import pytest

from lib import debugimage, guestkernel
from test_guest import MACHINES


def passes(name, case, line, **options):
    report = guestkernel.run(name, f"case={case} {line}", **({"emu": "qemu", "mem": 128, "net": "none"} | options))
    assert report.cases[case].status == "pass", (report.cases[case], report.vmm_log[-2000:])
    return report


def test_right_taken_away():
    """A page that becomes emulated is so for another CPU, too, which reads it all the while."""
    debugimage.build()
    passes("stale-right", "stale_right", "calls=1", elf=debugimage.ELF, cpus=2)


# What ends or hangs the machine in the middle of a list that goes on, and what has a run of its own.
SUMS_OUT = ("stale_right",)


@pytest.mark.parametrize("place", [pytest.param(m, id=m.name) for m in MACHINES if m.name in ("qemu-4cpu", "bochs-vtx")])
def test_code_and_constants(place):
    """The VMM's code and constants are the same behind each case: the debug image gives a sum of them, and its audits watch."""
    debugimage.build()
    out = [*(name for name, _ in place.leave_out), *SUMS_OUT]
    memory = guestkernel.run(f"guest-sums-{place.name}-bare", "case=none", bare=True, **dict(place.options) | {"net": "none"}).memory
    ram = ",".join(f"{a:#x}-{b:#x}" for a, b, kind in memory if kind == 1)
    report = guestkernel.run(f"guest-sums-{place.name}", f"{place.words} sums=1 ram={ram}", out, elf=debugimage.ELF,
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
    options = {"emu": "bochs", "cpus": 2}
    passes("x2apic-bare", "start_x2apic", "x2apic=1 logical=0", bare=True, **options)
    passes("x2apic", "start_x2apic", "x2apic=1", words=("vmm.startup=icr",), **options)
