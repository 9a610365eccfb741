#!/usr/bin/python3
"""Boot media: the VMM's ISO, the guest's disk, FAT images; all reproducible bit for bit."""
# SPDX-License-Identifier: BSD-3-Clause

import argparse
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
GRUB = "/usr/lib/grub"
EPOCH = 1767225600  # 2026-01-01: the date of every file and file system
MIB = 1 << 20
SECTOR = 512

# GRUB modules that go into the core images: no module is loaded from the medium.
GRUB_COMMON = """all_video boot cat chain configfile echo fat gfxterm halt help iso9660 linux ls minicmd multiboot multiboot2
    normal part_gpt part_msdos probe reboot regexp search search_fs_file search_fs_uuid search_label serial sleep test true
    terminal""".split()
GRUB_PC = ["biosdisk", "drivemap", "ntldr"]
GRUB_EFI = ["efi_gop", "efi_uga", "efifwsetup"]

# Dates of two media that may be in one machine differ: GRUB finds its file system by them.
ISO_DATE = "2026010100000000"


def run(*cmd, **kw):
    """Run a program quietly; its output is shown only when it fails."""
    env = dict(os.environ, SOURCE_DATE_EPOCH=str(EPOCH), TZ="UTC")
    done = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, **kw)
    if done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        raise SystemExit(f"media: {os.path.basename(cmd[0])} failed")


def write(path, data):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as f:
        f.write(data.encode() if isinstance(data, str) else data)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def date_tree(top):
    """Give every file below `top` the fixed date."""
    for folder, dirs, files in os.walk(top):
        for name in dirs + files:
            os.utime(os.path.join(folder, name), (EPOCH, EPOCH), follow_symlinks=False)


# GRUB

def grub_images(out):
    """Build the GRUB core images once: CD (BIOS), hard disk (BIOS), EFI."""
    os.makedirs(out, exist_ok=True)

    def image(fmt, name, early, modules):
        cfg = os.path.join(out, name + ".cfg")
        write(cfg, early)
        run("grub-mkimage", "-O", fmt, "-o", os.path.join(out, name), "-c", cfg, "-p", "/boot/grub", *modules)

    uuid = "-".join([ISO_DATE[0:4]] + [ISO_DATE[i:i + 2] for i in range(4, 16, 2)])
    iso = f"search --no-floppy --fs-uuid --set=root {uuid}\nset prefix=($root)/boot/grub\n"
    image("i386-pc", "cd.core", iso, GRUB_COMMON + GRUB_PC)
    write(os.path.join(out, "eltorito.img"), read(f"{GRUB}/i386-pc/cdboot.img") + read(os.path.join(out, "cd.core")))
    image("i386-pc", "disk.core", "set root=hd0,msdos1\nset prefix=($root)/boot/grub\n", GRUB_COMMON + GRUB_PC)
    # The medium GRUB was started from, as the firmware names it; on a CD that is the CD, which holds the files as well.
    efi = ("regexp --set=1:dev '^\\(([^)]*)\\)' \"$cmdpath\"\n"
           "search --no-floppy --file --set=root --hint=$dev /boot/grub/grub.cfg\nset prefix=($root)/boot/grub\n")
    image("x86_64-efi", "bootx64.efi", efi, GRUB_COMMON + GRUB_EFI)


def quote(word):
    """A command-line word for GRUB: as it is, or in single quotes (GRUB itself then hands it on in double quotes)."""
    safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@%+"
    return word if word and all(c in safe for c in word) else "'" + word.replace("'", "'\\''") + "'"


# FAT

