#!/usr/bin/python3
"""Turn a PC screen font (PSF 1 or 2, maybe gzipped) of 8x16 glyphs into a C table of ASCII 32..126."""
# SPDX-License-Identifier: BSD-3-Clause

import gzip
import struct
import sys

FIRST, LAST, HEIGHT = 32, 126, 16


class FontError(Exception):
    """The file is not a font this build can use."""


def parse(data):
    """(glyphs as bytes, {character: glyph number}) of a PSF file; the map is None when the file has none."""
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if data[:2] == b"\x36\x04":  # PSF 1: mode, bytes a glyph
        mode, size = data[2], data[3]
        count, start, width, height = 512 if mode & 1 else 256, 4, 8, size
        separator, sequence, has_map, text = b"\xff\xff", b"\xfe\xff", mode & 6, "utf-16-le"
    elif data[:4] == b"\x72\xb5\x4a\x86":  # PSF 2
        _, start, flags, count, size, height, width = struct.unpack_from("<7I", data, 4)
        separator, sequence, has_map, text = b"\xff", b"\xfe", flags & 1, "utf-8"
    else:
        raise FontError("not a PSF file")
    if (width, height, size) != (8, HEIGHT, HEIGHT):
        raise FontError(f"glyphs of {width}x{height}, not 8x{HEIGHT}")
    glyphs = [data[start + i * size:start + (i + 1) * size] for i in range(count)]
    if len(glyphs[-1]) != size:
        raise FontError("truncated")
    return glyphs, unicode_map(data[start + count * size:], separator, sequence, text) if has_map else None


def unicode_map(table, separator, sequence, text):
    """Single characters only: what follows the sequence mark of a glyph composes several."""
    step, result, glyph, i, entry, single = len(separator), {}, 0, 0, b"", True
    while i < len(table):
        unit = table[i:i + step]
        i += step
        if unit == separator:
            for c in entry.decode(text, "replace"):
                result.setdefault(c, glyph)
            glyph, entry, single = glyph + 1, b"", True
        elif unit == sequence:
            single = False
        elif single:
            entry += unit
    return result


def table(data):
    """One glyph for each character FIRST..LAST."""
    glyphs, chars = parse(data)
    number = {chr(i): i for i in range(len(glyphs))} if chars is None else chars
    missing = [chr(c) for c in range(FIRST, LAST + 1) if chr(c) not in number]
    if missing:
        raise FontError(f"no glyph for {''.join(missing)!r}")
    return [glyphs[number[chr(c)]] for c in range(FIRST, LAST + 1)]


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: psf2c.py FONT.psf[.gz] OUTPUT.c")
    try:
        with open(sys.argv[1], "rb") as f:
            glyphs = table(f.read())
    except (FontError, OSError, EOFError) as e:
        sys.exit(f"psf2c: {sys.argv[1]}: {e}")
    lines = [f"\t{{ {', '.join(f'0x{b:02x}' for b in g)} }}, /* {FIRST + i} */" for i, g in enumerate(glyphs)]
    with open(sys.argv[2], "w", encoding="ascii") as f:
        f.write("/* Font of the panic screen; made by tools/psf2c.py. */\n#include \"core/console/font.h\"\n\n"
                "fbtext_font font_8x16 = {\n" + "\n".join(lines) + "\n};\n")


if __name__ == "__main__":
    main()
