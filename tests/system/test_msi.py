"""Interrupts of a mediated function: a test driver in the VMM takes those of QEMU's edu, and the guest's handler sees them."""
# SPDX-License-Identifier: BSD-3-Clause

import re

import pytest

from lib import checks, debugimage, guestkernel
from lib.machine import Machine

EDU = {"emu": "qemu", "mem": 128, "net": "none", "extra": ("-device", "edu")}


@pytest.fixture(scope="module", autouse=True)
def debug_elf():
    debugimage.build()


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
def test_mode(mode, cpus, request):
    """The guest's handler runs exactly once per interrupt, not before the VMM's; nothing but its own NMIs reaches it."""
    count = 500 if mode != "take" else 50000 if request.config.getoption("--all-rows") else 2500
    run(f"msi-{mode}-{cpus}", f"msitest={mode} interrupts={count}", elf=debugimage.ELF, cpus=cpus,
        words=(f"vmm.driver.pci=id=1234:11e8, driver=msitest, mode={mode}",))


@pytest.mark.parametrize("mode,claim", [("take", "no"), ("take", "yes"), ("pass", "no")])
def test_msix(mode, claim):
    """Linux works with a disk whose vectors of MSI-X are taken or passed; claimed: the driver has the BAR with the table as well."""
    words = (f"vmm.driver.pci=class=0108, driver=msitest, mode={mode}, claim={claim}",)
    with Machine(f"msix-{mode}-{claim}", elf=debugimage.ELF, cpus=2, disk="nvme", kernel_args="+quiet", words=words) as m:
        m.boot()
        checks.disk_reads_back(m)
        checks.disk_writes(m)
        lines = [line.split() for line in m.run("grep nvme /proc/interrupts").splitlines()]
        counts = {line[-1]: int(line[1]) + int(line[2]) for line in lines}
        assert all("PCI-MSI" in " ".join(line) for line in lines)
        # one queue for each CPU, and that of commands to the controller; few interrupts, when reads are merged
        assert len(counts) == 3 and sum(counts.values()) > 30, lines
        # nobody turned an interrupt off because it made no sense, and no NMI came that is not explained
        said = m.run("dmesg")
        assert not re.search("nobody cared|timeout", said)
        taken = "interrupts taken" in m.vmm_log()
        assert taken == (mode == "take")
        assert "NMI received" not in said
