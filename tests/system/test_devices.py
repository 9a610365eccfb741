"""What driver=monitor costs devices in heavy use, in instructions (tests/bench/devices.py)."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import sys

import pytest

from lib.machine import TOP

sys.path.insert(0, os.path.join(TOP, "tests", "bench"))
import devices  # noqa: E402


@pytest.mark.product
def test_monitored():
    """Each of them works with as few exits as it has registers to touch, none of which is decoded anew each time."""
    loads = [load for load in devices.LOADS if load.name in devices.MOST]
    found = devices.count("monitored", loads, "test-devices")
    print(found)
    # the measurement itself: what is watched exits
    assert all(c.exits >= 2 for name, c in found.items() if not name.startswith("e1000e")), found
    assert not devices.wrong(found), found
