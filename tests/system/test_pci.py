"""PCI: what vmm.driver.pci takes is what it says, and the guest finds the rest as it is."""
# SPDX-License-Identifier: BSD-3-Clause

import re
import time

import pytest

import test_guest
from lib import checks, debugimage, guestkernel, guestprogram
from lib.machine import Machine
from lib.screen import ScreenMachine

Q35 = {
    "machine": "q35", "net": "none", "mem": 512, "kernel_args": "+quiet iomem=relaxed",
    "extra": ("-nic", "none",
              "-device", "e1000,addr=10,mac=52:54:00:00:00:01,romfile=", "-device", "e1000,addr=11,mac=52:54:00:00:00:02,romfile=",
              "-device", "e1000,addr=12,mac=52:54:00:00:00:03,romfile=",
              "-device", "pcie-root-port,id=port1,chassis=1,addr=3", "-device", "e1000e,bus=port1,mac=52:54:00:00:00:04,romfile=",
              "-device", "pcie-root-port,id=port2,chassis=2,addr=4",
              "-device", "qemu-xhci,addr=14", "-device", "edu,addr=15"),
}
DUMP = ("for d in /sys/bus/pci/devices/*; do echo \"${d##*/} $(hexdump -v -n 256 -e '1/1 \"%02x\"' $d/config)"
        " $(cut -d' ' -f1-2 $d/resource | head -n 6 | tr '\\n' ' ')$(dd if=$d/config bs=256 skip=1 2>/dev/null | sha256sum)\"; done")
ECAM = 0xb0000000
FREE = 0xe0000000  # nothing is there


@pytest.fixture(scope="module")
def poke():
    return guestprogram.build("poke")


def test_ports_as_bare():
    """
    A rule lets the configuration ports exit, for all functions; sizes, RAX, single steps and shadows stay as they are bare, and
    two CPUs meet there as they do in hardware. Without a rule: test_guest.py.
    """
    options = {"emu": "qemu", "machine": "q35", "cpus": 2, "mem": 128, "net": "none", "extra": ("-device", "e1000,addr=10,romfile=")}
    cases = "pci_port", "pci_interleave", "step"
    select = f"case={','.join(cases)} ecam={ECAM:#x}"
    bare = guestkernel.run("pci-ports-bare", select, bare=True, **options)
    rules = "id=1234:1111, driver=monitor, log=0, bars=0, and, id=8086:100e, driver=conceal"
    vmm = guestkernel.run("pci-ports", select, words=("vmm.driver.pci=" + rules,), **options)
    assert "monitored" in vmm.vmm_log and "concealed" in vmm.vmm_log
    for case in cases:
        v = test_guest.judge("qemu", case, bare.cases[case], vmm.cases[case], test_guest.faults())
        assert vmm.cases[case].passed > 100 and not v.wrong, f"{case}: {v.wrong}"


def without_message(config):
    """The first 256 bytes without the address and data of MSI: which vector a driver gets depends on the other devices."""
    data = bytearray.fromhex(config)
    at = data[0x34] if data[6] & 0x10 else 0
    while at:
        if data[at] == 5:
            data[at + 4:at + 14] = bytes(10)
        at = data[at + 1]
    return data.hex()


def functions(m):
    """Address -> all that the guest sees of each function: configuration space and resources."""
    lines = [line.split(" ", 2) for line in m.run(DUMP, 60).splitlines()]
    return {address: without_message(config) + " " + rest for address, config, rest in lines}


def poked(m, *words):
    return [int(v, 16) for v in m.run("/tmp/poke " + " ".join(words)).split()]


def bars(resources):
    """(first, last) of the memory BARs that a line of functions() names."""
    numbers = [int(n, 16) for n in re.findall(r"0x[0-9a-f]{16}", resources)]
    return [(a, b) for a, b in zip(numbers[::2], numbers[1::2]) if a > 0xffff]


def port_address(bus, device, function, offset=0):
    return f"o4:cf8:{0x80000000 | bus << 16 | device << 11 | function << 8 | offset:x}"


@pytest.fixture(scope="module")
def bare():
    """What the guest finds without a VMM."""
    with Machine("pci-bare", bare=True, **Q35) as m:
        return functions(m.boot())


HIDE = {
    "second": ("id=8086:100e, number=1, driver=conceal", ["0000:00:11.0"]),
    "slot": ("slot=00:11.0, driver=none, and, class=0200, driver=conceal", ["0000:00:10.0", "0000:00:12.0", "0000:01:00.0"]),
    "xhci": ("class_code=0c0330, driver=conceal", ["0000:00:14.0"]),
    "bridge": ("slot=00:03.0, driver=conceal", ["0000:00:03.0", "0000:01:00.0"]),
}


