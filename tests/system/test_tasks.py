"""Task switches, events whose delivery exits, and string I/O: a guest of its own prints what it sees, bare and under the VMM."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import subprocess

import pytest

from lib.machine import TOP, Machine

SOURCE = os.path.join(TOP, "tests", "system", "tasks.c")
PM1_CNT = {"qemu": 0x604, "bochs": 0xb004}  # the port that the VMM traps

# By SDM 3A chapter 7 (tables 7-1, 7-2). busy: 1 main, 2 called, 4 #GP, 8 #TS, 10 tick, 20 the broken task.
WANTED = """\
begin: tr=18 nt=0 ts=0 busy=1
called: tr=20 nt=1 ts=1 busy=3 link=18
call: tr=18 nt=0 ts=1 busy=1 eax=12345678
called: tr=20 nt=1 ts=1 busy=3 link=18
int: tr=18 nt=0 ts=1 busy=1 eax=12345678
called: tr=20 nt=0 ts=1 busy=2 link=0
jmp: tr=18 nt=0 ts=1 busy=1 eax=12345678
#GP: tr=28 nt=1 ts=1 busy=5 error=fff8 insn=8e
#TS: tr=30 nt=1 ts=1 busy=9 error=20 link=18 started=0
#TS: tr=30 nt=1 ts=1 busy=29 error=98 link=40 started=0
#DB: bt=1
called: tr=20 nt=1 ts=1 busy=3 link=18
tick: tr=38 nt=1 ts=1 busy=11 if=1
ticks: tr=18 nt=0 ts=1 busy=1
INT n : count=1 length=2
INT3 : count=1 length=1
INTO : count=1 length=5
INTR : count=1 length=2
insw: same=1 ecx=0 edi=4a esi=2 video=1
#GP: tr=28 nt=1 ts=1 busy=5 error=0 insn=66
limit: tr=18 nt=0 ts=1 busy=1 ecx=1
end
"""
# QEMU knows no T bit, and no segment limits; a fault in a new task does not show that task's EIP.
TCG = {"#DB: bt=1\n": "", "link=40 started=0": "link=40 started=1"}
TCG_BARE = TCG | {"#GP: tr=28 nt=1 ts=1 busy=5 error=0 insn=66\n": "", "busy=1 ecx=1\n": "busy=1 ecx=0\n"}


def disk(folder, port):
    """The guest as a disk."""
    script, elf, image = (str(folder / n) for n in ("tasks.ld", "tasks.elf", "tasks.img"))
    with open(script, "w", encoding="utf-8") as f:
        f.write("OUTPUT_FORMAT(elf32-i386) ENTRY(_start) SECTIONS { . = 0x7c00; .all : { *(.boot) *(.text*) *(.rodata*) *(.data*)"
                " *(.bss*) *(COMMON) } /DISCARD/ : { *(.note*) *(.comment) *(.eh_frame*) } }")
    subprocess.run(["gcc", "-m32", "-O1", "-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-no-pie", "-fno-stack-protector",
                    "-fcf-protection=none", "-mgeneral-regs-only", "-fno-asynchronous-unwind-tables", "-fno-toplevel-reorder", "-Wall",
                    "-Wextra", "-Werror", f"-DTRAPPED_PORT={port}", "-Wl,--build-id=none,--no-warn-rwx-segments,-z,noexecstack",
                    "-Wl,-T," + script, "-o", elf, SOURCE], check=True)
    subprocess.run(["objcopy", "-O", "binary", "--set-section-flags", ".all=alloc,load,contents", elf, image], check=True)
    assert os.path.getsize(image) <= 61 * 512
    os.truncate(image, 8 << 20)
    return image


@pytest.mark.parametrize("emu,bare", [("qemu", True), ("qemu", False), ("bochs", True), ("bochs", False)])
def test_tasks(tmp_path, emu, bare):
    wanted = WANTED
    for line, instead in ({"qemu": TCG_BARE if bare else TCG}.get(emu, {})).items():
        wanted = wanted.replace(line, instead)
    with Machine(f"tasks-{emu}" + ("-bare" if bare else ""), emu=emu, bare=bare, guest=disk(tmp_path, PM1_CNT[emu])) as m:
        m.expect("begin:", 300)
        text = "begin:" + m.expect(r".*?\nend\r?\n", 120)[0]
    assert text.replace("\r", "") == wanted
