#!/usr/bin/python3
"""Boot the machines of the system tests again and again: `make soak BOOTS=100` (EMU=qemu, bochs)."""
# SPDX-License-Identifier: BSD-3-Clause

import argparse
import concurrent.futures
import contextlib
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "system"))
import rows  # noqa: E402
from lib import checks  # noqa: E402
from lib.machine import Machine  # noqa: E402


def last_words(m):
    """The end of the guest's kernel log, when a shell still answers: nobody can look later."""
    mark = len(m.text)
    m.send("\ndmesg | tail -n 40; echo @@\"WORDS\"\n")
    with contextlib.suppress(AssertionError):
        m.expect("@@WORDS", 60)
    return m.text[mark:]


def boot(number, row):
    """One machine from power-on to power-off; returns (number, row's name, seconds to the shell, error or None)."""
    begin = time.monotonic()
    shell = 0.0
    try:
        with Machine(f"soak-{number}", **({"kernel_args": "+quiet"} | row.options())) as m:
            try:
                m.boot()
                shell = time.monotonic() - begin
                checks.cpus_online(m)
                checks.disk_reads_back(m)
                assert "panic" not in m.vmm_log().lower()
            except AssertionError as e:
                raise AssertionError(f"{e}\n--- kernel ---\n{last_words(m)}") from e
            m.send_command("poweroff -f")
            m.wait_exit(60)
        return number, row.name, shell, None
    except (AssertionError, OSError) as e:
        return number, row.name, shell, str(e)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--boots", type=int, default=100)
    p.add_argument("--emu", default="qemu", choices=["qemu", "bochs"])
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="machines at a time")
    p.add_argument("--planned", action="store_true", help="also the rows that make check leaves out")
    a = p.parse_args()
    table = [r for r in rows.ROWS + (rows.PLANNED_ROWS if a.planned else []) if r.emu == a.emu and not r.elf]
    choose = random.Random(a.seed)
    plan = [(n, choose.choice(table)) for n in range(a.boots)]
    failed, times = 0, []
    with concurrent.futures.ProcessPoolExecutor(a.jobs) as pool:
        for number, name, shell, error in pool.map(boot, *zip(*plan)):
            print(f"{number:4} {'FAILED' if error else 'ok':6} {shell:6.1f} s  {name}", flush=True)
            times.append(shell)
            if error:
                failed += 1
                print(error, flush=True)
    print(f"median {sorted(times)[len(times) // 2]:.1f} s to the shell")
    print(f"{a.boots - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
