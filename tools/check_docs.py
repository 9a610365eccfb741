#!/usr/bin/python3
"""Check that every link, path of the tree and test that the documents mention exists."""
# SPDX-License-Identifier: BSD-3-Clause

import ast
import glob
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCUMENTS = ["README.md", "Documentation/*.md", "boot/uefi/README.md"]

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"(`+)(.+?)\1", re.S)
FENCE = re.compile(r"^```.*?^```[ \t]*$", re.M | re.S)
HEADING = re.compile(r"^#+ +(.+?) *#*$", re.M)
WORD = re.compile(r"[\w./*{}<>,$+@:~=-]+")
# A test as it is cited: FILE::NAME (FILE::{A,B} is two). A case of the guest kernel is cited by its file alone.
TEST = re.compile(r"tests/[\w./-]+\.(?:py|c)::")
CMOCKA = re.compile(r"\bcmocka_unit_test(?:_setup|_teardown|_setup_teardown|_prestate)?\(\s*(\w+)")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
# A table whose last column has this name lists promises: each row cites a test, or says that there is none.
SHOWN = "shown by"
NO_TEST = "no test"
# A name of its own with one of these endings is a file somewhere in the tree.
ENDINGS = (".c", ".h", ".S", ".py", ".mk", ".lds", ".sh", ".md", ".list", ".ini")


def tracked():
    """Files and folders of the tree: what git knows, and what a new file will be."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, stdout=subprocess.PIPE, check=False)
    names = out.stdout.decode().splitlines()
    if out.returncode or not names:  # an unpacked archive
        names = [os.path.relpath(os.path.join(d, f), TOP) for d, _, fs in os.walk(TOP) for f in fs]
        names = [n for n in names if not n.startswith(("build/", ".git/"))]
    files = {n for n in names if os.path.exists(os.path.join(TOP, n))}
    folders = {f for n in files for f in parents(n)}
    return files, folders


def parents(name):
    while name := os.path.dirname(name):
        yield name


def anchor(heading):
    """The anchor that a heading gets: lower case, no punctuation, blanks become hyphens."""
    text = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return text.replace(" ", "-")


def anchors(text):
    return {anchor(h) for h in HEADING.findall(FENCE.sub("", text))}


def expand(word):
    """a/b.{c,h} -> a/b.c, a/b.h"""
    if found := re.search(r"\{([^{}]*)\}", word):
        return [w for part in found[1].split(",") for w in expand(word[:found.start()] + part + word[found.end():])]
    return [word]


def tests_of(path):
    """Names of the tests that a file runs: pytest's functions, or what a host test hands to cmocka."""
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        text = f.read()
    if path.endswith(".py"):
        names = {n.name for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)}
        return {n for n in names if n.startswith("test_")}
    return set(CMOCKA.findall(COMMENT.sub("", text)))


class Checker:
    def __init__(self):
        self.files, self.folders = tracked()
        self.roots = {n.split("/")[0] for n in self.files if "/" in n}
        self.names = {os.path.basename(n) for n in self.files}
        self.faults = []
        self.count = 0
        self.tests = 0

    def fault(self, document, text, position, what):
        self.faults.append(f"{document}:{text.count(chr(10), 0, position) + 1}: {what}")

    def exists(self, path):
        path = path.rstrip("/")
        if any(c in path for c in "*?["):
            return bool(glob.glob(os.path.join(TOP, path)))
        return path in self.files or path in self.folders

    def link(self, document, text, position, target):
        if re.match(r"[a-z]+:", target):
            return
        self.count += 1
        path, _, part = target.partition("#")
        where = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
        if not self.exists(where):
            self.fault(document, text, position, f"link to {target}: no such file")
        elif part and where.endswith(".md"):
            with open(os.path.join(TOP, where), encoding="utf-8") as f:
                if part not in anchors(f.read()):
                    self.fault(document, text, position, f"link to {target}: no such heading")

    def path(self, document, text, position, word):
        """A word of a code span. Only what can be nothing but a path of this tree is looked up."""
        word = word.rstrip(".,:")
        if any(c in word for c in "<>$=@~+"):
            return
        if re.search(r"(?<![A-Za-z])NAME(?![A-Za-z])", word):  # stands for a name
            return
        if word.startswith("/") or word.startswith("-") or ".." in word:
            return
        if "::" in word:
            for one in expand(word):
                self.test(document, text, position, one)
            return
        first = word.split("/")[0]
        listed = word.endswith(ENDINGS)  # a file of ours by its look, wherever it is said to lie
        for one in expand(word):
            bare = re.sub(r":\d+$", "", one)
            if "/" in bare and (first in self.roots or listed):
                good = self.exists(bare) or self.exists(f"include/{bare}")  # as #include names it
            elif "/" not in bare and bare.endswith(ENDINGS) and bare not in ENDINGS and "*" not in bare:
                good = bare in self.names
            else:
                continue
            self.count += 1
            if not good:
                self.fault(document, text, position, f"{bare}: no such file in the tree")

    def test(self, document, text, position, word):
        """A cited test: the file is there, and runs a test of that name."""
        path, _, test = word.partition("::")
        if not path.startswith("tests/"):  # :: of something else
            return
        self.tests += 1
        if path not in self.files:
            self.fault(document, text, position, f"{path}: no such file in the tree")
        elif test not in tests_of(path):
            self.fault(document, text, position, f"{path} has no test {test or 'without a name'}")

    def promises(self, document, text):
        """Each row of a table of promises cites a test."""
        inside = False
        position = 0
        for line in text.splitlines(keepends=True):
            cells = [c.strip() for c in line.strip().strip("|").split("|")] if line.startswith("|") else []
            if not cells:
                inside = False
            elif not inside:
                inside = cells[-1] == SHOWN
            elif not set(line) <= set("|-: \n"):
                if not TEST.search(cells[-1]) and "tests/guest/cases/" not in cells[-1] and NO_TEST not in cells[-1]:
                    self.fault(document, text, position, f'a row of a table "{SHOWN}" cites no test')
            position += len(line)

    def document(self, name):
        with open(os.path.join(TOP, name), encoding="utf-8") as f:
            text = f.read()
        # The same length, so that positions stay: what stands in fences is an example, its links are none.
        plain = FENCE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
        without_code = CODE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), plain)
        for m in LINK.finditer(without_code):
            self.link(name, text, m.start(), m[1])
        self.promises(name, plain)
        # In fences only what names a folder of the tree first: a map of the tree, a command.
        for fence in FENCE.finditer(text):
            for w in WORD.finditer(fence[0]):
                if w[0].split("/")[0] in self.roots and "/" in w[0]:
                    self.path(name, text, fence.start() + w.start(), w[0])
        # A link's text may be a code span, so those are looked for in the text with its links.
        for m in CODE.finditer(plain):
            for w in WORD.finditer(m[2]):
                self.path(name, text, m.start() + w.start(), w[0])


def main():
    c = Checker()
    documents = sorted({os.path.relpath(p, TOP) for pattern in DOCUMENTS for p in glob.glob(os.path.join(TOP, pattern))})
    for name in sys.argv[1:] or documents:
        c.document(name)
    for line in c.faults:
        print(line)
    if not c.count:
        print("check_docs: nothing was checked")
    elif not c.faults:
        print(f"  DOCS    {len(documents)} documents, {c.count} links and paths, {c.tests} tests")
    return 1 if c.faults or not c.count else 0


if __name__ == "__main__":
    sys.exit(main())
