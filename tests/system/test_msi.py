"""Interrupts of a mediated function: a test driver in the VMM takes those of QEMU's edu, and the guest's handler sees them."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import subprocess

import pytest

from lib import guestkernel
from lib.machine import TOP

DEBUG_ELF = os.path.join(TOP, "build", "bitvisor-debug.elf")
EDU = {"emu": "qemu", "mem": 128, "net": "none", "extra": ("-device", "edu")}


@pytest.fixture(scope="module", autouse=True)
def debug_elf():
    subprocess.run(["make", "-s", "-C", TOP, DEBUG_ELF.removeprefix(TOP + "/")], check=True, stdout=subprocess.DEVNULL)


def run(name, kernel, **options):
    report = guestkernel.run(name, f"case=msi {kernel}", **(EDU | options))
    case = report.cases["msi"]
    assert case.status == "pass", (case, report.vmm_log[-2000:])
    return report


def test_bare():
    """What the case expects is what the machine does without a VMM."""
    run("msi-bare", "", bare=True, cpus=2)


@pytest.mark.parametrize("cpus", [1, 2])
@pytest.mark.parametrize("mode", ["take", "pass", "virtual"])
def test_mode(mode, cpus):
    """The guest's handler runs exactly once per interrupt, not before the VMM's; nothing but its own NMIs reaches it."""
    count = 5000 if mode == "take" else 500
    run(f"msi-{mode}-{cpus}", f"msitest={mode} interrupts={count}", elf=DEBUG_ELF, cpus=cpus,
        words=(f"vmm.driver.pci=id=1234:11e8, driver=msitest, mode={mode}",))
