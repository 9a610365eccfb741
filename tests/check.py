#!/usr/bin/python3
"""Run host tests, document checks, fuzzers and system tests, and end with one line that sums them up."""
# SPDX-License-Identifier: BSD-3-Clause

import argparse
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOST_TIMEOUT = 300  # seconds for one host test program
FUZZ_TIMEOUT = 120  # seconds for one fuzzer


def host_test(program):
    """Run one cmocka program; returns [passed, failed, skipped] counted per test."""
    print(f"  TEST    {program}", flush=True)
    try:
        done = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=HOST_TIMEOUT, env=dict(os.environ, CMOCKA_MESSAGE_OUTPUT="STDOUT"))
        text, status = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as e:
        text, status = (e.stdout or b"").decode(errors="replace") + f"\nended after {HOST_TIMEOUT} s", -1
    started = len(re.findall(r"^\[ +RUN +\] ", text, re.M))
    passed = len(re.findall(r"^\[ +OK +\] ", text, re.M))
    # A skipped test is named again in the list at the end of its group.
    skipped = len(set(re.findall(r"^\[ +SKIPPED +\] (\S+)$", text, re.M)))
    failed = started - passed - skipped
    if status and not failed:
        failed = 1  # ended by a signal, or by a sanitizer after the last test
    if not status and not passed and not skipped:
        failed, text = failed + 1, text + "\nno test ran"
    if failed:
        print(text, flush=True)
    return [passed, failed, skipped]


def command(kind, words, timeout):
    """Run one command that tells success by its status; returns [passed, failed, skipped] with a sum of 1."""
    print(f"  {kind:<7} {words[0] if kind == 'FUZZ' else ' '.join(words)}", flush=True)
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=timeout, cwd=TOP)
        text, failed = done.stdout.decode(errors="replace"), done.returncode != 0
    except subprocess.TimeoutExpired as e:
        text, failed = (e.stdout or b"").decode(errors="replace") + f"\nended after {timeout} s", True
    if failed:
        print("\n".join(text.splitlines()[-60:]), flush=True)
    return [0, 1, 0] if failed else [1, 0, 0]


def fuzzer(program, runs):
    """Run one libFuzzer program on the same inputs as each time; what fails is kept next to it."""
    name = os.path.basename(program)
    words = [program, "-seed=1", f"-runs={runs}", "-timeout=10", "-rss_limit_mb=2048", f"-artifact_prefix={program}-"]
    dictionary, corpus = (os.path.join("tests", "fuzz", p) for p in (name + ".dict", os.path.join("corpus", name)))
    if os.path.exists(os.path.join(TOP, dictionary)):
        words.append("-dict=" + dictionary)
    with tempfile.TemporaryDirectory() as new:  # the first folder takes new inputs, so it is never the tree's
        words.append(new)
        if os.path.isdir(os.path.join(TOP, corpus)):
            words.append(corpus)
        return command("FUZZ", words, FUZZ_TIMEOUT)


def system_tests(args):
    """Run pytest; returns [passed, failed, skipped]."""
    with tempfile.TemporaryDirectory() as tmp:
        report = os.path.join(tmp, "report.xml")
        env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
        status = subprocess.run([sys.executable, "-m", "pytest", "-v", "--tb=short", "--no-header", "-rs", "--durations=30", "-n", str(min(2, os.cpu_count() or 1)), "--dist", "loadgroup", f"--junitxml={report}", *args],
                                stdin=subprocess.DEVNULL, cwd=os.path.join(TOP, "tests", "system"), env=env).returncode
        try:
            cases = list(xml.etree.ElementTree.parse(report).iter("testcase"))
        except (OSError, xml.etree.ElementTree.ParseError):
            cases = []
    failed = sum(1 for c in cases if c.find("failure") is not None or c.find("error") is not None)
    skipped = sum(1 for c in cases if c.find("skipped") is not None)
    passed = len(cases) - failed - skipped
    if status and not failed:
        failed = 1  # collection failed, or pytest itself
    return [passed, failed, skipped]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--host", nargs="*", default=[], help="cmocka programs")
    p.add_argument("--make", nargs="*", default=[], help="targets of make that are checks, each counted as one")
    p.add_argument("--fuzz", nargs="*", default=[], help="libFuzzer programs, each counted as one")
    p.add_argument("--fuzz-runs", type=int, default=20000, help="inputs a fuzzer tries")
    p.add_argument("--system", action="store_true", help="run pytest in tests/system")
    p.add_argument("pytest", nargs="*", help="after --: arguments of pytest")
    a = p.parse_args()
    results = [host_test(t) for t in a.host]
    results += [command("CHECK", ["make", "--no-print-directory", t], HOST_TIMEOUT) for t in a.make]
    results += [fuzzer(t, a.fuzz_runs) for t in a.fuzz]
    if a.system:
        results.append(system_tests(a.pytest))
    passed, failed, skipped = (sum(r[i] for r in results) for i in range(3))
    sys.stdout.flush()
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
