# System tests of loadvmm.efi under OVMF, with a stand-in for the VMM's image (tests/uefi).
# SPDX-License-Identifier: BSD-3-Clause
import os
import re
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from lib import machine as machines

ROOT = Path(__file__).resolve().parents[2]
LOADER = ROOT / "build" / "loadvmm.efi"
ELF = Path(machines.ELF)  # the VMM itself; most tests here have a stand-in
OVMF = Path("/usr/share/OVMF")
AMD, INTEL = "EPYC,+svm,+npt", "Skylake-Client"
TIMEOUT = 90
RESERVED = 2  # E820 type
MIB = 1 << 20


def run(*command, **kwargs):
    subprocess.run([str(c) for c in command], check=True, **kwargs)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The loader, the stand-in image and the stand-in operating system."""
    run("make", "-s", "-C", ROOT, "build/loadvmm.efi")
    out = tmp_path_factory.mktemp("built")
    freestanding = ["-std=c17", "-O1", "-ffreestanding", "-mno-red-zone", "-mgeneral-regs-only",
                    "-fno-stack-protector", "-fcf-protection=none",
                    "-fno-asynchronous-unwind-tables", "-Wall", "-Wextra", "-Werror",
                    "-I", ROOT / "include"]
    run("gcc", *freestanding, "-fpie", "-c", "-o", out / "fakevmm.o", ROOT / "tests/uefi/fakevmm.c")
    run("ld", "-nostdlib", "-static", "--build-id=none", "-z", "noexecstack", "-z",
        "max-page-size=4096", "--no-warn-rwx-segments", "-T", ROOT / "tests/uefi/fakevmm.lds",
        "-o", out / "bitvisor.elf", out / "fakevmm.o")
    for name in ("nextos", "mpedit", "mptest", "la57", "pcitest", "holdpci"):
        run("gcc", *freestanding, "-fpic", "-fshort-wchar", "-fvisibility=hidden",
            "-maccumulate-outgoing-args", "-DGNU_EFI_USE_MS_ABI", "-isystem", "/usr/include/efi",
            "-isystem", "/usr/include/efi/x86_64", "-c", "-o", out / f"{name}.o",
            ROOT / f"tests/uefi/{name}.c")
        run("ld", "-nostdlib", "-znocombreloc", "-shared", "-Bsymbolic", "--no-undefined",
            "--no-warn-rwx-segments", "-T", "/usr/lib/elf_x86_64_efi.lds", "-o", out / f"{name}.so",
            "/usr/lib/crt0-efi-x86_64.o", out / f"{name}.o", "-L/usr/lib", "-lefi", "-lgnuefi")
        run("objcopy", "-j", ".text", "-j", ".data", "-j", ".dynamic", "-j", ".dynsym", "-j",
            ".rela", "-j", ".reloc", "--target", "efi-app-x86_64",
            f"--subsystem={11 if name == 'holdpci' else 10}",  # a driver stays after it has returned
            out / f"{name}.so", out / f"{name}.efi")
    return out


def fat(path, files, partition=False):
    """A disk with one FAT file system: the whole disk, or partition 1 of an MBR."""
    first = 2048 if partition else 0
    sectors = 48 * 2048
    with open(path, "wb") as f:
        f.truncate((first + sectors) * 512)
        if partition:
            f.seek(440)
            f.write(struct.pack("<I", signature(path)))
            f.seek(446)
            f.write(struct.pack("<B3sB3sII", 0, b"\1\1\1", 0x0C, b"\xfe\xff\xff", first, sectors))
            f.seek(510)
            f.write(b"\x55\xaa")
    image = f"{path}@@{first * 512}"
    run("mformat", "-i", image, "-F", "-T", sectors, "-h", 16, "-s", 63, "-H", first, "::")
    made = set()
    for name, content in files.items():
        parent = ""
        for part in name.split("/")[:-1]:
            parent += "/" + part
            if parent not in made:
                run("mmd", "-i", image, "::" + parent)
                made.add(parent)
        if isinstance(content, Path):
            run("mcopy", "-i", image, content, "::/" + name)
        else:
            data = content if isinstance(content, bytes) else content.encode()
            run("mcopy", "-i", image, "-", "::/" + name, input=data)
    return path


class Machine:
    def __init__(self, tmp_path, disks, cpus=1, cpu=AMD, bootindex=False, extra=()):
        self.com = tmp_path / "com1.txt"
        self.ops = tmp_path / "ops.txt"
        variables = tmp_path / "vars.fd"
        if not variables.exists():
            shutil.copy(OVMF / "OVMF_VARS_4M.fd", variables)
        command = [
            "qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", cpu, "-M", "q35,smm=off",
            "-m", "512", "-smp", str(cpus), "-nodefaults", "-vga", "std", "-display", "none",
            "-chardev", f"stdio,id=c1,logfile={self.com},signal=off", "-serial", "chardev:c1",
            "-chardev", f"file,id=c2,path={self.ops}", "-device", "isa-debugcon,iobase=0xe9,chardev=c2",
            "-monitor", "none", "-no-reboot",
            "-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.fd",
            "-drive", f"if=pflash,format=raw,file={variables}"]
        for i, disk in enumerate(disks):
            command += ["-drive", f"if=none,id=d{i},format=raw,file={disk}",
                        "-device", f"ide-hd,drive=d{i},bus=ide.{i}"
                        + (f",bootindex={i}" if bootindex else "")]
        command += extra
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def text(self):
        """The console without the shell's colours and empty lines."""
        raw = self.com.read_text(errors="replace") if self.com.exists() else ""
        raw = re.sub(r"\x1b\[[0-9;=]*[A-Za-z]", "", raw).replace("\r", "")
        return "\n".join(line for line in raw.split("\n") if line.strip())

    def wait(self, what=None):
        """Until the machine is off, or `what` is on the console."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            off = self.process.poll() is not None
            if what is not None and what in self.text():
                return self.text()
            if off:
                assert what is None, f"no {what!r} on the console:\n{self.text()[-2000:]}"
                return self.text()
            time.sleep(0.2)
        self.stop()
        pytest.fail(f"time-out, console ends with:\n{self.text()[-2000:]}")

    def key(self, c):
        self.process.stdin.write(c.encode())
        self.process.stdin.flush()

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def machine(tmp_path):
    machines = []

    def start(*args, **kwargs):
        machines.append(Machine(tmp_path, *args, **kwargs))
        return machines[-1]

    yield start
    for m in machines:
        m.stop()


def script(*commands):
    """A startup.nsh that prints a mark and the status of each command, then switches off."""
    lines = ["fs0:"]
    for i, c in enumerate(commands):
        lines += [f"echo MARK{i}", c, "echo STATUS=%lasterror%"]
    return "\r\n".join(lines + ["echo MARK_END", "reset -s", ""])


def sections(text, count):
    """What each command of script() printed, and its status."""
    marks = [f"\nMARK{i}\n" for i in range(count)] + ["\nMARK_END\n"]
    parts = []
    for i in range(count):
        part = text.split(marks[i])[1].split(marks[i + 1])[0]
        status = re.search(r"^STATUS=(\w+)", part, re.M)
        assert status, f"no status of command {i}:\n{part[-4000:]}"
        parts.append((part, int(status[1], 0)))
    return parts


def starts(ops_file):
    """The stand-in's log, one dict for each start: operations in order, fields, memory map."""
    result = []
    for line in ops_file.read_text().splitlines():
        if line == "op INIT cpu 0":
            result.append({"ops": [], "mmap": [], "pci": {}, "left": []})
        if line.startswith("op "):
            _, op, _, cpu = line.split()
            result[-1]["ops"].append((op, int(cpu, 16)))
        elif line.startswith("mmap "):
            result[-1]["mmap"].append(tuple(int(v, 16) for v in line.split()[1:]))
        elif line.startswith("pci "):
            _, address, identity, command = line.split()
            result[-1]["pci"][address] = (int(identity, 16), int(command, 16))
        elif line.startswith("left "):
            result[-1]["left"].append(tuple(line.split()[1:]))
        elif "=" in line:
            key, value = line.split("=", 1)
            result[-1][key] = value
    return result


