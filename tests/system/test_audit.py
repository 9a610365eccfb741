"""The audits of the debug image fail when the VMM breaks a rule: each broken on purpose, by a VMM call, and named."""
# SPDX-License-Identifier: BSD-3-Clause

import re
import time

import pytest

from lib import debugmachine, vmcall

# Machine, what is legal and goes on, what breaks a rule (on CPU 0), the CPU that panics, and what it says.
QEMU = [
    ("clean-bit", "qemu", 1, [("test_vmcb", 1)], ("test_vmcb", 0), 0, r"VMCB offset 0x50 was written, and clean bits 0x1 \(I\) are set"),
    ("vmcb", "qemu", 1, [], ("test_vmcb", 2), 0, r"VMCB: DR7 63:32 are not 0"),
    ("no-flush", "qemu", 1, [("test_flush", 1)], ("test_flush", 0), 0, r"1 rights taken from the nested tables are not flushed here"),
    ("flush-of-one", "qemu", 2, [], ("test_flush", 1), 1, r"1 rights taken from the nested tables are not flushed here"),
]
# Only with --all-rows: slow.
BOCHS = [
    ("vmcs-register", "bochs", 1, [], ("test_vmcs", 0), 0, r"VMCS: DR7 63:32 are not 0"),
    ("vmcs-segment", "bochs", 1, [], ("test_vmcs", 1), 0, r"VMCS: TR: the type is no busy TSS"),
    ("vmcs-event", "bochs", 1, [], ("test_vmcs", 2), 0, r"VMCS: the event's type is reserved"),
    ("vmcs-msr-list", "bochs", 1, [], ("test_vmcs", 3), 0, r"VMCS: an MSR list is not empty"),
    ("no-flush", "bochs", 1, [("test_flush", 1)], ("test_flush", 0), 0, r"1 rights taken from the nested tables are not flushed here"),
]


def pytest_generate_tests(metafunc):
    cases = QEMU + (BOCHS if metafunc.config.getoption("--all-rows") else [])
    metafunc.parametrize("emu, cpus, legal, call, cpu, says", [c[1:] for c in cases], ids=[f"{c[1]}-{c[0]}" for c in cases])


def test_rule_is_named(emu, cpus, legal, call, cpu, says, request):
    options = debugmachine.BOCHS if emu == "bochs" else {"emu": emu, "cpus": cpus}
    with debugmachine.alone(f"audit-{request.node.callspec.id}", reboot=True, words=("vmm.auto_reboot=0",), **options) as m:
        for name, rbx in legal:
            vmcall.call(m, name, rbx, cpu=0)
        assert m.status(vmcall.command("no_such_call", 0))[0] == 1
        assert "panic" not in m.vmm_log()
        m.send_command(vmcall.command(*call, cpu=0))
        if cpu:  # goes on where it was called; the other CPU's next exit is its last
            m.send_command(vmcall.command("no_such_call", 0, cpu=cpu))
        end = time.monotonic() + 60
        while "Stopped. Switch" not in m.vmm_log():
            m._read(0.2)
            assert time.monotonic() < end, f"no panic:\n{m.vmm_log()[-2000:]}"
        log = m.vmm_log().replace("\r", "")
        assert re.search(rf"panic\(CPU{cpu}\): audit: {says}\n", log), log[-2000:]
        assert log.count("panic(") == 1
