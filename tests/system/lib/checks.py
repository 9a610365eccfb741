"""Checks on a running guest that mean the same bare and under the VMM."""
# SPDX-License-Identifier: BSD-3-Clause

import contextlib
import hashlib
import http.server
import re
import threading

from lib import facts
from lib.machine import run

media = run.media


def disk_reads_back(m):
    """The guest reads the pattern on its disk as this host has it in the image; what differs is told by block."""
    block, blocks = 1 << 16, media.PATTERN_MIB * 16
    want = media.pattern(media.PATTERN_MIB * media.MIB)
    with open(f"{run.BUILD}/guest-{m.options.kernel}.img", "rb") as f:
        f.seek(media.MIB * (1 + media.FAT_MIB))
        assert f.read(len(want)) == want
    m.run(f"dd if={facts.guest_disk(m)} of=/tmp/read bs=1M skip={1 + media.FAT_MIB} count={media.PATTERN_MIB} 2>/tmp/dd || cat /tmp/dd", 120)
    got = m.run("sha256sum </tmp/read").split()[0]
    if got == hashlib.sha256(want).hexdigest():
        return
    sums = m.run(f"for i in $(seq 0 {blocks - 1}); do dd if=/tmp/read bs={block} skip=$i count=1 2>/dev/null | sha256sum; done", 120)
    found = [line.split()[0] for line in sums.splitlines()]
    wrong = [i for i in range(blocks) if found[i] != hashlib.sha256(want[i * block:(i + 1) * block]).hexdigest()]
    said = m.run("cat /tmp/dd; ls -l /tmp/read; sha256sum /tmp/read; dmesg | tail -n 30")
    raise AssertionError(f"read {got}; blocks of 64 KiB that differ: {wrong}\n{said}\n{m.vmm_log()[-3000:]}")


def disk_writes(m):
    """What the guest writes behind its partition it reads back past the page cache."""
    disk = facts.guest_disk(m)
    want = m.run("dd if=/dev/urandom of=/tmp/x bs=64k count=16 2>/dev/null; sha256sum </tmp/x").split()[0]
    at = (media.GUEST_MIB - 1) * 16
    m.run(f"dd if=/tmp/x of={disk} bs=64k seek={at} conv=fsync 2>/dev/null; echo 3 >/proc/sys/vm/drop_caches", 60)
    got = m.run(f"dd if={disk} bs=64k skip={at} count=16 2>/dev/null | sha256sum", 60)
    assert got.split()[0] == want


def network_address(m):
    """The guest got the address that the user network hands out."""
    m.run("for i in $(seq 60); do [ -e /run/udhcpc.done ] && break; sleep 0.5; done; [ -e /run/udhcpc.done ]", 60)
    assert re.search(r"inet 10\.0\.2\.15/24", m.run("ip -4 addr show dev eth0"))


@contextlib.contextmanager
def web_server(body):
    """A web server on this host that gives `body`; yields (port, list of the paths asked for)."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        server.server_close()


def network_transfer(m):
    """A MiB comes over the network unharmed, and the server saw who asked."""
    body = media.pattern(media.MIB)
    with web_server(body) as (port, asked):
        got = m.run(f"wget -q -O - http://10.0.2.2:{port}/from-guest | sha256sum", 60)
        assert got.split()[0] == hashlib.sha256(body).hexdigest()
        assert asked == ["/from-guest"]


def cpus_online(m):
    """All CPUs are there and each runs a program."""
    assert m.run("nproc") == str(m.options.cpus)
    for cpu in range(m.options.cpus):
        assert m.run(f"taskset {1 << cpu:x} sh -c 'cut -d\" \" -f39 /proc/self/stat'") == str(cpu)


def cpu_hotplug(m):
    """Every CPU but the first goes off-line, is gone, comes back and works."""
    for cpu in range(1, m.options.cpus):
        state = f"/sys/devices/system/cpu/cpu{cpu}/online"
        m.run(f"echo 0 >{state}", 60)
        assert m.run("nproc") == str(m.options.cpus - 1)
        m.run(f"echo 1 >{state}", 60)
    cpus_online(m)
