"""The guest fuzzer (tests/guest/fuzz): a run on a machine, the comparison of two runs, and what repeats a failure."""
# SPDX-License-Identifier: BSD-3-Clause

import dataclasses
import re
import time

from lib import facts, guestkernel
from lib.machine import Machine, MachineError

MEM = 128  # MiB of each machine


@dataclasses.dataclass
class Run:
    """What one run said."""

    ended: bool = False
    digests: dict = dataclasses.field(default_factory=dict)  # (cpu, operations done) -> digest
    kinds: dict = dataclasses.field(default_factory=dict)    # (cpu, kind) -> (operations, digest)
    ops: dict = dataclasses.field(default_factory=dict)      # (cpu, number) -> line, within from= to=
    begun: dict = dataclasses.field(default_factory=dict)    # cpu -> line of the operation that began last, with before=1
    errors: list = dataclasses.field(default_factory=list)
    memory: list = dataclasses.field(default_factory=list)   # RAM: [(first byte, byte behind)]
    trouble: str = ""                                        # hang, restart, panic
    seconds: float = 0                                       # from the first operation to the end
    vmm_log: str = ""

    @property
    def done(self):
        return sum(count for count, _ in self.kinds.values())


def parse(text, run):
    for line in text.replace("\r", "").split("\n"):
        if found := re.fullmatch(r"fuzz cpu (\d+) op (\d+) digest (\S+)", line):
            run.digests[int(found[1]), int(found[2])] = found[3]
        elif found := re.fullmatch(r"fuzz cpu (\d+) kind (\S+) ops (\d+) digest (\S+)", line):
            run.kinds[int(found[1]), found[2]] = int(found[3]), found[4]
        elif found := re.match(r"fuzz op (\d+) (\d+) .* \.\.\.$", line):
            run.begun[int(found[1])] = line
        elif found := re.match(r"fuzz op (\d+) (\d+) .* :", line):
            run.ops[int(found[1]), int(found[2])] = line
        elif line.startswith(("fuzz error", "error:")):
            run.errors.append(line)
        elif found := re.fullmatch(r"memory (\S+) (\S+) 1", line):
            run.memory.append((int(found[1], 16), int(found[1], 16) + int(found[2], 16)))
        run.ended |= line.startswith("fuzz end")


def repeating(emu, cpus):
    """Options of a machine on which a run gives the same each time. In real time QEMU with several CPUs does not: what it does
    when an NMI comes differed in 2 of 17 runs without the VMM."""
    return {"icount": 0} if emu == "qemu" and cpus > 1 else {}


def run(name, words, patience, **options):
    """Run with these words of the command line; `patience`: seconds without a word that count as a hang."""
    result = Run()
    machine = Machine(name, **({"net": "none", "mem": MEM} | options))
    machine.options.guest = guestkernel.disk(machine.options.out, words)
    if machine.options.emu == "qemu":
        machine.options.extra += ("-device", "isa-debug-exit,iobase=0xf4,iosize=1")
    with machine as m:
        try:
            m.expect(r"guest: begin cpus \d+\r?\n", 240)
            since = start = looked = time.monotonic()
            seen = m.mark
            while not re.search(r"fuzz end [^\n]*\n", m.text[max(0, seen - 200):]):
                seen = len(m.text)
                alive = m._read(1)
                now, new = time.monotonic(), m.text[max(m.mark, seen - 20):]
                since = now if len(m.text) != seen else since
                if now - since > patience:
                    result.trouble = f"not a word for {patience} s"
                elif "guest: begin" in new:
                    result.trouble = "the machine started anew"
                elif "\nerror:" in new:
                    result.trouble = "the kernel gave up"
                elif not alive and "fuzz end" not in new:
                    result.trouble = "the machine ended"
                elif now - looked > 1:  # the log may be long
                    looked = now
                    result.trouble = "panic" if "panic(" in m.vmm_log() else ""
                if result.trouble:
                    break
            result.seconds = time.monotonic() - start
        except MachineError as e:
            result.trouble = str(e)
        result.vmm_log = "" if machine.options.bare else m.vmm_log()
    parse(m.text, result)
    if result.vmm_log and (result.trouble or "panic" in result.vmm_log.lower() or "Unexpected exit" in result.vmm_log):
        result.trouble += "\nthe VMM's log: " + result.vmm_log[-2000:]
    return result


def first_difference(bare, vmm):
    """(cpu, last checkpoint where both agreed, first where they do not), or None."""
    found = []
    for cpu in sorted({c for c, _ in bare.digests}):
        agreed = 0
        for op in sorted(o for c, o in bare.digests if c == cpu):
            if bare.digests[cpu, op] != vmm.digests.get((cpu, op)):
                found.append((op - agreed, cpu, agreed, op))
                break
            agreed = op
    return min(found)[1:] if found else None


