"""The VMM wakes without the guest's help while a service asks, in time, and does nothing of it when none asks."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import re
import tempfile
import time

import pytest

from lib import debugmachine, guestprogram, monitor, vmcall, vmstatus

ASK, END, TIMER, THREAD, FORGET, CALLS, TURNS, CALLS_WITHIN, TURNS_WITHIN, EXITS, WAKES, KICKS = range(1, 13)
BOUND = 1000  # microseconds
FINE = 250
STEPS = (100, 200, 300, 500, 1000, 1100, 1500, 2000, 5000)
TICK = 4000   # the guest's own, CONFIG_HZ=250

APIC, GUEST = "timer of the local APIC", "interrupts of the guest"
# How each machine is woken. Time is virtual in all of them, so that the host's load does not count.
MACHINES = {
    "qemu": (APIC, {"icount": 0, "kernel_args": "+quiet"}),
    # comparators of the HPET send messages: the guest makes NMIs with one
    "qemu-hpet": (APIC, {"icount": 0, "extra": ("-global", "hpet.msi=on"), "kernel_args": "+quiet iomem=relaxed"}),
    # it has its timer from the PIT by the 8259, and the local APIC is off
    "qemu-pic": (GUEST, {"icount": 0, "kernel_args": "+quiet nolapic"}),
    "bochs": ("VT-x preemption timer", {"emu": "bochs"}),
}
# Exits of the boot CPU that only wake-ups cause.
ADDED = ("INTR", "HLT", "MWAIT", "VINTR", "IRET", "EXTERNAL_INTERRUPT", "PREEMPTION_TIMER")
BUSY = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"
IDLE = "sleep 1"


def call(m, operation, *args, **kwargs):
    return vmcall.call(m, "test_wake", operation, *args, **kwargs)


def unknown_nmis(m):
    return int(m.run("dmesg | grep -c 'NMI received for unknown reason'; true"))


def nmis(m):
    return sum(int(n) for n in re.findall(r"\d+", m.run("sed -n 's/^ *NMI: *\\([0-9 ]*\\).*/\\1/p' /proc/interrupts")))


class Measured:
    """What happened while the guest ran a command: timer calls by lateness, turns of the thread by the time between two."""

    def __init__(self, m, command, timeout=200):
        call(m, FORGET)
        exits, wakes = call(m, EXITS)[1], call(m, WAKES)[1]
        by_name = vmstatus.exits(m)[0]
        m.run(command, timeout)
        self.added = {name: n - by_name[name] for name, n in vmstatus.exits(m)[0].items() if name in ADDED and n > by_name[name]}
        self.wakes, self.exits = call(m, WAKES)[1] - wakes, call(m, EXITS)[1] - exits
        # the counts go on meanwhile: those within a time first, so that they are never more than all
        self.calls_within = {s: call(m, CALLS_WITHIN, s)[1] for s in STEPS}
        self.turns_within = {s: call(m, TURNS_WITHIN, s)[1] for s in STEPS}
        _, self.calls, self.latest = call(m, CALLS)
        _, self.turns, self.longest = call(m, TURNS)

    def __repr__(self):
        return (f"{self.wakes} wake-ups, {self.exits} exits, of these {self.added}; {self.calls} calls, {self.latest} us late at most, "
                f"within us: {self.calls_within}; {self.turns} turns, {self.longest} us apart at most, within us: {self.turns_within}")


@pytest.fixture(scope="module", params=["qemu", "qemu-hpet", "qemu-pic", pytest.param("bochs", marks=debugmachine.IN_BOCHS)])
def m(request):
    means, options = MACHINES[request.param]
    if options.get("emu") != "bochs":
        options = options | {"words": (vmstatus.WORD,)}
    with debugmachine.booted(f"wake-{request.param}", **options) as machine:
        machine.means = means
        vmstatus.install(machine)
        yield machine


def timer_and_thread(m, on):
    call(m, TIMER, BOUND if on else 0)
    call(m, THREAD)


def test_bound(m):
    """A timer is called and a thread has its turns within the bound or the guest's tick, whether the guest sleeps or computes."""
    assert call(m, ASK, 10)[0] == 22  # EINVAL: a bound that would leave the guest nothing
    assert call(m, WAKES)[2] == 0
    if m.options.emu == "bochs":  # which sleeps by MWAIT there, and by HLT in QEMU
        assert m.run("cat /sys/devices/system/cpu/cpuidle/current_driver") == "intel_idle"
    before, nmis_before = Measured(m, IDLE), nmis(m)
    assert before.wakes == 0 and not before.added, before
    assert call(m, ASK, BOUND)[0] == 0
    timer_and_thread(m, True)
    idle, busy = Measured(m, IDLE), Measured(m, BUSY)
    print(f"\n{m.means}, idle: {idle}\n{m.means}, busy: {busy}")
    assert re.findall(r"Wake-up: (.*)", m.vmm_log())[-1] == m.means
    assert idle.added and busy.added, (idle, busy)  # they are seen here
    # where the guest's interrupts wake, a sleeping one wakes now and then, and one that computes is interrupted by its own timer
    # only: with one turn a wake-up the timer's thread may wait behind the other one
    limit = TICK if m.means == GUEST else BOUND
    limit_busy = 2 * TICK + 200 if m.means == GUEST else BOUND
    assert idle.calls > 300 and idle.latest <= limit, idle
    assert idle.turns > 300 and idle.longest <= limit, idle
    assert busy.calls > 50 and busy.latest <= limit_busy, busy
    assert busy.turns > 50 and busy.longest <= limit_busy, busy

    # nothing is armed where nothing waits, although a service asks
    timer_and_thread(m, False)
    m.run(IDLE)
    nothing = Measured(m, IDLE)
    assert nothing.wakes == 0 and call(m, WAKES)[2] == 0 and not nothing.added, nothing
    # and where nobody asks, although a timer is set
    call(m, TIMER, BOUND)
    call(m, END)
    m.run(IDLE)
    over = Measured(m, IDLE)
    assert over.wakes == 0 and call(m, WAKES)[2] == 0 and not over.added, over
    print(f"{m.means}, exits while nobody asks: {before.exits} before, {nothing.exits} with nothing to do, {over.exits} behind it")
    call(m, TIMER, 0)
    assert nmis(m) == nmis_before


