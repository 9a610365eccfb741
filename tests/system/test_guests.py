"""Guests that are no Linux, on a BIOS machine: GRUB in real mode, memtest86+, iPXE, and the VMM's own medium once more."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import re
import time

import pytest

from lib import checks, facts, grubdisk
from lib.machine import ELF, LOGS, TOP
from lib.screen import ScreenMachine

MIB = 1 << 20
VMM_MIB = 16
LOW_MEMORY = 64 * 1024  # at most this much is taken below 1 MiB
MEMTEST, IPXE = "/boot/memtest86+x64.bin", "/boot/ipxe.lkrn"
IPXE_SCRIPT = """#!ipxe
echo the script runs
dhcp net0 && show net0/ip
imgfetch http://10.0.2.2:{port}/from-ipxe && echo fetched
imgstat
echo the script ends
shell
"""


@pytest.fixture
def guest(request):
    """guest(name, files, bare=, ...) -> (machine, its GRUB's command line) with a disk of its own; ended after the test."""
    running = []
    as_bare = request.config.getoption("--as-bare")

    def begin(name, files=None, bare=False, **options):
        bare = bare or as_bare
        name = f"guests-{name}" + ("-bare" if bare else "")
        disk = grubdisk.make(os.path.join(LOGS, name + "-disk"), files)
        m = ScreenMachine(name, guest=disk, bare=bare, **options)
        m.__enter__()
        running.append(m)
        return m, grubdisk.Grub(m)

    yield begin
    for m in running:
        m.__exit__(None, None, None)


def ram(grub):
    """Usable RAM by GRUB's lsmmap, that is INT 15h E820h called in real mode: [(first byte, byte behind)]."""
    rows = re.findall(r"base_addr = (0x\w+), length = (0x\w+), available", grub.command("lsmmap"))
    assert rows
    return sorted((int(a, 16), int(a, 16) + int(n, 16)) for a, n in rows)


def disks(grub):
    return sorted(set(re.findall(r"\((\w+)\)", grub.command("ls"))))


@pytest.mark.parametrize("vmm_as", ["cd", "usb-disk"])
def test_grub(guest, vmm_as):
    """GRUB runs as guest: INT 13h shows the guest's disk as the first, INT 15h a map without the VMM."""
    _, grub = guest(f"grub-{vmm_as}", bare=True, vmm_as=vmm_as, mem=256)
    before = ram(grub)
    m, grub = guest(f"grub-{vmm_as}", vmm_as=vmm_as, mem=256)
    assert grub.command("cat (hd0,msdos1)/mark.txt") == grubdisk.MARK
    if vmm_as == "usb-disk":
        # The firmware's order is the VMM's medium, the guest's disk; the guest sees them exchanged, and both work.
        assert disks(grub) == ["hd0", "hd1"]
        assert "bitvisor.elf" in grub.command("ls (hd1)/boot/")
    else:
        assert "hd1" not in disks(grub)
    holes = facts.ram_missing(before, ram(grub))
    high = [(a, b) for a, b in holes if a >= MIB]
    low = [(a, b) for a, b in holes if b <= MIB]
    assert [b - a for a, b in high] == [VMM_MIB * MIB] and high[0][0] % (2 * MIB) == 0
    assert len(high) + len(low) == len(holes) and 0 < sum(b - a for a, b in low) <= LOW_MEMORY
    # As high as possible.
    assert max(b for a, b in before) - high[0][1] < 2 * MIB
    # The way back to the firmware and to the VMM again.
    grub.start("reboot")
    assert m.wait_exit(30) == 0


def test_vmm_medium_again(guest):
    """The operating system's loader starts the VMM once more: it says what is wrong, and r restarts the machine."""
    m, grub = guest("again", vmm_as="usb-disk", mem=256)
    log = m.vmm_log()
    grub.command("multiboot (hd1)/boot/bitvisor.elf vmm.serial=com2")
    grub.start("boot")
    m.expect_screen("BitVisor is already running. Boot the operating system's disk instead. Press r to reboot.", 20)
    m.key("c")
    time.sleep(1)
    assert m.proc.poll() is None and "already running" in m.screen()
    assert m.vmm_log() == log  # the first one goes on, and the second took nothing from it
    m.key("r")
    assert m.wait_exit(30) == 0


def test_vmm_medium_as_guest():
    """vmm.boot_drive names the VMM's own medium: no endless loop."""
    with ScreenMachine("guests-own-medium", vmm_as="usb-disk", mem=256, words=("vmm.boot_drive=0x80",)) as m:
        m.expect_screen("BitVisor is already running.", 60)
        assert m.vmm_log().count("BitVisor") == 1


@pytest.mark.parametrize("cpus", [1, 2])
def test_memtest(guest, cpus):
    """memtest86+ finds the memory that the VMM left and its first test passes, on every CPU."""
    shown = {}
    for bare in (True, False):
        if bare and cpus > 1:
            continue
        m, grub = guest(f"memtest-{cpus}", {"memtest.bin": MEMTEST}, bare=bare, mem=64, cpus=cpus)
        grub.command("linux (hd0,msdos1)/memtest.bin console=ttyS0,115200")
        grub.start("boot")
        m.expect_screen("Testing:", 30)
        end = time.monotonic() + 60
        while not re.search(r"Test #[1-9]", screen := m.screen()):
            assert time.monotonic() < end, f"the first test does not end:\n{screen}"
            m._read(0.5)
        assert re.search(r"Errors: 0\s*$", screen, re.M), screen
        shown[bare] = screen
        m.expect("Memtest86.*Testing", 10)  # the same on the serial console
    mib = {bare: int(re.search(r"Memory *: *(\d+)MB", screen)[1]) for bare, screen in shown.items()}
    if cpus == 1:
        assert mib[True] - mib[False] in (VMM_MIB, VMM_MIB + 1)
    else:
        assert re.search(r"CPU: 2 Cores 2 Threads +SMP: 2T", shown[False]), shown[False]


def test_ipxe(guest):
    """iPXE: its own driver for the card, DHCP, and a file over HTTP which the server saw asked for."""
    body = b"#!ipxe\necho body\n"
    with checks.web_server(body) as (port, asked):
        m, grub = guest("ipxe", {"ipxe.lkrn": IPXE, "script": IPXE_SCRIPT.format(port=port).encode()}, mem=128)
        grub.command("linux16 (hd0,msdos1)/ipxe.lkrn")
        grub.command("initrd16 (hd0,msdos1)/script")
        grub.start("boot")
        screen = m.expect_screen("the script ends", 60)
        assert "net0.dhcp/ip:ipv4 = 10.0.2.15" in screen
        assert "fetched" in screen.splitlines()
        assert re.search(rf"from-ipxe : {len(body)} bytes", screen)
        assert asked == ["/from-ipxe"]
        m.expect_screen("iPXE>", 20)


@pytest.mark.parametrize("command", ["multiboot", "multiboot2"])
def test_only_disk(guest, command):
    """The VMM starts from the only disk and starts that disk again, by each Multiboot version; words arrive."""
    m, grub = guest(f"only-disk-{command}", {"bitvisor.elf": ELF}, bare=True, mem=128)
    before = ram(grub)
    grub.command(f"{command} (hd0,msdos1)/bitvisor.elf vmm.serial=com2 vmm.memory=20")
    grub.start("boot")
    grub = grubdisk.Grub(m, 30)
    assert grub.command("cat (hd0,msdos1)/mark.txt") == grubdisk.MARK
    assert [b - a for a, b in facts.ram_missing(before, ram(grub)) if a >= MIB] == [20 * MIB]
