"""QEMU's monitor, by a socket that a machine was started with."""
# SPDX-License-Identifier: BSD-3-Clause

import socket


def arguments(path):
    """What QEMU gets; path: of the socket."""
    return ("-monitor", f"unix:{path},server,nowait")


def command(path, text):
    """Run one command and return what it says; waits for the prompt before and after it."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path)
        for line in (None, text):
            if line:
                s.sendall(line.encode() + b"\n")
            data = b""
            while not data.endswith(b"(qemu) "):
                data += s.recv(4096)
    return data.decode(errors="replace").replace("\r", "")
