#!/usr/bin/python3
"""Write one .config for each build option, with that option the other way round; print their names."""
# SPDX-License-Identifier: BSD-3-Clause

import os
import sys

import kconfiglib


def main():
    out = sys.argv[1]
    for symbol in kconfiglib.Kconfig("Kconfig", warn_to_stderr=True).unique_defined_syms:
        if not any(node.prompt for node in symbol.nodes):
            continue
        if symbol.type != kconfiglib.BOOL:
            sys.exit(f"{symbol.name}: say here which values are to be built")
        other = kconfiglib.Kconfig("Kconfig")
        flipped = other.syms[symbol.name]
        value = "n" if flipped.str_value == "y" else "y"
        if not flipped.set_value(value) or flipped.str_value != value:
            sys.exit(f"{symbol.name} cannot be {value} alone")
        path = os.path.join(out, f"{symbol.name}={value}.config")
        other.write_config(path)
        print(path)


if __name__ == "__main__":
    main()
