"""What the VMM's presence costs: memory, instructions of its start, the dearest exit of a boot (tests/bench/presence.py)."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import sys

import pytest

from lib.machine import TOP

sys.path.insert(0, os.path.join(TOP, "tests", "bench"))
import presence  # noqa: E402


@pytest.mark.product
def test_presence():
    found = presence.measure("test-presence")
    print(found)
    assert not presence.wrong(found), found
    # the measurement itself: every exit that the emulator has logged was counted, and the guest did run
    assert found["exits"] > 1000 and found["start"] > 1_000_000, found
    assert found["nested_tables"] < 64
