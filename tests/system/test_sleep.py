"""Suspend to RAM: the guest wakes up under the VMM, on all CPUs, with its devices; and where that cannot be, it is not offered."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import re
import struct
import time

import pytest

from lib import checks, debugimage, facts, guestprogram, monitor, vmcall, vmstatus
from lib.edu import ARGUMENTS, KERNEL_ARGS, Edu
from lib.machine import Machine
from lib.sleeper import Sleeper
from test_iommu import Iommu
from test_protect import CONTROL, STACKS, TRY
from test_timers import CLOCK
from test_timers import clock as clock_and_hosts
from test_wake import APIC, ASK, BOUND, BUSY, CALLS, CALLS_WITHIN, END, FORGET, IDLE, Measured, timer_and_thread
from test_wake import call as wake_call

# Firmware, machine, CPUs, kernel. `make check`: every pair of the first three.
PAIRS = [("bios", "pc", 4, "6.12"), ("bios", "q35", 1, "6.1"), ("uefi-bootopt", "pc", 1, "6.1"), ("uefi-shell", "q35", 4, "6.12")]
PRODUCT = [(fw, machine, cpus, kernel) for fw in ("bios", "uefi-bootopt") for machine in ("pc", "q35")
           for cpus, kernel in ((1, "6.1"), (4, "6.12"))]


RATE = 0.005  # part by which the VMM's clock may be faster or slower than the host's


def pytest_generate_tests(metafunc):
    if "place" in metafunc.fixturenames:
        places = PRODUCT if metafunc.config.getoption("--all-rows") else PAIRS
        metafunc.parametrize("place", places, ids=lambda p: f"{p[0]}-{p[1]}-{p[2]}cpu")


@pytest.fixture
def cycles(request):
    return 20 if request.config.getoption("--all-rows") else int(os.environ.get("SLEEP_CYCLES", "3"))


def machine(name, socket, place, **options):
    fw, kind, cpus, kernel = place
    options["kernel_args"] = options.get("kernel_args", "+quiet") + " no_console_suspend"
    extra = (*monitor.arguments(socket), *options.pop("extra", ()))
    return Machine(f"sleep-{name}", fw=fw, machine=kind, cpus=cpus, kernel=kernel, extra=extra, **options)


def clock(m, cpu=None):
    return vmcall.call(m, "test_timer", CLOCK, cpu=cpu)[1]


def protection(m):
    """The host's control registers and stacks on each CPU, and what of the forbidden can be done."""
    return [vmcall.call(m, "test_protect", operation, cpu=cpu) for cpu in range(m.options.cpus) for operation in (TRY, CONTROL, STACKS)]


def seconds(m):
    """The guest's time of day and its time since the start."""
    day, up = m.run("date +%s; cut -d' ' -f1 /proc/uptime").split()
    return int(day), float(up)


def rate_is_right(m):
    """The VMM's clock is as fast as the host's. A call is somewhere between its begin and its end; that of the shortest ones is known best."""
    def reading():
        return min((clock_and_hosts(m) for _ in range(5)), key=lambda r: r[2])

    first, at, unsure = reading()
    m.run("sleep 4")
    last, end, unsure_end = reading()
    error = (last - first) / 1000000 - (end - at)
    limit = (unsure + unsure_end) / 2 + RATE * (end - at)
    print(f"\nthe clock is {error * 1000:.1f} ms off in {end - at:.1f} s, {limit * 1000:.1f} may be")
    assert abs(error) < limit


def works(m):
    checks.cpus_online(m)
    checks.disk_reads_back(m)
    checks.disk_writes(m)
    checks.network_address(m)
    checks.network_transfer(m)


def test_bare(tmp_path, place):
    """The testbed itself: the machine does all this without the VMM."""
    socket = str(tmp_path / "monitor")
    with machine(f"bare-{place[0]}-{place[1]}-{place[2]}", socket, place, bare=True) as m:
        sleeper = Sleeper(m.boot(), socket)
        sleeper.cycle()
        sleeper.cycle()
        works(m)


