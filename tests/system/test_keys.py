"""Configuration keys that change what the guest sees or how it is watched."""
# SPDX-License-Identifier: BSD-3-Clause

import re

import pytest

from lib import checks
from lib.machine import Machine


def test_asked_for(request):
    """The guest is told of the hypervisor when that is asked for, and one CPU's APIC can be trapped as several are."""
    if request.config.getoption("--as-bare"):
        pytest.skip("needs the VMM")
    words = ("vmm.cpuid_hypervisor=1", "vmm.apic=trap", "vmm.cpuid_unknown=show")
    with Machine("keys", words=words, kernel_args="+quiet") as m:
        m.boot()
        assert m.run("grep -c '^flags.* hypervisor' /proc/cpuinfo") == "1"
        assert "taken from writes to the interrupt command register" in m.vmm_log()
        # timer, IPIs to itself and the rest of the APIC go on behind the trap
        before = int(m.run("sed -n 's/^ *LOC: *\\([0-9]*\\).*/\\1/p' /proc/interrupts"))
        m.run("sleep 1")
        assert int(m.run("sed -n 's/^ *LOC: *\\([0-9]*\\).*/\\1/p' /proc/interrupts")) > before
        checks.disk_reads_back(m)


def test_apic_pass(request):
    """vmm.apic=pass with two CPUs, where INITs cannot be held: as the log warns, the second CPU leaves the VMM, and works."""
    if request.config.getoption("--as-bare"):
        pytest.skip("needs the VMM")
    with Machine("keys-pass", cpus=2, mem=256, net="none", words=("vmm.apic=pass",), kernel_args="+quiet") as m:
        m.boot()
        log = m.vmm_log().replace("\r", "")
        assert re.search(r"^CPU start-up: the local APIC is not watched\n"
                         r"VM_CR\.R_INIT does not hold: a CPU that gets an INIT leaves the VMM$", log, re.M)
        flags = [set(line.split()) for line in m.run("sed -n 's/^flags[^:]*: *//p' /proc/cpuinfo").splitlines()]
        assert ["svm" in f for f in flags] == [False, True]
        checks.cpus_online(m)
