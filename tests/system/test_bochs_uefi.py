"""loadvmm.efi on a CPU with VT-x (Bochs, OVMF): the firmware's shell goes on as guest."""
# SPDX-License-Identifier: BSD-3-Clause

import re

import pytest

from lib.machine import Machine
from test_loader import ELF, LOADER, built, fat, script, sections  # noqa: F401

# OVMF without fw_cfg waits some time for devices that are not there; the shell counts down, too.
TIMEOUT = 500


def run(name, tmp_path, cpus, commands, files):
    """Boot Bochs with a FAT disk that runs `commands` in the shell; returns (sections, the VMM's log)."""
    # Bochs is known by its ACPI tables, and OVMF has none here: no INIT must reach a CPU in VMX operation
    words = "vmm.serial=com2\nvmm.startup=icr\n"
    disk = fat(tmp_path / "disk.img", {"startup.nsh": script(*commands), "v/loadvmm.efi": LOADER, "v/bitvisor.elf": ELF,
                                       "v/bitvisor.conf": words, **files})
    with Machine(name, emu="bochs", fw="uefi-shell", bare=True, cpus=cpus, mem=256, guest=str(disk)) as m:
        m.expect(r"[\r\n]MARK_END", TIMEOUT)
        text = re.sub(r"\x1b\[[0-9;=]*[A-Za-z]", "", m.text).replace("\r", "")
        text = "\n".join(line for line in text.split("\n") if line.strip())
        return sections("\n" + text + "\n", len(commands)), m.vmm_log()


@pytest.mark.parametrize("cpus", [1])
def test_shell_goes_on(built, tmp_path, cpus):  # noqa: F811
    """The program returns, the shell goes on as guest, a program finds no VT-x where it did before; a second start is told."""
    commands = ["\\mptest.efi", "\\v\\loadvmm.efi", "\\mptest.efi", "memmap", "\\v\\loadvmm.efi"]
    parts, log = run(f"bochs-uefi-{cpus}cpu", tmp_path, cpus, commands, {"mptest.efi": built / "mptest.efi"})
    (bare, status0), (_, status1), (under, status2), (memory, status3), (again, status4) = parts
    assert (status0, status1, status2, status3) == (0, 0, 0, 0)
    said = [re.findall(r"^MPTEST (.*)", text, re.M) for text in (bare, under)]
    assert said[0] == said[1] and said[0][-1] == "end"
    assert {line.split(" of ")[0] == line.split(" of ")[1] for line in re.findall(r"^MPVIRT (.*)", bare, re.M)} == {True}
    assert {line.split(" of ")[0] for line in re.findall(r"^MPVIRT (.*)", under, re.M)} == {"0"}
    assert "already running" in again and status4 & 0xff == 20  # EFI_ALREADY_STARTED
    assert re.search(rf"VT-x, {cpus} CPUs", log)
