"""Linux on the debug image. In Bochs, whose boots are long, one machine serves all tests that leave it as they found it."""
# SPDX-License-Identifier: BSD-3-Clause

import contextlib

import pytest

from lib import debugimage, vmcall, vmstatus
from lib.machine import Machine

BOCHS = {"emu": "bochs", "cpus": 1, "mem": 256, "net": "none", "kernel_args": "+quiet"}
# On each test, or parameter, that uses this machine; conftest.py keeps them in one process, and ends the machine behind the last.
IN_BOCHS = pytest.mark.shared_bochs

_kept = []


def end():
    """End the machine in Bochs, if one runs."""
    while _kept:
        _kept.pop().__exit__(None, None, None)


@contextlib.contextmanager
def alone(name, **options):
    """A machine with the guest's shell and /tmp/vmcall in it."""
    debugimage.build()
    with Machine(name, elf=debugimage.ELF, **options) as m:
        vmcall.install(m.boot())
        yield m


@contextlib.contextmanager
def booted(name, emu="qemu", **options):
    """The same; in Bochs it is the machine of all tests, with the status text and without options."""
    if emu == "qemu":
        with alone(name, **options) as m:
            yield m
        return
    assert not options
    if _kept and _kept[0].proc.poll() is not None:  # a test has lost it
        end()
    if not _kept:
        debugimage.build()
        _kept.append(Machine("debug-bochs", elf=debugimage.ELF, words=(vmstatus.WORD,), **BOCHS).__enter__())
        vmcall.install(_kept[0].boot())
    try:
        yield _kept[0]
    except BaseException:
        end()  # nobody knows in what state it is
        raise
