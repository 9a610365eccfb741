"""VMM calls of the debug image, made by a program in the guest."""
# SPDX-License-Identifier: BSD-3-Clause

from lib import guestprogram


def install(m):
    """Put the program into the guest as /tmp/vmcall."""
    guestprogram.install(m, "vmcall", guestprogram.build("vmcall", *([] if m.options.emu == "bochs" else ["-DVMMCALL"])))


def command(name, rbx, rcx=0, rdx=0, times=1, cpu=None):
    """The guest's shell command for it."""
    return f"{'' if cpu is None else f'taskset {1 << cpu:x} '}/tmp/vmcall {name} {rbx} {rcx} {rdx} {times}"


def call(m, name, rbx, rcx=0, rdx=0, times=1, cpu=None, timeout=60):
    """(RAX, RCX, RDX) behind the last of `times` calls, on CPU `cpu` if given."""
    return tuple(int(n) for n in m.run(command(name, rbx, rcx, rdx, times, cpu), timeout).split())
