#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""documents: the pages and their blocks of code.

CONTRIBUTING.md says how a block is marked. Run as a program, it prints how many blocks each page
has, by language and by what becomes of them."""

import collections
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Languages of what is not run.
DATA = "text json jsonl csv diff html http ini markdown xml".split()
# What a text is that no block prints.
SHOWN = {"figure"}
# Folders that hold no pages of ours.
FOREIGN = {"build", "node_modules"}
# Languages of what is run, under their usual names; a block without a fence is of shell lines.
RUN = {"lua": "lua", "c": "c", "sh": "sh", "bash": "sh", "shell": "sh", "console": "console"}
MARKS = ("not run", "file", "frame", "hidden", "continues", "status", "numbers vary", "any order",
         "figure", "instead")
FENCE = re.compile(r"^( *)(`{3,})(.*)$")
COMMENT = re.compile(r"<!-- *(.*?) *-->", re.S)


class Block:
    """A block, shown or hidden.

    `marks` are those of the comments before it, by name; `output` is the block of text after it."""

    def __init__(self, page, line, language, text, marks=None, hidden=False):
        self.page, self.line, self.text, self.hidden = page, line, text, hidden
        words = language.split()
        self.tag = words[0] if words else ""
        self.language = RUN.get(self.tag, self.tag)
        self.marks = dict(marks or {})
        if words[1:]:
            self.marks[" ".join(words[1:])] = ""
        self.output = None

    def __repr__(self):
        return "%s:%d" % (self.page, self.line)

    @property
    def state(self):
        """What becomes of it."""
        if "not run" in self.marks:
            return "not run"
        if self.language in RUN.values():
            if "file" in self.marks:
                return "a file"
            return "run, output compared"
        if self.marks.get("of") is not None:
            return "output"
        for name in SHOWN & set(self.marks):
            return name
        if "file" in self.marks:
            return "a file"
        return "data"


def pages():
    """Returns the paths of all pages, from the root."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [n for n in folders if n not in FOREIGN and not n.startswith(".")]
        found += [os.path.relpath(os.path.join(folder, n), ROOT) for n in names
                  if n.endswith(".md")]
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


class Reader:
    """Reads the blocks of a page, line by line."""

    def __init__(self, page, text):
        self.page, self.lines, self.at = page, text.split("\n"), 0
        self.blocks, self.marks, self.faults = [], {}, []
        self.in_list = False

    def fault(self, line, text):
        self.faults.append("%s:%d: %s" % (self.page, line, text))

    def add(self, line, language, text, hidden=False):
        block = Block(self.page, line, language, text, self.marks, hidden)
        self.marks = {}
        previous = self.blocks[-1] if self.blocks else None
        if block.language == "text" and self.touching and previous and previous.output is None \
                and previous.language in RUN.values() and not SHOWN & set(block.marks):
            block.marks["of"] = previous
            previous.output = block
        self.blocks.append(block)
        self.touching = True

    touching = False  # nothing but comments stands between the last block and here

    def comment(self, start):
        """Reads a comment, which may be a mark or a hidden block."""
        end = start
        while "-->" not in self.lines[end]:
            end += 1
            if end == len(self.lines):
                self.fault(start + 1, "a comment has no end")
                break
        self.at = end + 1
        match = COMMENT.search("\n".join(self.lines[start:end + 1]))
        if not match:
            return
        head, newline, rest = match[1].partition("\n")
        name, _, value = head.partition(":")
        name, value = name.strip(), value.strip()
        if name not in MARKS:
            return
        if name == "hidden":
            self.add(start + 2, value, rest + "\n", hidden=True)
        elif name == "frame":
            self.marks[name] = rest
        elif name == "instead":
            self.marks[name] = value + "\n" + rest
        else:
            self.marks[name] = " ".join((value + " " + rest).split())

    def fenced(self, match):
        start, indent, fence = self.at, len(match[1]), match[2]
        end = start + 1
        while end < len(self.lines) and self.lines[end].strip() != fence:
            end += 1
        if end == len(self.lines):
            self.fault(start + 1, "a block has no end")
        text = "".join(line[min(indent, len(line) - len(line.lstrip(" "))):] + "\n"
                       for line in self.lines[start + 1:end])
        if not match[3].strip():
            self.fault(start + 1, "a block does not say its language")
        self.at = end + 1
        self.add(start + 2, match[3], text)

    def indented(self):
        start = self.at
        while self.at < len(self.lines) and (
                self.lines[self.at].startswith("    ") or not self.lines[self.at].strip()):
            self.at += 1
        text = "\n".join(line[4:] for line in self.lines[start:self.at]).rstrip("\n") + "\n"
        self.add(start + 1, "sh", text)

    def run(self):
        while self.at < len(self.lines):
            line = self.lines[self.at]
            fence = FENCE.match(line)
            before = self.lines[self.at - 1].strip() if self.at else ""
            blank_before = not before or before.endswith("-->")
            if fence:
                self.fenced(fence)
            elif line.lstrip().startswith("<!--"):
                self.comment(self.at)
            elif line.startswith("    ") and blank_before and not self.in_list and line.strip():
                self.indented()
            else:
                if line.strip():
                    self.touching = False
                    if self.marks:
                        self.fault(self.at + 1, "a mark stands before no block")
                        self.marks = {}
                    self.in_list = bool(re.match(r" *([-*]|\d+\.) ", line)) or (
                        self.in_list and line.startswith(" "))
                self.at += 1
        return self


def blocks(page):
    """Returns the blocks of a page in order, and what is wrong with their marks."""
    reader = Reader(page, read(page)).run()
    for block in reader.blocks:
        if "not run" in block.marks and not block.marks["not run"]:
            reader.fault(block.line, "no reason why it is not run")
        if block.tag and block.tag not in RUN and block.tag not in DATA \
                and "not run" not in block.marks:
            reader.fault(block.line, "no test knows the language '%s'" % block.tag)
        if block.language == "text" and block.state == "data":
            reader.fault(block.line, "text that no block prints, and no 'text figure'")
    return reader.blocks, reader.faults


def main():
    total = collections.Counter()
    for page in pages():
        found, faults = blocks(page)
        counts = collections.Counter((b.language or "?", b.state) for b in found)
        total.update(counts)
        if counts:
            print(page)
        for (language, state), n in sorted(counts.items()):
            print("  %4d %-8s %s" % (n, language, state))
        for fault in faults:
            print("  " + fault)
    print("all pages")
    for (language, state), n in sorted(total.items()):
        print("  %4d %-8s %s" % (n, language, state))


if __name__ == "__main__":
    main()
