"""What exits cost, in instructions: no row grows beyond its baseline or its limit (tests/bench, Documentation/performance.md)."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import subprocess
import sys

import pytest

from lib.machine import TOP

sys.path.insert(0, os.path.join(TOP, "tests", "bench"))
import bench  # noqa: E402


@pytest.mark.parametrize("place", [pytest.param(p, id=p.name, marks=[pytest.mark.fast] if p.name == "qemu-amdv" else []) for p in bench.PLACES])
def test_no_exit_grows(place):
    rows, heavies = bench.measure(place), bench.heavy(place)
    bench.write(bench.result_file(place), place, rows, heavies)
    wrong = bench.growth(bench.read(bench.baseline_file(place)), rows)
    wrong += bench.over(place, rows)
    assert not wrong, "\n".join(wrong)
    assert heavies == bench.read(bench.baseline_file(place), "heavy")


@pytest.mark.parametrize("place", [pytest.param(p, id=p.name) for p in bench.PLACES])
def test_what_passes_does_not_exit(place):
    """MSRs that pass, CR0, CR3, CR4 and others do not exit, by the VMM's counters; and these are what the emulator counts."""
    counted, seen = bench.count_exits(place)
    assert counted == seen


def test_cpuid_loop():
    """The program for real machines prints the least it has seen so far."""
    subprocess.run(["make", "-s", "-C", TOP, "build/cpuidloop"], check=True)
    said = subprocess.run([os.path.join(TOP, "build", "cpuidloop"), "2000"], check=True, capture_output=True, text=True).stdout
    cycles = list(map(int, said.split()))
    assert cycles and all(later < earlier for earlier, later in zip(cycles, cycles[1:]))


@pytest.mark.parametrize("row, net, said", [
    ("cpuid-0", 100, ""), ("cpuid-0", 101, "100 are allowed"), ("rdtsc", 0, ""), ("rdtsc", 1, "0 are allowed"), ("vmcall", 9999, ""),
])
def test_limit_is_named(row, net, said):
    wrong = bench.over(bench.PLACES[0], {row: {"net": net}})
    assert len(wrong) == bool(said) and all(row in text and said in text for text in wrong)


def test_limit_that_is_kept_is_named(monkeypatch):
    monkeypatch.setattr(bench, "MISSED", {("qemu-amdv", "cpuid-0")})
    assert "not missed any more" in bench.over(bench.PLACES[0], {"cpuid-0": {"net": 100}})[0]
    assert not bench.over(bench.PLACES[0], {"cpuid-0": {"net": 101}})


def test_each_limit_has_its_row():
    """The rows that the limits name are measured somewhere: nothing is kept because nobody looks."""
    measured = {row for place in bench.PLACES for row in bench.read(bench.baseline_file(place))}
    assert set(bench.GATES) <= measured


@pytest.mark.parametrize("net, said", [(100, 0), (101, 0), (102, 1), (None, 1)])
def test_growth_is_named(net, said):
    """The comparison itself: a hundredth more is noise of the compiler's, more is not."""
    rows = {"other": {"net": 0}} | ({"cpuid-0": {"net": net}} if net is not None else {})
    wrong = bench.growth({"cpuid-0": 100, "other": 0}, rows)
    assert len(wrong) == said and all("cpuid-0" in text for text in wrong)


def test_growth_names_what_is_new():
    assert bench.growth({}, {"cpuid-0": {"net": 1}})[0].startswith("cpuid-0: no baseline")
