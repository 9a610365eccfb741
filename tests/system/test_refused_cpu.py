"""One CPU cannot run the VMM: the others, which run it already, leave it again, and the machine goes on bare."""
# SPDX-License-Identifier: BSD-3-Clause

from pathlib import Path

import pytest

from lib import checks, facts, refused
from lib.machine import TOP
from lib.screen import ScreenMachine, squeeze
from test_loader import LOADER, built, fat, machine, reserved_pages, script, sections  # noqa: F401
from test_mp import check_bare, said

ELF = Path(TOP, "build", "bitvisor.elf")


@pytest.fixture(autouse=True)
def needs_vmm(request):
    if request.config.getoption("--as-bare"):
        pytest.skip("nobody is refused without the VMM")


@pytest.mark.parametrize("cpus,which", [(3, 1), (2, 0)], ids=["other", "boot"])
def test_bios(tmp_path, cpus, which):
    """The reason and the question; after c Linux has all CPUs, all memory, AMD-V, and suspend to RAM."""
    with ScreenMachine(f"refused-cpu{which}", elf=refused.make(tmp_path / "vmm.elf", which), cpus=cpus, mem=256, net="none") as m:
        screen = squeeze(m.expect_screen("Press c to continue without BitVisor, r to reboot.", 30))
        assert squeeze(f"BitVisor is not started: 1 of {cpus} CPUs cannot run it (see above)") in screen
        assert squeeze(f"CPU{which}: not started: the CPU has no leave of the test") in screen
        m.key("c")
        m.boot()
        checks.cpus_online(m)
        assert "svm" in facts.cpu_flags(m)  # the same on all
        assert sum(b - a for a, b in facts.ram_below_4g(m)) > 254 << 20
        assert "deep" in m.run("cat /sys/power/mem_sleep")
        checks.cpu_hotplug(m)
        assert "Suspend to RAM" not in m.vmm_log()


def test_bios_reboot(tmp_path):
    with ScreenMachine("refused-cpu-r", elf=refused.make(tmp_path / "vmm.elf", 1), cpus=2, mem=64, net="none") as m:
        m.expect_screen("Press c to continue without BitVisor, r to reboot.", 30)
        m.key("r")
        assert m.wait_exit(10) == 0


def test_uefi(built, tmp_path, machine):  # noqa: F811
    """From the shell: an error, then all CPUs are the firmware's again, no memory is lost, and the VMM can be started."""
    cpus, start = 3, "\\{}\\loadvmm.efi"
    commands = ["memmap", "\\mptest.efi", start.format("ap"), "\\mptest.efi", start.format("bsp"), "\\mptest.efi", "memmap",
                start.format("good"), "\\mptest.efi"]
    files = {"startup.nsh": script(*commands), "mptest.efi": built / "mptest.efi"}
    for name, which in (("ap", 1), ("bsp", 0), ("good", None)):
        files[f"{name}/loadvmm.efi"] = LOADER
        files[f"{name}/bitvisor.elf"] = ELF if which is None else Path(refused.make(tmp_path / f"{name}.elf", which))
    m = machine([fat(tmp_path / "disk.img", files)], cpus=cpus)
    before, bare, ap, after_ap, bsp, after_bsp, after, good, under = sections(m.wait(), len(commands))
    check_bare(said(bare[0]), cpus)
    for (output, status), which in ((ap, 1), (bsp, 0)):
        assert f"loadvmm: CPU {which} cannot run the VMM (error -19)" in output
        assert output.count("loadvmm: ") == 1
        assert status & 0xff == 1  # EFI_LOAD_ERROR
    for output, _ in (bare, after_ap, after_bsp):
        assert said(output) == said(bare[0])
        # each CPU that ran something showed AMD-V, and had it switched off
        assert said(output, "MPVIRT") == said(bare[0], "MPVIRT")
        assert {a == b for a, b in (line.split(" of ") for line in said(output, "MPVIRT"))} == {True}
        assert set(said(output, "MPSVME")) == {"0"}
    assert reserved_pages(before[0]) == reserved_pages(after[0])
    assert good[1] == 0
    assert said(under[0]) == said(bare[0])
    assert {line.split(" of ")[0] for line in said(under[0], "MPVIRT")} == {"0"}
