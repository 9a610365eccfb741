"""PCI on VT-x (Bochs): a concealed network card, the ports with a rule and without one, and the list of functions; the guest is the micro-kernel."""
# SPDX-License-Identifier: BSD-3-Clause

import re

import pytest

import test_guest
from lib import debugimage, guestkernel

# Bochs' own e1000; QEMU's cards are other tests'.
E1000 = "8086:100E"
NIC = {"emu": "bochs", "mem": 128,
       "extra": ("pci: enabled=1, chipset=i440fx, slot1=e1000", "e1000: enabled=1, mac=52:54:00:12:34:56, ethmod=null, ethdev=none")}


# How the ports behave, whatever is there.
PORTS = "pci_port", "pci_interleave"


@pytest.fixture(scope="module")
def bare():
    return scan("pci-bochs-bare", bare=True)


def scan(name, kernel="", **options):
    """A run of the cases; what the guest says of each function is in the values of pci_scan."""
    report = guestkernel.run(name, f"case={','.join(('pci_scan', *PORTS))} {kernel}", **(NIC | options))
    case = report.cases["pci_scan"]
    assert case.status == "pass", (case, report.vmm_log[-2000:])
    return report


def functions(report):
    return report.cases["pci_scan"].values


def ports_as(bare, report):
    for case in PORTS:
        v = test_guest.judge("bochs-vtx", case, bare.cases[case], report.cases[case], test_guest.faults())
        assert report.cases[case].passed > 50 and not v.wrong, f"{case}: {v.wrong}"


def test_conceal(bare):
    """The card is gone for the guest, with its registers; everything else is as without a VMM."""
    there = functions(bare)
    card = [v for v in there if " 0x100e8086 " in v]
    assert len(card) == 1 and len(there) > 3
    base = int(re.search(r"BAR0 0x([0-9a-f]+)", card[0])[1], 16) & ~15
    assert base > 0x100000
    report = scan("pci-bochs-conceal", f"bar={base:#x}", words=(f"vmm.driver.pci=id={E1000.lower()}, driver=conceal",))
    assert functions(report) == [v for v in there if v not in card] + ["behind 0xffffffff"]
    assert f"{E1000}] concealed" in report.vmm_log
    ports_as(bare, report)


def test_list(bare):
    """CONFIG_DUMP_PCI_DEV_LIST: every function is listed; nobody presses a key, and the start goes on."""
    report = scan("pci-bochs-list", elf=debugimage.build("bitvisor-devlist"), words=("vmm.dump_pci_timeout=1",))
    assert functions(report) == functions(bare)
    ports_as(bare, report)
    want = []
    for value in functions(bare):
        device, function, number, kind = re.match(r"([0-9a-f]+)\.(\d) 0x([0-9a-f]+) class 0x([0-9a-f]+)", value).groups()
        number = int(number, 16)
        want.append(f"[00:{int(device, 16):02X}.{function}] {int(kind, 16):06X}: {number & 0xffff:04X}:{number >> 16:04X}")
    assert "\n\nDUMP_PCI_DEV_LIST:\n" + "\n".join(want) + "\n" in report.vmm_log.replace("\r", "")