def number(start, key):
    return int(start[key], 16)


def check_good(start, cpus):
    others = set(range(1, cpus))
    ops = start["ops"]
    assert ops[0] == ("INIT", 0)
    assert sorted(ops[1:cpus]) == sorted(("ENTER", c) for c in others)
    assert ops[cpus:] == [("ENTER", 0), ("START", 0)]
    assert number(start, "entered") == cpus
    assert number(start, "cpu_count") == cpus


def check_info(start):
    base, size = number(start, "region_base"), number(start, "region_size")
    assert number(start, "magic") == 0x42564249
    assert number(start, "size_ok") == 1
    assert number(start, "firmware") == 2
    assert size == 16 * MIB
    assert base % (2 * MIB) == 0 and base + size <= 1 << 32
    assert base <= number(start, "here") < base + number(start, "image_size") <= base + size
    low = number(start, "low_base")
    assert 0 < low < MIB and low % 4096 == 0
    assert number(start, "rsdp_ok") == 1 and number(start, "table_ok") == 1
    assert number(start, "bss_clear") == 1
    assert number(start, "fb_bpp") == 32 and number(start, "fb_base") != 0
    assert number(start, "fb_pitch") >= 4 * number(start, "fb_width") > 0
    mmap = start["mmap"]
    for (a, size_a, type_a), (b, _, type_b) in zip(mmap, mmap[1:]):
        assert a + size_a <= b and (a + size_a < b or type_a != type_b)
    for wanted, length in ((base, size), (low, 4096)):
        assert any(b <= wanted and wanted + length <= b + s for b, s, t in mmap if t == RESERVED)
    ram = sum(s for _, s, t in mmap if t == 1)
    assert 460 * MIB < ram < 512 * MIB