def test_cycles(tmp_path, place, cycles):
    """Behind each sleep every CPU is under the VMM, whose clock, exit counters and the guest's clock go on; disk, network and CPUs work as before."""
    debugimage.build()
    socket = str(tmp_path / "monitor")
    with machine("-".join(map(str, place[:3])), socket, place, elf=debugimage.ELF, words=(vmstatus.WORD,)) as m:
        m.boot()
        vmcall.install(m)
        vmstatus.install(m)
        sleeper = Sleeper(m, socket)
        pci, before = facts.pci(m), protection(m)
        last, last_up, exits = clock(m), seconds(m)[1], vmstatus.exits(m)
        for i in range(cycles):
            sleeper.cycle()
            # each CPU exits on its way back, and no counter began anew
            exits_then, exits = exits, vmstatus.exits(m)
            for cpu in range(m.options.cpus):
                assert sum(exits[cpu].values()) > sum(exits_then[cpu].values()), (cpu, exits_then, exits)
                assert exits[cpu] >= exits_then[cpu], (cpu, exits_then, exits)
            # a CPU outside of the VMM would get #UD
            now = [clock(m, cpu) for cpu in range(m.options.cpus)]
            assert now == sorted(now) and now[0] > last
            # nobody has counted the time asleep, nor has a counter that began anew been taken for a long time
            day, up = seconds(m)
            assert now[-1] - last < 60 * 1000000 and up >= last_up and abs(day - time.time()) < 5
            last, last_up = clock(m), up
        assert m.vmm_log().count("Suspend to RAM\n") == m.vmm_log().count("Awake\n") == cycles
        assert m.vmm_log().count("(AP)") == (cycles + 1) * (m.options.cpus - 1)
        rate_is_right(m)
        assert facts.pci(m) == pci and protection(m) == before
        works(m)
        checks.cpu_hotplug(m)


WOKEN = [("bios", "pc", 1, "6.12"), ("bios", "q35", 1, "6.1")]
WITHOUT_INTERRUPTS = 100000  # microseconds: so long around a sleep the guest has them off, and nothing wakes on AMD-V


@pytest.mark.parametrize("where", WOKEN, ids=[w[1] for w in WOKEN])
def test_woken(tmp_path, where, cycles):
    """A service that asks to be woken before a sleep is woken behind it, too, within its bound: no exit of the guest's is needed."""
    debugimage.build()
    socket = str(tmp_path / "monitor")
    with machine(f"woken-{where[1]}", socket, where, elf=debugimage.ELF, icount=0, words=(vmstatus.WORD,)) as m:
        m.boot()
        vmcall.install(m)
        vmstatus.install(m)
        sleeper = Sleeper(m, socket)
        assert wake_call(m, ASK, BOUND)[0] == 0
        timer_and_thread(m, True)
        m.run(IDLE)
        for _ in range(cycles):
            wake_call(m, FORGET)
            sleeper.cycle()
            m.run("sleep 4")
            within = wake_call(m, CALLS_WITHIN, BOUND)[1]
            _, calls, latest = wake_call(m, CALLS)
            idle, busy = Measured(m, IDLE), Measured(m, BUSY)
            print(f"\nasleep and 4 s: {calls} calls, {within} in time, {latest} us late at most; idle: {idle}; busy: {busy}")
            assert calls > 3000 and calls - within < 50 and latest < WITHOUT_INTERRUPTS
            for did in (idle, busy):
                assert did.wakes > 50 and did.calls > 50 and did.latest <= BOUND, did
                assert did.turns > 50 and did.longest <= BOUND, did
        assert m.vmm_log().count("Awake\n") == cycles
        assert re.findall(r"Wake-up: (.*)", m.vmm_log())[-1] == APIC
        timer_and_thread(m, False)
        wake_call(m, END)
        m.run(IDLE)
        assert not Measured(m, IDLE).added
        works(m)


# The disk is the firmware's: on UEFI the loader leaves it alone.
UNITS = [("intel-iommu", "nvme", ("bios", "q35", 2, "6.1")), ("amd-iommu", "ide", ("uefi-bootopt", "q35", 2, "6.12"))]