@pytest.mark.parametrize("name", HIDE)
def test_conceal(bare, poke, name):
    """The functions that the rule names are gone for each kind of access, and the others are as they are on the bare machine."""
    rule, hidden = HIDE[name]
    with Machine(f"pci-conceal-{name}", words=("vmm.driver.pci=" + rule,), **Q35) as m:
        m.boot()
        found = functions(m)
        assert sorted(set(bare) - set(found)) == sorted(hidden)
        assert found == {a: t for a, t in bare.items() if a not in hidden}
        log = m.vmm_log()
        guestprogram.install(m, "poke", poke)
        for address in hidden:
            bus, device = int(address[5:7], 16), int(address[8:10], 16)
            if bus == 0 or name != "bridge":
                assert re.search(rf"\[{address[5:].upper()}/[0-9A-F:]+\] concealed", log)
            page = ECAM + (bus << 20 | device << 15)
            for offset in 0, 8, 0x10, 0x40, 0xfc:
                got = poked(m, port_address(bus, device, 0, offset), "i4:cfc", "i2:cfe", "i1:cfd", f"r4:{page + offset:x}",
                            f"r2:{page + offset + 1:x}", f"r8:{page + offset:x}", f"r1:{page + offset + 3:x}")
                assert got == [0xffffffff, 0xffff, 0xff, 0xffffffff, 0xffff, 0xffffffffffffffff, 0xff], (address, offset)
            # another function number does not show it either, nor do the extended registers
            assert poked(m, port_address(bus, device, 1), "i4:cfc", f"r4:{page + 0x1000:x}", f"r4:{page + 0x100:x}") == [0xffffffff] * 3
            # switching it on by all ways does nothing: its registers stay dead
            poked(m, port_address(bus, device, 0, 4), "o4:cfc:7", f"w4:{page + 4:x}:7", f"w2:{page + 4:x}:7", f"w1:{page + 4:x}:7")
            for first, last in bars(bare[address]):
                if name != "bridge":
                    assert poked(m, f"r4:{first:x}", f"w4:{first:x}:0", f"r4:{first:x}", f"r8:{first + 8:x}",
                                 f"r1:{last:x}") == [0xffffffff, 0xffffffff, 0xffffffffffffffff, 0xff], address
            assert poked(m, f"r4:{page:x}") == [0xffffffff]
        checks.disk_reads_back(m)


def test_both_ways(poke):
    """Ports and memory give the same bytes, in any size, of functions that are there, hidden, and not there."""
    words = ("vmm.driver.pci=id=8086:100e, number=1, driver=conceal",)
    with Machine("pci-both-ways", words=words, **Q35) as m:
        m.boot()
        guestprogram.install(m, "poke", poke)
        for device in 0, 0x10, 0x11, 0x12, 0x13, 0x1f:
            for offset in range(0, 64, 4):
                page = ECAM + (device << 15) + offset
                a = poked(m, port_address(0, device, 0, offset), "i4:cfc", "i2:cfc", "i2:cfe", "i1:cfd", "i1:cff", "i4:cf8")
                b = poked(m, f"r4:{page:x}", f"r2:{page:x}", f"r2:{page + 2:x}", f"r1:{page + 1:x}", f"r1:{page + 3:x}")
                assert a[:-1] == b, (device, offset)
                assert a[-1] == 0x80000000 | device << 11 | offset
        # other sizes at CF8 are no address, and CF9 is the chipset's own
        assert poked(m, port_address(0, 0, 0), "o2:cf8:1234", "i4:cf8", "i4:cfc")[0] == 0x80000000


