"""The testbed without the VMM: what fails here is not the VMM's fault."""
# SPDX-License-Identifier: BSD-3-Clause

import os

from lib import checks


def test_shell(machine, row):
    with open(os.path.join(checks.run.BUILD, "deps", "kernels", row.kernel, "release"), encoding="ascii") as f:
        assert machine.run("uname -r") == f.read().strip()


def test_cpus(machine):
    checks.cpus_online(machine)
    checks.cpu_hotplug(machine)


def test_firmware(machine, row):
    assert machine.status("[ -d /sys/firmware/efi ]")[0] == (1 if row.fw == "bios" else 0)


def test_disk(machine):
    checks.disk_reads_back(machine)
    checks.disk_writes(machine)


def test_network(machine):
    checks.network_address(machine)
    checks.network_transfer(machine)


def test_poweroff(machine):
    """Last of this module: ends the machine."""
    machine.send_command("poweroff -f")
    assert machine.wait_exit(60) == 0
