#!/usr/bin/python3
"""Write Documentation/exit-reference.md: every exit of both vendors with its handler, and the MSR policy."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

HEAD = """<!-- Generated from core/x86/*/exit.c and core/vm/msr_policy.c by `make docs`. Do not edit. -->
# Exits and MSRs

What makes the CPU leave the guest, and who answers. An exit that is *not enabled* is never asked for; when it
comes all the same, it is logged. A *lean* exit is answered without switching what the hardware leaves the
guest's.

## Exits that cannot be avoided

Without a rule and without a watched local APIC these are all that a guest causes. At work, behind its boot, an
operating system causes the first two only; `tests/system/test_workloads.py` holds both.

| VT-x | AMD-V | when, and why |
|---|---|---|
| CPUID | CPUID | always: features that do not work are hidden there; VT-x has no control for it |
| XSETBV | XSETBV | once for each CPU: components without switched state are refused; VT-x has no control for it |
| RDMSR, WRMSR | MSR | registers that are listed below and do not pass: at a CPU's start |
| EPT_VIOLATION | NPF | first touch of a block of device memory, which has no entry in the nested tables yet |
| IO | IOIO | the ACPI register that puts the machine to sleep, and PCI's port CFCh where rules exist |
| CR_ACCESS | - | changes of CR0.CD, NW and NE, which an entry does not load |
| INIT, SIPI | - | starts of other CPUs |
| EXCEPTION_NMI, NMI_WINDOW, PREEMPTION_TIMER | NMI, IRET, EXCP1 | NMIs, which belong to the VMM; one that waits for the guest's handler to end |
| EXCEPTION_NMI | EXCP1, EXCP17 | debug and alignment exceptions: the delivery of one may raise the next, without end |
| INVD | INVD | it would lose what the VMM has written |
| TASK_SWITCH | - | VT-x has no control for it |
| VMCALL | VMMCALL | calls of the VMM |
"""

VENDORS = (
    {
        "title": "VT-x: basic exit reasons (SDM 3D appendix C)",
        "list": ("core/x86/vt/exit_reasons.h", "VT_REASON"),
        "source": "core/x86/vt/exit.c",
        "prefix": "VT_REASON_",
        "alias": {},
        "entry_failures": ("ENTRY_GUEST_STATE", "ENTRY_MSR_LOAD", "ENTRY_MACHINE_CHECK"),
        "entry_failed": "vt_entry_failed",
        "format": "{}",
    },
    {
        "title": "AMD-V: exit codes (APM 2 appendix C)",
        "list": ("core/x86/svm/exit_codes.h", "SVM_EXIT"),
        "source": "core/x86/svm/exit.c",
        "prefix": "SVM_EXIT_",
        "alias": {"ROW_NPF": "NPF", "ROW_INVALID": "INVALID"},
        "entry_failures": (),
        "always_on": ("core/x86/svm/controls.c", "must_exit"),
        "format": "{:#05x}",
    },
)


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def cell(text):
    return re.sub(r"([|*_<])", r"\\\1", " ".join(text.split()))


def exit_numbers(path, macro):
    """The list header: [(number, name)], in its order."""
    rows = [(int(n, 0), name) for n, name in re.findall(rf"^{macro}\(\s*(-?\w+)\s*,\s*(\w+)\s*\)", read(path), re.M)]
    if not rows:
        sys.exit(f"{path}: no {macro}() found")
    return rows


def always_on(path, array):
    """Names in the array of exits that are always asked for."""
    found = re.search(rf"\b{array}\[\] = \{{(.*?)\}};", read(path), re.S)
    if not found:
        sys.exit(f"{path}: no array {array} found")
    return re.findall(r"\w+", found.group(1))


class Rows:
    """The handler table of one vendor's exit.c."""

    def __init__(self, vendor, numbers):
        self.vendor = vendor
        self.by_name = {name: number for number, name in numbers}
        self.vectors = {n: int(v) for n, v in re.findall(r"\b(VECTOR_\w+) = (\d+)", read("core/x86/cpu.h"))}
        self.handlers = {}  # number -> (handler, lean)
        self.comments = {}  # handler -> the first sentence of its comment
        self.exists = os.path.exists(os.path.join(TOP, vendor["source"]))
        if self.exists:
            self.parse(read(vendor["source"]))

    def number(self, expression):
        """SVM_EXIT_EXCP0 + VECTOR_DB, an alias, or a plain name."""
        total = 0
        for term in expression.split("+"):
            term = term.strip()
            if term in self.vendor["alias"]:
                total += self.by_name[self.vendor["alias"][term]]
            elif term in self.vectors:
                total += self.vectors[term]
            elif term.startswith(self.vendor["prefix"]) and term[len(self.vendor["prefix"]):] in self.by_name:
                total += self.by_name[term[len(self.vendor["prefix"]):]]
            else:
                sys.exit(f"{self.vendor['source']}: what is {term}?")
        return total

    def parse(self, text):
        table = re.search(r"\brows\[\w+\] = \{\n(.*?)\n\};", text, re.S)
        if not table:
            sys.exit(f"{self.vendor['source']}: no table `rows` found")
        entry = re.compile(r"\[([^\]]+?)\]\s*=\s*(\{[^}]*\}|\w+)\s*,")
        for index, value in entry.findall(table.group(1)):
            words = re.findall(r"\w+", value)
            first, _, last = index.partition("...")
            for number in range(self.number(first), self.number(last or first) + 1):
                self.handlers[number] = (words[0], "LEAN" in words[1:])
        rest = re.sub(r"/\*.*?\*/", "", entry.sub("", table.group(1)), flags=re.S).strip()
        if rest:
            sys.exit(f"{self.vendor['source']}: not understood: {rest}")
        # what VT-x answers lean stands before the table's dispatcher
        for name in re.findall(r"== (\w+)(?:, 1\))?\) /\* lean", text):
            number = self.number(name)
            self.handlers[number] = (self.handlers[number][0], True)
        pattern = r"/\*((?:(?!\*/).)*)\*/\nstatic (?:_Noreturn )?enum exit_result (exit_\w+)\("
        for comment, handler in re.findall(pattern, text, re.S):
            comment = re.sub(r"^\s*\* ?", "", comment, flags=re.M).strip()
            self.comments[handler] = re.split(r"(?<=\.)\s", comment)[0].rstrip(".")


