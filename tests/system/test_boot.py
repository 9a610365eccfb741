"""A guest boots under the VMM and finds its machine as it is without, but for what the VMM takes."""
# SPDX-License-Identifier: BSD-3-Clause

import re

import pytest

from lib import checks, facts

MIB = 1 << 20
# Documentation/memory-map.md: 16 MiB in the default configuration, and less than 64 KiB of low memory.
VMM_MEMORY = 16 * MIB + 64 * 1024


def test_shell(machine):
    assert machine.run("echo $((6 * 7))") == "42"


def test_vmm_runs(machine, row):
    """Not a guest that went past the VMM: the VMM said that it starts the guest, before the kernel ran."""
    log = machine.vmm_log()
    assert log.strip(), "the VMM logged nothing"
    if row.emu == "qemu" and not machine.options.bare:
        # one CPU: nothing is trapped, and QEMU has nothing that holds an INIT instead, which is told
        alone = row.cpus == 1
        assert ("the local APIC is not watched" in log) == ("VM_CR.R_INIT does not hold" in log) == alone
        assert ("taken from writes to the interrupt command register" in log) == (not alone)


def test_dma_is_told(machine):
    """Without an IOMMU DMA can reach the VMM, and each start says so."""
    if machine.options.bare:
        pytest.skip("needs the VMM")
    assert "DMA is not confined (no IOMMU): devices can reach the VMM's memory" in machine.vmm_log()


def test_cpus(machine):
    checks.cpus_online(machine)


def test_memory(machine, row, bare):
    """The VMM's memory is missing from the guest's map, is no more than promised, and (BIOS) lies at the top of low RAM."""
    before, after = bare(row)["ram"], facts.ram_below_4g(machine)
    holes = facts.ram_missing(before, after)
    size = sum(b - a for a, b in holes)
    if row.fw == "bios":
        assert 16 * MIB <= size <= VMM_MEMORY
        assert max(b for a, b in before) - max(b for a, b in holes) < 2 * MIB  # 2 MiB aligned, as high as possible
    else:
        # firmware moves its own allocations about, so only the balance can be told
        balance = sum(b - a for a, b in before) - sum(b - a for a, b in after)
        assert 0 < balance <= VMM_MEMORY + 2 * MIB
    parts = re.search(r"Memory: image (\d+), log (\d+), CPUs (\d+), tables and drivers (\d+), free (\d+) KiB", machine.vmm_log())
    assert sum(map(int, parts.groups())) in range(16 * 1024 - 4, 16 * 1024 + 1)
    assert int(parts[3]) == 64 * machine.options.cpus


def test_cpu_flags(machine, row, bare):
    """The guest sees the features of the CPU, without those that the VMM hides, and no others."""
    before, flags = bare(row)["flags"], facts.cpu_flags(machine)
    assert sorted(before - flags - facts.HIDDEN) == []
    assert sorted(flags - before) == []
    assert not flags & {"svm", "vmx", "smx"}


def test_pci(machine, row, bare):
    """Without rules every PCI function is the guest's."""
    assert facts.pci(machine) == bare(row)["pci"]


def test_disk(machine):
    checks.disk_reads_back(machine)
    checks.disk_writes(machine)


def test_network(machine, row):
    if row.emu == "bochs":
        pytest.skip("Bochs has no network card here")
    checks.network_address(machine)
    checks.network_transfer(machine)


def test_cpu_hotplug(machine, row):
    checks.cpu_hotplug(machine)


def test_vmm_memory(machine):
    """From inside the guest the VMM's memory reads as ones, takes no writes, and the VMM goes on."""
    if machine.options.bare:
        pytest.skip("needs the VMM")
    found = re.findall(r"VMM at (0x[0-9a-f]+), (\d+) KiB", machine.vmm_log())
    a, b = int(found[-1][0], 0), int(found[-1][0], 0) + int(found[-1][1]) * 1024
    for address in (a, a + 0x1000, (a + b) // 2 & ~0xFFF, b - 0x1000, b - 0x100):
        assert machine.run(f"devmem {address:#x} 32") == "0xFFFFFFFF"
        machine.run(f"devmem {address:#x} 32 0x12345678")
        assert machine.run(f"devmem {address:#x} 32") == "0xFFFFFFFF"
    assert machine.run("echo alive") == "alive"


def test_suspend(machine, row):
    """The guest comes back from suspend to RAM, which Bochs ends at once; QEMU's machines are those of test_sleep.py."""
    if row.emu != "bochs":
        pytest.skip("somebody has to wake it up: test_sleep.py")
    if row.cpus > 1:
        # Bochs stops in its BIOS then, bare as well
        assert "deep" not in machine.run("cat /sys/power/mem_sleep")
        pytest.skip("not offered, as nobody can try it")
    for _ in range(3):
        machine.run("echo mem >/sys/power/state", 120)
    assert machine.run("cat /sys/power/suspend_stats/success") == "3"
    if not machine.options.bare:
        assert machine.vmm_log().count("Suspend to RAM\n") == machine.vmm_log().count("Awake\n") == 3
    checks.cpus_online(machine)
    checks.disk_reads_back(machine)


def test_quiet_log(machine):
    """The kernel found nothing to warn about, and the VMM did not panic."""
    bad = machine.run("dmesg | grep -E 'BUG:|Oops|Call Trace|unchecked MSR|soft lockup|rcu.*stall' || true")
    assert bad == ""
    assert "panic" not in machine.vmm_log().lower()


def test_poweroff(machine, row):
    """Last of this module: ends the machine."""
    machine.send_command("poweroff -f")
    # Bochs calls a machine that switches itself off a failure
    assert machine.wait_exit(60) == (1 if row.emu == "bochs" else 0)