def reserved_pages(memmap):
    """(pages of reserved, pages of loader data) in the summary of the shell's memmap."""
    return tuple(int(re.search(rf"^\s*{name}\s*:\s*([\d,]+) Pages", memmap, re.M).group(1)
                     .replace(",", "")) for name in ("Reserved", "LoaderData"))


@pytest.mark.parametrize("cpus,cpu", [(1, INTEL), (2, AMD), (4, AMD)])
def test_shell_start(built, tmp_path, machine, cpus, cpu):
    """From the shell: every CPU enters, boot CPU last; the map shows the region; words and file arrive."""
    line = 'a=1 "vmm.driver.pci=class=02*, driver=conceal" b=2'
    disk = fat(tmp_path / "disk.img", {
        "startup.nsh": script("memmap", f"\\vmdir\\loadvmm.efi {line}",
                              "memmap"),
        "vmdir/loadvmm.efi": LOADER,
        "vmdir/bitvisor.elf": built / "bitvisor.elf",
        "vmdir/bitvisor.conf": "net=ip\nvmm.x=1\n"})
    m = machine([disk], cpus=cpus, cpu=cpu)
    (before, _), (output, status), (after, _) = sections(m.wait(), 3)
    assert status == 0
    assert "fakevmm: hello" in output
    assert "loadvmm:" not in output
    (start,) = starts(m.ops)
    check_good(start, cpus)
    check_info(start)
    assert start["cmdline"] == line
    assert start["config"] == "net=ip|vmm.x=1|"
    base, size = number(start, "region_base"), number(start, "region_size")
    assert re.search(rf"^Reserved\s+{base:016X}-{base + size - 1:016X}", after, re.M)
    (r0, l0), (r1, l1) = reserved_pages(before), reserved_pages(after)
    assert r1 - r0 == size // 4096 + 1  # the region, and the page below 1 MiB
    assert l1 == l0


