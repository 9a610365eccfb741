"""Cases of the guest micro-kernel that need an image or a machine of their own."""
# SPDX-License-Identifier: BSD-3-Clause

from lib import debugimage, guestkernel


def passes(name, case, words, **options):
    report = guestkernel.run(name, f"case={case} {words}", **({"emu": "qemu", "mem": 128, "net": "none"} | options))
    assert report.cases[case].status == "pass", (report.cases[case], report.vmm_log[-2000:])
    return report


def test_right_taken_away():
    """A page that becomes emulated is so for another CPU, too, which reads it all the while."""
    debugimage.build()
    passes("stale-right", "stale_right", "calls=1", elf=debugimage.ELF, cpus=2)
