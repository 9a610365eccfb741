"""Threads of the VMM: all of them make progress on all CPUs while the guest runs, and nobody keeps another one waiting."""
# SPDX-License-Identifier: BSD-3-Clause

import re
import time

import pytest

from lib import debugmachine, vmcall

START, COUNT, STOP, SPIN, HOLD, WAITER, GIVE, OVERFLOW, LONGEST, RANGE, COST = range(1, 12)
WORKERS = 7


def test(m, *args, **kwargs):
    return vmcall.call(m, "test_thread", *args, **kwargs)


test.__test__ = False


def turns(m):
    """Turns of each worker; none of them saw a fault. And the CPUs that they ran on, as masks."""
    found = [test(m, COUNT, i) for i in range(WORKERS)]
    assert all(f[0] == 0 for f in found), found
    return [f[1] for f in found], [f[2] for f in found]


def together(m, commands, timeout=120):
    """Run commands at the same time; returns the numbers that each printed."""
    text = " ".join(f"{c} >/tmp/o{i} & " for i, c in enumerate(commands))
    m.run(f"{text} wait", timeout)
    return [[int(n) for n in m.run(f"cat /tmp/o{i}").split() if n.isdigit()] for i in range(len(commands))]


@pytest.mark.parametrize("options", [{"cpus": 4}, {"cpus": 1}, pytest.param({"emu": "bochs"}, marks=debugmachine.IN_BOCHS)],
                         ids=["qemu-4", "qemu-1", "bochs"])
def test_threads(options):
    with debugmachine.booted(f"threads-{options.get('cpus', 1)}cpu", **options) as m:
        cpus = m.options.cpus
        test(m, START, WORKERS)
        # Exits on each CPU in turn: there the threads run.
        for cpu in range(cpus):
            before, _ = turns(m)
            test(m, COUNT, times=50 * WORKERS, cpu=cpu)
            after, where = turns(m)
            assert all(a - b >= 40 for a, b in zip(after, before)), (before, after)
            assert all(w >> cpu & 1 for w in where), where
            _, least, most = test(m, RANGE, WORKERS)  # at one moment
            assert least >= most * 3 / 4
        # and on all at once, while the guest does other things
        before, _ = turns(m)
        together(m, [vmcall.command("test_thread", COUNT, times=5000, cpu=c) for c in range(cpus)] + ["sha256sum /bin/busybox"])
        after, where = turns(m)
        assert sum(after) - sum(before) >= 4000 * cpus
        assert all(w == (1 << cpus) - 1 for w in where)
        _, least, most = test(m, RANGE, WORKERS)
        assert least >= most / 2
        # The guest sleeps, no exits come; behind that, the threads go on.
        m.run("sleep 3")
        before, _ = turns(m)
        test(m, COUNT, times=50 * WORKERS)
        after, _ = turns(m)
        assert all(a - b >= 40 for a, b in zip(after, before)), (before, after)
        # They end, and their slots are used again.
        for _ in range(3):
            test(m, STOP)
            test(m, COUNT, times=20 * WORKERS)
            assert test(m, STOP)[1] == 0
            test(m, START, WORKERS)
        test(m, COUNT, times=20 * WORKERS)
        assert min(turns(m)[0]) >= 15
        test(m, STOP)
        test(m, COUNT, times=20 * WORKERS)
        assert "panic" not in m.vmm_log()


def test_nothing_runnable():
    """schedule() takes less than 20 instructions when no thread is there, or none can run; the end of an exit does not call it then."""
    with debugmachine.booted("threads-cost", cpus=1, icount=0) as m:
        for _ in range(2):
            _, scheduled, after_exit = test(m, COST, 1000)
            assert 1 <= after_exit / 1000 <= 5
            assert after_exit < scheduled < 20 * 1000, (scheduled, after_exit)
            test(m, WAITER)  # one that waits, once it has had its first turn
            test(m, COUNT, times=10)


def test_wake_ups():
    """Work given by four CPUs at once is done: no wake-up is lost."""
    with debugmachine.booted("threads-wake", cpus=4) as m:
        test(m, WAITER)
        done, given = test(m, GIVE, 0, times=10)[1:]
        assert (done, given) == (0, 0)
        for _ in range(3):
            together(m, [vmcall.command("test_thread", GIVE, 1, times=10000, cpu=c) for c in range(4)])
            # one that was given is done with the next exits, though nobody wakes the thread again
            deadline = time.monotonic() + 60
            while (last := test(m, GIVE, 0, times=5000))[1] != last[2]:
                assert time.monotonic() < deadline, last
        assert last[2] == 120000


def test_nobody_starves():
    """Two CPUs do `while (!done) schedule();` for two seconds, two others want the queue's lock."""
    with debugmachine.booted("threads-starve", cpus=4) as m:
        test(m, START, WORKERS)
        found = together(m, [vmcall.command("test_thread", SPIN if c < 2 else HOLD, 2000000, cpu=c) for c in range(4)])
        assert found[0][1] > 1000 and found[1][1] > 1000, found
        for _, times, longest in found[2:]:
            assert times > 1000 and longest < 1000000, found
        counts, where = turns(m)
        assert min(counts) >= max(counts) / 4, counts
        assert all(w & 3 == 3 for w in where), where


def test_stack_overflow():
    """A thread that uses up its stack meets the guard page, and the panic says what was on the stack."""
    with debugmachine.booted("threads-overflow", cpus=2, reboot=True, words=("vmm.auto_reboot=0",)) as m:
        m.send_command(vmcall.command("test_thread", OVERFLOW))
        deadline = time.monotonic() + 60
        while "Stopped. Switch" not in m.vmm_log():
            m._read(0.2)
            assert time.monotonic() < deadline, m.vmm_log()[-2000:]
        log = m.vmm_log().replace("\r", "")
        assert re.search(r"panic\(CPU[01]\): exception 8 ", log), log[-2000:]
        assert re.search(r"Stack at 0xffffd04[0-9a-f]+, code addresses on it:( 0xffffffff80[0-9a-f]+){5}", log), log[-2000:]
        assert log.count("panic(") == 1 and log.count("end of CPU") == 2
