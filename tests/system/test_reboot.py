"""The guest resets the machine by every path, and starts another kernel without a reset."""
# SPDX-License-Identifier: BSD-3-Clause

import pytest

import rows
from lib import checks, facts


restarts = pytest.mark.parametrize("row", [rows.named(n) for n in rows.RESTARTS], ids=lambda r: r.name)


@pytest.mark.parametrize("path, row", [(p, rows.named(n)) for p, n in rows.REBOOTS], ids=lambda v: getattr(v, "name", v))
def test_reboot_path(start, row, path):
    """Each way the kernel knows ends in a reset of the machine (the emulator is told to end then)."""
    m = start(f"reboot-{path}", kernel_args=f"+quiet reboot={path}")
    m.boot()
    assert f"reboot={path}" in m.run("cat /proc/cmdline")
    m.send_command("reboot -f")
    assert m.wait_exit(90) == 0


@restarts
def test_reboot_comes_back(start, request):
    """After a reset the guest comes up again, and under the VMM again."""
    m = start("reboot-again", reboot=True)
    m.boot()
    first = len(m.vmm_log())
    m.run("echo gone >/tmp/mark")
    m.send_command("reboot -f")
    m.boot()
    assert m.status("[ -e /tmp/mark ]")[0] == 1
    if not request.config.getoption("--as-bare"):
        # As long a log again, give or take what depends on time.
        assert len(m.vmm_log()) > first * 1.5


@restarts
def test_kexec(start):
    """Another kernel, started by this one without any firmware, gets all CPUs and its disk."""
    m = start("kexec", kernel_args="+quiet")
    m.boot()
    m.run(f"mount -o ro $(ls {facts.guest_disk(m)}*1) /mnt && cp /mnt/vmlinuz /mnt/initrd.gz /tmp; umount /mnt", 60)
    m.send_command('kexec /tmp/vmlinuz /tmp/initrd.gz "$(cat /proc/cmdline) started=kexec"')
    m.boot()
    assert "started=kexec" in m.run("cat /proc/cmdline")
    checks.cpus_online(m)
    checks.disk_reads_back(m)
