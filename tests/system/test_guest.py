"""The guest micro-kernel's cases: each runs bare and under the VMM on the same machine, and the two are compared."""
# SPDX-License-Identifier: BSD-3-Clause

import dataclasses
import fnmatch
import os
import subprocess

import pytest

import exit_rows
import guest_values
from lib import facts, guestkernel
from lib.machine import TOP


@dataclasses.dataclass(frozen=True)
class Where:
    """A machine; `emulator` is its name in the list of faults."""

    name: str
    emulator: str
    options: tuple
    leave_out: tuple = ()  # cases that end or hang the machine bare as well: (name, reason)
    fast: bool = False
    words: str = ""  # for the kernel; v86=0, intinfo=0, tf=0: Bochs' AMD-V has faults there (Documentation/emulators.md)
    config: tuple = ()  # words of the VMM's configuration


def where(name, emulator, fast=False, leave_out=(), words="", config=(), **options):
    return Where(name, emulator, tuple(options.items()), tuple(leave_out), fast, words, tuple(config))


QEMU_OUT = [("leave_modes", "QEMU leaves protected mode and paging without #GP"),
            *((name, "QEMU takes reserved bits without #GP and hangs") for name in ("cr3_bits", "cr4_bits")),
            *((name, "QEMU takes paging without protection, and hangs") for name in ("cr_real", "cr_protected")),
            ("op_tables", "QEMU loads a base that is not canonical, and has no table")]

AMDV_OUT = [("leave_modes", "Bochs ends when a guest of AMD-V tries"),
            *((name, "Bochs lets a guest of AMD-V page without protection, and ends") for name in ("cr_real", "cr_protected")),
            *((name, "Bochs ends when a guest of AMD-V exits from V86 mode") for name in ("io_port", "modes")),
            *((name, "Bochs leaves the single-step trap pending over #VMEXIT: it hits the VMM")
              for name in ("step_modes", "step_popss", "step_rep"))]

# A frame buffer that a BAR moves: memory that the VMM has not mapped yet (tests/guest/kernel/fresh.c).
BOCHS_VGA = ("pci: enabled=1, chipset=i440fx, slot1=pcivga",)
EDU = ("-device", "edu,dma_mask=0xffffffff")  # messages and DMA as a case wants them

MACHINES = [
    where("qemu-1cpu", "qemu", fast=True, leave_out=QEMU_OUT, emu="qemu", cpus=1, mem=128, extra=EDU),
    where("qemu-4cpu", "qemu", leave_out=QEMU_OUT, emu="qemu", cpus=4, mem=128, extra=EDU,
          cpu="EPYC,+svm,+npt,-hypervisor,+umip,+pku"),
    where("bochs-vtx", "bochs-vtx", words="counted=1", emu="bochs", cpus=1, mem=128, extra=BOCHS_VGA),
    where("bochs-amdv", "bochs-amdv", leave_out=AMDV_OUT, words="counted=1 v86=0 intinfo=0 tf=0", emu="bochs", cpus=1, mem=128, cpu="ryzen",
          extra=BOCHS_VGA),
]
# The same kernel as a UEFI program, started behind loadvmm.efi: what depends on how the VMM was started, and one of each kind.
UEFI = where("qemu-uefi", "qemu", leave_out=QEMU_OUT, emu="qemu", fw="uefi-shell", cpus=2, mem=256,
             words="case=region_*,never_*,walk_*,op_user,op_syscall,modes,exit_state,cpuid_leaves,msr_same,startup*,nmi,mtrr_all,vmm_leave")
# Each instruction takes its time, as in Bochs: what comes at an instant.
COUNTED = where("qemu-counted", "qemu", emu="qemu", cpus=1, mem=128, icount=0,
                words="counted=1 case=shadow,step,step_popss,nmi,nmi_dr6,ipi_vectors,tpr,tpr_pending")
# Several of them: time is what all CPUs do together, 1 ns for an instruction, so 10 us are between two NMIs that must both come.
COUNTED_CPUS = where("qemu-counted-4cpu", "qemu", emu="qemu", cpus=4, mem=128, icount=0,
                     words="nmi_apart=10000 case=nmi_kicks,nmi_storm_*")
