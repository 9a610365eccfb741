"""The IOMMU: devices cannot reach the VMM's memory, all else works, and the guest finds no IOMMU."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import re
import struct
import tempfile
import time

import pytest

from lib import checks, debugimage, grubdisk, guestprogram, monitor
from lib.edu import ARGUMENTS, DEVICE, KERNEL_ARGS, SCRATCH, SLOT, Edu
from lib.machine import Machine

PATTERN = 0x0123456789ABCDEF
ONES = (1 << 64) - 1
ECAM = 0xB0000000  # of QEMU's q35
# By device of QEMU: the units' name, where its registers lie, and one of them that switches it off when 0 is written.
# QEMU 7.2's amd-iommu blocks, and writes no event log (Documentation/emulators.md).
TELLS = {"VT-d": True, "AMD-Vi": False}
UNITS = {"intel-iommu": ("VT-d", 0xFED90000, 0xFED90018), "amd-iommu": ("AMD-Vi", 0xFED80000, 0xFED80018)}
MACHINES = [
    ("intel-iommu", {"fw": "bios", "cpus": 2, "disk": "nvme", "net": "e1000e"}),
    ("amd-iommu", {"fw": "bios", "cpus": 1}),
    ("intel-iommu", {"fw": "uefi-bootopt", "cpus": 1, "net": "virtio-net-pci"}),
    ("amd-iommu", {"fw": "uefi-bootopt", "cpus": 2, "disk": "nvme", "net": "e1000e"}),
]


class Iommu:
    """A booted machine with a unit and an `edu`."""

    def __init__(self, m, device, folder, edu=None):
        self.m, self.folder = m, folder
        self.name, self.base, self.switch = UNITS[device]
        self.region = int(re.search(r"VMM at (0x[0-9a-f]+)", m.vmm_log())[1], 16)
        self.edu = edu or Edu(m)

    def vmm_code(self):
        """The VMM's code and constants, as they are in the machine's memory."""
        path = os.path.join(self.folder, "memory")
        monitor.command(os.path.join(self.folder, "monitor"), f"pmemsave {self.region:#x} 0x60000 \"{path}\"")
        with open(path, "rb") as f:
            return f.read()

    def faults(self, address):
        """Lines of the VMM's log that tell of the device's accesses to this page."""
        page = f"{address >> 12:x}"
        return re.findall(rf"{self.name} at {self.base:#x}: {DEVICE} must not (?:read|write) 0x{page}[0-9a-f]{{3}} ", self.m.vmm_log())

    def told(self, address, before=0):
        """There are more lines than `before` about the page; nothing to see where the emulator tells nothing."""
        for _ in range(20):
            if not TELLS[self.name] or len(self.faults(address)) > before:
                return
            time.sleep(0.1)
        raise AssertionError(f"no fault for {address:#x}:\n{self.m.vmm_log()}")

    def blocked(self, address):
        """Let the device write there; the log tells of it."""
        before = len(self.faults(address))
        self.edu.write(SCRATCH, PATTERN)
        self.edu.load(SCRATCH)
        self.edu.store(address)
        self.told(address, before)


@pytest.fixture(scope="module")
def poke():
    return guestprogram.build("poke")


@pytest.fixture(scope="module", params=MACHINES, ids=lambda p: f"{p[0]}-{p[1]['fw']}")
def iommu(request):
    device, options = request.param
    with tempfile.TemporaryDirectory() as folder:
        extra = ("-device", device, *ARGUMENTS, *monitor.arguments(os.path.join(folder, "monitor")))
        with Machine(f"iommu-{device}-{options['fw']}", machine="q35", kernel_args=KERNEL_ARGS + " iomem=relaxed", extra=extra, **options) as m:
            m.boot()
            yield Iommu(m, device, folder)


def test_told(iommu):
    """The start says that DMA is confined, and by which unit."""
    assert f"DMA is confined by {iommu.name} ({iommu.base:#x}): devices cannot reach the VMM's memory" in iommu.m.vmm_log()
    assert "DMA is not confined" not in iommu.m.vmm_log()


def test_devices_work(iommu):
    """Disk, network and a device's DMA to the guest's memory are as without a unit."""
    checks.disk_reads_back(iommu.m)
    checks.disk_writes(iommu.m)
    checks.network_address(iommu.m)
    checks.network_transfer(iommu.m)
    for i in range(8):
        iommu.edu.write(SCRATCH + 8 * i, PATTERN + i)
    iommu.edu.load(SCRATCH)
    iommu.edu.store(SCRATCH + 0x10000)
    assert [iommu.edu.read(SCRATCH + 0x10000 + 8 * i) for i in range(8)] == [PATTERN + i for i in range(8)]


def test_write_blocked(iommu):
    """DMA does not change the VMM's memory, at its start and its end."""
    code = iommu.vmm_code()
    assert code[:8] == b"VIMBV001"  # so this is where the image lies
    iommu.blocked(iommu.region)
    iommu.blocked(iommu.region + 0x3000)
    iommu.blocked(iommu.region + 0xFFF000)
    assert iommu.vmm_code() == code


