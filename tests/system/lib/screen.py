"""A machine (QEMU) whose text screen can be read and whose keyboard can be used, besides its console."""
# SPDX-License-Identifier: BSD-3-Clause

import dataclasses
import json
import os
import shutil
import socket
import tempfile
import time

from lib.machine import Machine

TEXT, COLUMNS, ROWS = 0xB8000, 80, 25  # the text page of a VGA in mode 3


class Monitor:
    """QEMU's monitor on a socket."""

    def __init__(self, path, proc):
        end = time.monotonic() + 20
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(path)
                break
            except OSError:
                self.socket.close()
                if proc.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self.socket.settimeout(60)
        self.file = self.socket.makefile("rw")
        self.file.readline()  # the greeting
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.file.flush()
        while "event" in (answer := json.loads(self.file.readline())):
            pass
        assert "return" in answer, f"{name}: {answer}"
        return answer["return"]

    def close(self):
        self.file.close()
        self.socket.close()


class ScreenMachine(Machine):
    """Machine, with screen() and key()."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="screen")  # a short name: that of a socket is limited
        path = os.path.join(self.folder, "qmp")
        self.options = dataclasses.replace(self.options, extra=(*self.options.extra, "-qmp", f"unix:{path},server=on,wait=off"))
        self.monitor = None
        super().__enter__()
        try:
            self.monitor = Monitor(path, self.proc)
        except OSError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        if self.monitor:
            self.monitor.close()
        super().__exit__(*exc)
        shutil.rmtree(self.folder)

    def screen(self):
        """The text screen: 25 lines, without blanks at their ends."""
        path = os.path.join(self.folder, "text")
        self.monitor.command("pmemsave", val=TEXT, size=COLUMNS * ROWS * 2, filename=path)
        with open(path, "rb") as f:
            text = f.read()[::2].decode("cp437").replace("\0", " ")
        return "\n".join(text[i:i + COLUMNS].rstrip() for i in range(0, len(text), COLUMNS))

    def expect_screen(self, text, timeout):
        """Wait until `text` is on the screen, wherever its lines break; returns the screen."""
        end = time.monotonic() + timeout
        while squeeze(text) not in squeeze(shown := self.screen()):
            if time.monotonic() > end or not self._read(0.2):
                self._fail(f"no {text!r} on the screen within {timeout} s:\n{shown}")
            time.sleep(0.1)
        return shown

    def key(self, name):
        """Press and release a key of the PS/2 keyboard."""
        self.monitor.command("human-monitor-command", **{"command-line": f"sendkey {name} 50"})


def squeeze(text):
    """Without blanks and line ends: the screen breaks a line anywhere."""
    return "".join(text.split())
