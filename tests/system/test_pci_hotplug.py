"""PCI functions that are plugged in, taken out and exchanged while the guest runs."""
# SPDX-License-Identifier: BSD-3-Clause

import hashlib
import os
import time

import pytest

from lib import guestprogram
from lib.machine import run
from lib.screen import ScreenMachine

RULE = ("vmm.driver.pci=class=0200, driver=conceal",)
ECAM = 0xb0000000
PORTS = tuple(word for i in (1, 2, 3) for word in ("-device", f"pcie-root-port,id=port{i},chassis={i},addr={i + 2}"))
NATIVE = ("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")
# The machine; which card; two free places: what the monitor calls them, and their address.
KINDS = {
    # through ACPI; no bridge above, and no window of configuration space
    "pc": ({"machine": "pc"}, "e1000", [({"bus": "pci.0", "addr": "10"}, (0, 0x10)), ({"bus": "pci.0", "addr": "11"}, (0, 0x11))]),
    "q35-acpi": ({"machine": "q35", "extra": PORTS}, "e1000e", [({"bus": "port1"}, (1, 0)), ({"bus": "port2"}, (2, 0))]),
    # by the registers of the slot
    "q35-native": ({"machine": "q35", "extra": PORTS + NATIVE},
                   "e1000e", [({"bus": "port1"}, (1, 0)), ({"bus": "port2"}, (2, 0))]),
}


@pytest.fixture
def hot_disk(tmp_path):
    path = tmp_path / "hot.img"
    path.write_bytes(os.urandom(run.media.MIB))
    return path


@pytest.fixture
def start(request, hot_disk):
    """start(kind, arguments of the kernel) -> a booted machine of KINDS with a disk to plug in."""
    machines = []

    def begin(kind, args=""):
        options = dict(KINDS[kind][0])
        options["extra"] = ("-nic", "none", "-drive", f"if=none,id=hot,format=raw,snapshot=on,file={hot_disk}", *options.get("extra", ()))
        m = ScreenMachine(f"pci-{request.node.name}", words=RULE, net="none", mem=512, kernel_args=f"+quiet iomem=relaxed {args}", **options)
        machines.append(m)
        m.__enter__()
        m.boot()
        guestprogram.install(m, "poke", guestprogram.build("poke"))
        m.run("modprobe nvme")
        return m

    yield begin
    for m in machines:
        m.__exit__(None, None, None)


def wait(m, what, timeout=40):
    """Wait until what() is true; the machine goes on meanwhile."""
    end = time.monotonic() + timeout
    while not (found := what()):
        assert time.monotonic() < end, m.vmm_log()
        time.sleep(0.3)
    return found


def functions(m):
    return sorted(m.run("ls /sys/bus/pci/devices").split())


def name(address):
    return f"0000:{address[0]:02x}:{address[1]:02x}.0"


def read(m, address, offset=0, ecam=True):
    """The register by ports and, where there is a window, by memory."""
    bus, device = address
    words = [f"o4:cf8:{0x80000000 | bus << 16 | device << 11 | offset:x}", "i4:cfc"]
    if ecam:
        words.append(f"r4:{ECAM + (bus << 20 | device << 15) + offset:x}")
    return [int(v, 16) for v in m.run("/tmp/poke " + " ".join(words)).split()]


def plug(m, where, driver, what, **more):
    m.monitor.command("device_add", driver=driver, id=what, **where, **more)


def plugged(m, what):
    return what in [d["name"] for d in m.monitor.command("qom-list", path="/machine/peripheral")]


def unplug(m, what):
    """As a user does: the guest is asked, and lets go of the device."""
    m.monitor.command("device_del", id=what)
    wait(m, lambda: not plugged(m, what))


