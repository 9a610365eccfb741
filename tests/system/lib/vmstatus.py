"""The VMM's status text, read by a program in the guest of a machine with the word vmm.status=1."""
# SPDX-License-Identifier: BSD-3-Clause

import collections
import re

from lib import guestprogram

WORD = "vmm.status=1"


def install(m):
    """Put the program into the guest as /tmp/status."""
    guestprogram.install(m, "status", guestprogram.build("status"))


def read(m):
    """{key: value} of the text."""
    text = m.run(f"/tmp/status {'vmcall' if m.options.emu == 'bochs' else 'vmmcall'}")
    return dict(line.split("=", 1) for line in text.splitlines())


def exits_of(status):
    """{CPU: {exit: how often}} of what read() has given, as the VMM counts them; exits that have been none are not in it."""
    count = collections.defaultdict(collections.Counter)
    for key, value in status.items():
        if found := re.fullmatch(r"exits\.cpu(\d+)\.(\w+)", key):
            count[int(found[1])][found[2]] = int(value)
    return count


def exits(m):
    """The same, read now."""
    return exits_of(read(m))