def window(words, start, end, fuzzing, first=None):
    """The words of a run that shows the operations from `start` to `end` of each of `fuzzing` CPUs, and begins at `first`
    (`start`): an operation's number makes it, so what ran before should not matter."""
    first = start if first is None else first
    words = re.sub(r"\b(ops|first|from|to|before)=\S+ ?", "", words).strip()
    return f"{words} first={first} ops={(end - first) * fuzzing} from={start} to={end}"


def differing(bare, vmm):
    """Lines of the operations that gave something else, of two runs of a window."""
    out = []
    for key in sorted(bare.ops):
        if "(not compared" not in bare.ops[key] and bare.ops[key] != vmm.ops.get(key):
            out += ["bare " + bare.ops[key], "VMM  " + vmm.ops.get(key, "nothing")]
    return out


def explain(name, words, patience, bare, vmm, as_bare=False, **options):
    """Run the window before the first checkpoint that differs again, and show the operations that do."""
    where = first_difference(bare, vmm)
    if not where:
        return "the digests of kinds differ, those of checkpoints do not"
    cpu, start, end = where
    fuzzing = len({c for c, _ in bare.digests})
    kinds = ", ".join(f"CPU {c} {kind}" for (c, kind), value in bare.kinds.items() if vmm.kinds.get((c, kind)) != value)
    out = [f"CPU {cpu}: operations {start} to {end} differ; of the whole run: {kinds}"]
    for first in (start, 0):  # alone; then with what came before, or with what other CPUs did meanwhile
        look = window(words, start, end, fuzzing, first)
        runs = [run(f"{name}-{kind}", look, patience, bare=kind == "bare" or as_bare, **options) for kind in ("bare", "vmm")]
        lines = differing(*runs)
        if lines:
            return "\n".join([*out, f"look with: {look}", *lines[:20]])
        out.append("run alone they give the same" if first else "and run again as a whole as well: it depends on the moment")
    return "\n".join(out)


def stopped(name, words, patience, vmm, each, every, **options):
    """Run the window again in which CPUs stopped, and show what each was doing."""
    fuzzing = max([c for c, _ in vmm.digests], default=0) + 1
    start = min(max([o for c, o in vmm.digests if c == cpu], default=0) for cpu in range(fuzzing))
    words = window(words, start, min(start + every, each), fuzzing) + " before=1"
    again = run(f"{name}-stop", words, patience, **options)
    if again.ended:
        return f"run alone, operations {start} to {start + every} end: it depends on what came before"
    return "\n".join([f"look with: {words}", *again.begun.values()])


@dataclasses.dataclass
class Verdict:
    """Of one seed on one machine; `wrong` is what makes it fail."""

    wrong: list
    bare: Run
    vmm: Run


def compare(name, seed, ops, patience, kinds="", as_bare=False, **options):
    """Run a seed bare and under the VMM, and say what is wrong, with the command that repeats it."""
    words = f"fuzz={seed} ops={ops}" + (f" kinds={kinds}" if kinds else "")
    bare = run(name + "-bare", words, patience, bare=True, **options)
    if not bare.ended or bare.errors or bare.trouble:
        wrong = ["without the VMM: " + "\n".join([bare.trouble, *bare.errors]).strip()]
        if not bare.ended:
            wrong.append(stopped(name + "-bare", words, patience, bare, ops, ops // 64 + 1, bare=True, **options))
        return Verdict(wrong + [repeat(seed, ops, kinds, **options)], bare, Run())
    words += " " + guestkernel.ram_word(bare.memory)
    vmm = run(name, words, patience, bare=as_bare, **options)
    wrong = [t for t in (vmm.trouble.strip(), *vmm.errors) if t]
    if not vmm.ended:
        wrong.append(stopped(name, words, patience, vmm, ops, ops // 64 + 1, bare=as_bare, **options))
    elif bare.digests != vmm.digests or bare.kinds != vmm.kinds:
        wrong.append(explain(name, words, patience, bare, vmm, as_bare, **options))
    taken = sum(b - a for a, b in facts.ram_missing(bare.memory, vmm.memory))
    if not as_bare and taken < 8 << 20:
        wrong.append("not under the VMM")
    return Verdict(wrong + [repeat(seed, ops, kinds, **options)] if wrong else [], bare, vmm)


def repeat(seed, ops, kinds="", emu="qemu", cpus=1, **_):
    """The command that runs the same again."""
    return f"again: make fuzz-guest EMU={emu} CPUS={cpus} SEED={seed} OPS={ops} ROUND={ops}" + (f" KINDS={kinds}" if kinds else "")
