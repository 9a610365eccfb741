"""The firmware's MP services work under the VMM as they do without, on every CPU (OVMF)."""
# SPDX-License-Identifier: BSD-3-Clause

import re

import pytest

from test_loader import ELF, LOADER, built, fat, machine, script, sections  # noqa: F401


def said(output, word="MPTEST"):
    return re.findall(rf"^{word} (.*)", output, re.M)


def check_bare(lines, cpus):
    """The test program itself: what the specification promises, not only that two runs agree."""
    everyone = " ".join(f"{n}:{n}:1" for n in range(1, cpus))
    idle = "strangers 0 left inside 0"
    assert lines[0] == f"count {cpus} enabled {cpus} self 0"
    for name in ("all", "all, one at a time", "all, by event", "all, after time-outs"):
        assert f"{name}: status 0, ran {everyone} {idle}" in lines
    assert "most at a time 1" in lines
    for n in range(1, cpus):
        assert lines.count(f"this: status 0, ran {n}:{n}:1 {idle}") == 2
    assert sum(line.startswith("this: status 8") for line in lines) == 2  # the boot CPU cannot be started
    others = " ".join(f"{n}:{n}:1" for n in range(1, cpus - 1))
    assert any(re.match(rf"all but the last: status \w+, ran {others} ?{idle}", line) for line in lines)
    assert f"count {cpus} enabled {cpus - 1}, flags 4" in lines and f"count {cpus} enabled {cpus}, flags 6" in lines
    assert f"the last: status 0, ran {cpus - 1}:{cpus - 1}:1 {idle}" in lines
    odd = " ".join(str(n) for n in range(1, cpus, 2))
    assert "time-out of all 0: status 8000000000000012" in lines and f"not finished: {odd}" in lines
    assert f"time-out of {cpus - 1}: status 8000000000000012" in lines and "finished 0" in lines
    assert lines[-2:] == [f"self: status 0, ran 0:0:1 {idle}", "end"]


@pytest.mark.parametrize("cpus", [2, 4])
def test_mp_services(built, tmp_path, machine, cpus):  # noqa: F811
    """Parallel, one by one, off and on, by event, with time-outs (CPUs are reset then): the same before and after the start."""
    commands = ["\\mptest.efi", "\\v\\loadvmm.efi", "\\mptest.efi", "\\v\\loadvmm.efi"]
    disk = fat(tmp_path / "disk.img", {"startup.nsh": script(*commands), "mptest.efi": built / "mptest.efi",
                                       "v/loadvmm.efi": LOADER, "v/bitvisor.elf": ELF})
    m = machine([disk], cpus=cpus)
    (bare, status0), (_, status1), (under, status2), (again, status3) = sections(m.wait(), len(commands))
    assert (status0, status1, status2) == (0, 0, 0)
    check_bare(said(bare), cpus)
    assert said(under) == said(bare)
    # No CPU is outside the VMM, not even after a time-out: each shows AMD-V before, none does after.
    assert {a == b for a, b in (line.split(" of ") for line in said(bare, "MPVIRT"))} == {True}
    assert {line.split(" of ")[0] for line in said(under, "MPVIRT")} == {"0"}
    assert "already running" in again and status3 & 0xff == 20  # EFI_ALREADY_STARTED