# Several CPUs with VT-x: what they do to each other. Bochs loses a CPU behind an INIT exit, hence the key.
# There each CPU does 50 instructions in a microsecond.
VTX_CPUS = where("bochs-vtx-4cpu", "bochs-vtx", emu="bochs", cpus=4, mem=128, config=("vmm.startup=icr",),
                 words="counted=1 nmi_apart=500 case=startup*,start_*,nmi*,code_race,region_smp,region_mtrr_cpus,tlb_other,mtrr_all,tsc,ipi_vectors,apic_base,"
                       "apic_forms,apic_id,cpuid_mirror,msr_tsc_aux")
FAULTS = os.path.join(TOP, "tests", "guest", "faults.txt")


def faults(path=FAULTS):
    """The list of known faults: [(emulator, whose, case, assertion, reason)], with patterns but for `whose`."""
    rows = []
    with open(path, encoding="ascii") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                rows.append(tuple(part.strip() for part in line.split(None, 4)))
    return rows


def listed(emulator, whose, case, assertion, rows):
    """The reason that the list gives for a fault, or None."""
    for e, w, c, a, reason in rows:
        if w == whose and fnmatch.fnmatchcase(emulator, e) and fnmatch.fnmatchcase(case, c) and fnmatch.fnmatchcase(assertion.replace(" ", "_"), a):
            return reason
    return None


@dataclasses.dataclass
class Verdict:
    wrong: list = dataclasses.field(default_factory=list)     # what makes the test fail
    known: list = dataclasses.field(default_factory=list)     # faults of the VMM that are listed
    emulator: list = dataclasses.field(default_factory=list)  # both wrong, and listed
    better: list = dataclasses.field(default_factory=list)    # right under the VMM, wrong bare


def judge(emulator, name, bare, vmm, rows):
    """Compare one case's two runs: what the manual says is in the case itself."""
    v = Verdict()

    def both(what, text):
        reason = listed(emulator, "emulator", name, what, rows)
        (v.emulator if reason else v.wrong).append(f"{what}: wrong bare as well{'' if reason else ', and not listed'}: {text}")

    def vmm_only(what, text):
        reason = listed(emulator, "vmm", name, what, rows)
        (v.known if reason else v.wrong).append(f"{what}: {text}")

    ran = ("pass", "fail")
    if vmm.status not in ran:
        if vmm.status == bare.status == "skip":
            return v
        if vmm.status == bare.status:
            both("status", f"{vmm.status} {vmm.text}")
        else:
            vmm_only("status", f"{vmm.status} {vmm.text}, bare {bare.status} {bare.text}")
        return v
    for what, (at, got, want) in vmm.fails.items():
        if what in bare.fails and bare.fails[what][1] == got:
            both(what, f"{at} got {got} want {want}")
        elif what in bare.fails:
            both(what, f"{at} got {got} want {want}, bare {bare.fails[what][1]}")
        else:
            vmm_only(what, f"{at} got {got} want {want}, right without the VMM")
    v.better = [what for what in bare.fails if what not in vmm.fails]
    if bare.status in ran:
        # what fails may leave out what depends on it
        if not bare.fails and not vmm.fails and bare.passed != vmm.passed:
            vmm_only("assertions", f"{vmm.passed + vmm.failed}, bare {bare.passed + bare.failed}")
        for text in guest_values.differences(name, bare.values, vmm.values):
            vmm_only("value", text)
    return v


def both_runs(place, as_bare):
    """(bare, under the VMM) of all cases on a machine."""
    options = dict(place.options) | {"net": "none"}
    out = [name for name, _ in place.leave_out]
    bare = guestkernel.run(f"guest-{place.name}-bare", place.words, out, bare=True, **options)
    # The kernel finds what the VMM took by what it would have without it.
    words = f"{place.words} {bare.ram_word}" + ("" if as_bare else " status=1")
    return bare, guestkernel.run(f"guest-{place.name}", words, out, bare=as_bare, words=("vmm.status=1", *place.config), **options)


last_runs = {}


