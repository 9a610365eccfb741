#!/usr/bin/python3
"""Boot a guest under the VMM (or bare) in QEMU or Bochs; `make run` calls this, and the system tests build on it."""
# SPDX-License-Identifier: BSD-3-Clause

import argparse
import dataclasses
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import tty

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "boot", "media"))
import media  # noqa: E402

BUILD = os.path.join(TOP, "build")
PRODUCT = "bitvisor"
# The image that machines run where nothing else is asked for. A whole run of the tests may put another of build/ in the product's place.
IMAGE = os.environ.get("BITVISOR_IMAGE") or PRODUCT
ELF = os.path.join(BUILD, IMAGE + ".elf")
OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"
FIRMWARES = ("bios", "uefi-bootopt", "uefi-shell", "uefi-iso")
ESCAPE = b"\x01"  # Ctrl-A, then x: ends the machine
# An emulator ends with whoever started it (more exactly, with the thread that did), whatever ends that.
ENDS_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]


@dataclasses.dataclass
class Options:
    """One machine, one boot. Paths are of this host."""

    emu: str = "qemu"           # qemu (AMD-V), bochs (VT-x)
    fw: str = "bios"            # one of FIRMWARES: how the VMM gets in
    cpus: int = 1
    mem: int = 1024             # MiB
    machine: str = ""           # QEMU's -M; default pc for BIOS, q35 for UEFI
    cpu: str = ""               # the emulator's CPU model
    bare: bool = False          # without the VMM, on the same machine
    vmm_as: str = "cd"          # medium that carries the VMM: cd, usb-disk
    elf: str = ELF
    loadvmm: str = os.path.join(BUILD, "loadvmm.efi")
    conf: str = os.path.join(TOP, "bitvisor.conf")
    words: tuple = ()           # configuration, key=value, beyond the file
    vmm_serial: str = "com2"    # where the VMM logs; "" leaves it to the configuration
    guest: str = ""             # disk image; default: the test guest with `kernel`
    kernel: str = "6.1"
    kernel_args: str = ""       # command line of the test guest's kernel; "" = as in the image; a leading + adds
    disk: str = "ide"           # how the guest's disk is attached: ide (AHCI on q35), cd, nvme, virtio, usb
    snapshot: bool = True       # forget what the guest writes
    net: str = "e1000"          # network card model, or none
    icount: int | None = None   # QEMU: an instruction lasts 2^icount nanoseconds, runs repeat exactly
    threads: str = "single"     # QEMU: single, or multi (a host thread per CPU: guests see stalls on a loaded host)
    reboot: bool = True         # False: the emulator ends when the guest resets the machine
    extra: tuple = ()           # further arguments of the emulator (QEMU), or lines of bochsrc (Bochs)
    debugger: str = "c\n"       # Bochs: what its debugger is told
    out: str = os.path.join(BUILD, "run")

    @property
    def uefi(self):
        return self.fw.startswith("uefi")

    @property
    def vmm_log(self):
        return os.path.join(self.out, "vmm.log")


class UsageError(Exception):
    """What the user asked for cannot be done; the text says why."""


# Media

def configuration(o):
    """bitvisor.conf of this run: the file, then what the run adds (later lines win)."""
    text = ""
    if o.conf and os.path.exists(o.conf):
        with open(o.conf, encoding="utf-8") as f:
            text = f.read()
    elif o.conf and o.conf != Options.conf:
        raise UsageError(f"{o.conf}: no such file")
    added = [f"vmm.serial={o.vmm_serial}"] if o.vmm_serial else []
    if o.uefi:
        added += o.words  # loadvmm.efi has no command line as a boot option
    return (text.rstrip("\n") + "\n" + "".join(f"{w}\n" for w in added)).encode()


# The firmware has connected only what it boots from: find the guest's disk first.
SHELL_SCRIPT = """@echo -off
connect -r
map -r
for %i in 0 1 2 3 4 5 6 7
  if exist fs%i:\\EFI\\bitvisor\\loadvmm.efi then
    fs%i:\\EFI\\bitvisor\\loadvmm.efi
  endif
endfor
for %i in 0 1 2 3 4 5 6 7
  if exist fs%i:\\EFI\\BOOT\\BOOTX64.EFI then
    fs%i:\\EFI\\BOOT\\BOOTX64.EFI
  endif
endfor
"""


