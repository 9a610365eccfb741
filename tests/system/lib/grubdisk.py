"""A guest disk with GRUB alone: its command line on the serial port, and what it can start."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import re
import struct

from lib.machine import run

media = run.media
MARK = "disk of the GRUB guest"
MODULES = """biosdisk part_msdos fat iso9660 normal serial terminal terminfo ls lsmmap cat echo test boot halt reboot linux linux16
    multiboot multiboot2 minicmd search search_fs_file memrw setpci""".split()
EARLY = """serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
terminfo serial dumb
"""
FAT_MIB = 16


def make(folder, files=None, early=EARLY):
    """Write grub.img in `folder`: an MBR disk with one FAT partition; files: name -> path or bytes. Returns its path."""
    os.makedirs(folder, exist_ok=True)
    cfg, core, out = (os.path.join(folder, n) for n in ("early.cfg", "grub.core", "grub.img"))
    media.write(cfg, early)
    media.run("grub-mkimage", "-O", "i386-pc", "-o", core, "-c", cfg, "-p", "(hd0,msdos1)/none", *MODULES)
    mbr = bytearray(media.read(f"{media.GRUB}/i386-pc/boot.img"))
    mbr[440:446] = struct.pack("<IH", 0x26010103, 0)
    mbr[446:462] = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x0C, b"\xfe\xff\xff", 2048, FAT_MIB * 2048)
    mbr[462:510] = bytes(48)
    image = media.read(core)
    assert len(image) < media.MIB - media.SECTOR
    media.write(out, bytes(mbr) + image)
    media.fat_image(out, FAT_MIB * media.MIB, {"mark.txt": MARK.encode() + b"\n"} | (files or {}), offset=media.MIB, label="GRUB",
                    serial=0x26010103)
    return out


class Grub:
    """GRUB's command line on a machine's serial console."""

    def __init__(self, machine, timeout=90):
        self.machine = machine
        machine.expect(r"grub> $", timeout)

    def command(self, line, timeout=30):
        """Run a command; returns its output."""
        self.start(line)
        return self.machine.expect(r"(.*?)\r?\n?grub> $", timeout)[1].replace("\r", "").strip("\n")

    def start(self, line):
        """Type a command that does not come back, and wait for its echo."""
        self.machine.send(line + "\r")
        self.machine.expect(re.escape(line) + r"[\r\n]+", 30)