def vendor_section(vendor):
    numbers = exit_numbers(*vendor["list"])
    rows = Rows(vendor, numbers)
    if rows.exists and "always_on" in vendor:
        for name in always_on(*vendor["always_on"]):
            if rows.number(name) not in rows.handlers:
                sys.exit(f"{vendor['source']}: {name} is asked for, and has no handler")
    lines = [f"\n## {vendor['title']}\n"]
    if not rows.exists:
        lines.append(f"`{vendor['source']}` is not there yet.\n")
    lines += ["| number | name | handler | lean | |", "|---|---|---|---|---|"]
    for number, name in numbers:
        handler, lean = rows.handlers.pop(number, (None, False))
        shown = f"`{handler}`" if handler else "not enabled"
        if name.startswith("RESERVED_"):
            shown = shown if handler else "no such exit"
        elif name in vendor["entry_failures"] and not handler and rows.exists:
            shown = f"`{vendor['entry_failed']}`"
        number_text = vendor["format"].format(number) if number >= 0 else str(number)
        lines.append(f"| {number_text} | {cell(name)} | {shown} | {'lean' if lean else ''} | "
                     f"{cell(rows.comments.get(handler, ''))} |")
    if rows.handlers:
        sys.exit(f"{vendor['source']}: rows of no known exit: {sorted(rows.handlers)}")
    return "\n".join(lines) + "\n"


def main():
    msrs = subprocess.run([sys.argv[1]], check=True, stdout=subprocess.PIPE, text=True).stdout
    print(HEAD, end="")
    for vendor in VENDORS:
        print(vendor_section(vendor), end="")
    print("""
## MSRs

A register that is in no row passes. `else` is what holds when the guest does not see the feature, or start-up
messages are not taken from the ICR.

| number | name | vendor | if | read | write | why |
|---|---|---|---|---|---|---|""")
    print(msrs, end="")


if __name__ == "__main__":
    main()
