"""What may differ between the values that the micro-kernel's cases report bare and under the VMM."""
# SPDX-License-Identifier: BSD-3-Clause

import collections
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


Rule = collections.namedtuple("Rule", "first last name vendor condition read write why")


def msr_rules():
    """The VMM's own table, as documented."""
    with open(os.path.join(TOP, "Documentation", "exit-reference.md"), encoding="utf-8") as f:
        text = f.read()
    rules = []
    for line in text[text.index("## MSRs"):].splitlines():
        if found := re.match(r"\| 0x(\w+)(?: to 0x(\w+))? \|", line):
            cells = [c.strip().replace("\\", "") for c in line.strip("|").split(" | ")]
            rules.append(Rule(int(found[1], 16), int(found[2] or found[1], 16), *cells[1:]))
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
            rule = [r for r in rules if r.first <= msr <= r.last]
            if not any(now == "gp" and ("#GP" in r.read or "#GP" in r.why) or now != "gp" and "emulate" in r.read for r in rule):
                yield f"MSR {msr:#x}: {now}, bare {was}"


def compare_msr_same(bare, vmm):
    """More may be refused where the table says so, nothing less."""
    rules = msr_rules()

    def refused(lines):
        return {msr for first, last, _ in ranges(lines) for msr in range(first, last + 1)}

    a, b = refused(bare), refused(vmm)
    for msr in sorted(a ^ b):
        rule = [r for r in rules if r.first <= msr <= r.last]
        # a register that cannot be read any more is not written
        if not (msr in b and any("#GP" in r.write for r in rule) or msr in a and any("#GP" in r.read for r in rule)):
            yield f"MSR {msr:#x}: {'refused' if msr in b else 'taken'}, unlike bare"


MSR_ALL = (1 << 64) - 1
# Bits of emulated registers that the VMM may refuse where a CPU takes them: of what it hides.
MSR_HIDDEN = {
    0xC0000080: bits(12),                # EFER: SVME
    0xDA0: bits(8, 10, 11, 12, 13, 14, 15, 16),  # XSS: PT, PASID, CET, HDC, UINTR, LBR, HWP
}
# What became of a register's bits and of values that are not canonical, as bits: see msr_bits.c.
Answer = collections.namedtuple("Answer", "refused kept odd far_refused far_kept")


def msr_answers(lines):
    """(vendor, {MSR: Answer}) of what msr_bits reports; a register that is missing takes anything and keeps nothing."""
    answers = {}
    for first, last, text in ranges(lines[1:]):
        numbers = (MSR_ALL, 0, 0, 0xF, 0) if text == "gp" else (int(n, 16) for n in text.split()[1:])
        answers |= dict.fromkeys(range(first, last + 1), Answer(*numbers))
    return lines[0].split()[1], answers


def msr_action_done(action, msr, was, now):
    """Whether the answer under the VMM, unlike the one without it, is what this action of its table makes of it."""
    name, *value = action.split()
    if name == "#GP":
        return (now.refused, now.far_refused) == (MSR_ALL, 0xF)
    if name == "ignore":
        return not any(now)
    if name == "mask":
        mask = int(value[0], 16)
        return (now.refused, now.kept, now.odd) == (was.refused & mask, was.kept & mask, 0)
    if name == "emulate":
        # no less refused than by the CPU. More only for what is hidden, and where the emulator does not look at all; what it should
        # refuse then is for cases of these registers
        more = now.refused & ~was.refused & ~MSR_HIDDEN.get(msr, 0)
        return not (was.refused & ~now.refused or was.far_refused & ~now.far_refused or now.kept & ~was.kept or now.odd
                    or was.refused and more)
    return False


def compare_msr_bits(bare, vmm):
    """Each register as without the VMM, or as its table says; where MTRRs work under the VMM, what would uncache it has no effect."""
    vendor, a = msr_answers(bare)
    same, b = msr_answers(vmm)
    assert vendor == same
    rules = [r for r in msr_rules() if r.vendor in ("both", vendor)]
    nothing = Answer(0, 0, 0, 0, 0)
    for msr in sorted(a.keys() | b.keys()):
        was, now = a.get(msr, nothing), b.get(msr, nothing)
        rule = next((r for r in rules if r.first <= msr <= r.last), None)
        actions = rule.write.replace("else ", "").split(", ") if rule else []
        if was != now and not any(msr_action_done(action, msr, was, now) for action in actions):
            yield f"MSR {msr:#x}: {now}, bare {was}"
        if rule and "emulate" in actions and was.kept & ~now.kept & ~now.refused and not rule.name.startswith("Mtrr"):
            yield f"MSR {msr:#x}: taken and dropped: {now}, bare {was}"