def test_refusals(built, tmp_path, machine):
    """Each reason has its message and a status, and everything is freed: then the same machine starts it."""
    elf = (built / "bitvisor.elf").read_bytes()
    phdr, start = 64, 0x1000

    def patched(offset, data):
        return elf[:offset] + data + elf[offset + len(data):]

    cases = {
        # name: (bitvisor.elf, bitvisor.conf, words, message, status)
        "missing": (None, None, "", "bitvisor.elf: not found", 1),
        "empty": (b"", None, "", "bitvisor.elf: not an ELF file", 1),
        "text": (b"#!/bin/sh\n" * 9, None, "", "bitvisor.elf: not an ELF file", 1),
        "short": (elf[:0x1200], None, "", "bitvisor.elf: truncated ELF file", 1),
        "head": (elf[:40], None, "", "bitvisor.elf: truncated ELF file", 1),
        "elf32": (patched(4, b"\1"), None, "", "bitvisor.elf: not an ELF64 file for x86-64", 1),
        "arm": (patched(18, struct.pack("<H", 183)), None, "",
                "bitvisor.elf: not an ELF64 file for x86-64", 1),
        "outside": (patched(phdr + 56 + 24, struct.pack("<Q", 0x40000000)), None, "",
                    "bitvisor.elf: segment outside the image", 1),
        "magic": (patched(start, b"X"), None, "", "bitvisor.elf: not a BitVisor image (bad magic)", 1),
        "size": (patched(start + 16, struct.pack("<Q", 17 * MIB)), None, "",
                 "bitvisor.elf: needs 17408 KiB, but only 16384 KiB", 9),
        "memory": (elf, None, "vmm.memory=1024", "bitvisor.elf: no 1024 MiB of free memory", 9),
        "conf": (elf, "#" * 16385, "", "bitvisor.conf: 16385 bytes, more than the 16384", 1),
        "init": (elf, None, "fake.init=5", "bitvisor.elf: does not start (error -5)", 1),
        "ap": (elf, None, "fake.enter=1", "CPU 1 cannot run the VMM (error -19)", 1),
        "bsp": (elf, None, "fake.enter=0", "CPU 0 cannot run the VMM (error -19)", 1),
    }
    files, commands = {}, ["memmap"]
    for name, (image, conf, words, _, _) in cases.items():
        files[f"{name}/loadvmm.efi"] = LOADER
        if image is not None:
            files[f"{name}/bitvisor.elf"] = image
        if conf is not None:
            files[f"{name}/bitvisor.conf"] = conf
        commands.append(f"\\{name}\\loadvmm.efi {words}")
    files["good/loadvmm.efi"] = LOADER
    files["good/bitvisor.elf"] = elf
    commands += ["memmap", "\\good\\loadvmm.efi"]
    files["startup.nsh"] = script(*commands)
    m = machine([fat(tmp_path / "disk.img", files)], cpus=4)
    results = sections(m.wait(), len(commands))
    for (name, (_, _, _, message, status)), (output, got) in zip(cases.items(), results[1:]):
        assert message in output, name
        assert output.count("loadvmm: ") == 1, name  # one message each
        assert got & 0xff == status and got != 0, name
    assert reserved_pages(results[0][0]) == reserved_pages(results[-2][0])
    assert results[-1][1] == 0

    init, ap, bsp, good = starts(m.ops)
    assert init["ops"] == [("INIT", 0)]
    assert sorted(ap["ops"][1:4]) == [("ENTER", 1), ("ENTER", 2), ("ENTER", 3)]
    assert sorted(ap["ops"][4:]) == [("LEAVE", 2), ("LEAVE", 3)]
    assert sorted(bsp["ops"][1:4]) == [("ENTER", 1), ("ENTER", 2), ("ENTER", 3)]
    assert bsp["ops"][4] == ("ENTER", 0)
    assert sorted(bsp["ops"][5:]) == [("LEAVE", 1), ("LEAVE", 2), ("LEAVE", 3)]
    check_good(good, 4)
    check_info(good)


def test_probe(built, tmp_path, machine):
    """vmm.probe starts nothing; what the VMM prints is in bitvisor.txt; vmm.memory is heard; both in the syntax of the core."""
    disk = fat(tmp_path / "disk.img", {
        "startup.nsh": script("\\v\\loadvmm.efi vmm.probe=yes", "\\v\\loadvmm.efi vmm.memory=21504K"),
        "v/loadvmm.efi": LOADER, "v/bitvisor.elf": built / "bitvisor.elf",
        "v/bitvisor.txt": "an older and longer report " * 9})
    m = machine([disk])
    (output, status), (_, status2) = sections(m.wait(), 2)
    assert status == 0 and status2 == 0
    assert "report is in bitvisor.txt" in output
    probe, real = starts(m.ops)
    assert probe["ops"] == [("INIT", 0)]
    assert number(real, "region_size") == 22 * MIB
    text = subprocess.run(["mtype", "-i", str(disk), "::/v/bitvisor.txt"], check=True,
                          capture_output=True).stdout
    assert text == b"fakevmm: hello\n"


