"""PCI under load: random accesses from two CPUs."""
# SPDX-License-Identifier: BSD-3-Clause

import time

from lib import guestprogram
from lib.machine import Machine
from test_pci import ECAM, Q35, bars, functions, poked, port_address

# Accesses of each CPU; `make check-all` does a million in all.
COUNT, COUNT_ALL = 100_000, 500_000


def test_random_accesses(request):
    """Two CPUs write and read a concealed and a monitored function at random: nothing else changes, one stays hidden, the other works."""
    count = COUNT_ALL if request.config.getoption("--all-rows") else COUNT
    rules = "id=8086:100e, number=1, driver=conceal, and, id=1234:11e8, driver=monitor, log=0"
    with Machine("pci-random", words=("vmm.driver.pci=" + rules,), **(Q35 | {"cpus": 2, "threads": "multi"})) as m:
        m.boot()
        guestprogram.install(m, "poke", guestprogram.build("poke"))
        guestprogram.install(m, "pcistress", guestprogram.build("pcistress"))
        # what the kernel does by ports at the same time would reach other functions
        m.run("for d in /sys/bus/pci/devices/*/power/control; do echo on >$d; done;"
              " for i in /sys/class/net/e*; do ip link set ${i##*/} down; done; true", 60)
        before = functions(m)
        edu = "/sys/bus/pci/devices/0000:00:15.0/config"
        m.run(f"dd if={edu} of=/tmp/saved bs=256 count=1 2>/dev/null")
        begin = time.monotonic()
        said = m.run("".join(f"/tmp/pcistress {cpu} {seed:x} {count:x} {ECAM:x} 88 a8 & "
                             for cpu, seed in enumerate((0x123456789abcdef, 0xfedcba987654321))) + "wait", 400)
        print(f"{2 * count} accesses in {time.monotonic() - begin:.1f} s")
        for line in said.splitlines():
            wrong, *done = (int(n) for n in line.split())
            assert wrong == 0 and min(done) > count // 5 and sum(done) == count
        assert len(said.splitlines()) == 2
        log = m.vmm_log()
        assert "panic" not in log.lower()
        for offset in range(0, 0x100, 4):
            assert poked(m, port_address(0, 0x11, 0, offset), "i4:cfc", f"r4:{ECAM + (0x11 << 15) + offset:x}") == [0xffffffff] * 2
        # back to what it was; the command register last
        m.run(f"dd if=/tmp/saved of={edu} bs=8 skip=1 seek=1 2>/dev/null; dd if=/tmp/saved of={edu} bs=8 count=1 2>/dev/null")
        assert functions(m) == before
        base = bars(before["0000:00:15.0"])[0][0]
        assert poked(m, port_address(0, 0x15, 0, 4), "o2:cfc:2", f"r4:{base:x}", f"w4:{base + 4:x}:55", f"r4:{base + 4:x}") == [0x010000ed, 0xffffffaa]
