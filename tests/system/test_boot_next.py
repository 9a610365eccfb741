"""vmm.boot_next on UEFI with the VMM itself: what runs after it, and that this is its guest."""
# SPDX-License-Identifier: BSD-3-Clause

import time

import pytest

from test_loader import ELF, LOADER, built, fat, field, machine  # noqa: F401

DOWN, ENTER = "\x1b[B", "\r"
PATH = "\\EFI\\tools\\os.efi"


@pytest.fixture
def disks(request, built, tmp_path):  # noqa: F811
    """disks(conf, files) -> the VMM's disk with further files, and another one with a system."""
    if request.config.getoption("--as-bare"):
        pytest.skip("needs the VMM")

    def make(conf, files=None):
        own = {"EFI/BOOT/BOOTX64.EFI": LOADER, "EFI/BOOT/bitvisor.elf": ELF, "EFI/BOOT/bitvisor.conf": conf} | (files or {})
        return [fat(tmp_path / "own.img", own), fat(tmp_path / "other.img", {"EFI/BOOT/BOOTX64.EFI": built / "nextos.efi"})]

    return make


def choose_second(m):
    """By the firmware's menu: Boot Manager, the third of its lines, and there the second disk, the second line."""
    m.wait("Boot Maintenance Manager")
    assert "NEXTOS" not in m.text()
    for key in (DOWN, DOWN, ENTER):
        time.sleep(0.5)  # a key that comes while the menu is drawn is lost
        m.key(key)
    m.wait("Boot Manager Menu")
    for key in (DOWN, ENTER):
        time.sleep(0.5)
        m.key(key)


def check(text, disk, file):
    """One system was started, from that disk, as a guest: it does not see AMD-V."""
    assert [f.endswith(file) for f in field(text, "file")] == [True]
    assert f"Sata({disk}," in field(text, "device")[0].replace("0x", "")
    assert field(text, "svm") == ["0"]


def test_bare(built, tmp_path, machine):  # noqa: F811
    """The system alone sees AMD-V: the others' proof."""
    m = machine([fat(tmp_path / "other.img", {"EFI/BOOT/BOOTX64.EFI": built / "nextos.efi"})], bootindex=True)
    assert field(m.wait(), "svm") == ["1"]


def test_menu(disks, machine):  # noqa: F811
    """Nothing is started by itself: the user chooses."""
    m = machine(disks("vmm.boot_next=menu\n"), bootindex=True)
    choose_second(m)
    check(m.wait(), 1, "\\EFI\\BOOT\\BOOTX64.EFI")


def test_path(disks, built, machine):  # noqa: F811
    """A program that only the VMM's own disk has."""
    m = machine(disks(f"vmm.boot_next={PATH}\n", {"EFI/tools/os.efi": built / "nextos.efi"}), cpus=2, bootindex=True)
    check(m.wait(), 0, PATH)


def test_missing_path(disks, machine):  # noqa: F811
    """A program that is nowhere: the reason and the menu, not some other system."""
    m = machine(disks(f"vmm.boot_next={PATH}\n"), bootindex=True)
    assert f"vmm.boot_next={PATH}: nothing could be started: Not Found" in m.wait("nothing could be started: Not Found")
    choose_second(m)
    check(m.wait(), 1, "\\EFI\\BOOT\\BOOTX64.EFI")
