#!/usr/bin/python3
"""The kernel's own tests of x86 (tools/testing/selftests/x86) in the Linux guest: each gives bare and under the VMM the same."""
# SPDX-License-Identifier: BSD-3-Clause

import argparse
import collections
import os
import re
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))
from lib.machine import Machine  # noqa: E402

TIMEOUT = 120  # seconds for one program
KSFT_SKIP = 4  # tools/testing/selftests/kselftest.h
# QEMU applies SMAP to IRET at CPL 3 (Documentation/emulators.md): sysret_ss_attrs would end the guest, bare as well.
CPU = "EPYC,+svm,+npt,-hypervisor,-smap"
STATES = {0: "PASS", KSFT_SKIP: "SKIP"}


def outcomes(name, **options):
    """{program: (state, {line: how often}, seconds)}; a line without what differs from run to run."""
    found = {}
    with Machine(name, kernel_args="+quiet", **options) as m:
        m.boot()
        m.run("mkdir /tmp/s && tar xf /dev/vda -C /tmp/s", 60)
        for program in sorted(m.run("ls /tmp/s").split()):
            begin = time.monotonic()
            status, text = m.status(f"cd /tmp/s && ./{program} 2>&1", TIMEOUT)
            lines = re.findall(r"^\s*\[(OK|FAIL|SKIP|WARN)\]\s*(.*)$", text, re.M)
            counted = collections.Counter(f"[{tag}] " + re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{6,}\b|\d+", "N", said) for tag, said in lines)
            found[program] = STATES.get(status, "FAIL"), counted, time.monotonic() - begin
        assert name.endswith("bare") or "panic" not in m.vmm_log().lower(), m.vmm_log()
    return found


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--cpus", type=int, default=2)
    p.add_argument("tar", help="the programs")
    a = p.parse_args()
    options = {"emu": "qemu", "cpus": a.cpus, "cpu": CPU,
               "extra": ("-drive", f"file={a.tar},format=raw,if=virtio,readonly=on")}
    bare = outcomes("selftests-bare", bare=True, **options)
    vmm = outcomes("selftests", **options)
    bad = 0
    for program, (state, lines, seconds) in bare.items():
        state_vmm, lines_vmm, seconds_vmm = vmm.get(program, ("MISSING", collections.Counter(), 0))
        same = state == state_vmm and lines == lines_vmm
        bad += not same
        print(f"{program:24} {state:4} {sum(lines.values()):4} lines {seconds:5.1f} s; under the VMM {state_vmm:4} {seconds_vmm:5.1f} s"
              f"{'' if same else '  DIFFERENT'}")
        for line in sorted(lines.keys() | lines_vmm.keys()):
            if lines[line] != lines_vmm[line]:
                print(f"    bare {lines[line]}, VMM {lines_vmm[line]}: {line}")
    print(f"{len(bare) - bad} passed, {bad} failed, 0 skipped")
    return 1 if bad or len(bare) < 15 else 0


if __name__ == "__main__":
    sys.exit(main())
