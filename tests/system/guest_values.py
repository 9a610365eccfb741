"""What may differ between the values that the micro-kernel's cases report bare and under the VMM."""
# SPDX-License-Identifier: BSD-3-Clause


def differences(case, bare, vmm):
    """Texts of the differences that are not allowed; bare, vmm: the values of one case, as lines."""
    compare = globals().get(f"compare_{case}", equal)
    return list(compare(bare, vmm))


def equal(bare, vmm):
    for a, b in zip(bare, vmm):
        if a != b:
            yield f"{b}, bare {a}"
    if len(bare) != len(vmm):
        yield f"{len(vmm)} values, bare {len(bare)}"
