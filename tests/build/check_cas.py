#!/usr/bin/python3
"""In the image, no conditional jump uses the zero flag of a LOCK CMPXCHG: SETcc does, or nobody."""
# SPDX-License-Identifier: BSD-3-Clause

import re
import subprocess
import sys

# What may stand between and leaves the flags alone (SDM 1 appendix A).
NEUTRAL = re.compile(r"(mov\w*|lea\w?|push\w?|pop\w?|nop\w?|data16|cs|xchg|not\w?)\b")
SETCC = re.compile(r"set(e|z|ne|nz)\b")
JUMP = re.compile(r"j(?!mp)\w+\b")
WANTED = "cas32", "cas64"  # these take it by SETcc, whoever calls them


def verdict(following):
    """"set", "jump", or "none" when the flags are lost, by the instructions behind a LOCK CMPXCHG."""
    for insn in following:
        if SETCC.match(insn):
            return "set"
        if JUMP.match(insn) or insn.startswith("cmov"):
            return "jump"
        if not NEUTRAL.match(insn):
            return "none"
    return "none"


def check(listing):
    """Problems in the output of objdump -d --no-show-raw-insn, and how many LOCK CMPXCHG there are."""
    problems, count, function, code = [], 0, "", []
    for line in listing.splitlines() + ["0 <>:"]:
        if found := re.match(r"[0-9a-f]+ <(.*)>:", line):
            places = [i for i, insn in enumerate(code) if insn.startswith("lock cmpxchg")]
            for i in places:
                what = verdict(code[i + 1:])
                if what == "jump" or (what == "none" and function in WANTED):
                    problems.append(f"{function}: {'; '.join(code[i:i + 5])}")
            if function in WANTED and (not places or any(JUMP.match(insn) for insn in code)):
                problems.append(f"{function}: has a branch, or no LOCK CMPXCHG")
            count += len(places)
            function, code = found[1], []
        elif "\t" in line:
            code.append(line.split("\t", 1)[1].strip())
    return problems, count


def self_test():
    head, tail = "0 <f>:\n 0:\tlock cmpxchg %edx,(%rdi)\n 1:\tmov %eax,(%rsi)\n", " 3:\tret\n"
    assert check(head + " 2:\tsetne %al\n" + tail) == ([], 1)
    assert check(head + " 2:\tjne 8 <f+0x8>\n" + tail)[0]
    assert check(head + " 2:\tcmovne %eax,%edx\n" + tail)[0]
    assert check(head + " 2:\ttest %eax,%eax\n 3:\tjne 8 <f+0x8>\n" + tail)[0] == []
    assert check((head + tail).replace("<f>", "<cas32>"))[0]


def main():
    self_test()
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", sys.argv[1]], check=True, capture_output=True, text=True).stdout
    problems, count = check(listing)
    problems += [f"no function {name}" for name in WANTED if f"<{name}>:" not in listing and f"<{name}" in listing]
    for p in problems:
        print(f"compare-and-swap with a branch: {p}")
    print(f"  CAS     {count} LOCK CMPXCHG, {len(problems)} with a branch")
    return 1 if problems or not count else 0


if __name__ == "__main__":
    sys.exit(main())
