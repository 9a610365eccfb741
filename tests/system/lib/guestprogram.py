"""Small C programs that run in the Linux guest."""
# SPDX-License-Identifier: BSD-3-Clause

import base64
import gzip
import os
import subprocess
import tempfile

from lib.machine import TOP

FLAGS = ["-O1", "-nostdlib", "-static", "-s", "-fno-pie", "-no-pie", "-fno-stack-protector", "-fcf-protection=none",
         "-mno-red-zone", "-Wall", "-Wextra", "-Werror", "-Wl,-N,--build-id=none,--no-warn-rwx-segments"]


def build(name, *options):
    """Compile tests/system/NAME.c; returns what install() wants."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        subprocess.run(["gcc", *FLAGS, *options, "-o", path, os.path.join(TOP, "tests", "system", f"{name}.c")], check=True)
        with open(path, "rb") as f:
            return base64.b64encode(gzip.compress(f.read(), mtime=0)).decode()


def install(m, name, program):
    """Put the program into the guest, over its console, as /tmp/NAME."""
    m.run("rm -f /tmp/b64")
    for i in range(0, len(program), 400):
        m.run(f"echo {program[i:i + 400]} >>/tmp/b64")
    m.run(f"base64 -d </tmp/b64 | gunzip >/tmp/{name} && chmod +x /tmp/{name}")