BAD = {
    "key": ("clas=02*, driver=conceal", r"rule 1, column 1: .*clas"),
    "driver": ("class=02*, driver=conceel", r"rule 1, column 19: .*conceel"),
    "second": ("class=02*, driver=conceal, and, id=1:2", r"rule 2, column \d+: .*driver="),
    "old": (None, r"old keys: rule 1, column \d+: .*uhci"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_string(name):
    """An error names its rule and column, and stops the start with the question."""
    rule, pattern = BAD[name]
    words = ("vmm.driver.usb.uhci=1",) if rule is None else ("vmm.driver.pci=" + rule,)
    with Machine(f"pci-bad-{name}", words=words, kernel_args="+quiet") as m:
        end = time.monotonic() + 60
        while "Press c to continue" not in (log := m.vmm_log()):
            assert time.monotonic() < end, log
            time.sleep(0.2)
        assert re.search(pattern, log), log
        assert "BitVisor is not started: vmm.driver.pci has 1 error" in log


def test_monitor(bare, poke):
    """A monitored device works as before, and each access is in the log; a moved BAR is followed, and a device that is off is left alone."""
    words = ("vmm.driver.pci=id=1234:11e8, driver=monitor, log=2000",)
    with Machine("pci-monitor", words=words, **Q35) as m:
        m.boot()
        assert functions(m) == bare
        guestprogram.install(m, "poke", poke)
        base = bars(bare["0000:00:15.0"])[0][0]
        command = port_address(0, 0x15, 0, 4)
        assert poked(m, command, "o2:cfc:2", f"r4:{base:x}", f"w4:{base + 4:x}:55", f"r4:{base + 4:x}") == [0x010000ed, 0xffffffaa]
        # moved with the decoder on, in the middle of which nobody gets past the monitor
        poked(m, port_address(0, 0x15, 0, 0x10), f"o4:cfc:{FREE:x}")
        assert poked(m, f"r4:{FREE:x}", f"r4:{ECAM + (0x15 << 15) + 0x10:x}") == [0x010000ed, FREE]
        # asked for its size through memory and ports
        assert poked(m, f"w4:{ECAM + (0x15 << 15) + 0x10:x}:ffffffff", port_address(0, 0x15, 0, 0x10), "i4:cfc") == [0xfff00000]
        poked(m, f"w4:{ECAM + (0x15 << 15) + 0x10:x}:{base:x}", command, "o2:cfc:0")
        before = m.vmm_log().count("BAR0 read")
        poked(m, f"r4:{base:x}")
        log = m.vmm_log()
        assert log.count("BAR0 read") == before == 3
        assert re.search(r"\[00:15\.0/1234:11E8\] BAR0 write 4 at 0x4: 0x55", log)
        assert re.search(r"\[00:15\.0/1234:11E8\] config write 4 at 0x10: 0xffffffff", log)
        assert re.search(r"accesses: config \d+ reads, \d+ writes; BARs 3 reads, 1 writes", log) or "accesses: config" in log


def test_over_ram(bare, poke):
    """RAM wins over a device that the guest puts there, watched or not: the guest goes on, and finds the device again where it moves it."""
    words = ("vmm.driver.pci=id=1234:11e8, driver=monitor, log=2000",)
    with Machine("pci-over-ram", words=words, **(Q35 | {"cpus": 2})) as m:
        m.boot()
        guestprogram.install(m, "poke", poke)
        base = bars(bare["0000:00:15.0"])[0][0]
        command, bar = port_address(0, 0x15, 0, 4), port_address(0, 0x15, 0, 0x10)
        sums = m.run("sha256sum /bin/busybox /tmp/poke")
        poked(m, command, "o2:cfc:2")
        code = int(m.run("grep 'Kernel code' /proc/iomem").split("-")[0], 16)
        assert code
        # over the kernel's code, over all kinds of its data, across the end of what firmware calls RAM
        for place in (code & ~0xfffff, 0x100000, 0x4000000, 0x1ff00000):
            poked(m, bar, f"o4:cfc:{place:x}")
            assert poked(m, bar, "i4:cfc") == [place]
            m.run("echo 3 >/proc/sys/vm/drop_caches")
            assert m.run("sha256sum /bin/busybox /tmp/poke") == sums
        log = m.vmm_log()
        assert "BAR0 read" not in log and "BAR0 write" not in log
        poked(m, bar, f"o4:cfc:{base:x}")
        assert poked(m, f"r4:{base:x}", command, "o2:cfc:0") == [0x010000ed]
        assert m.vmm_log().count("BAR0 read") == 1


def test_rescan(bare, poke):
    """A guest that takes the bus apart and looks again finds no more than before."""
    words = ("vmm.driver.pci=class=0200, driver=conceal",)
    hidden = [a for a, text in bare.items() if text[20:24] == "0002"]
    assert len(hidden) == 4
    with Machine("pci-rescan", words=words, **Q35) as m:
        m.boot()
        before = functions(m)
        assert sorted(set(bare) - set(before)) == sorted(hidden)
        m.run("for d in 0000:00:03.0 0000:00:04.0 0000:00:15.0; do echo 1 >/sys/bus/pci/devices/$d/remove; done; echo 1 >/sys/bus/pci/rescan", 60)
        assert sorted(functions(m)) == sorted(before)
        guestprogram.install(m, "poke", poke)
        # the bridge in front of one of them gets another bus number; the function stays hidden there, and comes back hidden
        port = ECAM + (3 << 15)
        numbers = poked(m, f"r4:{port + 0x18:x}")[0]
        for bus in 0x40, 0x41:
            poked(m, f"w4:{port + 0x18:x}:{numbers & 0xff0000ff | bus << 16 | bus << 8:x}")
            assert poked(m, port_address(bus, 0, 0), "i4:cfc", f"r4:{ECAM + (bus << 20):x}", port_address(1, 0, 0), "i4:cfc",
                         f"r4:{ECAM + (1 << 20):x}") == [0xffffffff] * 4
        poked(m, f"w4:{port + 0x18:x}:{numbers:x}")
        assert poked(m, port_address(1, 0, 0), "i4:cfc", f"r4:{ECAM + (1 << 20):x}") == [0xffffffff] * 2


def test_window_moves(poke):
    """The guest moves the memory window on configuration space: what is hidden stays so at the new place, from the first access on."""
    words = ("vmm.driver.pci=id=8086:100e, number=1, driver=conceal",)
    with Machine("pci-window", words=words, **(Q35 | {"cpus": 2})) as m:
        m.boot()
        guestprogram.install(m, "poke", poke)
        for number, base in enumerate((0xc0000000, 0xb0000000, 0xd0000000)):
            length = 2 if base == 0xd0000000 else 0  # half of the buses
            cpu = 1 << number % 2
            got = m.run(f"taskset {cpu:x} /tmp/poke {port_address(0, 0, 0, 0x60)} o4:cfc:{base | length | 1:x} r4:{base:x}"
                        f" r4:{base + (0x10 << 15):x} r4:{base + (0x11 << 15):x} r2:{base + (0x12 << 15):x} i4:cfc")
            assert [int(v, 16) for v in got.split()] == [0x29c08086, 0x100e8086, 0xffffffff, 0x8086, base | length | 1]
        # over the VMM's own memory it does not go
        log = m.vmm_log()
        vmm = int(re.search(r"VMM at (0x[0-9a-f]+)", log)[1], 16)
        poked(m, port_address(0, 0, 0, 0x60), f"o4:cfc:{vmm & 0xf0000000 | 1:x}")
        assert poked(m, port_address(0, 0, 0, 0x60), "i4:cfc") == [0xd0000003]
        assert "the guest may not move configuration space" in m.vmm_log()
        # switched off and on again
        poked(m, port_address(0, 0, 0, 0x60), "o4:cfc:b0000000")
        assert poked(m, port_address(0, 0, 0, 0x60), "o4:cfc:b0000001", f"r4:{ECAM + (0x11 << 15):x}",
                     f"r4:{ECAM + (0x10 << 15):x}") == [0xffffffff, 0x100e8086]


def regions(text):
    """(memory, ports): the first addresses of base addresses 0 and 1 of an e1000 that a line of functions() names."""
    numbers = [int(n, 16) for n in re.findall(r"0x[0-9a-f]{16}", text)]
    return numbers[0], numbers[2]


def mac_words(last):
    """The receive address registers of an e1000 with the address 52:54:00:00:00:LAST."""
    return [0x00005452, 0x80000000 | last << 8]


def test_addresses_used_again(bare, poke):
    """The guest puts a card at the addresses of a concealed one: it works there, and the concealed one stays what it was."""
    words = ("vmm.driver.pci=slot=00:10.0, driver=conceal",)
    with ScreenMachine("pci-again", words=words, **Q35) as m:
        m.boot()
        guestprogram.install(m, "poke", poke)
        m.run("echo 0000:00:12.0 >/sys/bus/pci/drivers/e1000/unbind; true")
        memory, ports = regions(bare["0000:00:10.0"])
        old_memory, old_ports = regions(bare["0000:00:12.0"])

        def put(new_memory, new_ports):
            poked(m, port_address(0, 0x12, 0, 4), "o2:cfc:0", port_address(0, 0x12, 0, 0x10), f"o4:cfc:{new_memory:x}",
                  port_address(0, 0x12, 0, 0x14), f"o4:cfc:{new_ports:x}", port_address(0, 0x12, 0, 4), "o2:cfc:3")

        def address(at_memory, at_ports):
            """The card's own address, through memory; and through ports, where QEMU's cards have nothing but zeros."""
            return (poked(m, f"r4:{at_memory + 0x5400:x}", f"r4:{at_memory + 0x5404:x}"),
                    poked(m, f"o4:{at_ports:x}:5400", f"i4:{at_ports + 4:x}", f"i2:{at_ports + 6:x}", f"i1:{at_ports + 1:x}"))

        card, nothing = (mac_words(3), [0] * 3), ([0xffffffff] * 2, [0xffffffff, 0xffff, 0xff])
        put(old_memory, old_ports)
        assert address(old_memory, old_ports) == card
        assert address(memory, ports) == nothing
        assert "for another device" not in m.vmm_log()
        put(memory, ports)
        assert address(memory, ports) == card
        log = m.vmm_log()
        for bar in 0, 1:
            assert log.count(f"[00:10.0/8086:100E] the guest uses the addresses of BAR{bar} for another device") == 1
        # whatever the guest writes now, the concealed card does not come to life there
        page = ECAM + (0x10 << 15)
        poked(m, port_address(0, 0x10, 0, 4), "o2:cfc:7", f"w4:{page + 4:x}:7", f"w4:{page + 0x10:x}:{memory:x}", f"w4:{page + 0x14:x}:{ports | 1:x}")
        for offset in 0, 4, 0x10, 0x14:
            assert poked(m, port_address(0, 0x10, 0, offset), "i4:cfc", f"r4:{page + offset:x}") == [0xffffffff] * 2
        assert address(memory, ports) == card
        put(old_memory, old_ports)
        assert address(old_memory, old_ports) == card
        now = address(memory, ports)
        assert now[1] == nothing[1] and not set(now[0]) & {*mac_words(1), *mac_words(3)}
        mapped = {d["slot"]: [r["address"] for r in d["regions"]] for b in m.monitor.command("query-pci") for d in b["devices"] if b["bus"] == 0}
        assert set(mapped[0x10]) == {-1} and {old_memory, old_ports} <= set(mapped[0x12])


class Hardware:
    """Configuration space and memory as they are below the VMM, by QEMU's monitor; the machine stands still meanwhile."""

    def __init__(self, m):
        self.m = m

    def __enter__(self):
        self.m.monitor.command("stop")
        self.address = self.hmp("i /w 0xcf8")
        return self

    def __exit__(self, *exc):
        self.hmp(f"o /w 0xcf8 {self.address:#x}")
        self.m.monitor.command("cont")

    def hmp(self, line):
        said = self.m.monitor.command("human-monitor-command", **{"command-line": line}).split()
        return int(said[-1], 16) if said else None

    def config(self, device, offset, value=None):
        self.hmp(f"o /w 0xcf8 {0x80000000 | device << 11 | offset:#x}")
        return self.hmp("i /w 0xcfc") if value is None else self.hmp(f"o /w 0xcfc {value:#x}")

    def memory(self, device, bar, at, offset):
        """What is behind a base address of 64 or 32 bits, at `offset`, when the function decodes it at `at`."""
        wide = self.config(device, 0x10 + 4 * bar) & 4
        old = [self.config(device, o) for o in (0x10 + 4 * bar, 0x14 + 4 * bar, 4)]
        self.config(device, 0x10 + 4 * bar, at & 0xffffffff)
        if wide:
            self.config(device, 0x14 + 4 * bar, at >> 32)
        self.config(device, 4, 2)
        value = self.hmp(f"xp /1wx {at + offset:#x}")
        self.config(device, 4, old[2] & 0xffff)
        self.config(device, 0x10 + 4 * bar, old[0])
        if wide:
            self.config(device, 0x14 + 4 * bar, old[1])
        return value


BIG = 0x20000000  # of the device whose place configuration space gets
ONES = 0xffffffff


def test_nothing_gained(poke):
    """The guest puts bridge windows, another device and configuration space over registers of concealed devices: it gains nothing."""
    words = ("vmm.driver.pci=id=1234:11e8|1af4:1110, driver=conceal",)
    extra = (*Q35["extra"], "-object", f"memory-backend-ram,id=big,size={BIG}", "-device", "ivshmem-plain,memdev=big,addr=16")
    with ScreenMachine("pci-nothing-gained", words=words, **(Q35 | {"extra": extra})) as m:
        m.boot()
        guestprogram.install(m, "poke", poke)
        with Hardware(m) as h:
            edu, big = h.config(0x15, 0x10) & ~15, h.config(0x16, 0x18) & ~15
            assert h.config(0x16, 0x1c) == 0  # below 4 GiB
            assert h.memory(0x15, 0, FREE, 0) == 0x010000ed and h.memory(0x15, 0, FREE, 4) == 0
            assert h.memory(0x16, 2, big, 0) == 0
        assert edu and big % BIG == 0

        def dead(at):
            return poked(m, f"r4:{at:x}", f"w4:{at + 4:x}:55", f"r4:{at + 4:x}", f"w8:{at:x}:55", f"r8:{at:x}") == [ONES, ONES, ONES << 32 | ONES]

        assert dead(edu) and dead(big)
        # windows of the bridge: memory, and prefetchable memory
        port = ECAM + (3 << 15)
        for window in 0x20, 0x24:
            for at in edu, big:
                old = poked(m, f"r4:{port + window:x}")[0]
                poked(m, f"w4:{port + window:x}:{at >> 16 & 0xfff0 | at & 0xfff00000:x}")
                assert poked(m, f"r4:{port + window:x}")[0] >> 20 == at >> 20
                assert dead(at)
                poked(m, f"w4:{port + window:x}:{old:x}")
        # and the card behind the bridge with it: the guest has that one there, and the device has nothing
        card, window = ECAM + (1 << 20), poked(m, f"r4:{port + 0x20:x}")[0]
        old = poked(m, f"r4:{card + 0x10:x}", f"r4:{card + 4:x}")
        poked(m, f"w4:{port + 0x20:x}:{edu >> 16 & 0xfff0 | edu & 0xfff00000:x}", f"w4:{card + 0x10:x}:{edu:x}", f"w2:{card + 4:x}:2")
        assert poked(m, f"r4:{edu + 0x5400:x}", f"r4:{edu + 0x5404:x}") == mac_words(4)
        poked(m, f"w4:{edu + 4:x}:55", f"w4:{card + 0x10:x}:{old[0]:x}", f"w2:{card + 4:x}:{old[1] & 0xffff:x}", f"w4:{port + 0x20:x}:{window:x}")
        # configuration space over the other one: it is there, and does not show what is concealed
        host = port_address(0, 0, 0, 0x60)
        assert poked(m, host, f"o4:cfc:{big | 1:x}", f"r4:{big:x}", f"r4:{big + (0x10 << 15):x}", f"r4:{big + (0x15 << 15):x}",
                     f"r4:{big + (0x16 << 15):x}", f"w4:{big + (0x15 << 15) + 4:x}:7", f"r4:{big + (0x15 << 15) + 4:x}",
                     host, f"o4:cfc:{ECAM | 1:x}", f"r4:{ECAM:x}") == [0x29c08086, 0x100e8086, ONES, ONES, ONES, 0x29c08086]
        got = poked(m, f"w4:{big:x}:55", f"r4:{big:x}", f"r4:{ECAM + (0x15 << 15):x}")
        assert got[0] != 0x55 and got[1] == ONES
        log = m.vmm_log()
        assert "may not move" not in log and log.count("the guest uses the addresses of BAR") == 2
        with Hardware(m) as h:
            assert [h.config(d, 4) & 7 for d in (0x15, 0x16)] == [0, 0]
            assert h.memory(0x15, 0, FREE, 0) == 0x010000ed and h.memory(0x15, 0, FREE, 4) == 0
            assert [h.memory(0x16, 2, big, o) for o in (0, 4, 8)] == [0, 0, 0]


def test_one_over_the_other(poke):
    """Two monitored devices at one place: the second one does not answer there, and is watched when it does."""
    words = ("vmm.driver.pci=id=1234:11e8|8086:10d3, driver=monitor, log=20000",)
    with Machine("pci-over-other", words=words, **(Q35 | {"extra": (*Q35["extra"], "-device", "edu,addr=16")})) as m:
        m.boot()
        guestprogram.install(m, "poke", poke)
        first, second = (bars(functions(m)[f"0000:00:{d}.0"])[0][0] for d in (15, 16))
        command, bar = ([port_address(0, d, 0, o) for d in (0x15, 0x16)] for o in (4, 0x10))
        poked(m, command[0], "o2:cfc:2", command[1], "o2:cfc:2", f"w4:{first + 4:x}:11", f"w4:{second + 4:x}:22")
        poked(m, bar[1], f"o4:cfc:{first:x}")
        assert poked(m, bar[1], "i4:cfc", command[1], "i2:cfc", f"r4:{first + 4:x}", f"r4:{second + 4:x}")[:3] == [first, 2, 0xffffffee]
        poked(m, bar[0], f"o4:cfc:{FREE:x}")
        assert poked(m, f"r4:{first + 4:x}", f"r4:{FREE + 4:x}") == [0xffffffdd, 0xffffffee]
        log = m.vmm_log().split("stays off")
        assert len(log) == 2 and log[1].count("[00:16.0/1234:11E8] BAR0 read 4 at 0x4: 0xffffffdd") == 1
        # switched off and on while it cannot be there
        poked(m, bar[0], f"o4:cfc:{first:x}", command[0], "o2:cfc:0", "o2:cfc:2")
        assert poked(m, command[0], "i2:cfc", f"r4:{first + 4:x}") == [2, 0xffffffdd]
        poked(m, command[1], "o2:cfc:0")
        assert poked(m, f"r4:{first + 4:x}") == [0xffffffee]
        assert m.vmm_log().count("[00:15.0/1234:11E8] BAR0 read 4 at 0x4: 0xffffffee") == 3
        # one function's registers over its other ones, and back
        m.run("echo 0000:01:00.0 >/sys/bus/pci/drivers/e1000e/unbind; true")
        (registers, _), (flash, _) = bars(functions(m)["0000:01:00.0"])[:2]
        command, bar = port_address(1, 0, 0, 4), port_address(1, 0, 0, 0x14)
        poked(m, command, "o2:cfc:2", bar, f"o4:cfc:{registers:x}")
        assert poked(m, command, "i2:cfc") == [2] and set(poked(m, f"r4:{registers + 0x5400:x}")).isdisjoint(mac_words(4))
        poked(m, bar, f"o4:cfc:{flash:x}")
        watched = "[01:00.0/8086:10D3] BAR0 read 4 at 0x5404: "
        before = m.vmm_log().count(watched)
        assert poked(m, f"r4:{registers + 0x5400:x}", f"r4:{registers + 0x5404:x}") == mac_words(4)
        assert m.vmm_log().count(watched) == before + 1
        # and the other way round, when the one in the way goes last
        low = port_address(1, 0, 0, 0x10)
        poked(m, low, f"o4:cfc:{flash:x}", bar, f"o4:cfc:{registers:x}")
        assert poked(m, f"r4:{flash + 0x5400:x}", f"r4:{flash + 0x5404:x}") == mac_words(4)
        assert m.vmm_log().count(watched) == before + 2


def test_large_bars(poke):
    """Base addresses above 4 GiB, of 4 GiB and more: their sizes are right, they are watched to the last byte, follow moves, and are concealed."""
    gib = 1 << 30
    memory = [v for n in "abc" for v in ("-object", f"memory-backend-ram,id={n},size=4G", "-device", f"ivshmem-plain,memdev={n},addr=1{n}")]
    rule = ("slot=00:1a.0|00:1d.0, driver=monitor, log=2000, and, slot=00:1b.0, driver=conceal")
    extra = ("-nic", "none", *memory, "-device", "pci-testdev,membar=8G,addr=1d")
    with ScreenMachine("pci-large", words=("vmm.driver.pci=" + rule,), **(Q35 | {"extra": extra})) as m:
        m.boot()
        guestprogram.install(m, "poke", poke)
        found = functions(m)
        (a, a_end), (c, c_end), (d, d_end) = ([b for b in bars(found[f"0000:00:1{n}.0"]) if b[0] >= 4 * gib][0] for n in "acd")
        assert (a_end - a + 1, c_end - c + 1, d_end - d + 1) == (4 * gib, 4 * gib, 8 * gib)
        with Hardware(m) as h:
            b = h.config(0x1b, 0x18) & ~15 | h.config(0x1b, 0x1c) << 32
        assert b >= 4 * gib
        # to the ends; beside it is another one's
        for at in a, a + 4 * gib - 8, c, c + 4 * gib - 8:
            poked(m, f"w8:{at:x}:{at:x}")
        assert poked(m, *(f"r8:{at:x}" for at in (a, a + 4 * gib - 8, c, c + 4 * gib - 8))) == [a, a + 4 * gib - 8, c, c + 4 * gib - 8]
        poked(m, f"w1:{d + 8 * gib - 1:x}:1", f"r1:{d:x}")
        # concealed, both ends
        for at in b, b + 4 * gib - 8:
            assert poked(m, f"r8:{at:x}", f"w8:{at:x}:5", f"r8:{at:x}") == [ONES << 32 | ONES] * 2
        # asked for its size, by halves
        low, high = port_address(0, 0x1a, 0, 0x18), port_address(0, 0x1a, 0, 0x1c)
        assert poked(m, low, "o4:cfc:ffffffff", high, "o4:cfc:ffffffff", low, "i4:cfc", high, "i4:cfc") == [0xc, 0xffffffff]
        # moved to beyond all others, by halves, with the decoder on
        new = (max(a, b, c, d) + 64 * gib) // (8 * gib) * 8 * gib
        poked(m, low, f"o4:cfc:{new & ONES:x}", high, f"o4:cfc:{new >> 32:x}")
        assert poked(m, f"r8:{new:x}", f"r8:{new + 4 * gib - 8:x}", f"r8:{c:x}") == [a, a + 4 * gib - 8, c]
        poked(m, f"w8:{new + 8:x}:77", f"r8:{a + 8:x}")
        log = m.vmm_log()
        for text in ("1A.0/1AF4:1110] BAR2 write 8 at 0xfffffff8: ", "1A.0/1AF4:1110] BAR2 read 8 at 0xfffffff8: ", "1D.0/1B36:0005] BAR2 write 1 at 0x1ffffffff: 0x1\n",
                     "1A.0/1AF4:1110] BAR2 write 8 at 0x8: 0x77\n"):
            assert text in log.replace("\r", ""), text
        assert log.count("1A.0/1AF4:1110] BAR2 read 8 at 0x8") == 0
        with Hardware(m) as h:
            assert [h.memory(0x1b, 2, b, o) for o in (0, 4 * gib - 8)] == [0, 0]


@pytest.mark.parametrize("stub", [False, True])
def test_function_zero(poke, stub):
    """Without function 0 a guest looks for no other function of the device; stub=1 shows it something there."""
    words = ("vmm.driver.pci=slot=00:10.0, driver=conceal" + (", stub=1" if stub else ""),)
    extra = ("-nic", "none", "-device", "e1000,addr=10.0,multifunction=on,romfile=", "-device", "edu,addr=10.1", "-device", "edu,addr=11")
    with Machine(f"pci-zero-{'stub' if stub else 'none'}", words=words, **(Q35 | {"extra": extra})) as m:
        m.boot()
        found = functions(m)
        assert ("stub=1 shows it something there" in m.vmm_log()) == (not stub)
        assert "[00:10.0/8086:100E] concealed" in m.vmm_log()
        assert [a for a in found if a.startswith("0000:00:10")] == (["0000:00:10.0", "0000:00:10.1"] if stub else [])
        assert "0000:00:11.0" in found
        guestprogram.install(m, "poke", poke)
        page = ECAM + (0x10 << 15)
        zero = poked(m, port_address(0, 0x10, 0), "i4:cfc", port_address(0, 0x10, 0, 8), "i4:cfc", f"r4:{page:x}", f"r4:{page + 8:x}", f"r4:{page + 0x10:x}")
        if not stub:
            assert zero == [0xffffffff] * 5
            return
        assert zero == [0xfffe8086, 0xff000000, 0xfffe8086, 0xff000000, 0]
        assert m.run("cat /sys/bus/pci/devices/0000:00:10.0/class /sys/bus/pci/devices/0000:00:10.0/resource | sort -u").split("\n") == [
            "0x0000000000000000 0x0000000000000000 0x0000000000000000", "0xff0000"]
        base = bars(found["0000:00:10.1"])[0][0]
        assert poked(m, port_address(0, 0x10, 1, 4), "o2:cfc:2", f"r4:{base:x}", f"w4:{base + 4:x}:55", f"r4:{base + 4:x}") == [0x010000ed, 0xffffffaa]


@pytest.mark.parametrize("disk,kind", [("ide", "0106"), ("nvme", "0108")])
def test_boot_disk(disk, kind):
    """A rule takes the controller of the disk that a BIOS machine starts from: the log says what comes of it, and the screen what came."""
    with ScreenMachine(f"pci-boot-{disk}", machine="q35", disk=disk, net="none", words=(f"vmm.driver.pci=class={kind}, driver=conceal",)) as m:
        if disk == "nvme":  # with AHCI this firmware waits for minutes
            m.expect_screen("BitVisor: drive 0x80 cannot be read. Press a key to reboot.", 60)
        end = time.monotonic() + 60
        while "] concealed" not in m.vmm_log():
            assert time.monotonic() < end
            time.sleep(0.2)
        assert re.search(r"^\[\w\w:\w\w\.\w/\w{4}:\w{4}\] is a disk controller: the firmware cannot read its disks any more, nor start from them\r?$",
                         m.vmm_log(), re.M)


def test_no_rule():
    """Without a rule nothing of configuration space exits."""
    with Machine("pci-no-rule", **Q35) as m:
        m.boot()
        assert re.search(r"PCI: 1[0-9] devices found", m.vmm_log())


MORE = "-- more --  q:continue  g:go to 1st line  r:reboot  SPC:next page  CR:next line"
END = "-- end --   q:continue  g:go to 1st line  r:reboot"
# The worked examples of vmm.driver.pci; drivers that are not there are stood in for by these two.
EXAMPLES = {
    "one-nic": ("id=8086:100e, number=1, driver=monitor", {"00:11.0": "monitor"}),
    "slot": ("slot=00:1f.2, driver=monitor, log=0, bars=0", {"00:1F.2": "monitor"}),
    "two-rules": ("slot=00:10.0, driver=monitor, log=0, and, class=0200, driver=conceal",
                  {"00:10.0": "monitor", "00:11.0": "conceal", "00:12.0": "conceal", "01:00.0": "conceal"}),
    "all-but-one": ("slot=00:12.0, driver=none, and, id=8086:100e, driver=conceal", {"00:10.0": "conceal", "00:11.0": "conceal"}),
}


@pytest.fixture(scope="module")
def devlist():
    return debugimage.build("bitvisor-devlist")


def golden(bare, assigned):
    """The list as it must be, of what the guest finds without a VMM."""
    lines = []
    for address, text in bare.items():
        config = bytes.fromhex(text.split()[0])
        word = [int.from_bytes(config[i:i + 2], "little") for i in (0, 2)]
        name = address[5:].upper()
        lines.append(f"[{name}] {config[11]:02X}{config[10]:02X}{config[9]:02X}: {word[0]:04X}:{word[1]:04X}"
                     + (f" {assigned[name]}" if name in assigned else ""))
    return lines


@pytest.mark.parametrize("name", EXAMPLES)
def test_list(bare, devlist, name):
    """The list names every function and who has it, in the log at once and on the screen by pages; keys do what the prompt says."""
    rule, assigned = EXAMPLES[name]
    want = golden(bare, assigned)
    assert sum(a in line for line in want for a in assigned) == len(assigned)
    options = Q35 | {"elf": devlist, "words": ("vmm.driver.pci=" + rule,)}
    with ScreenMachine(f"pci-list-{name}", **options) as m:
        shown = m.expect_screen(MORE, 60).splitlines()
        assert "\n\nDUMP_PCI_DEV_LIST:\n" + "\n".join(want) + "\n" in m.vmm_log().replace("\r", "")
        assert want[0] not in shown and "DUMP_PCI_DEV_LIST:" in shown
        if name == "one-nic":
            m.key("ret")
            shown = m.expect_screen(want[0] + MORE, 10)
            assert want[1] not in shown
            m.key("z")  # no key of the list
            m.key("spc")
            shown = m.expect_screen(END, 10)
            begin = shown.index("DUMP_PCI_DEV_LIST:")
            assert shown[begin:].rstrip() == "\n".join(["DUMP_PCI_DEV_LIST:", *want, END])
            m.key("g")
            m.expect_screen("DUMP_PCI_DEV_LIST:" + MORE, 10)
            m.key("r")
            assert m.wait_exit(30) == 0
        else:
            m.key("q")
            m.boot()
            assert set(functions(m)) == {a for a in bare if assigned.get(a[5:].upper()) != "conceal"}


def drawn(text):
    """What a terminal shows of it that was printed one line behind the other."""
    lines = [""]
    for c in re.sub(r"\x1b\[[0-9;=?]*[A-Za-z]", "", text):
        if c == "\n":
            lines.append("")
        elif c == "\b":
            lines[-1] = lines[-1][:-1]
        elif c != "\r":
            lines[-1] += c
    return "\n".join(line.rstrip() for line in lines)


# Where the keys come from: the serial port of the log, and the firmware's console, which is on a serial port here.
TERMINALS = {"serial": {"vmm_serial": "com1"}, "uefi": {"fw": "uefi-bootopt"}}


@pytest.mark.parametrize("terminal", TERMINALS)
def test_list_terminal(bare, devlist, terminal):
    """The same keys of a terminal, and the same text on it."""
    rule, assigned = EXAMPLES["one-nic"]
    want = golden(bare, assigned)
    with Machine(f"pci-list-{terminal}", **(Q35 | TERMINALS[terminal] | {"elf": devlist, "words": ("vmm.driver.pci=" + rule,)})) as m:

        def page(*lines):
            m.expect(re.escape(lines[-1]), 90)
            shown = drawn(m.text[:m.mark])
            assert shown[shown.rindex("DUMP_PCI_DEV_LIST:"):] == "\n".join(["DUMP_PCI_DEV_LIST:", *lines])

        page(MORE)
        m.send("z\r")
        page(want[0], MORE)
        m.send("\n")
        page(*want[:2], MORE)
        m.send(" ")
        page(*want, END)
        m.send("g")
        page(MORE)
        assert "\n\nDUMP_PCI_DEV_LIST:\n" + "\n".join(want) + "\n" in (m.vmm_log() or m.text).replace("\r", "")
        if terminal == "uefi":
            m.send("r")
            assert m.wait_exit(30) == 0
        else:
            m.send("q")
            m.boot()
            assert set(functions(m)) == set(bare)


@pytest.mark.parametrize("fw", ["bios", "uefi-bootopt"])
def test_list_timeout(bare, devlist, fw, request):
    """Nobody is there: after vmm.dump_pci_timeout seconds (30, as long as nobody sets it) the guest starts."""
    words = () if request.config.getoption("--all-rows") else ("vmm.dump_pci_timeout=3",)
    with Machine(f"pci-list-timeout-{fw}", **(Q35 | {"elf": devlist, "words": words, "fw": fw})) as m:
        if fw != "bios":
            m.expect(re.escape(MORE), 90)
            begin = time.monotonic()
            # what the VMM says behind it
            while "DMA is not confined" not in m.vmm_log():
                assert m._read(0.1)
            assert -1 < time.monotonic() - begin - (3 if words else 30) < 5
        m.boot()
        assert "\n".join(golden(bare, {})) in m.vmm_log().replace("\r", "")
        assert fw != "bios" or functions(m) == bare


def test_documented_driver(poke):
    """The driver of Documentation/adding-a-driver.md, as it stands there, linked into the image and nothing else changed."""
    words = ("vmm.driver.pci=driver=edu_id, id=0x12345678",)
    with Machine("pci-example", **(Q35 | {"elf": debugimage.build("bitvisor-example"), "words": words})) as m:
        m.boot()
        guestprogram.install(m, "poke", poke)
        base = int(m.run("cut -d' ' -f1 /sys/bus/pci/devices/0000:00:15.0/resource | head -n 1"), 16)
        assert poked(m, port_address(0, 0x15, 0, 4), "o2:cfc:2", f"r4:{base:x}", f"w4:{base + 4:x}:1",
                     f"r4:{base + 4:x}") == [0x12345678, 0xfffffffe]
        assert "edu with another identification registered" in m.vmm_log()
