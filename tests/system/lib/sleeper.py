"""Suspend to RAM and wake-up of a booted Linux on QEMU."""
# SPDX-License-Identifier: BSD-3-Clause

import time

from lib import checks, monitor

LPC = "/sys/bus/pci/devices/0000:00:1f.0/config"


class Sleeper:
    """Takes the path of the monitor's socket that the machine was started with."""

    def __init__(self, m, path):
        self.m, self.path = m, path
        checks.network_address(m)  # asleep, the guest would miss the answer to its request
        # SeaBIOS does not set up the chipset's power management of q35 behind a sleep: no register of it answers then
        self.lpc = self._power_management() if m.options.machine == "q35" and not m.options.uefi else ""

    def _power_management(self):
        """PMBASE and ACPI_CNTL, as printf takes them."""
        data = self.m.run(f"hexdump -v -s 64 -n 8 -e '8/1 \"%02x \"' {LPC}").split()
        return "".join(f"\\x{byte}" for byte in data)

    def successes(self):
        return int(self.m.run("cat /sys/power/suspend_stats/success"))

    def cycle(self):
        """One time asleep, until the guest's shell answers again."""
        before = self.successes()
        n = self.m.send_command("echo mem >/sys/power/state")
        end = time.monotonic() + 60
        while "suspended" not in monitor.command(self.path, "info status"):
            self.m._read(0.1)
            assert time.monotonic() < end, f"still awake\n{self.m.text[-1000:]}\n{self.m.vmm_log()}"
        monitor.command(self.path, "system_wakeup")
        self.m.expect(rf"@@E{n} 0@", 120)
        assert self.successes() == before + 1
        if self.lpc:
            self.m.run(f"printf '{self.lpc}' | dd of={LPC} bs=1 seek=64 conv=notrunc 2>/dev/null")
