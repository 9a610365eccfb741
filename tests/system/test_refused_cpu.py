"""One CPU cannot run the VMM: the others, which run it already, leave it again, and the machine goes on bare."""
# SPDX-License-Identifier: BSD-3-Clause

import subprocess
from pathlib import Path

import pytest

from lib import checks, debugimage, facts
from lib.machine import Machine
from lib.screen import ScreenMachine, squeeze
from test_loader import ELF, LOADER, built, fat, machine, reserved_pages, script, sections  # noqa: F401
from test_mp import check_bare, said


# A boot sector: starts the other CPUs by INIT and start-up IPI, and says on COM1 how many came, and of the boot CPU and of
# those with APIC ID 1 and 2 whether they show VT-x (V), AMD-V (A) or neither (-); a blank: did not come.
SECTOR = """
	.code16
	.globl	_start
_start:	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7000, %sp
	ljmp	$0, $0x7c00 + 1f - _start
1:	movl	$0x20202020, 0x7100
	movw	$0, 0x7104
	movw	$0x7c00 + ap - _start, %si
	movw	$0x8000, %di
	movw	$ap_end - ap, %cx
	rep movsb
	lgdtl	0x7c00 + gdtr - _start		/* 4 GiB of data in real mode */
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	movw	$8, %bx
	movw	%bx, %ds
	andb	$0xfe, %al
	movl	%eax, %cr0
	xorw	%bx, %bx
	movw	%bx, %ds
	movl	$0xfee00300, %ebx
	movl	$0x000c4500, (%ebx)		/* INIT, all but this one */
	call	delay
	movl	$0x000c4608, (%ebx)		/* start at 0800:0 */
	call	delay
	movl	$0x000c4608, (%ebx)
	call	delay
	call	delay
	xorw	%bx, %bx
	lcall	$0x0800, $show - ap
	decw	0x7104
	movw	$0x3fb, %dx
	movb	$3, %al				/* 8 bits a character: not every BIOS sets COM1 up */
	outb	%al, %dx
	movw	$0x7c00 + text - _start, %si
	call	print
	movb	0x7104, %al
	addb	$'0', %al
	call	char
	movw	$0x7100, %si
	movb	$0, 0x7103
	call	print
	movw	$0x7c00 + text_end - _start, %si
	call	print
3:	hlt
	jmp	3b
delay:	movw	$4, %cx				/* ticks of the BIOS's clock, 55 ms each */
	sti
4:	hlt
	loop	4b
	cli
	ret
print:	lodsb
	testb	%al, %al
	jz	5f
	call	char
	jmp	print
char:	movb	%al, %ah
	movw	$0x3fd, %dx
9:	inb	%dx, %al
	testb	$0x20, %al
	jz	9b
	movb	%ah, %al
	movw	$0x3f8, %dx
	outb	%al, %dx
5:	ret
	.balign	8
gdt:	.quad	0, 0x00cf93000000ffff
gdtr:	.word	15
	.long	0x7c00 + gdt - _start
text:	.asciz	"<came "
text_end: .asciz ">\\n"
ap:	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movl	$1, %eax
	cpuid					/* EBX: APIC ID in the highest byte */
	shrl	$24, %ebx
	movw	%ax, %ss
	movw	$0x6000, %sp			/* CPUs may share it: they push the same */
	lcall	$0x0800, $show - ap
6:	cli
	hlt
	jmp	6b
	/* notes what this CPU shows at 7100h + its APIC ID */
show:	movl	%ebx, %ebp
	movl	$1, %eax
	cpuid
	movw	$'-', %di
	testb	$0x20, %cl
	jz	7f
	movw	$'V', %di
7:	movl	$0x80000001, %eax
	cpuid
	testb	$4, %cl
	jz	8f
	movw	$'A', %di
8:	andw	$3, %bp
	movw	%di, %ax
	movb	%al, %ds:0x7100(%bp)
	lock incw 0x7104
	lret
ap_end:
	.org	510
	.word	0xaa55
"""


@pytest.fixture(autouse=True)
def needs_vmm(request):
    if request.config.getoption("--as-bare"):
        pytest.skip("nobody is refused without the VMM")


@pytest.fixture
def sector(tmp_path):
    """A disk with the boot sector."""
    elf, path = tmp_path / "sector.o", tmp_path / "sector.img"
    subprocess.run(["as", "--32", "-o", elf, "-"], input=SECTOR, text=True, check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", elf, path], check=True)
    assert path.stat().st_size == 512
    with open(path, "r+b") as f:
        f.truncate(2 * 16 * 63 * 512)  # whole cylinders, for Bochs
    return str(path)


def question(cpus, which):
    return (f"CPU{which}: not started: the CPU has no leave of the test",
            f"BitVisor is not started: 1 of {cpus} CPUs cannot run it (see above)")


def test_bios_linux(tmp_path):
    """The reason and the question; after c Linux has all CPUs, all memory, AMD-V, and suspend to RAM."""
    with ScreenMachine("refused-linux", elf=debugimage.refusing(tmp_path / "vmm.elf", 1), cpus=3, mem=256, net="none") as m:
        screen = squeeze(m.expect_screen("Press c to continue without BitVisor, r to reboot.", 30))
        for text in question(3, 1):
            assert squeeze(text) in screen
        m.key("c")
        m.boot()
        checks.cpus_online(m)
        assert "svm" in facts.cpu_flags(m)  # the same on all
        assert sum(b - a for a, b in facts.ram_below_4g(m)) > 254 << 20
        assert "deep" in m.run("cat /sys/power/mem_sleep")
        checks.cpu_hotplug(m)
        assert "Suspend to RAM" not in m.vmm_log()


@pytest.mark.parametrize("cpus,which,came", [(3, 1, "2AAA"), (2, 0, "1AA "), (3, None, "2---")], ids=["other", "boot", "none"])
def test_bios_sector(tmp_path, sector, cpus, which, came):
    """A guest that starts CPUs as an operating system does reaches all, outside the VMM; in it when nobody is refused."""
    more = {} if which is None else {"elf": debugimage.refusing(tmp_path / "vmm.elf", which)}
    with ScreenMachine(f"refused-sector-{which}", guest=sector, cpus=cpus, mem=64, net="none", **more) as m:
        if which is not None:
            screen = squeeze(m.expect_screen("Press c to continue without BitVisor, r to reboot.", 30))
            for text in question(cpus, which):
                assert squeeze(text) in screen
            m.key("c")
        assert m.expect(r"<came (.*)>", 30)[1] == came


def test_bochs(tmp_path, sector):
    """The same on VT-x, where a CPU that waits for its start-up IPI as guest must be woken to leave; nobody answers."""
    with Machine("refused-bochs", emu="bochs", guest=sector, cpus=2, mem=64, net="none", elf=debugimage.refusing(tmp_path / "vmm.elf", 0),
                 words=("vmm.on_error=continue",)) as m:
        assert m.expect(r"<came (.*)>", 300)[1] == "1VV "
        log = m.vmm_log()
        for text in question(2, 0):
            assert text in log


def test_bios_reboot(tmp_path):
    with ScreenMachine("refused-cpu-r", elf=debugimage.refusing(tmp_path / "vmm.elf", 1), cpus=2, mem=64, net="none") as m:
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
        files[f"{name}/bitvisor.elf"] = ELF if which is None else Path(debugimage.refusing(tmp_path / f"{name}.elf", which))
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
