"""A panic of the VMM: every CPU stops and is shown, on the screen too, and the next start shows the log again."""
# SPDX-License-Identifier: BSD-3-Clause

import base64
import os
import re
import subprocess
import sys
import time

import pytest

from lib import debugimage
from lib.machine import LOGS, TOP
from lib.screen import ScreenMachine

sys.path.insert(0, os.path.join(TOP, "tools"))
import psf2c  # noqa: E402

FONT = os.path.join(TOP, "build", "deps", "font.psf.gz")

# argv[1]: 0..2 as core/panic.c says; c: CPUID for ever; v: a VMM call that does not exist, for ever; s: nothing, for ever.
PROGRAM = """
	.globl	_start
_start:	movq	16(%rsp), %rsi
	movzbl	(%rsi), %edi
	movq	$0x5ca1ab1e00000000, %r15
	orq	%rdi, %r15
	cmpb	$'c', %dil
	je	1f
	cmpb	$'v', %dil
	je	2f
	cmpb	$'s', %dil
	je	3f
	leaq	name(%rip), %rbx
	xorl	%eax, %eax
	vmmcall
	testl	%eax, %eax
	jz	4f
	leal	-'0'(%rdi), %ebx
	movl	$0x1234, %ecx
	vmmcall
4:	movl	$231, %eax
	movl	$1, %edi
	syscall
1:	movl	$1, %eax
	cpuid
	jmp	1b
2:	movl	$0x7fff, %eax
	vmmcall
	jmp	2b
3:	jmp	3b
name:	.asciz	"test_panic"
"""


@pytest.fixture(scope="module", autouse=True)
def debug_image():
    debugimage.build()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("panic") / "p"
    subprocess.run(["gcc", "-nostdlib", "-static", "-s", "-Wl,-N,--build-id=none,--no-warn-rwx-segments", "-x", "assembler", "-", "-o", path],
                   input=PROGRAM, text=True, check=True)
    return base64.b64encode(path.read_bytes()).decode()


@pytest.fixture
def start(request):
    running = []

    def begin(name, words=("vmm.auto_reboot=0",), **options):
        m = ScreenMachine(name, elf=debugimage.ELF, reboot=True, words=words, **options)
        running.append(m)
        return m.__enter__()

    yield begin
    for m in running:
        m.__exit__(None, None, None)


def install(m, program):
    m.run("rm -f /tmp/p64")
    for i in range(0, len(program), 200):
        m.run(f"echo {program[i:i + 200]} >>/tmp/p64")
    m.run("base64 -d </tmp/p64 >/tmp/p && chmod +x /tmp/p")


def wait_log(m, pattern, timeout=60):
    end = time.monotonic() + timeout
    while not (found := re.search(pattern, m.vmm_log(), re.S)):
        m._read(0.2)
        assert time.monotonic() < end, f"no {pattern!r} in the VMM's log:\n{m.vmm_log()[-3000:]}"
    return found


def guests(text):
    """CPU -> what the panic shows of its guest."""
    found = re.findall(r"-+ guest of CPU(\d+) -+\n(.*?)-+ end of CPU(\d+) -+\n", text, re.S)
    assert all(a == b for a, _, b in found)
    return {int(a): body for a, body, _ in found}


def r15(body):
    return int(re.search(r"R15 ([0-9a-f]{16})", body)[1], 16)


def screen_text(path):
    """The text of a screen dump in the font of the panic screen, one string a row."""
    with open(FONT, "rb") as f:
        glyphs = {g: chr(psf2c.FIRST + i) for i, g in reversed(list(enumerate(psf2c.table(f.read()))))}
    with open(path, "rb") as f:
        data = f.read()
    head = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
    width, height, pixels = int(head[1]), int(head[2]), data[head.end():]
    assert set(pixels) <= {0, 255}

    def byte(x, y):
        return sum(0x80 >> i for i in range(8) if pixels[3 * (y * width + x + i)])

    return ["".join(glyphs.get(bytes(byte(x, y + i) for i in range(16)), "\ufffd") for x in range(0, width - 7, 8)).rstrip()
            for y in range(0, height - 15, 16)]


