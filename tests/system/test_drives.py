"""What the guest starts from on a BIOS machine: which drive, which sector, CDs, and what is said when there is nothing."""
# SPDX-License-Identifier: BSD-3-Clause

import re
import struct
import subprocess

import pytest

from lib.machine import run
from lib.screen import ScreenMachine

media = run.media
SIZE = media.MIB
PARTITIONS = [(64, 0x83), (128, 0x0C), (512, 0x83)]  # first sector, type

# Says on COM1 who it is, DL, CS, the 16 bytes at DS:SI, and the disk signature that INT 13h finds on drives 0x80 and 0x81.
# As CD image: it lies in three sectors, and the first one only jumps into the last.
SOURCE = """
	.code16
	.globl	_start
_start:
	.ifdef	LONG
	jmp	main
	.org	4096
	.endif
main:	call	1f
1:	popw	%di
	addw	$name - 1b, %di
2:	movb	%cs:(%di), %al
	incw	%di
	testb	%al, %al
	jz	3f
	call	char
	jmp	2b
3:	movb	%dl, %al
	call	hex
	movw	%cs, %ax
	call	word
	movw	$16, %cx
4:	lodsb
	call	hex
	loop	4b
	movb	$0x80, %dl
	call	signature
	movb	$0x81, %dl
	call	signature
	movb	$'\\n', %al
	call	char
5:	hlt
	jmp	5b

signature:
	movb	$'-', %al
	call	char
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movl	%eax, 0x8000 + 0x1b8
	movw	$0x0201, %ax
	movw	$0x8000, %bx
	movw	$1, %cx
	movb	$0, %dh
	int	$0x13
	movb	0x8000 + 0x1b8, %al
	jmp	hex
word:	pushw	%ax
	movb	%ah, %al
	call	hex
	popw	%ax
hex:	pushw	%ax
	shrb	$4, %al
	call	6f
	popw	%ax
	andb	$15, %al
6:	addb	$'0', %al
	cmpb	$'9', %al
	jbe	char
	addb	$'a' - '9' - 1, %al
char:	pushw	%dx
	movw	$0x3f8, %dx
	outb	%al, %dx
	popw	%dx
	ret
name:	.asciz	NAME
"""


@pytest.fixture(autouse=True)
def needs_vmm(request):
    if request.config.getoption("--as-bare"):
        pytest.skip("nothing is chosen without the VMM")


@pytest.fixture
def program(tmp_path):
    """program(name) -> the code; its name is printed first."""
    def build(name, *defines):
        elf, code = tmp_path / "code.o", tmp_path / "code.bin"
        subprocess.run(["as", "--32", *defines, "-o", elf, "-"], input=SOURCE.replace("NAME", f'"<{name} "'), text=True, check=True)
        subprocess.run(["objcopy", "-O", "binary", "-j", ".text", elf, code], check=True)
        return code.read_bytes()

    return build


@pytest.fixture
def disk(tmp_path, program):
    """disk(signature, ...) -> path: MBR and partitions, each with the program, which says MBR or the partition's number."""
    def build(signature, active=None, sectors=True):
        image = bytearray(SIZE)

        def put(at, name):
            image[at:at + 440] = program(name).ljust(440, b"\0")
            image[at + 510:at + 512] = b"\x55\xaa"

        put(0, "MBR")
        image[440] = signature
        for i, (first, kind) in enumerate(PARTITIONS):
            if sectors:
                put(first * 512, f"PART{i}")
            image[446 + 16 * i:462 + 16 * i] = entry(i, i == active)
        path = tmp_path / f"disk{signature}.img"
        path.write_bytes(image)
        return str(path)

    return build


def entry(i, active):
    first, kind = PARTITIONS[i]
    return struct.pack("<B3sB3sII", 0x80 if active else 0, b"\1\2\0", kind, b"\xfe\xff\xff", first, 8)


def second(path, opened="file={}"):
    """Arguments of QEMU: another hard disk, 0x81."""
    return ("-drive", f"if=none,id=second,format=raw,{opened.format(path)}", "-device", "ide-hd,drive=second,bus=ide.0,unit=1,bootindex=2")


def machine(name, guest, **options):
    return ScreenMachine(f"drives-{name}", guest=guest, mem=64, net="none", **options)


def said(m, name):
    """Of the code that ran, the only one: (DL, CS, bytes at DS:SI, signatures of the drives 0x80 and 0x81)."""
    m.expect(r"<.*\n", 30)
    found = re.findall(r"<(\w+) (\w\w)(\w{4})(\w{32})-(\w\w)-(\w\w)", m.text)
    assert [f[0] for f in found] == [name]
    return int(found[0][1], 16), int(found[0][2], 16), bytes.fromhex(found[0][3]), int(found[0][4], 16), int(found[0][5], 16)


@pytest.mark.parametrize("active", [0, 2])
def test_boot_active(disk, active):
    """vmm.boot_active: the MBR's code does not run, the partition's does, and finds its entry at DS:SI."""
    with machine(f"active{active}", disk(1, active), words=("vmm.boot_active=1",)) as m:
        dl, cs, at_si, first, _ = said(m, f"PART{active}")
        assert (dl, cs, first) == (0x80, 0, 1)
        assert at_si == entry(active, True)