@pytest.fixture(scope="module")
def reports(request, place):
    """Kept here as well: for pytest the same place is another one in each test function."""
    if place.name not in last_runs:
        last_runs.clear()
        last_runs[place.name] = both_runs(place, request.config.getoption("--as-bare"))
    return last_runs[place.name]


@pytest.mark.parametrize("case", guestkernel.CASES)
@pytest.mark.parametrize("place", [pytest.param(m, id=m.name, marks=[pytest.mark.fast] if m.fast else []) for m in MACHINES],
                         scope="module")
def test_case(place, case, reports):
    if case in dict(place.leave_out):
        pytest.skip(dict(place.leave_out)[case])
    bare, vmm = (r.cases.get(case, guestkernel.Case()) for r in reports)
    v = judge(place.emulator, case, bare, vmm, faults())
    for kind in ("better", "emulator", "known"):
        for text in getattr(v, kind):
            print(f"{kind}: {text}")
    assert not v.wrong, "\n".join(v.wrong)
    if v.known:
        pytest.xfail("; ".join(v.known))
    if vmm.status == "skip":
        pytest.skip(vmm.text)


@pytest.mark.parametrize("place", [pytest.param(m, id=m.name, marks=[pytest.mark.fast] if m.fast else []) for m in MACHINES],
                         scope="module")
def test_under_vmm(place, reports, request):
    """The second run was under the VMM, and it has said nothing that it should not."""
    if request.config.getoption("--as-bare"):
        pytest.skip("without the VMM")
    bare, vmm = reports
    taken = facts.ram_missing([(a, b) for a, b, t in bare.memory if t == 1], [(a, b) for a, b, t in vmm.memory if t == 1])
    assert sum(b - a for a, b in taken) >= 8 << 20, taken
    assert "panic" not in vmm.vmm_log.lower(), vmm.vmm_log
    assert "Unexpected exit" not in vmm.vmm_log, vmm.vmm_log


@pytest.mark.parametrize("place", [pytest.param(m, id=m.name, marks=[pytest.mark.fast] if m.fast else []) for m in MACHINES],
                         scope="module")
def test_exit_rows(place, reports, request):
    """Each row of the vendor's exit table is reached by a case, or listed with the reason why none can (tests/system/exit_rows.py)."""
    if request.config.getoption("--as-bare"):
        pytest.skip("without the VMM")
    exits = reports[1].exits
    exit_rows.keep(place.name, exits)
    print(exit_rows.text(exit_rows.vendor_of(place.name), {place.name: exits}))
    assert not exit_rows.wrong(place.name, exits), "\n".join(exit_rows.wrong(place.name, exits))


def test_exit_rows_reasons():
    """The tests that are said to reach a row exist."""
    assert not exit_rows.missing_tests()


def chosen_run(place, request):
    """The cases that the place's words choose; returns those that ran."""
    bare, vmm = both_runs(place, request.config.getoption("--as-bare"))
    verdicts = {name: judge(place.emulator, name, bare.cases.get(name, guestkernel.Case()), case, faults()) for name, case in vmm.cases.items()}
    wrong = [f"{name}: {text}" for name, v in verdicts.items() for text in v.wrong]
    assert not wrong, "\n".join(wrong)
    assert set(bare.cases) == set(vmm.cases)
    return [name for name, case in vmm.cases.items() if case.status in ("pass", "fail")]


def test_uefi(request):
    """With the kernel as a UEFI program behind loadvmm.efi."""
    subprocess.run(["make", "-s", "-C", TOP, "build/guest.efi"], check=True, stdout=subprocess.DEVNULL)
    assert len(chosen_run(UEFI, request)) > 30


def test_counted(request):
    """With time that is counted."""
    assert len(chosen_run(COUNTED, request)) == 8


def test_counted_cpus(request):
    """NMIs 10 us apart come all, whatever the CPU that gets them does, and the VMM."""
    assert len(chosen_run(COUNTED_CPUS, request)) == 5


def test_vtx_cpus(request):
    """On four CPUs with VT-x."""
    assert len(chosen_run(VTX_CPUS, request)) > 25