def fat_image(path, size, files, offset=0, label="BITVISOR", serial=0x26010101):
    """A FAT file system of `size` bytes at `offset` of the file `path`; files: name in it -> path or bytes."""
    with tempfile.TemporaryDirectory() as tmp:
        part = os.path.join(tmp, "fat")
        with open(part, "wb") as f:
            f.truncate(size)
        run("mkfs.vfat", "--invariant", "-i", f"{serial:08x}", "-n", label, "-h", str(offset // SECTOR), part)
        tree = os.path.join(tmp, "tree")
        for name, src in sorted(files.items()):
            dst = os.path.join(tree, name)
            os.makedirs(os.path.dirname(dst), exist_ok=True)
            write(dst, src) if isinstance(src, bytes) else shutil.copyfile(src, dst)
        date_tree(tree)
        run("mcopy", "-s", "-m", "-i", part, *[os.path.join(tree, n) for n in sorted(os.listdir(tree))], "::/")
        with open(path, "r+b" if os.path.exists(path) else "w+b") as out, open(part, "rb") as src:
            pos = 0
            while chunk := src.read(MIB):
                if any(chunk):
                    out.seek(offset + pos)
                    out.write(chunk)
                pos += len(chunk)
            out.seek(0, os.SEEK_END)
            if out.tell() < offset + size:
                out.truncate(offset + size)


# The VMM's ISO

def iso_menu(words, timeout, serial=False):
    """GRUB's menu for BIOS machines: the VMM with command-line words `words`, and a way round it."""
    words = " ".join(quote(w) for w in words)
    console = "serial --unit=0 --speed=115200\nterminal_output console serial\n" if serial else ""
    return f"""{console}set timeout={timeout}
set gfxpayload=text
menuentry 'BitVisor' {{
\tif [ "$grub_platform" = efi ]; then
\t\techo 'This medium was made without loadvmm.efi: it starts BIOS machines only.'
\t\tsleep 10
\t\texit
\tfi
\tmultiboot /boot/bitvisor.elf {words}
\tmodule /boot/bitvisor.conf bitvisor.conf
\tboot
}}
menuentry 'Start without BitVisor' {{
\tif [ "$grub_platform" = efi ]; then exit; fi
\tsearch --no-floppy --file --set=medium /boot/bitvisor.elf
\tfor disk in hd0 hd1; do
\t\tif [ "$medium" != "$disk" ]; then set root=$disk; chainloader +1; boot; fi
\tdone
}}
"""


def make_iso(out, grub, elf, conf, loadvmm=None, words=(), timeout=3, serial=False, extra=None):
    """A hybrid ISO: CD or USB stick, BIOS or UEFI. extra: further files, name -> path or bytes."""
    have_efi = bool(loadvmm and os.path.exists(loadvmm))
    with tempfile.TemporaryDirectory() as tmp:
        tree = os.path.join(tmp, "tree")
        menu = iso_menu(words, timeout, serial).encode()
        files = {"boot/bitvisor.elf": elf, "boot/bitvisor.conf": conf, "boot/grub/grub.cfg": menu,
                 "boot/grub/eltorito.img": os.path.join(grub, "eltorito.img")}
        # UEFI starts loadvmm.efi itself, not GRUB: firmware gives GRUB no handle of the FAT file system on a CD that it could
        # hand on, and takes GRUB's exit as the end of its search for something to boot.
        if have_efi:
            esp = {"EFI/BOOT/BOOTX64.EFI": loadvmm, "EFI/BOOT/bitvisor.elf": elf, "EFI/BOOT/bitvisor.conf": conf}
            # For copying to a machine's own EFI system partition.
            files |= {"EFI/bitvisor/loadvmm.efi": loadvmm, "EFI/bitvisor/bitvisor.elf": elf, "EFI/bitvisor/bitvisor.conf": conf}
        else:
            esp = {"EFI/BOOT/BOOTX64.EFI": os.path.join(grub, "bootx64.efi"), "boot/grub/grub.cfg": menu}
        files |= extra or {}
        for name, src in files.items():
            dst = os.path.join(tree, name)
            os.makedirs(os.path.dirname(dst), exist_ok=True)
            write(dst, src) if isinstance(src, bytes) else shutil.copyfile(src, dst)
        size = sum(len(s) if isinstance(s, bytes) else os.path.getsize(s) for s in esp.values())
        efi = os.path.join(tmp, "efi.img")
        fat_image(efi, (size // MIB + 2) * MIB, esp)
        os.utime(efi, (EPOCH, EPOCH))
        date_tree(tree)
        part = out + ".part"
        if os.path.exists(part):
            os.remove(part)
        run("xorriso", "-as", "mkisofs", "-quiet", "-r", "-V", "BITVISOR", f"--modification-date={ISO_DATE}",
            "--set_all_file_dates", ISO_DATE, "-b", "boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4",
            "-boot-info-table", "--grub2-boot-info", "--grub2-mbr", f"{GRUB}/i386-pc/boot_hybrid.img",
            "--protective-msdos-label", "-append_partition", "2", "0xef", efi, "-eltorito-alt-boot",
            "-e", "--interval:appended_partition_2:all::", "-no-emul-boot", "-o", part, tree)
        os.replace(part, out)


# The guest's disk

BUSYBOX = "/bin/busybox"
NO_LINKS = ("bin/busybox", "sbin/modprobe")  # init makes the second one
GUEST_FILES = {"init": "init", "inittab": "etc/inittab", "fstab": "etc/fstab", "profile": "etc/profile", "udhcpc.script": "etc/udhcpc.script"}


def initramfs(kernel, kexec, out):
    """busybox, the modules of `kernel`, the program `kexec`, and our scripts as a gzipped cpio archive."""
    guest = os.path.join(HERE, "guest")
    with tempfile.TemporaryDirectory() as tmp:
        for folder in ("bin", "sbin", "usr/bin", "usr/sbin", "etc", "dev", "proc", "sys", "run", "tmp", "mnt", "root"):
            os.makedirs(os.path.join(tmp, folder))
        shutil.copy(BUSYBOX, os.path.join(tmp, "bin/busybox"))
        for path in subprocess.run([BUSYBOX, "--list-full"], stdout=subprocess.PIPE, text=True, check=True).stdout.split():
            if path not in NO_LINKS:
                os.symlink(os.path.relpath("bin/busybox", os.path.dirname(path)), os.path.join(tmp, path))
        for name, path in GUEST_FILES.items():
            shutil.copy(os.path.join(guest, name), os.path.join(tmp, path))
        shutil.copytree(os.path.join(guest, "checklist"), os.path.join(tmp, "checklist"))
        shutil.copytree(os.path.join(kernel, "lib"), os.path.join(tmp, "lib"), dirs_exist_ok=True)
        shutil.copy(kexec, os.path.join(tmp, "sbin/kexec"))
        date_tree(tmp)
        names = sorted(os.path.relpath(os.path.join(d, n), tmp) for d, ds, fs in os.walk(tmp) for n in ds + fs)
        cpio = subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--reproducible", "--quiet"],
                              input="\n".join(names).encode(), stdout=subprocess.PIPE, cwd=tmp, check=True)
        gz = subprocess.run(["gzip", "-n", "-6"], input=cpio.stdout, stdout=subprocess.PIPE, check=True)
    write(out, gz.stdout)


GUEST_ARGS = "console=tty0 console=ttyS0,115200 net.ifnames=0"
FAT_MIB = 64       # the partition, from 1 MiB on
PATTERN_MIB = 4    # behind it: bytes that tests read back
GUEST_MIB = 1 + FAT_MIB + PATTERN_MIB + 1


def guest_menu(args):
    """The guest disk's GRUB menu; `args` is the kernel's command line. Not on the serial line: GRUB reads its clock, which is
    a CPUID, for each character that it waits to send."""
    return f"""set timeout=0
set gfxpayload=text
menuentry 'Guest Linux' {{
\tlinux /vmlinuz {args}
\tinitrd /initrd.gz
}}
"""


def pattern(size):
    """Bytes that look random and are always the same."""
    blocks = (hashlib.sha256(b"bitvisor guest %d" % i).digest() for i in range(size // 32))
    return b"".join(blocks)


def make_guest(out, grub, kernel, kexec):
    """A disk with MBR and one FAT32 EFI system partition: starts on BIOS (GRUB in the gap) and on UEFI."""
    initrd = os.path.join(os.path.dirname(out) or ".", os.path.basename(out) + ".initrd")
    initramfs(kernel, kexec, initrd)
    part = out + ".part"
    data = pattern(PATTERN_MIB * MIB)
    note = f"{hashlib.sha256(data).hexdigest()} {1 + FAT_MIB} {PATTERN_MIB}\n"
    mbr = bytearray(read(f"{GRUB}/i386-pc/boot.img"))
    core = read(os.path.join(grub, "disk.core"))
    if len(core) > MIB - SECTOR:
        raise SystemExit("media: GRUB's core image does not fit before the partition")
    # boot.img: sector of the core image at 0x5c (1 as delivered); two NOPs at 0x66 keep the drive number the BIOS gave.
    mbr[440:446] = struct.pack("<IH", 0x26010102, 0)
    mbr[446:462] = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0xEF, b"\xfe\xff\xff", MIB // SECTOR, FAT_MIB * MIB // SECTOR)
    mbr[462:510] = bytes(48)
    with open(part, "wb") as f:
        f.write(mbr)
        f.seek(SECTOR)
        f.write(core)
        f.seek((1 + FAT_MIB) * MIB)
        f.write(data)
        f.truncate(GUEST_MIB * MIB)
    fat_image(part, FAT_MIB * MIB, {
        "EFI/BOOT/BOOTX64.EFI": os.path.join(grub, "bootx64.efi"), "boot/grub/grub.cfg": guest_menu(GUEST_ARGS).encode(),
        "vmlinuz": os.path.join(kernel, "vmlinuz"), "initrd.gz": initrd, "pattern.txt": note.encode(),
        "guest.id": b"test guest\n"}, offset=MIB, label="GUEST", serial=0x26010102)
    os.remove(initrd)
    os.replace(part, out)


def copy_guest(image, out, args=None):
    """A private copy of a guest disk (holes stay holes); args: another kernel command line."""
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, out], check=True)
    if args is not None:
        with tempfile.TemporaryDirectory() as tmp:
            cfg = os.path.join(tmp, "grub.cfg")
            write(cfg, guest_menu(args))
            run("mcopy", "-o", "-i", f"{out}@@1M", cfg, "::/boot/grub/grub.cfg")


def main():
    top = argparse.ArgumentParser(description=__doc__)
    sub = top.add_subparsers(dest="what", required=True)
    p = sub.add_parser("grub")
    p.add_argument("out")
    p = sub.add_parser("iso")
    p.add_argument("out")
    p.add_argument("--grub", required=True)
    p.add_argument("--elf", required=True)
    p.add_argument("--conf", required=True)
    p.add_argument("--loadvmm")
    p.add_argument("words", nargs="*", help="command-line words of the VMM")
    p = sub.add_parser("guest")
    p.add_argument("out")
    p.add_argument("--grub", required=True)
    p.add_argument("--kernel", required=True)
    p.add_argument("--kexec", required=True)
    a = top.parse_args()
    if a.what == "grub":
        grub_images(a.out)
    elif a.what == "iso":
        make_iso(a.out, a.grub, a.elf, a.conf, a.loadvmm, a.words)
    else:
        make_guest(a.out, a.grub, a.kernel, a.kexec)


if __name__ == "__main__":
    main()