@pytest.mark.parametrize("m", ["qemu-hpet"], indirect=True)
def test_fine_bound(m, request):
    """A bound of 250 us holds on AMD-V as well, while the guest sleeps and computes in turn; with --all-rows in 100,000 wake-ups."""
    seconds = 12 if request.config.getoption("--all-rows") else 1
    call(m, ASK, FINE)
    call(m, TIMER, FINE)
    call(m, THREAD)
    m.run(IDLE)
    found = Measured(m, f"for k in $(seq {seconds}); do sleep 1; {BUSY}; done", 1800)
    print(f"\n{m.means}, bound {FINE} us: {found}")
    timer_and_thread(m, False)
    call(m, END)
    assert found.calls > 1000 and found.latest <= FINE, found
    assert found.turns > 1000 and found.longest <= FINE, found


def send_nmis(m, count, us, sleeps):
    """The guest has a comparator of the HPET send itself NMIs; returns how many came."""
    before = nmis(m)
    m.run(f"/tmp/hpetnmi 1 {count} {us} {int(sleeps)}", 1800)
    return nmis(m) - before


@pytest.mark.parametrize("m", ["qemu-hpet"], indirect=True)
@pytest.mark.parametrize("sleeps", [True, False], ids=["sleeps", "computes"])
def test_nmis_of_the_guest(m, sleeps, request):
    """The guest gets each of its NMIs while the VMM is woken all the time, and no other. With --all-rows in 100,000 wake-ups."""
    count = 50000 if request.config.getoption("--all-rows") else 1000
    guestprogram.install(m, "hpetnmi", guestprogram.build("hpetnmi"))
    m.run("echo 0 >/proc/sys/kernel/printk")  # Linux does not know why they come
    call(m, ASK, BOUND)
    timer_and_thread(m, True)
    m.run(IDLE)
    start = call(m, WAKES)[1]
    came = send_nmis(m, count, BOUND, sleeps)
    wakes = call(m, WAKES)[1] - start
    print(f"\n{came} of {count} NMIs came, {wakes} wake-ups")
    assert came == count and wakes > count
    before = nmis(m)
    m.run(IDLE)
    assert nmis(m) == before
    timer_and_thread(m, False)
    call(m, END)


def test_one_source_of_interrupts(m):
    """No interrupt of the VMM's reaches the guest."""
    assert re.findall(r"\d+", m.run("sed -n 's/^ *SPU: *\\([0-9 ]*\\).*/\\1/p' /proc/interrupts")) in ([], ["0"])


@pytest.mark.parametrize("cpus", [1, 4])
def test_guest_nmis_and_wakes(cpus):
    """While the VMM is woken all the time each NMI of the machine reaches the guest once, and none is invented."""
    count = 20
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "monitor")
        with debugmachine.booted(f"wake-nmi-{cpus}", cpus=cpus, kernel_args="+quiet", words=(vmstatus.WORD,), extra=monitor.arguments(path)) as m:
            vmstatus.install(m)
            call(m, ASK, BOUND)
            timer_and_thread(m, True)
            for cpu in range(cpus):
                call(m, CALLS, times=200, cpu=cpu)  # turns on all CPUs: they tell the one that wakes
            before = Measured(m, "sleep 2; " + BUSY)
            print(f"\n{cpus} CPUs: {before}")
            assert before.calls > 100 and before.turns > 100
            assert (nmis(m), unknown_nmis(m)) == (0, 0)
            for _ in range(count):
                if cpus > 1:  # two kicks make one NMI: the next one is the guest's, if it does not meet that
                    call(m, KICKS, cpu=1)
                    time.sleep(0.1)
                monitor.command(path, "nmi")
                time.sleep(0.1)
            assert nmis(m) == count
            timer_and_thread(m, False)
            call(m, END)
            assert nmis(m) == count
