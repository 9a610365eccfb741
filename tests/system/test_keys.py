"""Configuration keys that change what the guest sees or how it is watched."""
# SPDX-License-Identifier: BSD-3-Clause

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
