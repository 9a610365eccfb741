"""The machines the system tests run on: one table."""
# SPDX-License-Identifier: BSD-3-Clause

import dataclasses

from lib import debugimage


@dataclasses.dataclass(frozen=True)
class Row:
    """One combination of what may differ."""

    emu: str
    fw: str
    cpus: int
    kernel: str
    vmm_as: str = "cd"
    disk: str = "ide"
    net: str = "e1000"
    cpu: str = ""  # model; "" = the runner's choice: EPYC in QEMU (AMD-V), Haswell in Bochs (VT-x)
    startup: str = ""  # vmm.startup; "" = its default
    elf: str = ""  # "debug": the image that audits itself
    fast: bool = False  # also in make check-fast

    @property
    def name(self):
        usual = Row(self.emu, self.fw, self.cpus, self.kernel)
        fields = ("vmm_as", "disk", "net", "cpu", "startup", "elf")
        more = [getattr(self, f) for f in fields if getattr(self, f) != getattr(usual, f)]
        return "-".join([self.emu, self.fw, f"{self.cpus}cpu", self.kernel, *more])

    def options(self):
        """As keyword arguments of Machine."""
        values = dataclasses.asdict(self)
        del values["fast"]
        if values.pop("elf"):
            values["elf"] = debugimage.ELF
        if startup := values.pop("startup"):
            values["words"] = (f"vmm.startup={startup}",)
        if self.emu == "bochs":
            # Bochs' ryzen, bare as well: Linux waits for ever in MWAITX, and it cannot load what XSAVES or XSAVEC wrote
            args = "+quiet clearcpuid=221,321,323" if self.cpu == "ryzen" else "+quiet"
            values |= {"mem": 256, "net": "none", "kernel_args": args}
        return values


# Run by `make check`: every pair of values (firmware, CPUs, kernel) at least once.
# Bochs first: these take longest.
ROWS = [
    Row("bochs", "bios", 2, "6.12"),
    Row("bochs", "bios", 2, "6.12", startup="icr"),
    Row("bochs", "bios", 1, "6.1", fast=True),
    Row("bochs", "bios", 1, "6.1", cpu="ryzen"),
    Row("qemu", "bios", 1, "6.1", fast=True),
    Row("qemu", "bios", 2, "6.12"),
    Row("qemu", "bios", 4, "6.1", vmm_as="usb-disk", disk="nvme", net="e1000e"),
    Row("qemu", "uefi-shell", 1, "6.12", net="virtio-net-pci"),
    Row("qemu", "uefi-shell", 2, "6.1", disk="nvme"),
    Row("qemu", "uefi-shell", 4, "6.12", disk="virtio"),
    Row("qemu", "uefi-bootopt", 1, "6.1", vmm_as="usb-disk", disk="usb"),
    Row("qemu", "uefi-bootopt", 2, "6.12"),
    Row("qemu", "uefi-bootopt", 4, "6.1", net="e1000e"),
    Row("qemu", "uefi-iso", 2, "6.1"),
    Row("qemu", "bios", 2, "6.12", elf="debug"),
    Row("qemu", "uefi-shell", 1, "6.12", elf="debug"),
]

# Only in the product: slow.
SLOW_ROWS = [
    Row("bochs", "bios", 1, "6.1", elf="debug"),
]

# Written, and not yet supported by the VMM: a row moves up when it is. None of these counts as run or skipped.
PLANNED_ROWS: list[Row] = []

# Without the VMM: the testbed itself, every kernel and firmware once.
BARE_ROWS = [
    Row("qemu", "bios", 1, "6.1", fast=True),
    Row("qemu", "bios", 2, "6.12", disk="nvme", net="e1000e"),
    Row("qemu", "uefi-bootopt", 2, "6.1", disk="virtio", net="virtio-net-pci"),
    Row("qemu", "uefi-bootopt", 1, "6.12", disk="usb"),
]

# The product, for `make check-all`.
ALL_ROWS = SLOW_ROWS + ROWS + [
    row
    for fw in sorted({r.fw for r in ROWS if r.emu == "qemu"})
    for cpus in sorted({r.cpus for r in ROWS if r.emu == "qemu"})
    for kernel in sorted({r.kernel for r in ROWS if r.emu == "qemu"})
    if (row := Row("qemu", fw, cpus, kernel)) not in [dataclasses.replace(r, fast=False) for r in ROWS]
]

# Ways a kernel resets the machine: its reboot= parameter, and the rows that try it: each way once per kind of
# firmware on which it means something (b, the BIOS's entry, and e, UEFI's service, have one kind only).
REBOOTS = [
    ("k", "qemu-bios-1cpu-6.1"), ("t", "qemu-bios-2cpu-6.12"), ("b", "qemu-bios-1cpu-6.1"), ("a", "qemu-bios-2cpu-6.12"),
    ("p", "qemu-bios-2cpu-6.12"), ("k", "qemu-uefi-bootopt-2cpu-6.12"), ("t", "qemu-uefi-shell-1cpu-6.12-virtio-net-pci"),
    ("a", "qemu-uefi-shell-1cpu-6.12-virtio-net-pci"), ("p", "qemu-uefi-bootopt-2cpu-6.12"), ("e", "qemu-uefi-bootopt-2cpu-6.12"),
]
# Rows that come back after a reset, and that start another kernel.
RESTARTS = ["qemu-bios-1cpu-6.1", "qemu-bios-4cpu-6.1-usb-disk-nvme-e1000e", "qemu-uefi-bootopt-2cpu-6.12"]


def named(name):
    """The row of this name."""
    return next(r for r in ROWS if r.name == name)
