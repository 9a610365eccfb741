#!/usr/bin/python3
"""Run host tests that were built with --coverage, and print which part of the lines of pure code they ran."""
# SPDX-License-Identifier: BSD-3-Clause

import argparse
import collections
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIMEOUT = 300  # seconds for one host test program


def run_tests(programs):
    """Run each program once; counters add up in the .gcda files. Returns whether all passed."""
    passed = True
    for program in programs:
        try:
            done = subprocess.run([os.path.abspath(program)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=TIMEOUT)
            text, status = done.stdout.decode(errors="replace"), done.returncode
        except subprocess.TimeoutExpired:
            text, status = f"ended after {TIMEOUT} s", -1
        if status:
            print(f"{text}\n{program} failed", flush=True)
            passed = False
    return passed


def read_lines(notes):
    """{source: {line: how often it ran}} of all .gcno files, for the C files of the tree that are no tests."""
    files = collections.defaultdict(collections.Counter)
    for note in notes:
        out = subprocess.run(["gcov", "--json-format", "--stdout", note], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, check=True).stdout
        for text in out.splitlines():
            report = json.loads(text)
            for file in report["files"]:
                path = os.path.normpath(os.path.join(report["current_working_directory"], file["file"]))
                name = os.path.relpath(path, TOP)
                # Code of headers and of system libraries does not count; tests do not test themselves.
                if not name.endswith(".c") or name.startswith(("../", "tests/", "build/")):
                    continue
                for line in file["lines"]:
                    files[name][line["line_number"]] += line["count"]
    return files


def ranges(numbers):
    """[1, 2, 3, 7] as '1-3 7'."""
    parts = []
    for n in sorted(numbers):
        if parts and parts[-1][1] == n - 1:
            parts[-1][1] = n
        else:
            parts.append([n, n])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--min", type=float, default=95, help="fail when the total is below this, in per cent")
    p.add_argument("--objects", nargs="+", required=True, help="object files of pure code")
    p.add_argument("--tests", nargs="+", required=True, help="test programs; each has an object file beside it")
    a = p.parse_args()
    notes = [o.removesuffix(".o") + ".gcno" for o in a.objects] + [t + ".gcno" for t in a.tests]
    for note in notes:  # counters of an earlier run
        try:
            os.unlink(note.removesuffix(".gcno") + ".gcda")
        except FileNotFoundError:
            pass
    passed = run_tests(a.tests)
    rows = []
    for name, lines in read_lines(notes).items():
        missed = [n for n, count in lines.items() if count == 0]
        rows.append((100 * (len(lines) - len(missed)) / len(lines), name, len(lines), missed))
    width = max([len(row[1]) for row in rows], default=0)
    print(f"{'file':{width}} {'lines':>6} {'covered':>8} {'%':>6}  lines not covered")
    for percent, name, total, missed in sorted(rows):
        print(f"{name:{width}} {total:6} {total - len(missed):8} {percent:6.1f}  {ranges(missed)}".rstrip())
    total = sum(row[2] for row in rows)
    covered = total - sum(len(row[3]) for row in rows)
    percent = 100 * covered / total if total else 0
    print(f"{'total':{width}} {total:6} {covered:8} {percent:6.1f}")
    if percent < a.min:
        print(f"coverage of {percent:.1f} per cent is below {a.min:g}")
    return 0 if passed and percent >= a.min else 1


if __name__ == "__main__":
    sys.exit(main())
