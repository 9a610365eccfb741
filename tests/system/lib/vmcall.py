"""VMM calls of the debug image, made by a program in the guest."""
# SPDX-License-Identifier: BSD-3-Clause

import base64
import gzip
import os
import subprocess

from lib.machine import TOP

SOURCE = os.path.join(TOP, "tests", "system", "vmcall.c")


def install(m, tmp_path):
    """Put the program into the guest as /tmp/vmcall."""
    path = tmp_path / "vmcall"
    define = [] if m.options.emu == "bochs" else ["-DVMMCALL"]
    subprocess.run(["gcc", "-O1", "-nostdlib", "-static", "-s", "-fno-pie", "-no-pie", "-fno-stack-protector", "-fcf-protection=none",
                    "-mno-red-zone", "-Wall", "-Wextra", "-Werror", "-Wl,-N,--build-id=none,--no-warn-rwx-segments", *define,
                    "-o", path, SOURCE], check=True)
    coded = base64.b64encode(gzip.compress(path.read_bytes(), mtime=0)).decode()
    m.run("rm -f /tmp/v64")
    for i in range(0, len(coded), 400):
        m.run(f"echo {coded[i:i + 400]} >>/tmp/v64")
    m.run("base64 -d </tmp/v64 | gunzip >/tmp/vmcall && chmod +x /tmp/vmcall")


def command(name, rbx, rcx=0, rdx=0, times=1, cpu=None):
    """The guest's shell command for it."""
    return f"{'' if cpu is None else f'taskset {1 << cpu:x} '}/tmp/vmcall {name} {rbx} {rcx} {rdx} {times}"


def call(m, name, rbx, rcx=0, rdx=0, times=1, cpu=None, timeout=60):
    """(RAX, RCX, RDX) behind the last of `times` calls, on CPU `cpu` if given."""
    return tuple(int(n) for n in m.run(command(name, rbx, rcx, rdx, times, cpu), timeout).split())