@pytest.mark.parametrize("unit, disk, where", UNITS, ids=[u[0] for u in UNITS])
def test_devices(tmp_path, unit, disk, where, cycles):
    """DMA is confined again, what is concealed stays away, and a disk (NVMe) whose interrupts the VMM takes goes on."""
    debugimage.build()
    socket = str(tmp_path / "monitor")
    rules = "slot=00:10.0, driver=conceal, and, class=0108, driver=msitest, mode=take, claim=yes, and, class_code=030000, driver=monitor"
    extra = ("-device", unit, *ARGUMENTS, "-device", "e1000,addr=10,mac=52:54:00:00:00:01,romfile=")
    with machine(unit, socket, where, elf=debugimage.ELF, disk=disk, net="e1000e", kernel_args=KERNEL_ARGS, extra=extra,
                 words=(f"vmm.driver.pci={rules}",)) as m:
        m.boot()
        sleeper = Sleeper(m, socket)
        assert "[00:10.0/8086:100E] concealed" in m.vmm_log()
        pci = facts.pci(m)
        assert "0000:00:10.0" not in pci
        for i in range(cycles):
            sleeper.cycle()
            assert m.vmm_log().count("DMA is confined by") == i + 2
        # not even a scan finds it
        m.run("echo 1 >/sys/bus/pci/rescan")
        assert facts.pci(m) == pci
        iommu = Iommu(m, unit, str(tmp_path), Edu(m))
        code = iommu.vmm_code()
        iommu.blocked(iommu.region)
        iommu.blocked(iommu.region + 0xFFF000)
        assert iommu.vmm_code() == code
        iommu.edu.store(0x10000000)  # elsewhere it may
        works(m)
        assert not re.search("nobody cared|timeout", m.run("dmesg"))


SLP_EN, S3 = 1 << 13, 1 << 10  # type 1, of QEMU


class Raw:
    """A booted machine on which PM1 control and the FACS are written by hand."""

    def __init__(self, m, program):
        self.m = m
        guestprogram.install(m, "poke", program)
        m.run("cat /sys/firmware/acpi/tables/FACP >/tmp/f")
        table = bytes.fromhex(m.run("hexdump -v -e '1/1 \"%02x\"' /tmp/f"))
        self.port = struct.unpack_from("<I", table, 64)[0]
        self.vector = struct.unpack_from("<I", table, 36)[0] + 12

    def set_vector(self, value):
        self.m.run(f"/tmp/poke w4:{self.vector:x}:{value:x}")

    def get_vector(self):
        return int(self.m.run(f"/tmp/poke r4:{self.vector:x}"), 16)

    def sleep(self):
        self.m.run(f"/tmp/poke o2:{self.port:x}:{SLP_EN | S3:x}", 60)


@pytest.fixture
def raw():
    running, program = [], guestprogram.build("poke")

    def start(name, **options):
        m = Machine(f"sleep-{name}", kernel_args="+quiet", **options)
        running.append(m)
        return Raw(m.__enter__().boot(), program)

    yield start
    for m in running:
        m.__exit__(None, None, None)


def test_refused_vector(raw):
    """A waking vector by which the VMM could not give the guest back its CPU: the machine stays awake, and the log says why."""
    r = raw("vector", cpus=2)
    for vector, reason in ((0, "the guest has set no waking vector"), (0x100000, "the waking vector is not below 1 MiB")):
        r.set_vector(vector)
        r.sleep()
        assert r.m.vmm_log().endswith(f"Suspend to RAM refused: {reason}\n")
    checks.cpus_online(r.m)
    assert "Suspend to RAM\n" not in r.m.vmm_log()


def test_stays_awake(raw, tmp_path):
    """Hardware that does not fall asleep: all CPUs go on behind the write, with what they did, and the vector is the guest's."""
    r = raw("awake", cpus=4, elf=debugimage.patched(tmp_path / "elf", debugimage.STAYS_AWAKE, 0))
    r.set_vector(0x9A000)
    count = "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; echo $i"
    r.m.run(f"for c in 2 4 8; do taskset $c sh -c '{count}' >/tmp/o$c & done")
    r.sleep()
    assert r.m.vmm_log().endswith("Suspend to RAM\nThe machine does not fall asleep\n")
    assert r.m.run("wait; cat /tmp/o2 /tmp/o4 /tmp/o8", 120).split() == ["20000"] * 3
    assert r.get_vector() == 0x9A000
    works(r.m)
    checks.cpu_hotplug(r.m)


def test_hidden(raw):
    """A device whose driver could not go on: S3 is neither offered nor done."""
    debugimage.build()
    r = raw("hidden", elf=debugimage.ELF, extra=("-device", "edu,addr=5"), words=("vmm.driver.pci=id=1234:11e8, driver=sleepless",))
    assert "Suspend to RAM is hidden from the guest: a device's driver could not go on\n" in r.m.vmm_log()
    assert "deep" not in r.m.run("cat /sys/power/mem_sleep")
    r.set_vector(0x9A000)
    r.sleep()
    assert r.m.vmm_log().endswith("Suspend to RAM refused: a device's driver could not go on\n")
    checks.cpus_online(r.m)