def test_boot_drive(disk):
    """vmm.boot_drive: that disk is 0x80 now, the other one has its number."""
    with machine("second", disk(1, 0), extra=second(disk(2)), words=("vmm.boot_drive=0x81",)) as m:
        dl, cs, _, first, other = said(m, "MBR")
        assert (dl, cs, first, other) == (0x80, 0, 2, 1)


def test_boot_drive_and_active(disk):
    with machine("second-active", disk(1, 0), extra=second(disk(2, 1)), words=("vmm.boot_drive=129", "vmm.boot_active=1")) as m:
        dl, _, at_si, first, other = said(m, "PART1")
        assert (dl, first, other) == (0x80, 2, 1)
        assert at_si == entry(1, True)


def test_bad_numbers(disk, tmp_path):
    """Numbers that no drive can have are told with their place, and the disk is chosen as if they were not there."""
    conf = tmp_path / "bitvisor.conf"
    conf.write_text("\nvmm.boot_drive=0x7f\nvmm.boot_drive=256\n  vmm.boot_drive=first\n")
    with machine("bad", disk(1), extra=second(disk(2)), conf=str(conf)) as m:
        assert said(m, "MBR")[3:] == (1, 2)
        log = m.vmm_log()
        for place, value, what in (("2:16", "0x7f", "is out of range"), ("3:16", "256", "is out of range"), ("4:18", "first", "")):
            assert re.search(rf'^bitvisor\.conf:{place}: vmm\.boot_drive: "{value}" {what}.*; '
                             'valid: auto or a number from 0x80 to 0xff', log, re.M)


# What the disk is, words, what the user reads.
NOTHING = {
    "no-active": ({}, ("vmm.boot_active=1",), "drive 0x80 has no active partition"),
    "no-partition-sector": ({"active": 1, "sectors": False}, ("vmm.boot_active=1",),
                            "drive 0x80 has no boot sector in its active partition"),
    "no-sector": (None, (), "drive 0x80 has no boot sector"),
    "absent": ({}, ("vmm.boot_drive=0x83",), "drive 0x83 is not there"),
    "unreadable": ({}, ("vmm.boot_drive=0x81",), "drive 0x81 cannot be read"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_nothing_to_start(disk, tmp_path, case):
    """The reason with the drive's number; a key restarts the machine."""
    options, words, reason = NOTHING[case]
    if options is None:
        path = tmp_path / "empty.img"
        path.write_bytes(bytes(SIZE))
        guest = str(path)
    else:
        guest = disk(1, **options)
    errors = tmp_path / "blkdebug.conf"
    errors.write_text('[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "0"\n')
    extra = second(disk(2), f"file=blkdebug:{errors}:{{}}") if case == "unreadable" else ()
    with machine(case, guest, words=words, extra=extra) as m:
        m.expect_screen(f"BitVisor: {reason}. Press a key to reboot.", 30)
        assert "<" not in m.text and m.proc.poll() is None
        m.key("x")
        assert m.wait_exit(10) == 0


def iso(tmp_path, image, *options):
    """A CD that boots `image`."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "boot.img").write_bytes(image)
    path = str(tmp_path / "guest.iso")
    media.run("xorriso", "-as", "mkisofs", "-quiet", "-r", "-V", "GUEST", "-b", "boot.img", *options, "-o", path, str(tree))
    return path


@pytest.mark.parametrize("segment", [0, 0x2000])
def test_cd(tmp_path, program, segment):
    """No hard disk: the El Torito image of the CD that vmm.boot_drive names, all of it, at its segment."""
    image = program("CD", "--defsym", "LONG=1")
    assert 4096 < len(image) < 6144
    guest = iso(tmp_path, image, "-no-emul-boot", "-boot-load-size", "12")
    with open(guest, "r+b") as f:
        f.seek(17 * 2048 + 0x47)  # boot record: where the catalogue is
        f.seek(struct.unpack("<I", f.read(4))[0] * 2048 + 32 + 2)  # its second entry: load segment
        f.write(struct.pack("<H", segment))
    with machine(f"cd{segment:x}", guest, disk="cd", words=("vmm.boot_drive=0xe1",)) as m:
        dl, cs, *_ = said(m, "CD")
        assert (dl, cs) == (0xe1, segment or 0x7C0)


def test_cd_with_emulation(tmp_path, program):
    """A CD that plays a floppy disk: only a BIOS can start that."""
    guest = iso(tmp_path, program("FLOPPY").ljust(1440 * 1024, b"\0"))
    with machine("cd-floppy", guest, disk="cd", words=("vmm.boot_drive=0xe1",)) as m:
        m.expect_screen("BitVisor: drive 0xe1 has no boot image that runs without emulation. Press a key to reboot.", 30)


def test_own_cd(tmp_path):
    """Neither a hard disk nor a word: the CD that the VMM came from, which says that it runs already."""
    empty = tmp_path / "empty.iso"
    empty.write_bytes(bytes(64 * 1024))
    with machine("own-cd", str(empty), disk="cd") as m:
        m.expect_screen("BitVisor is already running. Boot the operating system's disk instead. Press r to reboot.", 40)
        assert m.vmm_log().count("Processor 0 (BSP)") == 1
        m.key("r")
        assert m.wait_exit(30) == 0