def test_read_blocked(iommu):
    """DMA brings nothing of the VMM's memory: neither what is there nor anything derived from it."""
    code = iommu.vmm_code()
    iommu.edu.write(SCRATCH, PATTERN)
    iommu.edu.load(SCRATCH)
    iommu.edu.load(iommu.region)
    iommu.edu.store(SCRATCH + 0x20000)
    got = iommu.edu.read(SCRATCH + 0x20000)
    assert got in (PATTERN, 0, ONES) and got != int.from_bytes(code[:8], "little")
    iommu.told(iommu.region)


def test_borders(iommu):
    """What lies directly beside the VMM's memory is the guest's, for devices as well."""
    iommu.edu.load(iommu.region - 4096)
    iommu.edu.load(iommu.region + (16 << 20))
    assert not iommu.faults(iommu.region - 4096) and not iommu.faults(iommu.region + (16 << 20))


def test_unit_is_absent(iommu):
    """The guest finds no table of units, and ones where their registers are."""
    tables = iommu.m.run("ls /sys/firmware/acpi/tables").split()
    assert "APIC" in tables and "DMAR" not in tables and "IVRS" not in tables
    for offset in (0, 8, 0x18, 0x20, 0x30):
        assert iommu.edu.read(iommu.base + offset) == ONES


def test_function_is_absent(iommu, poke):
    """A unit that is a PCI function is none for the guest, by ports and by memory; what else the machine has is there."""
    listed = monitor.command(os.path.join(iommu.folder, "monitor"), "info pci")
    there = {"0000:%02x:%02x.%d" % tuple(map(int, n)) for n in re.findall(r"Bus +(\d+), device +(\d+), function +(\d+):", listed)}
    assert len(there) > 4
    hidden = there - set(iommu.m.run("ls /sys/bus/pci/devices").split())
    assert len(hidden) == (iommu.name == "AMD-Vi")
    guestprogram.install(iommu.m, "poke", poke)
    for slot in hidden:
        device, function = int(slot[8:10], 16), int(slot[11])
        port, page = 0x80000000 | device << 11 | function << 8, ECAM + (device << 15) + (function << 12)
        for offset in 0, 4, 8, 0x34, 0x40:
            words = f"o4:cf8:{port | offset:x} o4:cfc:0 i4:cfc w4:{page + offset:x}:0 r4:{page + offset:x}"
            assert iommu.m.run(f"/tmp/poke {words}").split() == ["ffffffff"] * 2
        assert iommu.m.run(f"/tmp/poke o4:cf8:80000000 i4:cfc r4:{ECAM:x}").split() == ["29c08086"] * 2


def test_unit_cannot_be_changed(iommu):
    """Neither the guest nor a device switches the unit off."""
    iommu.m.run(f"devmem {iommu.switch:#x} 32 0; devmem {iommu.base + 0x20:#x} 64 0; devmem {iommu.base:#x} 64 0")
    iommu.edu.write(SCRATCH, 0)
    iommu.edu.load(SCRATCH, 4)
    iommu.edu.store(iommu.switch, 4)
    iommu.told(iommu.switch)
    code = iommu.vmm_code()
    iommu.blocked(iommu.region + 0x1000)
    assert iommu.vmm_code() == code