@pytest.mark.parametrize("cpus", [1, 3])
def test_unreachable_cpus(built, tmp_path, machine, cpus):
    """A CPU that would stay outside the VMM is a reason not to start; without others nothing is missing."""
    start = "\\v\\loadvmm.efi"
    commands = ["\\mpedit.efi none", start]
    if cpus > 1:
        commands = ["\\mpedit.efi 2", start] + commands
    m = machine([fat(tmp_path / "disk.img", {
        "startup.nsh": script(*commands), "mpedit.efi": built / "mpedit.efi",
        "v/loadvmm.efi": LOADER, "v/bitvisor.elf": built / "bitvisor.elf"})], cpus=cpus)
    results = sections(m.wait(), len(commands))
    assert [status for _, status in results[0::2]] == [0] * (len(commands) // 2)
    if cpus == 1:
        assert results[1][1] == 0
        check_good(starts(m.ops)[0], 1)
        return
    for (output, status), message in zip(results[1::2], (
            "CPU 2 (APIC ID 2) is disabled by the firmware", "no MP services to reach the other "
            "CPUs (3 by ACPI)")):
        assert message in output
        assert output.count("loadvmm: ") == 1
        assert status & 0xff == 3  # EFI_UNSUPPORTED
    assert starts(m.ops) == []


def test_5_levels(built, tmp_path, machine):
    """Firmware with 5-level paging (OVMF has none; a program turns it on): a reason, and an error status."""
    m = machine([fat(tmp_path / "disk.img", {
        "startup.nsh": script("\\la57.efi", "\\v\\loadvmm.efi"), "la57.efi": built / "la57.efi",
        "v/loadvmm.efi": LOADER, "v/bitvisor.elf": built / "bitvisor.elf"})], cpu=AMD + ",+la57")
    (_, switched), (output, status) = sections(m.wait(), 2)
    assert switched == 0
    assert "BitVisor is not started: the firmware uses 5-level paging; switch it off in its set-up" in output
    assert status & 0xff == 3  # EFI_UNSUPPORTED
    assert starts(m.ops) == []


def test_reproducible(built, tmp_path):
    """Two builds, in different directories, are the same to the bit; the PE header has no time."""
    run("make", "-s", "-C", ROOT, f"B={tmp_path}/b", tmp_path / "b/loadvmm.efi")
    image = LOADER.read_bytes()
    assert (tmp_path / "b/loadvmm.efi").read_bytes() == image
    pe = struct.unpack_from("<I", image, 0x3C)[0]
    assert image[pe:pe + 4] == b"PE\0\0"
    assert struct.unpack_from("<I", image, pe + 8) == (0,)


def field(text, name):
    return re.findall(rf"NEXTOS {name}=(.*)", text)


@pytest.mark.parametrize("conf,file", [
    ("", "\\EFI\\BOOT\\BOOTX64.EFI"),
    ("vmm.boot_next=\\EFI\\other\\os.efi\n", "\\EFI\\other\\os.efi")])
def test_boot_option(built, tmp_path, machine, conf, file):
    """As the firmware's first boot option: the VMM starts, then the system of the other disk."""
    os_efi = built / "nextos.efi"
    loader_disk = fat(tmp_path / "loader.img", {
        "EFI/BOOT/BOOTX64.EFI": LOADER, "EFI/BOOT/bitvisor.elf": built / "bitvisor.elf",
        "EFI/BOOT/bitvisor.conf": conf, "EFI/other/os.efi": os_efi})
    os_disk = fat(tmp_path / "os.img", {"EFI/BOOT/BOOTX64.EFI": os_efi, "EFI/other/os.efi": os_efi})
    m = machine([loader_disk, os_disk], cpus=2, bootindex=True)
    text = m.wait()
    (start,) = starts(m.ops)
    check_good(start, 2)
    assert start["cmdline"] == ""
    assert len(field(text, "file")) == 1
    assert field(text, "file")[0].endswith(file)
    assert "Sata(1," in field(text, "device")[0].replace("0x", "")


def signature(path):
    """The disk signature that fat() gives a partitioned disk."""
    return sum(path.name.encode()) | 0x55000000


def load_option(description, path, data=b"", attributes=1):
    """EFI_LOAD_OPTION, UEFI 2.10, section 3.1.3."""
    return (struct.pack("<IH", attributes, len(path)) + (description + "\0").encode("utf-16-le")
            + path + data)


def hd_path(disk, file):
    """Short form: HD() of partition 1, file; UEFI 2.10, table 10.49."""
    node = struct.pack("<BBHIQQ16sBB", 4, 1, 42, 1, 2048, 48 * 2048,
                       struct.pack("<I", signature(disk)), 1, 1)
    return node + file_path(file)


def file_path(file):
    text = (file + "\0").encode("utf-16-le")
    return struct.pack("<BBH", 4, 4, 4 + len(text)) + text + b"\x7f\xff\4\0"


def test_boot_order(built, tmp_path, machine):
    """Short forms and options as installers make them; what is not to be started, or fails, is passed over."""
    os_efi = built / "nextos.efi"
    a, b = tmp_path / "a.img", tmp_path / "b.img"
    text = "vmm.x=1 vmm.y=2".encode("utf-16-le")
    options = {
        0x20: load_option("Earlier", hd_path(b, "\\earlier\\os.efi")),
        0x21: load_option("VMM", hd_path(a, "\\vmm\\loadvmm.efi"), text),
        0x22: load_option("Own", hd_path(a, "\\own\\os.efi")),
        0x23: load_option("Missing", hd_path(b, "\\missing\\os.efi")),
        0x24: load_option("Inactive", hd_path(b, "\\inactive\\os.efi"), attributes=0),
        0x25: load_option("Application", hd_path(b, "\\app\\os.efi"), attributes=0x101),
        0x28: load_option("Failing", hd_path(b, "\\failing\\os.efi"),
                          "fail".encode("utf-16-le") + b"\0\0"),
        0x29: load_option("Anywhere", file_path("\\anywhere\\os.efi")),
    }
    setvar = "setvar {} -guid 8be4df61-93ca-11d2-aa0d-00e098032b8c -nv -bs -rt =H{}"
    lines = [setvar.format(f"Boot{n:04X}", data.hex()) for n, data in options.items()]
    order = struct.pack(f"<{len(options) + 1}H", *sorted([*options, 0x27]))  # 0x27 does not exist
    lines += [setvar.format("BootOrder", order.hex()),
              setvar.format("BootNext", struct.pack("<H", 0x21).hex()), "reset -c", ""]
    fat(a, {"startup.nsh": "\r\n".join(lines), "vmm/loadvmm.efi": LOADER,
            "vmm/bitvisor.elf": built / "bitvisor.elf", "own/os.efi": os_efi, "anywhere/os.efi": os_efi}, partition=True)
    fat(b, {f"{name}/os.efi": os_efi for name in ("failing", "inactive", "app", "earlier", "anywhere")},
        partition=True)
    machine([a, b]).wait()
    m = machine([a, b], cpus=2)
    text = m.wait()
    (start,) = starts(m.ops)
    check_good(start, 2)
    assert start["cmdline"] == "vmm.x=1 vmm.y=2"
    assert [f.rsplit("\\", 2)[-2] for f in field(text, "file")] == ["failing", "anywhere"]
    assert field(text, "options") == ["fail", ""]
    assert field(text, "current") == ["28", "29"]
    assert all(f"HD(1,MBR,0x{signature(b):X})" in d for d in field(text, "device"))


@pytest.mark.parametrize("conf,stops", [("vmm.driver.pci=class=02, driver=conceal\n", True),
                                        ("vmm.on_error=continue\nvpn.x=1\n", False)])
def test_boot_option_failure(built, tmp_path, machine, conf, stops):
    """A boot option that cannot start does not silently let the next system run."""
    loader_disk = fat(tmp_path / "loader.img", {
        "EFI/BOOT/BOOTX64.EFI": LOADER, "EFI/BOOT/bitvisor.conf": conf})
    os_disk = fat(tmp_path / "os.img", {"EFI/BOOT/BOOTX64.EFI": built / "nextos.efi"})
    m = machine([loader_disk, os_disk], bootindex=True)
    text = m.wait("press c to continue")
    assert "bitvisor.elf: not found" in text
    assert ("continues after 30 seconds" in text) != stops
    time.sleep(2)
    assert "NEXTOS" not in m.text()
    if stops:
        m.key("x")
        m.key("c")
    else:
        time.sleep(15)  # of 30 seconds in the machine
        assert "NEXTOS" not in m.text()
    assert "NEXTOS" in m.wait()
