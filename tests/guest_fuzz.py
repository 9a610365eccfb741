#!/usr/bin/python3
"""The guest fuzzer for long: seed after seed on one machine until as many operations have run, bare and under the VMM."""
# SPDX-License-Identifier: BSD-3-Clause

import argparse
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "system"))
from lib import guestfuzz  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ops", type=int, default=1_000_000, help="operations in all")
    parser.add_argument("--round", type=int, default=1_000_000, help="operations with one seed")
    parser.add_argument("--seed", type=int, default=1000, help="the first seed; each round takes the next")
    parser.add_argument("--emu", choices=["qemu", "bochs"], default="qemu")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--kinds", default="", help="only these kinds of operation, commas between")
    parser.add_argument("--patience", type=int, default=120, help="seconds without a checkpoint that count as a hang")
    args = parser.parse_args()
    done, seed, bad, start = 0, args.seed, 0, time.monotonic()
    while done < args.ops:
        count = min(args.round, args.ops - done)
        name = f"fuzz-long-{args.emu}-{args.cpus}"
        v = guestfuzz.compare(name, seed, count, args.patience, kinds=args.kinds, emu=args.emu, cpus=args.cpus,
                              **guestfuzz.repeating(args.emu, args.cpus))
        print(f"seed {seed}, {count} operations: {'WRONG' if v.wrong else 'same'}; {v.bare.seconds:.0f} s bare, "
              f"{v.vmm.seconds:.0f} s under the VMM", flush=True)
        if v.wrong:
            bad += 1
            print("\n".join(v.wrong), flush=True)
        done, seed = done + count, seed + 1
    print(f"{done} operations in {time.monotonic() - start:.0f} s, {bad} of {seed - args.seed} rounds bad")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
