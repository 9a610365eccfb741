"""NMIs belong to the VMM first, and to the guest when nobody in the VMM claims them."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import tempfile
import time

import pytest

import rows
from lib import monitor
from lib.machine import Machine

COUNT = 20
BURST = 100


def nmi_counts(m):
    return [int(n) for n in m.run("sed -n 's/^ *NMI: *\\([0-9 ]*\\).*/\\1/p' /proc/interrupts").split()]


@pytest.mark.parametrize("row", [r for r in rows.ROWS if r.name in ("qemu-bios-1cpu-6.1", "qemu-bios-2cpu-6.12")],
                         ids=lambda r: r.name)
def test_guest_nmis(row, request):
    """Every NMI that the machine raises far enough from the next reaches the guest's handler once, and none is invented."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "monitor")
        options = row.options() | {"bare": request.config.getoption("--as-bare"), "kernel_args": "+quiet"}
        with Machine(f"nmi-{row.name}", extra=monitor.arguments(path), **options) as m:
            m.boot()
            before = nmi_counts(m)
            for _ in range(COUNT):
                monitor.command(path, "nmi")
                time.sleep(0.1)
            # start and stop CPUs meanwhile: kicks of the VMM's own are NMIs, too
            if row.cpus > 1:
                for _ in range(5):
                    m.run("echo 0 >/sys/devices/system/cpu/cpu1/online; echo 1 >/sys/devices/system/cpu/cpu1/online")
            after = nmi_counts(m)
            # as fast as the monitor goes: they may merge, they may hit the handler of the one before
            for _ in range(BURST):
                monitor.command(path, "nmi")
            burst = nmi_counts(m)
            assert 1 <= burst[0] - after[0] <= BURST
            assert burst[1:] == after[1:]
    # The machine raises LINT1 on all CPUs; Linux unmasks it on the boot CPU only. The others must not see one:
    # all NMIs that arrive there are kicks of the VMM.
    assert [b - a for a, b in zip(before, after)] == [COUNT] + [0] * (row.cpus - 1)
