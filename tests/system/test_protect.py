"""The VMM cannot harm itself: its code is not writable, its data does not run, its stacks end at guard pages."""
# SPDX-License-Identifier: BSD-3-Clause

import pytest

from lib import vmcall

TRY, CONTROL, STACKS = 1, 2, 3
CR0_WP, CR4_SMEP, CR4_SMAP, EFER_NXE = 1 << 16, 1 << 20, 1 << 21, 1 << 11


def wants_row(row):
    return row.elf == "debug"


@pytest.fixture(scope="module")
def calls(machine):
    vmcall.install(machine)
    return lambda operation, cpu: vmcall.call(machine, "test_protect", operation, cpu=cpu)


def test_faults(machine, calls):
    """What must fault does, on every CPU."""
    for cpu in range(machine.options.cpus):
        assert calls(TRY, cpu)[:2] == (0, 0)


def test_registers(machine, calls):
    """Write protection and NX are on, and SMEP and SMAP where the CPU has them."""
    flags = machine.run("grep -m1 ^flags /proc/cpuinfo").split()
    for cpu in range(machine.options.cpus):
        _, cr0, cr4 = calls(CONTROL, cpu)
        assert cr0 & CR0_WP
        assert bool(cr4 & CR4_SMEP) == ("smep" in flags) and bool(cr4 & CR4_SMAP) == ("smap" in flags)
        _, efer, elsewhere = calls(STACKS, cpu)
        assert efer & EFER_NXE and elsewhere == 0
