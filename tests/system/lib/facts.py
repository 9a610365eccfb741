"""What a guest says about its machine, as Python values: for comparing a bare run with one under the VMM."""
# SPDX-License-Identifier: BSD-3-Clause

import re

# Features the VMM hides because it uses or cannot offer them (Documentation: shown = works).
HIDDEN = {"svm", "vmx", "smx", "sgx", "intel_pt", "hfi", "uintr", "pconfig", "tme", "sme", "sev", "sev_es", "sev_snp", "pks", "user_shstk",
          "ibt", "skinit", "npt", "lbrv", "svm_lock", "nrip_save", "tsc_scale", "vmcb_clean", "flushbyasid", "decodeassists",
          "pausefilter", "pfthreshold", "avic", "v_vmsave_vmload", "vgif", "v_spec_ctrl", "vnmi", "tpr_shadow", "flexpriority",
          "ept", "vpid", "ept_ad",
          # the debug store writes to memory by itself; it passes only where PERF_GLOBAL_CTRL can be switched with the guest
          "dts", "bts", "pebs", "ds_cpl", "dtes64"}


def cpu_flags(m):
    """The flags of every CPU, which must be the same on all."""
    lines = set(m.run("sed -n 's/^flags[^:]*: *//p' /proc/cpuinfo").splitlines())
    assert len(lines) == 1, f"CPUs differ in their flags: {lines}"
    return set(lines.pop().split())


def e820(m):
    """The firmware's memory map as the kernel took it: [(first, last, type)]."""
    text = m.run("for d in $(ls /sys/firmware/memmap | sort -n); do cd /sys/firmware/memmap/$d; "
                 "echo $(cat start end) $(cat type); done")
    rows = [line.split(None, 2) for line in text.splitlines()]
    return sorted((int(a, 0), int(b, 0), kind) for a, b, kind in rows)


def ram_below_4g(m):
    """Usable RAM below 4 GiB: [(first byte, byte behind)], sorted."""
    return [(a, b + 1) for a, b, kind in e820(m) if kind == "System RAM" and a < 1 << 32]


def ram_missing(before, after):
    """The ranges of `before` that `after` lacks."""
    holes = []
    for a, b in before:
        for c, d in sorted(after):
            if d <= a or c >= b:
                continue
            if c > a:
                holes.append((a, c))
            a = max(a, d)
        if a < b:
            holes.append((a, b))
    return holes


def pci(m):
    """PCI functions: address -> (ids, class)."""
    text = m.run("for d in /sys/bus/pci/devices/*; do echo ${d##*/} $(cat $d/vendor):$(cat $d/device) $(cat $d/class); done")
    return {a: (ids, cls) for a, ids, cls in (line.split() for line in text.splitlines())}


def guest_disk(m):
    """The device that holds the test guest's disk, such as /dev/sda."""
    look = ("mkdir -p /mnt; for p in /dev/sd?1 /dev/vd?1 /dev/nvme?n1p1; do [ -b $p ] || continue; "
            "mount -o ro $p /mnt 2>/dev/null || continue; [ -e /mnt/guest.id ] && echo $p; umount /mnt; done")
    for _ in range(20):  # a USB disk comes when it comes
        if parts := m.run(look).split():
            break
        m.run("sleep 1")
    assert len(parts) == 1, f"guest disks found: {parts}"
    return re.sub(r"(?<=\d)p1$|1$", "", parts[0])
