"""UEFI firmware that uses a network card, an NVMe disk and a USB keyboard when they are concealed: everything goes on without them."""
# SPDX-License-Identifier: BSD-3-Clause

import re

import pytest

from lib import checks
from lib.machine import Machine

KINDS = {"0x010802": "NVMe", "0x020000": "network card", "0x0c0330": "xHCI"}
RULE = ", and, ".join(f"class_code={kind[2:]}, driver=conceal" for kind in KINDS)
# each with the firmware driver of its own ROM, or of OVMF
EXTRA = ("-netdev", "user,id=n1", "-device", "e1000e,netdev=n1,mac=52:54:00:00:00:01",
         "-drive", "driver=null-co,size=16M,read-zeroes=on,if=none,id=fast", "-device", "nvme,drive=fast,serial=1",
         "-device", "qemu-xhci,id=x", "-device", "usb-kbd,bus=x.0")


@pytest.mark.parametrize("fw", ["uefi-bootopt", "uefi-shell"])
def test_firmware_goes_on(fw):
    """The shell has connected all devices to their drivers before (`connect -r`), a boot option those that the firmware needed."""
    with Machine(f"pci-{fw}", fw=fw, cpus=2, net="none", kernel_args="+quiet", words=("vmm.driver.pci=" + RULE,), extra=EXTRA) as m:
        m.boot()
        classes = m.run("cat /sys/bus/pci/devices/*/class").split()
        assert len(classes) > 3 and not set(classes) & set(KINDS)
        # the firmware's console shows the log as well
        assert len(set(re.findall(r"\[\S+\] concealed", m.vmm_log()))) == len(KINDS)
        checks.disk_reads_back(m)
        checks.cpus_online(m)
        # what firmware does at run time still works
        assert "BootOrder" in m.run("ls /sys/firmware/efi/efivars")