def test_guest_gets_no_nmi(iommu):
    """Faults are NMIs of the VMM's; none becomes one of the guest's."""
    iommu.told(iommu.region)
    counts = iommu.m.run("sed -n 's/^ *NMI: *\\([0-9 ]*\\).*/\\1/p' /proc/interrupts").split()
    assert [int(n) for n in counts] == [0] * iommu.m.options.cpus


def test_flood(iommu):
    """A device that goes on does not fill the log, and the guest goes on as well."""
    before = len(iommu.m.vmm_log())
    bar = iommu.edu.bar
    iommu.m.run(f"for i in $(seq 60); do devmem {bar + 0x88:#x} 64 {iommu.region:#x}; devmem {bar + 0x98:#x} 64 3; usleep 120000; done", 120)
    lines = iommu.m.vmm_log()[before:].count("must not")
    assert (lines > 0) == TELLS[iommu.name] and lines < 50
    checks.cpus_online(iommu.m)


# Without Linux: GRUB as the guest, or as the firmware that used the unit first.

def dmar(units, cut=0):
    """A DMAR table without its header, as QEMU's -acpitable wants it: units at these addresses."""
    body = struct.pack("<BB10x", 38, 0)
    for base in units:
        body += struct.pack("<HHBBHQ", 0, 16, 1, 0, 0, base)
    return body[:len(body) - cut]


def ivrs(units, length=24):
    """The same for an IVRS: units that have all devices; length: what each says of its own."""
    body = struct.pack("<I8x", 0x203000)
    for base in units:
        body += struct.pack("<BBHHHQHHI", 0x10, 0, length + 4, 0x10, 0x40, base, 0, 0, 0) + struct.pack("<BHB", 1, 0, 0)
    return body