def vmm_medium(o):
    """Write the medium that carries the VMM; returns (path, whether it is an ISO)."""
    if o.bare:
        path = os.path.join(o.out, "vmm-none.img")
        media.write(path, bytes(media.MIB))
        return path, o.fw in ("bios", "uefi-iso")
    if not os.path.exists(o.elf):
        raise UsageError(f"{o.elf} is not there: run `make` first, or use --bare")
    if o.uefi and not os.path.exists(o.loadvmm):
        raise UsageError(f"{o.loadvmm} is not there: run `make` first, or use --bare")
    conf = configuration(o)
    if o.fw in ("bios", "uefi-iso"):
        path = os.path.join(o.out, "vmm.iso")
        grub = os.path.join(BUILD, "media", "grub")
        media.make_iso(path, grub, o.elf, conf, o.loadvmm if o.uefi else None, o.words if not o.uefi else (), timeout=0,
                       serial=o.emu == "qemu")
        return path, True
    files = {"bitvisor.elf": o.elf, "bitvisor.conf": conf}
    if o.fw == "uefi-shell":
        files = {f"EFI/bitvisor/{n}": s for n, s in (files | {"loadvmm.efi": o.loadvmm}).items()}
        files["startup.nsh"] = SHELL_SCRIPT.replace("\n", "\r\n").encode()
    else:
        files = {f"EFI/BOOT/{n}": s for n, s in (files | {"BOOTX64.EFI": o.loadvmm}).items()}
    path = os.path.join(o.out, "vmm.img")
    if os.path.exists(path):
        os.remove(path)
    size = 4 + sum(len(s) if isinstance(s, bytes) else os.path.getsize(s) for s in files.values()) // media.MIB
    media.fat_image(path, size * media.MIB, files)
    return path, False


def guest_disk(o):
    """The guest's disk: (path, format, whether writes are forgotten)."""
    path = o.guest or os.path.join(BUILD, f"guest-{o.kernel}.img")
    if not os.path.exists(path):
        raise UsageError(f"{path} is not there" + ("" if o.guest else ": run `make guests` first"))
    if o.kernel_args:
        if o.guest:
            raise UsageError("a kernel command line can be given only for the test guest")
        args = f"{media.GUEST_ARGS} {o.kernel_args[1:]}" if o.kernel_args[0] == "+" else o.kernel_args
        copy = os.path.join(o.out, "guest.img")
        media.copy_guest(path, copy, args)
        path = copy
    with open(path, "rb") as f:
        fmt = "qcow2" if f.read(4) == b"QFI\xfb" else "raw"
    return path, fmt, o.snapshot


# QEMU

def qemu_disk(o, name, path, fmt, how, snapshot, order, cdrom=False):
    """Arguments that attach one medium; order: bootindex or None."""
    ahci = o.machine_type == "q35"
    drive = f"if=none,id={name},file={path.replace(',', ',,')},format={fmt}" + (",snapshot=on" if snapshot else "")
    if cdrom or how == "cd":
        drive += ",media=cdrom"
    slot = {"guest": "ide.0", "vmm": "ide.1"}[name]
    device = {"ide": f"ide-{'cd' if cdrom else 'hd'},bus={slot}" + ("" if ahci else ",unit=0"),
              "cd": f"ide-cd,bus={slot}" + ("" if ahci else ",unit=0"),
              "nvme": f"nvme,serial={name}", "virtio": "virtio-blk-pci",
              "usb": "usb-storage,bus=usb.0,removable=on"}[how] + f",drive={name}"
    args = ["-drive", drive, "-device", device + (f",bootindex={order}" if order is not None else "")]
    return args


