#!/usr/bin/python3
"""The path that every exit takes has no locked instruction and no fence: its counters are the CPU's own.

Lean exits have no indirect branch either, whose target a guest could have taught the CPU's predictor (bug class 50).
"""
# SPDX-License-Identifier: BSD-3-Clause

import re
import subprocess
import sys

# From the exit to the entry, without what handlers call and what is done for pending work.
LEAN = ("svm_run_loop", "svm_exit_lean", "lean_msr", "lean_apic", "lean_mmio", "vt_run_loop", "vt_exit_entry", "vt_exit_lean", "lean_wrmsr",
        "apicstore_again")
FUNCTIONS = (*LEAN, "svm_exit", "svm_advance", "svm_exit_row", "exit_cpuid", "vt_exit", "vt_advance", "cpuid_emulate")
LOCKED = re.compile(r"lock\b|[mls]fence\b|xchg\s.*\(")
INDIRECT = re.compile(r"(notrack )?(jmp|call)\s+\*")
INLINED = {"svm_exit_row", "exit_cpuid"}  # may have no code of their own


def check(listing):
    """Problems in the output of objdump -d --no-show-raw-insn."""
    problems, found, function = [], set(), ""
    for line in listing.splitlines():
        if at := re.match(r"[0-9a-f]+ <(.*)>:", line):
            function = at[1].split(".")[0]
            found.add(function)
        elif function in FUNCTIONS and (code := line.partition(":")[2].strip()):
            if LOCKED.match(code) or (function in LEAN and INDIRECT.match(code)):
                problems.append(f"{function}: {code}")
    problems += [f"{name}: not in the image, or renamed" for name in FUNCTIONS if name not in found | INLINED]
    return problems


def main():
    assert check("1 <svm_exit>:\n 1:\tlock incl (%rax)\n")[0] == "svm_exit: lock incl (%rax)"
    assert check("1 <lean_msr>:\n 1:\tnotrack jmp *%rax\n")[0] == "lean_msr: notrack jmp *%rax"
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", sys.argv[1]], check=True, stdout=subprocess.PIPE, text=True).stdout
    problems = check(listing)
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
