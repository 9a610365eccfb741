"""Interrupts of a mediated function: a test driver in the VMM takes those of QEMU's edu, and the guest's handler sees them."""
# SPDX-License-Identifier: BSD-3-Clause

import hashlib
import re
import time

import pytest

from lib import checks, debugimage, guestkernel, vmcall
from lib.machine import Machine
from lib.screen import ScreenMachine

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
    # it says nothing before the last one
    run(f"msi-{mode}-{cpus}", f"msitest={mode} interrupts={count}", elf=debugimage.ELF, cpus=cpus, patience=30 + count // 100,
        words=(f"vmm.driver.pci=id=1234:11e8, driver=msitest, mode={mode}",))


# Reads of the disk while the guest moves and masks its vectors; with --all-rows as many as give 10^5 interrupts.
READS, READS_ALL = 2000, 100_000


def moved(m, reads):
    """
    Read small pieces of the disk by two programs, while the second one goes off and on, which masks and moves its queue's vector,
    and the vector of commands to the controller changes places, and is used. Returns the interrupts that came.
    """
    def count():
        return sum(int(n) for line in m.run("grep nvme /proc/interrupts").splitlines() for n in line.split()[1:3])

    before = count()
    m.run("irq=$(sed -n 's/^ *\\([0-9]*\\):.*nvme0q0.*/\\1/p' /proc/interrupts); rm -f /tmp/stop; (while [ ! -e /tmp/stop ]; do"
          " for s in 0 1; do echo $s >/sys/devices/system/cpu/cpu1/online; echo $((s + 1)) >/proc/irq/$irq/smp_affinity;"
          " echo 1 >/sys/class/nvme/nvme0/rescan_controller; usleep 20000; done; echo x >>/tmp/rounds; done; touch /tmp/stopped) >/dev/null 2>&1 & true")
    pieces = 1000
    read = f"for i in $(seq {reads // 2 // pieces}); do dd if=/dev/nvme0n1 of=/dev/null iflag=direct bs=4k count={pieces} 2>>/tmp/dd; done"
    m.run(f"rm -f /tmp/end1 /tmp/end2; for c in 1 2; do ({read}; touch /tmp/end$c) & done; while [ ! -e /tmp/end1 -o ! -e /tmp/end2 ]; do usleep 50000; done; "
          "touch /tmp/stop; while [ ! -e /tmp/stopped ]; do usleep 10000; done", 550)
    assert m.run(f"grep -c '^{pieces}+0 records in' /tmp/dd") == str(reads // pieces)
    rounds = int(m.run("wc -l </tmp/rounds"))
    came = count() - before
    print(f"{came} interrupts, moved and masked {rounds} times")
    assert rounds > 3 and came > reads // 2
    checks.cpus_online(m)
    return came


@pytest.mark.parametrize("mode,claim", [("take", "no"), ("take", "yes"), ("pass", "no")])
def test_msix(mode, claim, request):
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
        if (mode, claim) == ("take", "no"):
            moved(m, READS_ALL if request.config.getoption("--all-rows") else READS)
            checks.disk_reads_back(m)
        # nobody turned an interrupt off because it made no sense, and no NMI came that is not explained
        said = m.run("dmesg")
        assert not re.search("nobody cared|timeout", said)
        taken = "interrupts taken" in m.vmm_log()
        assert taken == (mode == "take")
        assert "NMI received" not in said


def test_msix_raised(request):
    """One disk's vectors of all three modes; with --all-rows all of them virtual as well."""
    for mode in ("virtual", "mixed") if request.config.getoption("--all-rows") else ("mixed",):
        raised(mode)


def raised(mode):
    """
    A vector without physical source comes when the VMM raises it, and not before, with other vectors of the same disk that are
    taken or passed. Mixed: that of commands to the controller is taken, the first CPU's virtual, the second one's passed.
    """
    words = (f"vmm.driver.pci=class=0108, driver=msitest, mode={mode}",)
    extra = ("-drive", "driver=null-co,size=16M,read-zeroes=on,if=none,id=fast")
    with ScreenMachine(f"msix-{mode}", elf=debugimage.ELF, cpus=2, net="none", kernel_args="+quiet", words=words, extra=extra) as m:
        m.boot()
        vmcall.install(m)
        # not before there is somebody who raises what it waits for
        m.monitor.command("device_add", driver="nvme", id="disk", drive="fast", serial="1", addr="10")
        m.run("for i in $(seq 100); do [ -e /sys/bus/pci/devices/0000:00:10.0 ] && break; usleep 100000; done; [ -e /sys/bus/pci/devices/0000:00:10.0 ]")
        assert "[00:10.0/1B36:0010] msitest: 0" in m.vmm_log()
        raise_one = vmcall.command("test_msi", 2, 1) + " >/dev/null"
        raise_all = "; ".join(vmcall.command("test_msi", 2, i) for i in range(3)) + " >/dev/null"
        help_on = f"rm -f /tmp/stop; (while [ ! -e /tmp/stop ]; do {raise_all if mode == 'virtual' else raise_one}; usleep 10000; done) >/dev/null 2>&1 & true"
        help_off = "touch /tmp/stop; usleep 100000"
        read = "taskset %d dd if=/dev/nvme0n1 iflag=direct bs=64k count=%d 2>/dev/null | sha256sum"

        def counts():
            lines = [line.split() for line in m.run("grep nvme /proc/interrupts").splitlines()]
            return [int(line[1]) + int(line[2]) for line in sorted(lines, key=lambda line: line[-1])]

        m.run(help_on)
        m.run("modprobe nvme; for i in $(seq 100); do [ -b /dev/nvme0n1 ] && break; usleep 100000; done; [ -b /dev/nvme0n1 ]", 60)
        zeros = hashlib.sha256(bytes(10 << 16)).hexdigest()
        for cpu in 1, 2:
            assert m.run(read % (cpu, 10), 60).split()[0] == zeros
        assert min(counts()) > 0
        m.run(help_off)
        before = counts()
        # the second CPU's queue goes on without help where its vector is passed, and the first one's waits for it
        if mode == "mixed":
            assert m.run(read % (2, 10), 60).split()[0] == zeros
            assert [a > b for a, b in zip(counts(), before)] == [False, False, True]
            before = counts()
        m.run(f"({read % (1, 1)} >/tmp/sum) >/dev/null 2>&1 & true")
        m.run("sleep 3")
        assert counts() == before and m.run("cat /tmp/sum") == ""
        m.run(raise_one)
        assert m.run("usleep 300000; cat /tmp/sum").split()[0] == hashlib.sha256(bytes(1 << 16)).hexdigest()
        assert [a - b for a, b in zip(counts(), before)] == [0, 1, 0]
        said = m.run("dmesg")
        assert not re.search("nobody cared|timeout|NMI received", said)


def test_intx_refused(request):
    """A device without MSI whose interrupts a driver wants: the start says why it cannot, and asks."""
    with Machine("msi-intx", elf=debugimage.ELF, kernel_args="+quiet", words=("vmm.driver.pci=id=8086:100e, driver=msitest, mode=take",)) as m:
        end = time.monotonic() + 60
        while "Press c to continue" not in (log := m.vmm_log()):
            assert time.monotonic() < end, log
            time.sleep(0.2)
        assert re.search(r"^\[00:\w\w\.0/8086:100E\] has neither MSI nor MSI-X: its interrupts cannot be taken", log, re.M)
        assert "/8086:100E] is not taken as vmm.driver.pci says" in log
