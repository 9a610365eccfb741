"""QEMU's device `edu`, driven by the guest's shell: DMA to and from any address."""
# SPDX-License-Identifier: BSD-3-Clause

import time

SLOT = 5
DEVICE = f"0000:00:{SLOT:02x}.0"
ARGUMENTS = ("-device", f"edu,addr={SLOT},dma_mask=0xffffffffffffffff")
# Memory of the guest's that its kernel does not use, and that /dev/mem gives: 1 MiB called persistent
SCRATCH = 0x10000000
KERNEL_ARGS = f"+quiet memmap=1M!{SCRATCH:#x}"

BUFFER = 0x40000  # the device's own memory, 4096 bytes, as its DMA addresses it
SOURCE, TARGET, COUNT, COMMAND = 0x80, 0x88, 0x90, 0x98  # its registers
START, TO_MEMORY = 1, 2


class Edu:
    """The device in a booted machine; it may read and write memory from here on."""

    def __init__(self, machine):
        self.m = machine
        where = f"/sys/bus/pci/devices/{DEVICE}"
        self.bar = int(machine.run(f"head -1 {where}/resource").split()[0], 16)
        # memory space and bus master on
        machine.run(f"printf '\\006\\000' | dd of={where}/config bs=1 seek=4 conv=notrunc 2>/dev/null")

    def read(self, address):
        return int(self.m.run(f"devmem {address:#x} 64"), 16)

    def write(self, address, value):
        self.m.run(f"devmem {address:#x} 64 {value:#x}")

    def _transfer(self, source, target, count, command):
        registers = ((SOURCE, source), (TARGET, target), (COUNT, count), (COMMAND, command | START))
        self.m.run("; ".join(f"devmem {self.bar + r:#x} 64 {v:#x}" for r, v in registers))
        for _ in range(50):
            if not self.read(self.bar + COMMAND) & START:
                return
            time.sleep(0.1)
        raise AssertionError("the device does not end its transfer")

    def load(self, source, count=64):
        """DMA: memory to the device's buffer."""
        self._transfer(source, BUFFER, count, 0)

    def store(self, target, count=64):
        """DMA: the device's buffer to memory."""
        self._transfer(BUFFER, target, count, TO_MEMORY)
