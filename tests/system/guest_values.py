"""What may differ between the values that the micro-kernel's cases report bare and under the VMM."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import re

from lib.machine import TOP

# What the VMM hides, as CPUID bits: (leaf, subleaf or None for all, register) -> mask. "Hidden" of facts.py, in numbers.
EAX, EBX, ECX, EDX = range(4)
ALL = 0xFFFFFFFF


def bits(*numbers):
    return sum(1 << n for n in numbers)


HIDDEN = {
    (1, None, ECX): bits(2, 4, 5, 6, 31),       # DTES64, DS-CPL, VMX, SMX, hypervisor
    (1, None, EDX): bits(21),                   # DS
    (7, 0, EBX): bits(2, 25),                   # SGX, PT
    (7, 0, ECX): bits(7, 13, 23, 29, 30, 31),   # shadow stacks, TME, Key Locker, ENQCMD, SGX_LC, PKS
    (7, 0, EDX): bits(5, 18, 19, 20),           # user interrupts, PCONFIG, LBR, IBT
    (0x80000001, None, ECX): bits(2, 10, 12, 15),  # SVM, IBS, SKINIT, LWP
    (0x80000007, None, EBX): bits(4),           # platform first error handling
    **{(0x8000000A, None, r): ALL for r in range(4)},  # of SVM
    **{(0x8000001B, None, r): ALL for r in range(4)},  # of IBS
    **{(0x8000001F, None, r): ALL for r in range(4)},  # of SEV
    **{(0xD, 1, r): ALL for r in (EAX, EBX, ECX)},     # XSAVES and its components
}


def differences(case, bare, vmm):
    """Texts of the differences that are not allowed; bare, vmm: the values of one case, as lines."""
    compare = globals().get(f"compare_{case}", equal)
    return list(compare(bare, vmm))


def equal(bare, vmm):
    for a, b in zip(bare, vmm):
        if a != b:
            yield f"{b}, bare {a}"
    if len(bare) != len(vmm):
        yield f"{len(vmm)} values, bare {len(bare)}"


def compare_a20(bare, vmm):
    """The gate closes without the VMM, which has it stay open."""
    yield from equal([line.replace("masked 1, register 0", "masked 0, register 2") for line in bare], vmm)


def compare_cpuid_leaves(bare, vmm):
    """Bits may go where the VMM hides them; none may come."""
    def table(lines):
        return {tuple(line.split()[:2]): [int(n, 16) for n in line.split()[2:]] for line in lines}

    a, b = table(bare), table(vmm)
    for key in sorted(a.keys() | b.keys()):
        cpu, name = key
        leaf, sub = name.split(".")
        want, got = a.get(key, [0] * 4), b.get(key, [0] * 4)
        for r, (x, y) in enumerate(zip(want, got)):
            hidden = HIDDEN.get((int(leaf, 16), None, r), 0) | HIDDEN.get((int(leaf, 16), int(sub), r), 0)
            if (x ^ y) & ~hidden or y & ~x:
                yield f"CPU {cpu} leaf {name} {('EAX', 'EBX', 'ECX', 'EDX')[r]}: {y:#x}, bare {x:#x}"


def msr_rules():
    """The VMM's own table, as documented: [(first, last, read, write, why)]."""
    with open(os.path.join(TOP, "Documentation", "exit-reference.md"), encoding="utf-8") as f:
        text = f.read()
    rules = []
    for line in text[text.index("## MSRs"):].splitlines():
        if found := re.match(r"\| 0x(\w+)(?: to 0x(\w+))? \|", line):
            cells = [c.strip() for c in line.strip("|").split(" | ")]
            rules.append((int(found[1], 16), int(found[2] or found[1], 16), cells[4], cells[5], cells[6]))
    assert rules
    return rules


def ranges(lines):
    """{first: (last, text)} of lines "FIRST-LAST TEXT"."""
    out = []
    for line in lines:
        where, text = line.split(None, 1)
        first, last = (int(n, 16) for n in where.split("-"))
        out.append((first, last, text))
    return out


def runs(bare, vmm):
    """Where both are known and differ, in runs: (first, last, text bare, text under the VMM)."""
    a, b = ranges(bare), ranges(vmm)
    for first, last, text in a:
        for f, l, t in b:
            if f <= last and l >= first and t != text:
                yield max(first, f), min(last, l), text, t


def compare_msr_read(bare, vmm):
    """#GP where the table says so, EFER without SVME; everything else as without the VMM."""
    rules = msr_rules()
    for first, last, was, now in runs(bare, vmm):
        for msr in range(first, last + 1):
            rule = [r for r in rules if r[0] <= msr <= r[1]]
            if not any(now == "gp" and ("#GP" in r[2] or "#GP" in r[4]) or now != "gp" and "emulate" in r[2] for r in rule):
                yield f"MSR {msr:#x}: {now}, bare {was}"


def compare_msr_same(bare, vmm):
    """More may be refused where the table says so, nothing less."""
    rules = msr_rules()

    def refused(lines):
        return {msr for first, last, _ in ranges(lines) for msr in range(first, last + 1)}

    a, b = refused(bare), refused(vmm)
    for msr in sorted(a ^ b):
        rule = [r for r in rules if r[0] <= msr <= r[1]]
        # a register that cannot be read any more is not written
        if not (msr in b and any("#GP" in r[3] for r in rule) or msr in a and any("#GP" in r[2] for r in rule)):
            yield f"MSR {msr:#x}: {'refused' if msr in b else 'taken'}, unlike bare"