def qemu_args(o, console):
    """QEMU's command line. console: arguments that make the character device `con`."""
    uefi = o.uefi
    o.machine_type = o.machine or ("q35" if uefi else "pc")
    args = ["qemu-system-x86_64", "-accel", f"tcg,thread={o.threads}", "-cpu", o.cpu or "EPYC,+svm,+npt,-hypervisor",
            "-M", f"{o.machine_type},smm=off", "-m", str(o.mem), "-smp", str(o.cpus), "-nodefaults", "-no-user-config",
            "-vga", "std", "-display", "none", *console, "-serial", "chardev:con", "-serial", f"file:{o.vmm_log}"]
    if not o.reboot:
        args += ["-no-reboot"]
    if o.icount is not None:
        args += ["-icount", f"shift={o.icount},sleep=off", "-seed", "1", "-rtc", "base=2020-01-01,clock=vm"]
    if uefi:
        variables = os.path.join(o.out, "vars.fd")
        media.write(variables, media.read(OVMF_VARS))
        args += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF_CODE}",
                 "-drive", f"if=pflash,format=raw,file={variables}"]

    if o.vmm_as == "usb-disk" or o.disk == "usb":
        args += ["-device", "qemu-xhci,id=usb"]
    path, iso = vmm_medium(o)
    how = "usb" if o.vmm_as == "usb-disk" else "ide"
    # The shell is what OVMF starts when no disk in its boot order can be started: the guest's disk is not in it then.
    shell = o.fw == "uefi-shell" and not o.bare
    args += qemu_disk(o, "vmm", path, "raw", how, o.vmm_as == "usb-disk", None if o.bare else 0, cdrom=iso and how == "ide")
    path, fmt, snapshot = guest_disk(o)
    args += qemu_disk(o, "guest", path, fmt, o.disk, snapshot, None if shell else 1)
    if o.net != "none":
        args += ["-netdev", "user,id=net0", "-device", f"{o.net},netdev=net0,mac=52:54:00:12:34:56,romfile="]
    return args + list(o.extra)


# Bochs

def bochs_rc(o, com1):
    """Write bochsrc and the debugger's start commands; returns the command line. com1: a terminal, or a file."""
    path, iso = vmm_medium(o)
    disk, fmt, snapshot = guest_disk(o)
    if fmt != "raw":
        raise UsageError("Bochs takes raw images only")
    if o.vmm_as != "cd" or o.fw == "uefi-iso":
        raise UsageError("Bochs takes the VMM from a CD (BIOS) or from a FAT disk (UEFI)")
    lines = ["display_library: term", f"megs: {o.mem}",
             f"cpu: model={o.cpu or 'corei7_haswell_4770'}, count=1:{o.cpus}:1, ips=50000000, reset_on_triple_fault=0, "
             "ignore_bad_msrs=1", "clock: sync=none, time0=1600000000, rtc_sync=0",
             "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14", "ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15",
             f"ata0-master: type=disk, path={disk}, mode={'volatile' if snapshot else 'flat'}",
             f"ata1-master: type={'cdrom' if iso else 'disk, mode=flat'}, path={path}" + (", status=inserted" if iso else ""),
             f"boot: {'disk' if o.bare or not iso else 'cdrom, disk'}",
             f"com1: enabled=1, mode={'term' if com1.startswith('/dev/') else 'file'}, dev={com1}",
             f"com2: enabled=1, mode=file, dev={o.vmm_log}", f"log: {os.path.join(o.out, 'bochs.log')}",
             "panic: action=fatal", "error: action=report", "info: action=report", "debug: action=ignore"]
    if o.uefi:
        lines += ["romimage: file=/usr/share/ovmf/OVMF.fd, address=0x0, options=none", "vga: extension=none",
                  "pci: enabled=1, chipset=i440fx"]
    else:
        lines += ["romimage: file=/usr/share/bochs/BIOS-bochs-latest", "vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest"]
    rc = os.path.join(o.out, "bochsrc")
    media.write(rc, "\n".join(lines + list(o.extra)) + "\n")
    debugger = os.path.join(o.out, "bochs.debugger")
    media.write(debugger, o.debugger)
    return ["bochs", "-q", "-f", rc, "-rc", debugger]


