"""loadvmm.efi makes the firmware's drivers let go of the PCI functions that rules take (OVMF; first with a stand-in for the VMM)."""
# SPDX-License-Identifier: BSD-3-Clause

import re
import time

import pytest

import rows
from lib import facts
from lib.machine import Machine
from test_loader import ELF, LOADER, built, check_good, fat, field, machine, script, sections, starts  # noqa: F401

MASTER = 4  # of the command register
# With bootindex the firmware does not try to boot from the network before it starts its shell.
NICS = ["-device", "e1000e,addr=3,id=n0", "-device", "e1000e,addr=4,id=n1"]
OTHERS = ["-device", "qemu-xhci,addr=6", "-device", "usb-kbd", "-blockdev", "driver=null-co,node-name=ram,size=67108864,read-zeroes=on",
          "-device", "nvme,addr=7,serial=1,drive=ram"]
SLOTS = ("3.0", "4.0", "6.0", "7.0", "1f.2")  # all of them, and the disk's


@pytest.fixture
def disk(built, tmp_path):  # noqa: F811
    """disk(commands) -> one that runs the commands in the shell."""
    def make(*commands, elf=built / "bitvisor.elf"):
        return fat(tmp_path / "disk.img", {
            "startup.nsh": script(*commands), "pcitest.efi": built / "pcitest.efi", "holdpci.efi": built / "holdpci.efi",
            "v/loadvmm.efi": LOADER, "v/bitvisor.elf": elf})
    return make


def seen(output):
    """What pcitest.efi says: {slot: (device id, command, number of drivers)}."""
    found = re.findall(r"^PCITEST (\S+) \w+:(\w+) command (\w+) drivers (\d+)", output, re.M)
    return {slot.lower(): (device.lower(), int(command, 16), int(drivers)) for slot, device, command, drivers in found}


def masters(start):
    """Addresses of the functions whose bus mastering was on when the VMM's stand-in started."""
    return {address for address, (_, command) in start["pci"].items() if command & MASTER}


def rule(text):
    """The command, without a bar: the shell takes it for its own even in quotes."""
    return f'\\v\\loadvmm.efi "vmm.driver.pci={text}"'


# Words of the command line; the functions that are idle at the VMM's start, of SLOTS; the status that the loader returns.
STARTS = [
    ("driver=nic", "", ["3.0", "4.0"], 0),
    ("class=0200, driver=conceal, stub=1", "", ["3.0", "4.0"], 0),
    ("class=0200, number=1, driver=conceal", "", ["4.0"], 0),
    ("slot=00:03.0, driver=none, and, driver=nic", "", ["4.0"], 0),
    ("class=03*, driver=conceal, and, class=0c03, driver=conceal, and, class=0108, driver=conceal, and, class=06*, driver=conceal", "", ["6.0", "7.0"], 0),
    # Nothing is touched for a string with an error, in whatever rule: the VMM refuses it.
    ("class=0200, driver=conceal, and, class=0108, driver=nosuch", "", [], 0),
    ("class=0200, driver=conceal, and, clas=01*, driver=conceal", "", [], 0),
    ("class=0200, driver=conceal, x=1", "", [], 0),
    ("class=0200, driver=conceal", "vmm.iommu=x", [], 0),
    ("class=0200, driver=conceal", "vmm.driver.x=1", [], 0),
    # A start that fails.
    ("class=0200, driver=conceal", "fake.init=5", ["3.0", "4.0"], 1),
    ("class=0200, driver=conceal", "fake.enter=0", ["3.0", "4.0"], 1),
    # The disk that the files are on.
    ("class=0106, driver=conceal", "vmm.driver.pci_boot=leave", [], 0),
]


def test_starts(disk, machine):  # noqa: F811
    """Only what the rules take is idle at the VMM's start. Afterwards what the VMM (here: none of it) does not hide works again."""
    commands = ["connect -r", "\\pcitest.efi"]
    for text, words, _, _ in STARTS:
        commands += [f"{rule(text)} {words}", "\\pcitest.efi"]
    m = machine([disk(*commands)], bootindex=True, extra=NICS + OTHERS)
    (_, _), (before, _), *results = sections(m.wait(), len(commands))
    before = seen(before)
    for slot in SLOTS:
        slot = f"00:{slot:0>4}"
        assert before[slot][1] & MASTER and before[slot][2] > 0
    for (text, words, gone, status), start, (output, got), (after, _) in zip(
            STARTS, starts(m.ops), results[0::2], results[1::2], strict=True):
        assert got & 0xff == status, text
        assert {slot for slot in SLOTS if f"0:{slot}" not in masters(start)} == set(gone), text
        assert start["left"] == ([("0:0:1f.2", "2")] if "pci_boot" in words else []), text
        assert status or "pci_boot" in words or "loadvmm:" not in output, text
        assert seen(after) == before, text


def test_held(disk, machine):  # noqa: F811
    """A driver that does not let go is named; its function is left alone, and the VMM is told; others are taken."""
    m = machine([disk("load fs0:\\holdpci.efi", "connect -r", "\\pcitest.efi",
                      rule("id=*:11e8, driver=conceal, and, driver=nic"), "\\pcitest.efi")],
                bootindex=True, extra=NICS + ["-device", "edu,addr=5"])
    results = sections(m.wait(), 5)
    output, status = results[3]
    assert status == 0
    assert "loadvmm: 00:05.0 (1234:11e8, driver=conceal): the firmware's driver Never Let Go does not let go" in output
    assert output.count("loadvmm: ") == 1
    before, after = seen(results[2][0]), seen(results[4][0])
    assert before["00:05.0"][1] & MASTER and before["00:05.0"][2] == 1
    assert before == after
    (start,) = starts(m.ops)
    assert start["left"] == [("0:0:5.0", "1")]
    assert {"0:3.0", "0:4.0", "0:5.0"} & masters(start) == {"0:5.0"}


