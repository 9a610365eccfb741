"""Timers and the clock of the VMM: right, in order on all CPUs, and the guest's TSC does not move them."""
# SPDX-License-Identifier: BSD-3-Clause

import re
import time

import pytest

from lib import debugmachine, vmcall

SET, COUNT, CANCEL, FREE, CLOCK, LOOK, MOVE_TSC = range(1, 8)
SECOND = 1000000


def call(m, operation, *args, timer=0, **kwargs):
    return vmcall.call(m, "test_timer", operation | timer << 8, *args, **kwargs)


def clock(m):
    """The VMM's clock, and the host's between when the call began and ended."""
    before = time.monotonic()
    now = call(m, CLOCK)[1]
    return now, (before + time.monotonic()) / 2, time.monotonic() - before


@pytest.fixture(scope="module", params=[{"cpus": 4}, pytest.param({"emu": "bochs"}, marks=debugmachine.IN_BOCHS)], ids=["qemu", "bochs"])
def m(request):
    with debugmachine.booted("timers", **request.param) as machine:
        yield machine


def test_thread_at_first_use(m):
    """Without a timer there is no timer thread; the first one that is set makes it."""
    assert call(m, CLOCK)[2] == 0
    assert call(m, SET, 1000)[0] == 0
    assert call(m, CLOCK)[2] == 1


def test_once(m):
    """A timer is called once, not early; one that is cancelled or freed is not called."""
    assert call(m, SET, 3 * SECOND, timer=1)[0] == 0
    assert call(m, SET, 3 * SECOND, timer=2)[0] == 0
    assert call(m, SET, 3 * SECOND, timer=3)[0] == 0
    assert call(m, CANCEL, timer=2)[1] == 1
    assert call(m, CANCEL, timer=2)[1] == 0
    call(m, FREE, timer=3)
    m.run("sleep 4")
    call(m, CLOCK, times=200)
    early, calls, late = call(m, COUNT, timer=1)
    assert (early, calls) == (0, 1)
    assert call(m, COUNT, timer=2)[1] == 0 and call(m, COUNT, timer=3)[1] == 0


def test_periodic(m):
    """One that sets itself again goes on as long as there are exits, behind a pause of the guest too."""
    assert call(m, SET, 1000, 1000)[0] == 0
    call(m, CLOCK, times=20000)
    early, first, late = call(m, COUNT)
    assert early == 0 and first > 10
    m.run("sleep 3")
    call(m, CLOCK, times=20000)
    early, second, late = call(m, COUNT)
    assert early == 0 and second > first + 5
    assert call(m, CANCEL)[1] in (0, 1)
    call(m, CLOCK, times=100)
    last = call(m, COUNT)[1]
    call(m, CLOCK, times=5000)
    assert call(m, COUNT)[1] == last


def test_clock_goes_on(m):
    """In twelve seconds in which nobody looks, the 24-bit PM timer wraps twice and a half."""
    if m.options.emu == "bochs":
        pytest.skip("Bochs' time is not the host's")
    assert "Clock: ACPI PM timer" in m.vmm_log()
    start, host_start, _ = clock(m)
    time.sleep(12)
    end, host_end, took = clock(m)
    assert abs((end - start) / SECOND - (host_end - host_start)) < 0.2 + took, (start, end)


def test_clock_in_order(m):
    """All CPUs look at once: the clock never goes back."""
    cpus = m.options.cpus
    commands = " ".join(f"{vmcall.command('test_timer', LOOK, 2000, times=20, cpu=c)} >/tmp/o{c} &" for c in range(cpus))
    m.run(f"{commands} wait", 200)
    for c in range(cpus):
        assert re.fullmatch(r"0 0 \d+", m.run(f"cat /tmp/o{c}"))


def test_guest_moves_its_tsc(m):
    """The guest writes one CPU's TSC: the VMM's clock does not jump, on this CPU or another."""
    cpus = m.options.cpus
    hz = int(re.search(r"TSC (\d+) Hz", m.vmm_log())[1])
    before = call(m, CLOCK, cpu=0)[1]
    for cpu in range(cpus):
        call(m, MOVE_TSC, 40 * hz, cpu=cpu)
        now = [call(m, CLOCK, cpu=c)[1] for c in range(cpus)]
        assert all(before <= n < before + 20 * SECOND for n in now), (before, now)
    test_clock_in_order(m)
