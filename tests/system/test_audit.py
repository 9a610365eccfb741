"""The audits of the debug image fail when the VMM breaks a rule: each broken on purpose, by a VMM call, and named."""
# SPDX-License-Identifier: BSD-3-Clause

import base64
import re
import subprocess
import time

import pytest

from lib import debugimage
from lib.machine import Machine

# argv: name of a VMM call, a digit for RBX. Status 1: there is no such call.
PROGRAM = """
	.globl	_start
_start:	movq	16(%rsp), %rbx
	movb	(%rbx), %al
	xorl	%eax, %eax
	VMCALL
	movl	$1, %edi
	testl	%eax, %eax
	jz	1f
	movq	24(%rsp), %rsi
	movzbl	(%rsi), %ebx
	subl	$'0', %ebx
	VMCALL
	xorl	%edi, %edi
1:	movl	$231, %eax
	syscall
"""

# Machine, what is legal and goes on, what breaks a rule (on CPU 0), the CPU that panics, and what it says.
QEMU = [
    ("clean-bit", "qemu", 1, ["test_vmcb 1"], "test_vmcb 0", 0, r"VMCB offset 0x50 was written, and clean bits 0x1 \(I\) are set"),
    ("vmcb", "qemu", 1, [], "test_vmcb 2", 0, r"VMCB: DR7 63:32 are not 0"),
    ("no-flush", "qemu", 2, [], "test_flush 0", 0, r"1 rights taken from the nested tables are not flushed here"),
    ("flush-of-one", "qemu", 2, [], "test_flush 1", 1, r"1 rights taken from the nested tables are not flushed here"),
]
# Only with --all-rows: slow.
BOCHS = [
    ("vmcs-register", "bochs", 1, [], "test_vmcs 0", 0, r"VMCS: DR7 63:32 are not 0"),
    ("vmcs-segment", "bochs", 1, [], "test_vmcs 1", 0, r"VMCS: TR: the type is no busy TSS"),
    ("vmcs-event", "bochs", 1, [], "test_vmcs 2", 0, r"VMCS: the event's type is reserved"),
    ("no-flush", "bochs", 1, ["test_flush 1"], "test_flush 0", 0, r"1 rights taken from the nested tables are not flushed here"),
]


def pytest_generate_tests(metafunc):
    cases = QEMU + (BOCHS if metafunc.config.getoption("--all-rows") else [])
    metafunc.parametrize("emu, cpus, legal, call, cpu, says", [c[1:] for c in cases], ids=[f"{c[1]}-{c[0]}" for c in cases])


def install(m, tmp_path, emu):
    path = tmp_path / "p"
    text = PROGRAM.replace("VMCALL", "vmcall" if emu == "bochs" else "vmmcall")
    subprocess.run(["gcc", "-nostdlib", "-static", "-s", "-Wl,-N,--build-id=none,--no-warn-rwx-segments", "-x", "assembler", "-", "-o", path],
                   input=text, text=True, check=True)
    coded = base64.b64encode(path.read_bytes()).decode()
    for i in range(0, len(coded), 200):
        m.run(f"echo {coded[i:i + 200]} >>/tmp/p64")
    m.run("base64 -d </tmp/p64 >/tmp/p && chmod +x /tmp/p")


def test_rule_is_named(emu, cpus, legal, call, cpu, says, tmp_path, request):
    debugimage.build()
    options = {"mem": 256, "net": "none"} if emu == "bochs" else {}
    with Machine(f"audit-{request.node.callspec.id}", emu=emu, fw="bios", cpus=cpus, kernel="6.1", elf=debugimage.ELF, reboot=True, words=("vmm.auto_reboot=0",), **options) as m:
        m.boot()
        install(m, tmp_path, emu)
        for words in legal:
            m.run(f"taskset 1 /tmp/p {words}")
        assert m.status("/tmp/p no_such_call 0")[0] == 1
        assert "panic" not in m.vmm_log()
        m.send_command(f"taskset 1 /tmp/p {call}")
        if cpu:  # goes on where it was called; the other CPU's next exit is its last
            m.send_command(f"taskset {1 << cpu:x} /tmp/p no_such_call 0")
        end = time.monotonic() + 60
        while "Stopped. Switch" not in m.vmm_log():
            m._read(0.2)
            assert time.monotonic() < end, f"no panic:\n{m.vmm_log()[-2000:]}"
        log = m.vmm_log().replace("\r", "")
        assert re.search(rf"panic\(CPU{cpu}\): audit: {says}\n", log), log[-2000:]
        assert log.count("panic(") == 1
