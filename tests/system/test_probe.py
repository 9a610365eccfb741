"""vmm.probe=1: a report, and nothing started."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import re
import subprocess

from lib import facts
from lib.screen import ScreenMachine


def check_report(text, m, cpus):
    """What the report says against what the guest, running without the VMM, finds."""
    assert "Report of vmm.probe=1" in text and "End of the report" in text
    assert "BAD" not in text
    assert "Verdict: this CPU can run BitVisor (AMD-V)" in text
    assert "svm" in facts.cpu_flags(m)  # nothing runs
    assert re.search(rf"^MADT: {cpus} CPUs ", text, re.M)
    brand = m.run("sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1")
    assert f'"{brand}"' in text
    listed = {f"0000:{a}": (f"0x{v}:0x{d}", f"0x{c}") for a, c, v, d in
              re.findall(r"^PCI (\S+) class (\w+) rev \w+ id (\w+):(\w+)", text, re.M)}
    assert listed == facts.pci(m)
    tables = set(re.findall(r"^ACPI: ([A-Z0-9]{4}) [0-9a-f]{12}", text, re.M))
    assert {t for t in m.run("ls /sys/firmware/acpi/tables").split() if t.isupper()} - {"FACS"} == tables
    mtrrs = re.findall(r"base=0x(\w+) .*size=\s*(\d+)([KMG])B, count=\d+: ([\w-]+)", m.run("cat /proc/mtrr"))
    unit = {"K": 10, "M": 20, "G": 30}
    types = {"uncachable": "UC", "write-combining": "WC", "write-back": "WB", "write-through": "WT"}
    assert [(int(a, 16), (int(n) << unit[u]) + int(a, 16) - 1, types[t]) for a, n, u, t in mtrrs] == \
        [(int(a, 16), int(b, 16), t) for a, b, t in re.findall(r"^MTRR \d+: (\w+)-(\w+) (\w+)", text, re.M)]
    assert "Configuration: vmm.probe=yes\n" in text and "Configuration: vmm.iommu=on (default)\n" in text


def test_bios():
    """The report on screen, page by page; then the machine goes on without the VMM."""
    with ScreenMachine("probe-bios", cpus=2, words=("vmm.probe=1",)) as m:
        screen = m.expect_screen("c: continue without BitVisor", 60)
        assert "End of the report" in screen
        for name, wanted in (("spc", "Report of vmm.probe=1"), ("spc", "CPUID 80000001.0"), ("b", "Report of vmm.probe=1")):
            m.key(name)
            m.expect_screen(wanted, 10)
        m.key("c")
        m.boot()
        check_report(m.vmm_log().replace("\r", ""), m, 2)


def test_uefi():
    """The report in bitvisor.txt, beside the loader."""
    with ScreenMachine("probe-uefi", fw="uefi-bootopt", cpus=2, words=("vmm.probe=1",)) as m:
        m.expect(r"report is in bitvisor\.txt", 120)
        text = subprocess.run(["mtype", "-i", os.path.join(m.options.out, "vmm.img"), "::/EFI/BOOT/bitvisor.txt"], check=True,
                              capture_output=True, text=True).stdout.replace("\r", "")
    assert "Report of vmm.probe=1" in text and "End of the report" in text and "BAD" not in text
    assert re.search(r"^Frame buffer: 0x\w+, \d+x\d+", text, re.M)
    assert re.search(r"^MCFG: segment 0, buses 00-ff at 0xb0000000$", text, re.M)
    assert re.search(r"^MADT: 2 CPUs ", text, re.M)
    assert re.search(r"^PCI 00:1f\.2 class 010601 rev 02 id 8086:2922 .* MSI$", text, re.M)
    assert "Configuration: vmm.probe=yes\n" in text
