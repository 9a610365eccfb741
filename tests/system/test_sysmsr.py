"""The SYSCALL MSRs are the VMM's while its ring-3 code runs, and the guest's at each entry."""
# SPDX-License-Identifier: BSD-3-Clause

import pytest

from lib import debugmachine, guestprogram, vmcall

TAKE, THREAD, GUEST, END = 1, 2, 3, 4


@pytest.mark.parametrize("options", [{"cpus": 2}, pytest.param({"emu": "bochs"}, marks=debugmachine.IN_BOCHS)], ids=["qemu", "bochs"])
def test_sysmsr_owner(options):
    with debugmachine.booted("sysmsr", **options) as m:
        cpus = m.options.cpus
        guestprogram.install(m, "storm", guestprogram.build("storm"))

        def guest(cpu):
            """STAR, LSTAR, CSTAR, SFMASK and KERNEL_GS_BASE, as this CPU of the guest has them."""
            return [vmcall.call(m, "test_sysmsr", GUEST, i, cpu=cpu)[1] for i in range(5)]

        before = [guest(c) for c in range(cpus)]
        assert all(lstar >> 47 == 0x1FFFF and star and sfmask for star, lstar, _, sfmask, _ in before), before
        for c in range(cpus):
            assert vmcall.call(m, "test_sysmsr", TAKE, times=200, cpu=c)[0] == 0
            assert guest(c) == before[c]
        # as a process of the VMM would: at the end of exits, in turns, on all CPUs
        vmcall.call(m, "test_sysmsr", THREAD)
        for c in range(cpus):
            _, turns, _ = vmcall.call(m, "test_sysmsr", 0)
            wrong, later, _ = vmcall.call(m, "test_sysmsr", 0, times=200, cpu=c)
            assert wrong == 0 and later - turns >= 150, (wrong, turns, later)
            assert guest(c) == before[c]
        # the guest's system calls, processes and switches while it does
        m.run(f"/tmp/storm processes 50 & {vmcall.command('test_sysmsr', 0, times=2000)} >/tmp/o; wait; /tmp/storm switches 200", 120)
        assert [guest(c) for c in range(cpus)] == before
        # and behind it
        vmcall.call(m, "test_sysmsr", END, times=50)
        turns = vmcall.call(m, "test_sysmsr", 0)[1]
        assert vmcall.call(m, "test_sysmsr", 0, times=50)[:2] == (0, turns)
        assert [guest(c) for c in range(cpus)] == before
        assert "panic" not in m.vmm_log()
