"""The guest fuzzer: the same random operations bare and under the VMM must give the same, and nothing may end them."""
# SPDX-License-Identifier: BSD-3-Clause

import dataclasses

import pytest

from lib import guestfuzz


@dataclasses.dataclass(frozen=True)
class Row:
    """A machine, a seed, and how many operations of all CPUs together."""

    name: str
    seed: int
    ops: int
    patience: int  # seconds between checkpoints
    options: tuple


ROWS = [
    Row("qemu-1cpu", 1, 500_000, 60, (("emu", "qemu"), ("cpus", 1))),
    Row("qemu-4cpu", 2, 500_000, 60, (("emu", "qemu"), ("cpus", 4), *guestfuzz.repeating("qemu", 4).items())),
    Row("bochs-vtx", 3, 1_000_000, 100, (("emu", "bochs"), ("cpus", 1))),
]


@pytest.mark.parametrize("row", ROWS, ids=[r.name for r in ROWS])
def test_fuzz(row, request):
    as_bare = request.config.getoption("--as-bare")
    v = guestfuzz.compare(f"fuzz-{row.name}", row.seed, row.ops, row.patience, as_bare=as_bare, **dict(row.options))
    for (cpu, kind), (count, digest) in v.bare.kinds.items():
        print(f"CPU {cpu} {kind}: {count} operations", "" if v.vmm.kinds.get((cpu, kind)) == (count, digest) else "DIFFERENT")
    print(f"{v.bare.done} operations: {v.bare.seconds:.0f} s bare, {v.vmm.seconds:.0f} s under the VMM")
    assert not v.wrong, "\n".join(v.wrong)
    assert v.vmm.done >= row.ops


TEXT = """guest: begin cpus 2
memory 0x0 0x9fc00 1
memory 0xf0000 0x10000 2
fuzz begin seed 1 cpus 2 each 20 pm1 0x604
fuzz cpu 0 op 10 digest 0x11
fuzz cpu 1 op 10 digest {first}
fuzz op 1 12 cr what 0 size 1 how 0 number 0x1 value 0x0 extra 0x0 ...
fuzz op 1 12 cr what 0 size 1 how 0 number 0x1 value 0x0 extra 0x0 : {value}
fuzz op 1 13 io what 0 size 1 how 0 number 0x40 value 0x0 extra 0x0 (not compared: time) : {value}
fuzz cpu 1 op 20 digest {second}
fuzz cpu 0 op 20 digest 0x12
fuzz cpu 0 kind io ops 20 digest 0x5
"""


def parsed(first, second, value="1", more=""):
    run = guestfuzz.Run()
    guestfuzz.parse(TEXT.format(first=first, second=second, value=value).replace("\n", "\r\n") + more, run)
    return run


def test_comparison():
    """What the machines say is taken apart right, and a difference is found: no machine."""
    bare = parsed("0x21", "0x22", more="fuzz end errors 0\r\n")
    assert bare.ended and not bare.errors and bare.done == 20 and bare.memory == [(0, 0x9fc00)]
    assert guestfuzz.first_difference(bare, parsed("0x21", "0x22")) is None
    assert guestfuzz.first_difference(bare, parsed("0x21", "0x23")) == (1, 10, 20)
    assert guestfuzz.first_difference(bare, parsed("0x20", "0x23")) == (1, 0, 10)
    assert guestfuzz.first_difference(bare, guestfuzz.Run()) == (0, 0, 10)
    assert guestfuzz.differing(bare, parsed("0x21", "0x22")) == []
    lines = guestfuzz.differing(bare, parsed("0x21", "0x22", value="2"))
    assert len(lines) == 2 and lines[0].startswith("bare fuzz op 1 12 ") and lines[1].endswith(": 2")
    assert parsed("1", "2").begun[1].startswith("fuzz op 1 12 ") and not parsed("1", "2").ended
    assert parsed("1", "2", more="fuzz error cpu 0 op 3: lost\r\n").errors
    assert guestfuzz.window("fuzz=1 ops=99 kinds=io ram=0x0-0x9fc00", 10, 20, 4) == \
        "fuzz=1 kinds=io ram=0x0-0x9fc00 first=10 ops=40 from=10 to=20"
    assert "SEED=7" in guestfuzz.repeat(7, 99, emu="bochs", cpus=1) and "EMU=bochs" in guestfuzz.repeat(7, 99, emu="bochs", cpus=1)
