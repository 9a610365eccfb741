"""Monitored devices in use: AHCI, NVMe, a network card, a USB stick; the data is right, also after resets and new starts of the drivers."""
# SPDX-License-Identifier: BSD-3-Clause

import hashlib
import os
import re

import pytest

from lib import checks, facts, guestprogram
from lib.screen import ScreenMachine

MIB = 1 << 20
SIZE = 16 * MIB
# what the rules call them: AHCI, NVMe, Ethernet, xHCI
RULE = ", and, ".join(f"{key}, driver=monitor, log=0" for key in ("class=0106", "class=0108", "class=0200", "class_code=0c0330"))
FIND = "for d in /sys/bus/pci/devices/*; do [ $(cat $d/class) = %s ] && echo ${d##*/}; done; true"
NVME, NIC, XHCI = "0x010802", "0x020000", "0x0c0330"


@pytest.fixture(scope="module")
def disks(tmp_path_factory):
    """Two images, each with contents of its own."""
    made = {}
    for name in "nvme", "stick":
        path = str(tmp_path_factory.mktemp("heavy") / f"{name}.img")
        with open(path, "wb") as f:
            f.write(b"".join(hashlib.sha256(f"{name} {i}".encode()).digest() * 128 for i in range(SIZE // 4096)))
        made[name] = path
    return made


@pytest.fixture(scope="module")
def m(disks):
    extra = ("-device", "qemu-xhci,id=x", "-drive", f"file={disks['stick']},format=raw,if=none,id=stick",
             "-device", "usb-storage,bus=x.0,drive=stick", "-drive", f"file={disks['nvme']},format=raw,if=none,id=fast",
             "-device", "nvme,drive=fast,serial=1")
    with ScreenMachine("pci-heavy", machine="q35", cpus=2, net="e1000e", kernel_args="+quiet", words=("vmm.driver.pci=" + RULE,), extra=extra) as machine:
        machine.boot()
        assert machine.vmm_log().count("] monitored") == 4
        yield machine


@pytest.fixture(scope="module")
def program(m):
    guestprogram.install(m, "transfer", guestprogram.build("transfer"))


def function(m, kind):
    found = m.run(FIND % kind).split()
    assert len(found) == 1
    return found[0]


def block(m, kind):
    """The disk of that size behind the function of that class."""
    path = m.run(f"for i in $(seq 100); do for b in /sys/block/*; do case $(readlink -f $b) in */{function(m, kind)}/*) "
                 f"[ $(cat $b/size) = {SIZE // 512} ] && echo /dev/${{b##*/}} && break 2;; esac; done; sleep 0.1; done", 30)
    assert path.startswith("/dev/")
    return path


def sum_of(path, length=SIZE):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read(length)).hexdigest()


def reads(m, disk, want):
    got = m.run(f"echo 3 >/proc/sys/vm/drop_caches; dd if={disk} bs=64k iflag=direct 2>/dev/null | sha256sum", 120).split()[0]
    assert got == want


@pytest.mark.parametrize("name,kind", [("nvme", NVME), ("stick", XHCI)])
def test_disk(m, disks, name, kind):
    """What the image holds the guest reads, what the guest writes the image holds; small and large pieces, from two CPUs."""
    disk = block(m, kind)
    reads(m, disk, sum_of(disks[name]))
    for size, cpu in ("4k", 0), ("128k", 1):
        m.run("dd if=/dev/urandom of=/tmp/x bs=64k count=32 2>/dev/null")
        m.run(f"taskset {1 << cpu:x} dd if=/tmp/x of={disk} bs={size} oflag=direct conv=fsync 2>/dev/null", 120)
        assert sum_of(disks[name], 2 * MIB) == m.run("sha256sum </tmp/x").split()[0]
        reads(m, disk, sum_of(disks[name]))


def test_boot_disk(m):
    """AHCI."""
    checks.disk_reads_back(m)
    checks.disk_writes(m)


# MB/s that a part gives, and no more: a stick by USB 2.0, a hard disk, a slow SSD. What TCG reaches with a monitored device is a
# few times that, on a host that does other things.
RATES = [("stick", XHCI, 20), ("disk", None, 60), ("nvme", NVME, 100)]
BURST = 0.1  # s: as much as a part gives in this time QEMU lets pass at once


def throttle(m, name, rate):
    """0: not any more."""
    for drive in (d["device"] for d in m.monitor.command("query-block") if d.get("inserted")):
        if {"stick": "stick", "fast": "nvme"}.get(drive, "disk") == name:
            m.monitor.command("block_set_io_throttle", device=drive, bps=rate * 1000000, bps_rd=0, bps_wr=0, iops=0, iops_rd=0, iops_wr=0)


@pytest.mark.parametrize("name,kind,rate", RATES)
def test_rate(m, program, request, name, kind, rate):
    """A part gives a monitored guest nine tenths of what it can give, at the least: accesses to registers cost their time while it works."""
    disk = block(m, kind) if kind else facts.guest_disk(m)
    piece = 128 << 10
    seconds = 10 if request.config.getoption("--all-rows") else 1
    count = int(rate * 1000000 * (seconds + BURST)) // piece
    found = []
    throttle(m, name, rate)
    try:
        for _ in range(3):  # the host has more to do
            ns = int(m.run(f"/tmp/transfer read {disk} {piece} {count}", 120))
            found.append((count * piece / 1e6 - rate * BURST) / (ns / 1e9))
            if found[-1] >= 0.9 * rate:
                break
    finally:
        throttle(m, name, 0)
    print(f"{name}: {found} of {rate} MB/s")
    assert 0.9 * rate <= max(found) <= 1.1 * rate, found


def test_network(m):
    checks.network_address(m)
    for _ in range(4):
        checks.network_transfer(m)


def test_driver_again(m, disks, request):
    """The guest's drivers let go and come back, with a reset by each way that the function has in between (FLR, D3hot)."""
    rounds = 100 if request.config.getoption("--all-rows") else 4
    methods = set()
    for kind, driver in (NVME, "nvme"), (NIC, "e1000e"):
        at = function(m, kind)
        of = f"/sys/bus/pci/devices/{at}"
        driver = f"/sys/bus/pci/drivers/{driver}"
        ways = [w for w in m.run(f"cat {of}/reset_method").split() if w in ("flr", "pm")]
        methods |= set(ways)
        for n in range(rounds):
            way = f"echo {ways[n % len(ways)]} >{of}/reset_method && echo 1 >{of}/reset && " if ways else ""
            m.run(f"echo {at} >{driver}/unbind && {way}echo {at} >{driver}/bind", 60)
    assert methods == {"flr", "pm"}
    reads(m, block(m, NVME), sum_of(disks["nvme"]))
    m.run("rm -f /run/udhcpc.done; ip link set eth0 up; udhcpc -i eth0 -n -q -t 20 >/dev/null 2>&1; ip addr add 10.0.2.15/24 dev eth0 2>/dev/null; true", 60)
    checks.network_transfer(m)
    assert not re.search("nobody cared|I/O error|NMI received", m.run("dmesg"))
