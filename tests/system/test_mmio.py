"""Emulated memory: each form of instruction gives on it what it gives on plain memory, with faults, interrupts and two CPUs."""
# SPDX-License-Identifier: BSD-3-Clause

import re

import pytest

import test_guest
from lib import debugimage, debugmachine, guestkernel, guestprogram


@pytest.fixture(scope="module")
def program():
    debugimage.build()
    return guestprogram.build("mmio")


def numbers(output):
    return {name: (int(a), int(b)) for name, a, b in re.findall(r"^([a-z, -]+): (\d+) (\d+)$", output, re.M)}


@pytest.mark.parametrize("options", [{"cpus": 2}, pytest.param({"emu": "bochs"}, marks=debugmachine.IN_BOCHS)], ids=["qemu", "bochs"])
def test_forms(program, options):
    """One program in the guest compares; what it printed is looked at here."""
    with debugmachine.booted("mmio", **options) as m:
        guestprogram.install(m, "mmio", program)
        output = m.run("/tmp/mmio", 600)
        assert output.endswith("done"), output
        found = numbers(output)
        for name in "forms", "read-only page", "absent page":
            assert found[name][0] > 500 and found[name][1] == 0, output
        assert "too few" not in output
        assert found["writes only"] == (0, 0), output
        assert found["writes only, written"][0] > 0
        assert found["unsupported"] == (6, 6), output
        alarms, wrong = found["interrupts"]
        assert alarms > 0 and wrong == 0, output
        assert found["locked adds"] == (40000, 40000), output
        assert found["moves"] == (500, 0), output
        assert found["rewritten"][0] > 0 and found["rewritten"][1] == 0, output
        if m.options.emu == "qemu":  # the CPU in Bochs has no monitor trap flag
            for name in "stepped", "stepped, read-only page":
                assert found[name][0] > 100 and found[name][1] == 0, output
        assert found["closed"] == (1, 0), output
        lines = re.findall(r"Emulated memory at 0x[0-9a-f]+: the instruction ([0-9a-f ]+) at 0x[0-9a-f]+ is not supported", m.vmm_log())
        assert len(lines) == 1 and lines[0].startswith("0f 29 03"), lines


PLACES = {"qemu": {"emu": "qemu"}, "bochs-vtx": {"emu": "bochs"}, "bochs-amdv": {"emu": "bochs", "cpu": "ryzen"}}


@pytest.mark.parametrize("place", PLACES)
def test_again(program, place):
    """Loads and stores that the VMM remembers do what they do on memory, whatever has changed in between; and so in modes of 16 and 32 bits."""
    options = PLACES[place] | {"cpus": 1, "mem": 128, "net": "none"}
    name = f"mmio-again-{place}"
    # Bochs leaves the single-step trap pending over #VMEXIT: it hits the VMM; and it ends when a guest of AMD-V exits from V86 mode
    words = "case=mmio_again,mmio_modes" + (" steps=0 v86=0" if place == "bochs-amdv" else "")
    bare = guestkernel.run(f"{name}-bare", words, bare=True, **options).cases
    vmm = guestkernel.run(name, words + " device=1", elf=debugimage.ELF, **options).cases
    for case, least in ("mmio_again", 200), ("mmio_modes", 60):
        verdict = test_guest.judge(place, case, bare[case], vmm[case], test_guest.faults())
        assert vmm[case].passed > least and not verdict.wrong, (vmm[case], verdict.wrong)