def next_start_shows(m, first):
    """After a warm reset the log of the run before is shown once, after "| "."""
    m.monitor.command("system_reset")
    text = wait_log(m, r"Log of the run before this one[^\n]*\n(.*?)End of the log of the run before this one", 120)[1]
    old, wanted = [line for line in text.splitlines() if line.strip()], first.splitlines()
    if m.options.uefi:  # the firmware's console is in the file as well: look for the panic, in order
        wanted = wanted[next(i for i, line in enumerate(wanted) if line.startswith("panic(")):]
        lines = iter(old)
        assert all(any("| " + line[:60] in other for other in lines) for line in wanted)
        return
    assert all(line.startswith("| ") for line in old)
    assert [line[2:] for line in old] == wanted


def test_all_cpus(start, program):
    """Four CPUs: in the guest, and in the VMM at exits of both kinds; each is shown once with its own registers."""
    m = start("panic-4cpu", cpus=4)
    m.boot()
    install(m, program)
    for cpu, what in ((1, "s"), (2, "c"), (3, "v")):
        m.run(f"taskset {1 << cpu:x} /tmp/p {what} >/dev/null 2>&1 & sleep 0.2")
    time.sleep(1)
    m.send_command("taskset 1 /tmp/p 0")
    wait_log(m, "Stopped. Switch")
    log = m.vmm_log().replace("\r", "")
    assert re.search(r"panic\(CPU0\): test_panic asked for, RCX 0x1234\n", log)
    assert log.count("panic(") == 1
    shown = guests(log)
    assert sorted(shown) == [0, 1, 2, 3]
    assert [r15(shown[cpu]) for cpu in range(4)] == [0x5ca1ab1e00000000 | ord(c) for c in "0scv"]
    assert "does not answer" not in log
    screen = m.screen()
    assert "Stopped. Switch" in screen and "guest of CPU3" in screen
    next_start_shows(m, log)
    # and only once: after the next reset the log is that of the second run
    wait_log(m, r"End of the log of the run before this one\..*CPUs, TSC", 60)
    mark = len(m.vmm_log())
    m.monitor.command("system_reset")
    end = time.monotonic() + 60
    while "End of the log" not in m.vmm_log()[mark:]:
        m._read(0.2)
        assert time.monotonic() < end
    assert "| panic(" not in m.vmm_log()[mark:]


def test_parked_cpus(start, program):
    """CPUs that wait in the VMM for their start-up message stop and are shown as well."""
    m = start("panic-parked", cpus=4, kernel_args="+maxcpus=2")
    m.boot()
    install(m, program)
    m.send_command("taskset 2 /tmp/p 1")
    wait_log(m, "Stopped. Switch")
    log = m.vmm_log().replace("\r", "")
    assert re.search(r"panic\(CPU1\): exception 14 error 3 at 0xffffffff8", log)
    shown = guests(log)
    assert sorted(shown) == [0, 1, 2, 3]
    assert r15(shown[1]) == 0x5ca1ab1e00000000 | ord("1")
    assert "does not answer" not in log


def test_frame_buffer(start, program):
    """UEFI: the panic is drawn over what the guest shows, and outlives a reset."""
    # not -vga std: GRUB has a driver of its own for that, and sets a mode that the VMM cannot know
    m = start("panic-uefi", cpus=2, fw="uefi-bootopt", extra=("-vga", "virtio"))
    m.boot()
    install(m, program)
    m.send_command("/tmp/p 2")
    wait_log(m, "Stopped. Switch")
    log = m.vmm_log().replace("\r", "")
    path = os.path.join(LOGS, "panic-uefi", "screen.ppm")
    m.monitor.command("screendump", filename=path)
    rows = screen_text(path)
    lines = log[log.index("panic("):].splitlines()
    assert rows[0].startswith("panic(CPU") and "assertion v->gpr[GPR_RBX] != 2 failed in call_test_panic" in rows[0]
    text = "\n".join(rows)
    assert "\ufffd" not in text
    for line in lines[-10:]:
        assert line[:len(rows[0])] in text
    assert sorted(guests(log)) == [0, 1]
    next_start_shows(m, log)


def test_reboots(start, program):
    """vmm.auto_reboot=1, the default: the machine restarts by itself, and the log is there."""
    m = start("panic-reboot", words=())
    m.boot()
    install(m, program)
    m.send_command("/tmp/p 0")
    wait_log(m, r"Rebooting in 5 seconds.*\| panic\(CPU0\): test_panic.*End of the log", 120)
