"""One CPU does the costliest things it can, again and again: the timers of the other CPUs come as they do without the VMM."""
# SPDX-License-Identifier: BSD-3-Clause

import dataclasses
import os
import re

import pytest

from lib import guestkernel
from lib.machine import TOP

# The product's code, and the call that puts emulated memory somewhere.
ELF = os.path.join(TOP, "build", "bitvisor-bench.elf")
# Of how much later than bare, in instructions: the promise is 10 ms, some 10 million on a slow CPU.
LIMIT = 1_000_000
TICKS = 10
PATIENCE = 120, 900  # seconds for one kind, which says nothing before its end; with --all-rows


@dataclasses.dataclass(frozen=True)
class Place:
    """A machine; how many exits of a kind there, and with --all-rows; kinds that take it minutes bare."""

    options: dict
    count: int
    many: int
    words: str = ""
    config: tuple = ()
    slow: tuple = ()


PLACES = {
    "amdv": Place({"emu": "qemu", "cpus": 4, "icount": 0}, 2_000, 100_000, "period=200000"),
    # Bochs empties its caches of decoded instructions at INVD; under the VMM it meets WBINVD instead
    "vtx": Place({"emu": "bochs", "cpus": 2}, 100, 2_000, "period=100000", ("vmm.startup=icr",), ("invd",)),
}


def kinds(cpus):
    """Names in the case's table, without those that need more CPUs."""
    with open(os.path.join(TOP, "tests", "guest", "cases", "attack.c"), encoding="ascii") as f:
        return [name for name, needs in re.findall(r'^    \{"([\w-]+)", .*, (\d)\},$', f.read(), re.M) if int(needs) <= cpus]


def run(name, place, count, chosen, bare, patience):
    words = f"case=attack {place.words} attack={count} kinds={','.join(chosen)}" + ("" if bare else " calls=1")
    report = guestkernel.run(name, words, bare=bare, patience=patience, elf=ELF, mem=128, net="none", words=place.config, **place.options)
    case = report.cases["attack"]
    assert case.status == "pass", (case, report.vmm_log[-2000:])
    found = [re.fullmatch(r"(\S+) count (\d+) took (\d+) ticks (\d+) late (\d+) mean (\d+) serving (\d+) mean (\d+)", v)
             for v in case.values]
    assert [f[1] for f in found] == chosen, case.values
    return {f[1]: [int(x) for x in f.groups()[1:]] for f in found}


@pytest.mark.parametrize("name", PLACES)
def test_timers_of_others(name, request):
    """The last CPU's timer comes when it would without the VMM, and its handler's own exits wait for nobody for long."""
    place, everything = PLACES[name], kinds(PLACES[name].options["cpus"])
    many, as_bare = request.config.getoption("--all-rows"), request.config.getoption("--as-bare")
    assert len(everything) > 15
    bare = run(f"attack-{name}-bare", place, place.count, [k for k in everything if k not in place.slow], True, PATIENCE[0])
    vmm = run(f"attack-{name}", place, place.many if many else place.count, everything, as_bare, PATIENCE[many])
    wrong = []
    for kind, (count, took, ticks, late, mean, serving, serving_mean) in vmm.items():
        *_, bare_late, bare_mean, bare_serving, bare_serving_mean = bare.get(kind, [0] * 7)
        print(f"{kind:12} {count:9} in {took:13} instructions, {ticks:6} timers: late {late:7} at most, {mean:6} on average "
              f"(bare {bare_late}, {bare_mean}); served in {serving:7} and {serving_mean:6} more than the least "
              f"(bare {bare_serving}, {bare_serving_mean})")
        if ticks < TICKS or late > bare_late + LIMIT or serving > bare_serving + LIMIT:
            wrong.append(kind)
    assert not wrong, wrong