BAD_TABLES = {
    "damaged": (dmar([0xFED90000], 1), "the firmware's DMAR table is damaged"),
    "none": (dmar([]), "the firmware's DMAR table is damaged"),
    "twice": (dmar([0xFED90000, 0xFED90000]), "the firmware's DMAR table is damaged"),
    "nobody": (dmar([0xFED90000]), "the unit at 0xfed90000 "),
    "ivrs-damaged": (ivrs([0xFED80000], 26), "the firmware's IVRS table is damaged"),
    "ivrs-loop": (ivrs([0xFED80000], -4), "the firmware's IVRS table is damaged"),
    "ivrs-none": (ivrs([]), "the firmware's IVRS table is damaged"),
    "ivrs-nobody": (ivrs([0xFED80000]), "its unit does not answer"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_table(tmp_path, case):
    """What the firmware's table says cannot be: the start says so, and the guest starts."""
    table, reason = BAD_TABLES[case]
    (tmp_path / "table").write_bytes(table)
    with Machine(f"iommu-bad-{case}", guest=grubdisk.make(str(tmp_path)), mem=64,
                 extra=("-acpitable", f"sig={'IVRS' if 'ivrs' in case else 'DMAR'},rev=1,data={tmp_path}/table")) as m:
        grubdisk.Grub(m, 60)
        assert re.search(rf"DMA is not confined \({reason}.*\): devices can reach the VMM's memory", m.vmm_log()), m.vmm_log()


def test_bad_table_asked(tmp_path, conf):
    """The same with vmm.iommu=on in the configuration: the start asks."""
    (tmp_path / "table").write_bytes(dmar([0xFED90000], 1))
    with Machine("iommu-bad-asked", guest=grubdisk.make(str(tmp_path)), mem=64, conf=conf("vmm.iommu=on\nvmm.on_error=continue\n"),
                 extra=("-acpitable", f"sig=DMAR,rev=1,data={tmp_path}/table")) as m:
        grubdisk.Grub(m, 90)
        log = m.vmm_log()
        assert "vmm.iommu=on is set, and DMA cannot be confined (the firmware's DMAR table is damaged)" in log
        assert "Processor 0" not in log  # it went on without the VMM


def test_left_to_guest(tmp_path, conf):
    """vmm.iommu=guest: the unit's registers are there."""
    with Machine("iommu-guest", machine="q35", guest=grubdisk.make(str(tmp_path)), conf=conf("vmm.iommu=guest\n"),
                 extra=("-device", "intel-iommu")) as m:
        grub = grubdisk.Grub(m, 60)
        assert grub.command("read_dword 0xfed90000") == "0x10"  # its version
        assert "DMA is not confined (vmm.iommu=guest)" in m.vmm_log()


FIRMWARE_TABLES = 0x20000000
BAR_SHIFT = {"source": 0x80, "target": 0x88, "count": 0x90, "command": 0x98}


class GrubEdu:
    """The device driven by GRUB's command line."""

    def __init__(self, grub):
        self.grub = grub
        grub.command("setpci -d 1234:11e8 4.w=6")
        self.bar = int(grub.command("setpci -d 1234:11e8 10.l").split()[-1], 16) & ~15

    def transfer(self, source, target, command):
        for name, value in ("source", source), ("target", target), ("count", 4), ("command", command | 1):
            self.grub.command(f"write_dword {self.bar + BAR_SHIFT[name]:#x} {value:#x}")
        self.wait()

    def wait(self, patience=30):
        """Until the transfer has ended; with -icount the machine's time is not this host's."""
        end = time.monotonic() + patience
        while int(self.grub.command(f"read_dword {self.bar + BAR_SHIFT['command']:#x}"), 16) & 1:
            assert time.monotonic() < end, "the device does not end its transfer"
            time.sleep(0.05)

    def copy(self, source, target):
        self.transfer(source, 0x40000, 0)
        self.transfer(0x40000, target, 2)


def test_takeover(tmp_path):
    """A unit that firmware has on stays on while the VMM takes it, and obeys the VMM from then on."""
    files = {"vmm": Machine("x").options.elf}
    disk = grubdisk.make(str(tmp_path), files)
    extra = ("-device", "intel-iommu", *ARGUMENTS, "-trace", "vtd_dmar_enable", *monitor.arguments(str(tmp_path / "monitor")))
    with Machine("iommu-takeover", bare=True, machine="q35", guest=disk, extra=extra) as m:
        grub = grubdisk.Grub(m, 60)
        edu = GrubEdu(grub)
        # The firmware's tables: on bus 0 the disk controller (1f.2) passes, and the device (05.0); all else is blocked.
        writes = [(FIRMWARE_TABLES, FIRMWARE_TABLES + 0x1001)]
        for device in (0x1F << 3 | 2, SLOT << 3):
            writes += [(FIRMWARE_TABLES + 0x1000 + 16 * device, 0x9), (FIRMWARE_TABLES + 0x1008 + 16 * device, 0x101)]
        writes += [(0xFED90020, FIRMWARE_TABLES), (0xFED90018, 0x40000000), (0xFED90018, 0x80000000)]
        for address, value in writes:
            grub.command(f"write_dword {address:#x} {value:#x}")
        assert int(grub.command("read_dword 0xfed9001c"), 16) & 0xC0000000 == 0xC0000000
        grub.command("write_dword 0x21000000 0x5a5aa5a5")
        edu.copy(0x21000000, 0x21000100)
        assert grub.command("read_dword 0x21000100") == "0x5a5aa5a5"
        grub.command("multiboot (hd0,msdos1)/vmm vmm.serial=com2 vmm.iommu=on")
        grub.start("boot")
        grub = grubdisk.Grub(m, 90)
        log = m.vmm_log()
        assert "VT-d at 0xfed90000: taken over from the firmware" in log and "DMA is confined by VT-d (0xfed90000)" in log
        with open(os.path.join(m.options.out, "emulator.log"), encoding="utf-8", errors="replace") as f:
            switches = re.findall(r"vtd_dmar_enable enable (\d)", f.read())
        assert set(switches) == {"1"}  # it never was off
        iommu = Iommu(m, "intel-iommu", str(tmp_path), GrubEdu(grub))
        code = iommu.vmm_code()
        grub.command("write_dword 0x21000000 0x12345678")
        iommu.edu.copy(0x21000000, 0x21000200)
        assert grub.command("read_dword 0x21000200") == "0x12345678"
        iommu.edu.copy(0x21000000, iommu.region)
        iommu.told(iommu.region)
        assert iommu.vmm_code() == code
        assert grub.command("read_dword 0xfed9001c") == "0xffffffff"


@pytest.mark.parametrize("device", UNITS)
def test_in_flight(tmp_path, device):
    """
    A device is told to write to where the VMM will be, before the VMM starts, and does it 100 ms of the machine's time after that,
    when the unit has just been switched on: nothing changes. With -icount these 100 ms are 10^8 instructions, and the start is 25
    million.
    """
    elf = Machine("x").options.elf
    disk = grubdisk.make(str(tmp_path), {"vmm": elf})
    slots = SLOT, SLOT + 1
    extra = ("-device", device, *ARGUMENTS, "-device", f"edu,addr={slots[1]},dma_mask=0xffffffffffffffff", *monitor.arguments(str(tmp_path / "monitor")))
    with Machine(f"iommu-in-flight-{device}", bare=True, machine="q35", guest=disk, extra=extra, icount=0, mem=256) as m:
        grub = grubdisk.Grub(m, 60)
        ram = [(int(a, 16), int(n, 16)) for a, n in re.findall(r"base_addr = 0x(\w+), length = 0x(\w+), available", grub.command("lsmmap"))]
        region = (max(a + n for a, n in ram if a < 1 << 32) & ~0x1FFFFF) - (16 << 20)
        edu = GrubEdu(grub)
        grub.command("write_dword 0x8000000 0x5a5aa5a5")
        starts, edus = [], []
        for slot in slots:
            grub.command(f"setpci -s 00:{slot:02x}.0 4.w=6")
            edu.bar = int(grub.command(f"setpci -s 00:{slot:02x}.0 10.l").split()[-1], 16) & ~15
            edus.append(edu.bar)
            edu.transfer(0x8000000, 0x40000, 0)
            target = region + 0x1000 * (slot - SLOT)
            for name, value in ("source", 0x40000), ("target", target), ("count", 64):
                grub.command(f"write_dword {edu.bar + BAR_SHIFT[name]:#x} {value:#x}")
            starts.append(f"write_dword {edu.bar + BAR_SHIFT['command']:#x} 3")
        grub.command("multiboot (hd0,msdos1)/vmm vmm.serial=com2 vmm.iommu=on")
        line = "; ".join([*starts, "boot"])
        m.send(line + "\r")
        grub = grubdisk.Grub(m, 90)
        iommu = Iommu(m, device, str(tmp_path), GrubEdu(grub))
        assert iommu.region == region
        for bar in edus:
            iommu.edu.bar = bar
            iommu.edu.wait()
        code = iommu.vmm_code()
        with open(elf, "rb") as f:
            image = f.read()
        at = image.index(code[:8])
        for slot in slots:
            page = 0x1000 * (slot - SLOT)
            assert code[page:page + 64] == image[at + page:at + page + 64]
        # of those that come together the unit has one record
        told = set(re.findall(r"0000:00:(\w\w)\.0 must not write (0x\w+) ", m.vmm_log()))
        assert bool(told) == TELLS[iommu.name] and told <= {(f"{s:02x}", f"{region + 0x1000 * (s - SLOT):#x}") for s in slots}
        grub.command("write_dword 0x8000000 0x12345678")
        iommu.edu.copy(0x8000000, 0x8000200)
        assert grub.command("read_dword 0x8000200") == "0x12345678"


@pytest.mark.parametrize("device", UNITS)
def test_given_up(tmp_path, device):
    """When the boot CPU is refused after the unit is on, the unit goes off again: the memory is the guest's then."""
    elf = debugimage.refusing(str(tmp_path / "refused.elf"), 0)
    path = str(tmp_path / "monitor")
    with Machine(f"iommu-given-up-{device}", machine="q35", elf=elf, guest=grubdisk.make(str(tmp_path)),
                 extra=("-device", device, *ARGUMENTS, *monitor.arguments(path))) as m:
        for _ in range(60):
            time.sleep(1)
            if "Press c to continue" in m.vmm_log():
                break
        monitor.command(path, "sendkey c")
        iommu = Iommu(m, device, str(tmp_path), GrubEdu(grubdisk.Grub(m, 60)))
        assert f"DMA is confined by {iommu.name}" in m.vmm_log()
        iommu.edu.grub.command("write_dword 0x21000000 0x12345678")
        iommu.edu.copy(0x21000000, iommu.region + 0x40000)
        assert iommu.edu.grub.command(f"read_dword {iommu.region + 0x40000:#x}") == "0x12345678"