def disk_works(m, hot_disk, timeout=40):
    m.run("for i in $(seq 100); do [ -b /dev/nvme0n1 ] && break; sleep 0.3; done", timeout)
    assert m.run("sha256sum </dev/nvme0n1", 60).split()[0] == hashlib.sha256(hot_disk.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_plugged(start, hot_disk, kind):
    """A card that the rule takes is not found when it comes; a disk that no rule takes appears and works."""
    _, card, ((first, here), (second, there)) = KINDS[kind]
    ecam = kind != "pc"
    m = start(kind)
    before = functions(m)
    plug(m, first, card, "card", romfile="")
    wait(m, lambda: f"[{name(here)[5:].upper()}/8086:10" in m.vmm_log() and "concealed" in m.vmm_log())
    for _ in range(2):
        assert functions(m) == before
        for offset in 0, 8, 0x10:
            assert set(read(m, here, offset, ecam)) == {0xffffffff}
        m.run("echo 1 >/sys/bus/pci/rescan", 60)
    if kind != "q35-native":  # there the guest switches off the slot in which it finds nothing
        assert plugged(m, "card")
    plug(m, second, "nvme", "disk", drive="hot", serial="hot")
    disk_works(m, hot_disk)
    assert functions(m) == sorted([*before, name(there)])
    assert set(read(m, there, 0, ecam)) == {0x00101b36}
    unplug(m, "disk")
    assert functions(m) == before
    assert set(read(m, there, 0, ecam)) == {0xffffffff}


@pytest.mark.parametrize("kind", KINDS)
def test_exchanged(start, hot_disk, kind):
    """A disk that is the guest's goes and a card that the rule takes comes into its place, and the other way round."""
    _, card, ((first, here), _) = KINDS[kind]
    ecam = kind != "pc"
    m = start(kind)
    before = functions(m)
    plug(m, first, "nvme", "disk", drive="hot", serial="hot")
    disk_works(m, hot_disk)
    unplug(m, "disk")
    plug(m, first, card, "card", romfile="")
    wait(m, lambda: m.vmm_log().count("concealed") == 1)
    m.run("echo 1 >/sys/bus/pci/rescan", 60)
    assert functions(m) == before
    for offset in 0, 8, 0x10:
        assert set(read(m, here, offset, ecam)) == {0xffffffff}


# Where the guest's AML makes QEMU take a device out: the port behind which a bus is chosen by its number, and slots by bits.
EJECT = {"pc": 0xae00, "q35-acpi": 0xcc0}


@pytest.mark.parametrize("kind,first", [("pc", "ports"), ("q35-acpi", "ports"), ("q35-acpi", "memory")])
def test_exchanged_unseen(start, kind, first):
    """A guest that knows of the exchange and does not ask what came finds no more than one that asks."""
    _, card, ((place, here), _) = KINDS[kind]
    m = start(kind, "acpiphp.disable=1")
    plug(m, place, "edu", "edu")
    m.run("echo 1 >/sys/bus/pci/rescan", 60)
    assert name(here) in functions(m)
    for bus in range(4):
        m.run(f"/tmp/poke o4:{EJECT[kind] + 0x10:x}:{bus:x} o4:{EJECT[kind] + 8:x}:{1 << here[1]:x}")
    wait(m, lambda: not plugged(m, "edu"))
    plug(m, place, card, "card", romfile="")
    assert "concealed" not in m.vmm_log()
    page, port = ECAM + (here[0] << 20 | here[1] << 15), f"o4:cf8:{0x80000004 | here[0] << 16 | here[1] << 11:x}"
    m.run(f"/tmp/poke {port} o2:cfc:7" if first == "ports" else f"/tmp/poke w2:{page + 4:x}:7")
    assert "concealed" in m.vmm_log()
    for offset in 8, 4, 0x10, 0:
        assert set(read(m, here, offset, kind != "pc")) == {0xffffffff}
    devices = [d for b in m.monitor.command("query-pci") for d in all_devices(b["devices"])]
    assert {r["address"] for d in devices if d["qdev_id"] == "card" for r in d["regions"]} == {-1}


def all_devices(devices):
    """What query-pci says of the devices and of those behind them."""
    for d in devices:
        yield d
        yield from all_devices(d.get("pci_bridge", {}).get("devices", []))


SLOT_CONTROL = 0x6c  # of QEMU's root port; bit 10 switches the slot's power off: PCI Express Base 3.0, 7.8.10


@pytest.mark.parametrize("rule", ["class=0200, number=0, driver=conceal", "slot=01:00.0, driver=conceal"])
def test_comes_back(rule):
    """What the guest switches off and on again is the same function as before for every rule, on whatever bus it comes back."""
    cards = ("-device", "e1000e,bus=port1,romfile=", "-device", "e1000e,bus=port2,romfile=")
    with ScreenMachine("pci-back-" + rule.split("=")[0], words=("vmm.driver.pci=" + rule,), net="none", mem=512, machine="q35",
                       kernel_args="+quiet iomem=relaxed pcie_ports=compat", extra=("-nic", "none", *PORTS, *NATIVE, *cards)) as m:
        m.boot()
        guestprogram.install(m, "poke", guestprogram.build("poke"))
        hidden, other = (1, 0), (2, 0)
        assert read(m, hidden) == [0xffffffff] * 2 and read(m, other) == [0x10d38086] * 2
        for bus, address in ((1, hidden), (2, other)):
            port = ECAM + (bus + 2 << 15)
            control, numbers = (int(v, 16) for v in m.run(f"/tmp/poke r2:{port + SLOT_CONTROL:x} r4:{port + 0x18:x}").split())
            for away in bus, 0x40, bus, 0x41:
                m.run(f"/tmp/poke w2:{port + SLOT_CONTROL:x}:{control | 0x400:x}")
                now = int(m.run(f"/tmp/poke r4:{port + 0x18:x}"), 16) >> 8 & 0xff
                assert read(m, (now, 0)) == [0xffffffff] * 2  # and so the VMM knows that it is away
                m.run(f"/tmp/poke w4:{port + 0x18:x}:{numbers & 0xff0000ff | away << 16 | away << 8:x} w2:{port + SLOT_CONTROL:x}:{control:x}")
                for offset, value in ((8, 0x02000000), (0, 0x10d38086), (8, 0x02000000)):
                    assert read(m, (away, 0), offset) == [value if address == other else 0xffffffff] * 2, (rule, bus, away, offset)
            m.run(f"/tmp/poke w4:{port + 0x18:x}:{numbers:x}")
        assert read(m, hidden) == [0xffffffff] * 2 and read(m, other) == [0x10d38086] * 2
        assert m.vmm_log().count("8086:10D3] concealed") == 5
