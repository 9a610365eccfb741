"""A machine under test: started, driven by its serial console, ended by its process id."""
# SPDX-License-Identifier: BSD-3-Clause

import dataclasses
import os
import re
import select
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, "tools"))
import coverage_target  # noqa: E402
import run  # noqa: E402

ELF = run.ELF  # the VMM's image, for disks that tests make
LOGS = os.path.join(TOP, "build", "test-logs")
# Seconds from power-on to the guest's shell that a slow host may take, by emulator.
BOOT_TIMEOUT = {"qemu": 180, "bochs": 400}
PROMPT = r"guest# "


class MachineError(AssertionError):
    """The machine did not do what the test waited for; the text ends with what it said last."""


class Machine:
    """Use as a context manager: `with Machine("name", fw="bios") as m: m.boot(); m.run("nproc")`.

    Keyword arguments are the fields of run.Options. Logs are kept in build/test-logs/NAME/.
    """

    def __init__(self, name, **options):
        out = os.path.join(LOGS, re.sub(r"[^\w.+-]+", "_", name))
        self.options = dataclasses.replace(run.Options(), **({"out": out, "reboot": False} | options))
        self.text = ""   # all that the console said
        self.mark = 0    # what has been looked at
        self.count = 0   # commands so far
        self.proc = None

    def __enter__(self):
        self.counters = coverage_target.prepare(self.options) if coverage_target.wanted() else None
        self.proc, self.console = run.start(self.options)
        self.log = open(os.path.join(self.options.out, "console.log"), "wb")
        return self

    def __exit__(self, *exc):
        if self.counters == "":  # Bochs, whose memory ends with it
            coverage_target.take(self, self.counters)
        run.stop(self.proc)
        if self.counters:
            coverage_target.take(self, self.counters)
        self._read(0)
        os.close(self.console)
        self.log.close()

    # The console

    def _read(self, wait):
        """Take what the console has; False when the emulator is gone and nothing is left."""
        ready = select.select([self.console], [], [], wait)[0]
        if ready:
            try:
                data = os.read(self.console, 65536)
            except OSError:  # a terminal whose other side is gone
                data = b""
            if not data:
                return self.proc.poll() is None
            self.log.write(data)
            self.log.flush()
            self.text += data.decode("utf-8", "replace")
            return True
        return self.proc.poll() is None

    def _fail(self, what):
        said = self.text[max(0, len(self.text) - 1500):]
        vmm = self.vmm_log()[-1500:]
        raise MachineError(f"{what}\n--- console ---\n{said}\n--- VMM ---\n{vmm}\n--- logs in {self.options.out}")

    def expect(self, pattern, timeout):
        """Wait for a regular expression after what was expected last; returns the match."""
        regex = re.compile(pattern, re.S)
        end = time.monotonic() + timeout
        while True:
            if found := regex.search(self.text, self.mark):
                self.mark = found.end()
                return found
            left = end - time.monotonic()
            if left <= 0:
                self._fail(f"no {pattern!r} within {timeout} s")
            if not self._read(min(left, 1)):
                if found := regex.search(self.text, self.mark):
                    continue
                self._fail(f"the emulator ended (status {self.proc.returncode}) before {pattern!r}")

    def send(self, text):
        """Type; slowly enough for a UART with 16 bytes of FIFO."""
        data = text.encode()
        while data:
            os.write(self.console, data[:16])
            data = data[16:]
            self._read(0.005)

    # The guest

    def boot(self, timeout=None):
        """Wait for the guest's shell and make it fit for run()."""
        self.expect(PROMPT, timeout or BOOT_TIMEOUT[self.options.emu])
        # A plain loop in place of the shell: no echo, no line editing, no job control, no kernel messages between. What
        # is typed while the shell changes the terminal's mode would be lost, so wait for the loop's first word.
        self.send("exec sh -c 'dmesg -n 1; stty -echo; echo @@\"OK@\"; while IFS= read -r l; do eval \"$l\"; done' 2>&1\n")
        self.expect("@@OK@", 60)
        self.run("true", 60)
        return self

    def send_command(self, command):
        """Start a command in the guest and return the number that marks its output."""
        self.count += 1
        # The quotes keep the marker out of an echo of the line.
        self.send(f"echo '@@''B{self.count}@'; {{ {command}; }} </dev/null; echo \"@@\"\"E{self.count} $?@\"\n")
        return self.count

    def status(self, command, timeout=30):
        """Run a shell command; returns (exit status, output)."""
        n = self.send_command(command)
        found = self.expect(rf"@@B{n}@\r?\n(.*?)@@E{n} (\d+)@\r?\n", timeout)
        return int(found[2]), found[1].replace("\r\n", "\n").rstrip("\n")

    def run(self, command, timeout=30):
        """Run a shell command that must succeed; returns its output."""
        status, output = self.status(command, timeout)
        if status:
            self._fail(f"{command!r} in the guest: status {status}, output {output!r}")
        return output

    def wait_exit(self, timeout):
        """Wait until the emulator ends by itself (power-off, or reset under no-reboot); returns its status."""
        end = time.monotonic() + timeout
        while self._read(0.2):
            if time.monotonic() > end:
                self._fail(f"the machine did not end within {timeout} s")
        return self.proc.wait()

    # The VMM

    def vmm_log(self):
        with open(self.options.vmm_log, encoding="utf-8", errors="replace") as f:
            return f.read()