def screen_of(argv, log, lines=40, columns=120):
    """Start a program that wants a terminal of its own, and keep what it draws in a file; what else it writes is beside that."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    env = dict(os.environ, TERM="linux")
    proc = subprocess.Popen(ENDS_WITH_US + argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=env,
                            cwd=os.path.dirname(log))
    os.close(slave)

    def drain(fd, path, watch):
        with open(path, "wb") as f:
            said = b""
            try:
                while data := os.read(fd, 65536):
                    f.write(data)
                    f.flush()
                    # Bochs draws on a terminal of its own making, and stands still when nobody reads that.
                    said = (said + data)[-65536:] if watch else b""
                    found = re.search(rb'connected to screen "(/dev/pts/[0-9]+)"', said)
                    if found:
                        watch = False
                        own = os.open(found[1].decode(), os.O_RDWR | os.O_NOCTTY)
                        tty.setraw(own)
                        threading.Thread(target=drain, args=(own, path + ".vga", False), daemon=True).start()
            except OSError:
                pass
            os.close(fd)

    threading.Thread(target=drain, args=(master, log, True), daemon=True).start()
    proc.keyboard = master
    return proc


# Starting and ending

def own(folder):
    """Make the folder this machine's; returns the open file that keeps it so. Two machines would write each other's disks and logs."""
    os.makedirs(folder, exist_ok=True)
    lock = open(os.path.join(folder, "lock"), "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise UsageError(f"{folder}: another machine runs with its files here (--out FOLDER gives this one its own)") from None
    return lock


def start(o):
    """Start the machine; returns (process, descriptor of the guest's console on COM1)."""
    program = {"qemu": "qemu-system-x86_64", "bochs": "bochs"}.get(o.emu)
    if not program or not shutil.which(program):
        raise UsageError(f"{program} is not there: run `make deps`" if program else f"no such emulator: {o.emu}")
    lock = own(o.out)
    media.write(o.vmm_log, b"")
    if o.emu == "qemu":
        ours, theirs = socket.socketpair()
        console, far = ours.detach(), theirs.detach()
        name = f"socket,id=con,fd={far}"
    else:
        console, far = pty.openpty()
        tty.setraw(far)
        name = os.ttyname(far)
    try:
        if o.emu == "qemu":
            argv = qemu_args(o, ["-chardev", name, "-monitor", "none"])
            note_command(o, argv)
            with open(os.path.join(o.out, "emulator.log"), "wb") as log:
                proc = subprocess.Popen(ENDS_WITH_US + argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                        pass_fds=[far])
            os.close(far)
        else:
            argv = bochs_rc(o, name)
            note_command(o, argv)
            proc = screen_of(argv, os.path.join(o.out, "screen.log"))
            proc.far = far  # stays open: no hang-up before Bochs opened it
    except (FileNotFoundError, UsageError):
        os.close(console)
        os.close(far)
        lock.close()
        raise
    proc.folder = lock
    return proc, console


def note_command(o, argv):
    media.write(os.path.join(o.out, "command"), " ".join(f"'{a}'" if set(a) & set(" '*?&;") else a for a in argv) + "\n")


def stop(proc, grace=3):
    """End an emulator by its process id."""
    if proc.poll() is None:
        proc.terminate()
        try:
            proc.wait(grace)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.wait()
    proc.folder.close()
    return proc.returncode


def relay(proc, console, keyboard, screen, deadline):
    """Guest console <-> terminal until the machine ends, Ctrl-A x, or the deadline; returns why."""
    escaped = False
    while True:
        if proc.poll() is not None and not select.select([console], [], [], 0)[0]:
            return "end"
        if deadline and time.monotonic() > deadline:
            return "timeout"
        ready = select.select([console] + ([keyboard] if keyboard is not None else []), [], [], 0.2)[0]
        if console in ready:
            try:
                data = os.read(console, 65536)
            except OSError:  # a terminal whose other side is gone
                data = b""
            if not data:
                proc.wait(10)
                return "end"
            screen(data)
        if keyboard in ready:
            data = os.read(keyboard, 4096)
            if not data:
                keyboard = None
                continue
            out = b""
            for byte in (data[i:i + 1] for i in range(len(data))):
                if escaped and byte in b"xX":
                    return "left"
                if byte == ESCAPE and not escaped:
                    escaped = True
                    continue
                out += byte
                escaped = False
            os.write(console, out)


def interact(o, timeout, headless):
    """The user-facing part: one boot, the guest's console in this terminal."""
    proc, console = start(o)
    log = open(os.path.join(o.out, "console.log"), "wb")
    print(f"run: {'bare, without the VMM' if o.bare else 'VMM log in ' + os.path.relpath(o.vmm_log)}; "
          f"guest console also in {os.path.relpath(log.name)}", flush=True)
    if not headless:
        print("run: `poweroff` in the guest or Ctrl-A x ends the machine", flush=True)

    def screen(data):
        log.write(data)
        log.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    keyboard = None if headless else sys.stdin.fileno()
    saved = termios.tcgetattr(keyboard) if keyboard is not None and os.isatty(keyboard) else None
    try:
        if saved:
            tty.setraw(keyboard)
        why = relay(proc, console, keyboard, screen, time.monotonic() + timeout if timeout else None)
    except KeyboardInterrupt:
        why = "left"
    finally:
        if saved:
            termios.tcsetattr(keyboard, termios.TCSADRAIN, saved)
        code = proc.returncode if proc.poll() is not None else None
        stop(proc)
    print()
    if why == "timeout":
        print(f"run: ended after {timeout} s")
        return 124
    if why == "end" and code:
        with open(os.path.join(o.out, "emulator.log"), encoding="utf-8", errors="replace") as f:
            errors = [line for line in f if "warning:" not in line]
        print(f"run: the emulator ended with status {code}\n" + "".join(errors[-5:]), end="")
        return 1
    return 0


def parse(argv):
    d = Options()
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--emu", choices=("qemu", "bochs"), default=d.emu, help="qemu has AMD-V, bochs VT-x")
    p.add_argument("--fw", choices=("uefi",) + FIRMWARES, default=d.fw, help="uefi is uefi-bootopt")
    p.add_argument("--cpus", type=int, default=d.cpus)
    p.add_argument("--mem", type=int, default=0, help="MiB; default 1024, under Bochs 512")
    p.add_argument("--machine", default=d.machine, help="QEMU's -M: pc, q35")
    p.add_argument("--cpu", default=d.cpu, help="CPU model of the emulator")
    p.add_argument("--bare", action="store_true", help="without the VMM")
    p.add_argument("--vmm-as", choices=("cd", "usb-disk"), default=d.vmm_as)
    p.add_argument("--elf", default=d.elf)
    p.add_argument("--loadvmm", default=d.loadvmm)
    p.add_argument("--conf", default=d.conf, help="configuration file of the VMM")
    p.add_argument("--word", action="append", default=[], metavar="KEY=VALUE", help="configuration beyond the file")
    p.add_argument("--vmm-serial", default=d.vmm_serial)
    p.add_argument("--guest", default=d.guest, help="disk image; default: the test guest")
    p.add_argument("--kernel", choices=("6.1", "6.12"), default=d.kernel, help="kernel of the test guest")
    p.add_argument("--kernel-args", default=d.kernel_args, help="its command line; +WORDS adds to the usual one")
    p.add_argument("--disk", choices=("ide", "cd", "nvme", "virtio", "usb"), default=d.disk)
    p.add_argument("--keep", action="store_true", help="keep what the guest writes (default for --guest)")
    p.add_argument("--net", default=d.net, help="network card model of QEMU, or none")
    p.add_argument("--threads", choices=("single", "multi"), default=d.threads, help="of QEMU, for several CPUs")
    p.add_argument("--icount", type=int, nargs="?", const=0, metavar="N", help="deterministic: an instruction lasts 2^N nanoseconds, N = 0 unless told")
    p.add_argument("--no-reboot", action="store_true", help="end when the guest resets the machine")
    p.add_argument("--out", default=d.out, help="folder for logs and media of this run")
    p.add_argument("--headless", action="store_true", help="no keyboard")
    p.add_argument("--timeout", type=float, default=0, help="seconds until the machine is ended")
    p.add_argument("extra", nargs="*", help="after --: further arguments of QEMU, or lines of bochsrc")
    a = p.parse_args(argv)
    o = Options(emu=a.emu, fw="uefi-bootopt" if a.fw == "uefi" else a.fw, cpus=a.cpus,
                mem=a.mem or (1024 if a.emu == "qemu" else 512), machine=a.machine, cpu=a.cpu, bare=a.bare, vmm_as=a.vmm_as,
                elf=a.elf, loadvmm=a.loadvmm, conf=a.conf, words=tuple(a.word), vmm_serial=a.vmm_serial, guest=a.guest,
                kernel=a.kernel, kernel_args=a.kernel_args, disk=a.disk, snapshot=not (a.keep or a.guest), net=a.net,
                icount=a.icount, threads=a.threads, reboot=not a.no_reboot, extra=tuple(a.extra), out=os.path.abspath(a.out))
    return o, a


def main(argv=None):
    o, a = parse(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return interact(o, a.timeout, a.headless)
    except (UsageError, FileNotFoundError) as e:
        print(f"run: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
