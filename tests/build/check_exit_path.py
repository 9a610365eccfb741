#!/usr/bin/python3
"""The path that every exit takes has no locked instruction and no fence: its counters are the CPU's own."""
# SPDX-License-Identifier: BSD-3-Clause

import re
import subprocess
import sys

# From the exit to the entry, without what handlers call and what is done for pending work.
FUNCTIONS = ("svm_run_loop", "svm_exit_lean", "lean_msr", "lean_apic", "lean_mmio", "svm_exit", "svm_advance", "svm_exit_row", "exit_cpuid",
             "vt_run_loop", "vt_exit_entry", "vt_exit_lean", "lean_wrmsr", "vt_exit", "vt_advance",
             "cpuid_emulate", "apicstore_again")
LOCKED = re.compile(r"lock\b|[mls]fence\b|xchg\s.*\(")
INLINED = {"svm_exit_row", "exit_cpuid"}  # may have no code of their own


def check(listing):
    """Problems in the output of objdump -d --no-show-raw-insn."""
    problems, found, function = [], set(), ""
    for line in listing.splitlines():
        if at := re.match(r"[0-9a-f]+ <(.*)>:", line):
            function = at[1].split(".")[0]
            found.add(function)
        elif function in FUNCTIONS and (code := line.partition(":")[2].strip()) and LOCKED.match(code):
            problems.append(f"{function}: {code}")
    problems += [f"{name}: not in the image, or renamed" for name in FUNCTIONS if name not in found | INLINED]
    return problems


def main():
    assert check("1 <svm_exit>:\n 1:\tlock incl (%rax)\n")[0] == "svm_exit: lock incl (%rax)"
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", sys.argv[1]], check=True, stdout=subprocess.PIPE, text=True).stdout
    problems = check(listing)
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