SELF = "00:1f.2 (8086:2922, driver=conceal): the firmware has loaded loadvmm.efi from it"
BOOT = "slot=00:1f.2, driver=conceal"


@pytest.mark.parametrize("key,left", [("l", [("0:0:1f.2", "2")]), ("t", []), ("", None)])
def test_own_disk_question(disk, machine, key, left):  # noqa: F811
    """The disk that the files are on: a question, in a shell as well, where no answer means no."""
    m = machine([disk("connect -r", rule(BOOT), "\\pcitest.efi")])
    m.wait("press t to take it all the same")
    time.sleep(1)
    assert SELF in m.text() and starts(m.ops) == []
    m.key("x" + key)
    text = m.wait()
    if left is None:
        assert starts(m.ops) == []
        assert sections(text, 3)[1][1] & 0xff == 1
        assert seen(sections(text, 3)[2][0])["00:1f.2"][2] > 0
        return
    (start,) = starts(m.ops)
    check_good(start, 1)
    assert start["left"] == left
    assert ("0:1f.2" in masters(start)) == bool(left)


@pytest.mark.parametrize("key", ["t", "l", "c"])
def test_next_disk(built, tmp_path, machine, key):  # noqa: F811
    """A boot option: the disk of the next system is asked about, and the next system starts all the same."""
    loader_disk = fat(tmp_path / "loader.img", {
        "EFI/BOOT/BOOTX64.EFI": LOADER, "EFI/BOOT/bitvisor.elf": built / "bitvisor.elf",
        "EFI/BOOT/bitvisor.conf": "vmm.driver.pci=class=0108, driver=conceal\n"})
    os_disk = fat(tmp_path / "os.img", {"EFI/BOOT/BOOTX64.EFI": built / "nextos.efi"})
    m = machine([loader_disk], bootindex=True, extra=[
        "-drive", f"if=none,id=os,format=raw,file={os_disk}", "-device", "nvme,addr=6,serial=1,drive=os,bootindex=9"])
    text = m.wait("press t to take it all the same")
    assert "00:06.0 (1b36:0010, driver=conceal): the firmware boots the next system from it" in text
    assert "after 30 seconds" not in text
    assert "loadvmm.efi from it" not in text
    time.sleep(1)
    assert "NEXTOS" not in m.text()
    m.key(key)
    text = m.wait()
    assert len(field(text, "file")) == 1 and "Pci(0x6,0x0)" in field(text, "device")[0]
    assert "press c" not in text
    found = starts(m.ops)
    if key == "c":
        assert found == []
        return
    (start,) = found
    check_good(start, 1)
    assert start["left"] == ([("0:0:6.0", "2")] if key == "l" else [])
    assert ("0:6.0" in masters(start)) == (key == "l")


CONCEAL = "class=0200, driver=conceal, and, class=0c03, driver=conceal, and, class=0108, driver=conceal"


def test_concealed(disk, machine):  # noqa: F811
    """With the VMM itself: the firmware finds nothing there any more, has no driver for it, and works on."""
    commands = ["connect -r", "\\pcitest.efi", rule(CONCEAL), "\\pcitest.efi", "connect -r", "\\pcitest.efi", "ls fs0:\\v"]
    m = machine([disk(*commands, elf=ELF)], bootindex=True, extra=NICS + OTHERS)
    results = sections(m.wait(), len(commands))
    before, after, again = (seen(results[i][0]) for i in (1, 3, 5))
    assert results[2][1] == 0 and "loadvmm:" not in results[2][0]
    gone = {"00:03.0", "00:04.0", "00:06.0", "00:07.0"}
    for slot in gone:
        assert before[slot][1] & MASTER and before[slot][2] > 0
        assert after[slot] == again[slot] == ("ffff", 0xffff, 0)
    others = set(before) - gone
    assert "00:1f.2" in others
    assert {s: after[s] for s in others} == {s: again[s] for s in others} == {s: before[s] for s in others}
    assert "loadvmm.efi" in results[6][0]


def test_monitored(disk, machine):  # noqa: F811
    """With the VMM itself: what its driver does not hide gets the firmware's drivers again, the loader's own disk as well."""
    commands = ["connect -r", "\\pcitest.efi", rule("class=0200, driver=monitor, and, class=0106, driver=monitor")
                + " vmm.driver.pci_boot=take", "\\pcitest.efi", "ls fs0:\\v"]
    m = machine([disk(*commands, elf=ELF)], bootindex=True, extra=NICS)
    results = sections(m.wait(), len(commands))
    assert results[2][1] == 0 and "taken all the same" in results[2][0]
    before, after = seen(results[1][0]), seen(results[3][0])
    assert before["00:03.0"][2] > 0 and before["00:1f.2"][2] > 0
    assert after == before
    assert "loadvmm.efi" in results[4][0]


@pytest.mark.parametrize("name", ["qemu-uefi-shell-2cpu-6.1-nvme", "qemu-uefi-bootopt-4cpu-6.1-e1000e"])
def test_linux(request, bare, name):
    """The way on to Linux: without the network card, and with all else."""
    if request.config.getoption("--as-bare"):
        pytest.skip("needs the VMM")
    chosen = rows.named(name)
    there = bare(chosen)["pci"]
    cards = {address for address, (_, code) in there.items() if code.startswith("0x0200")}
    assert len(cards) == 1
    with Machine(f"loader-pci-{name}", words=("vmm.driver.pci=class=0200, driver=conceal",), **chosen.options()) as m:
        assert facts.pci(m.boot()) == {address: identity for address, identity in there.items() if address not in cards}
