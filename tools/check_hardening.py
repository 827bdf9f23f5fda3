#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_hardening [--without=WHAT,...] BUILD_DIR | FILE...: checks the hardening of built files.

  pie           the program can be loaded anywhere
  relro         relocations are read-only once they are made, all of them before the start
  stack         the stack is not executable
  canary        functions with buffers look for a write beyond them (-fstack-protector-strong)
  fortify       C library functions that write into buffers know their sizes (_FORTIFY_SOURCE)
  clash         large frames touch each page of theirs (-fstack-clash-protection)
  cet           indirect branches and returns are checked by the processor (-fcf-protection)
  init          local variables begin as zero (-ftrivial-auto-var-init=zero): seen in the build
                folder alone

For a build folder these are the program and the shared library in it; a file is one of the two.
`clash` and `cet` are looked for on x86-64 alone, and `init` where the compiler of the build has it.
It prints each breach, and ends with 1 where there is any.
"""

import json
import os
import re
import shlex
import subprocess
import sys

PROBE = re.compile(
    r"\bor[bwlq]?\s+\$0x0,(-?0x[0-9a-f]+)?\(%[re]sp\)|\btest\s+%[er]..?,(-?0x[0-9a-f]+)?\(%[re]sp\)"
)
# The first instruction of a function that others call.
ENTRY = re.compile(r"^[0-9a-f]+ <(?:main|septet_\w+)>:\n\s*[0-9a-f]+:\s+(\w+)", re.MULTILINE)
INIT = "-ftrivial-auto-var-init=zero"


def run(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


class Built:
    """A program or a shared library, as binutils show it."""

    def __init__(self, path):
        self.path = path
        self.head = run("readelf", "-W", "-h", path)
        self.segments = run("readelf", "-W", "-l", path)
        self.dynamic = run("readelf", "-W", "-d", path)
        self.symbols = run("readelf", "-W", "--dyn-syms", path)
        self.is_x86_64 = "X86-64" in self.head
        self.code = run("objdump", "-d", "--no-show-raw-insn", path) if self.is_x86_64 else ""

    def pie(self):
        return re.search(r"Type:\s+DYN", self.head)

    def relro(self):
        return "GNU_RELRO" in self.segments and re.search(
            r"\(FLAGS\)\s.*BIND_NOW|\(FLAGS_1\)\s.*\bNOW\b", self.dynamic
        )

    def stack(self):
        return re.search(r"GNU_STACK(\s+0x[0-9a-f]+){5}\s+RW\s", self.segments)

    def canary(self):
        return "__stack_chk_fail" in self.symbols

    def fortify(self):
        return re.search(r"\b__\w+_chk\b", self.symbols)

    def clash(self):
        return not self.is_x86_64 or PROBE.search(self.code)

    def cet(self):
        """Ignores the property in the file's notes, because the linker drops it if the C library's
        start files lack it."""
        firsts = ENTRY.findall(self.code)
        return not self.is_x86_64 or (firsts and set(firsts) == {"endbr64"})


CHECKS = ("pie", "relro", "stack", "canary", "fortify", "clash", "cet")


def breaches(path, without):
    built = Built(path)
    for name in CHECKS:
        if name not in without and not getattr(built, name)():
            yield f"{path}: there is no '{name}'"


def accepts(compiler, flag):
    done = subprocess.run(
        [*compiler, "-Werror", flag, "-x", "c", "-", "-fsyntax-only"], input="",
        capture_output=True, text=True, check=False,
    )
    return done.returncode == 0


def not_initialised(build):
    """Returns the files of the library and the command that were compiled without INIT, if the
    compiler has it."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    known = {}
    for entry in commands:
        words = shlex.split(entry["command"])
        compiler = tuple(words[:2] if os.path.basename(words[0]) == "ccache" else words[:1])
        if compiler not in known:
            known[compiler] = accepts(compiler, INIT)
        if "/src/" in entry["file"] and known[compiler] and INIT not in words:
            yield f"{entry['file']}: compiled without 'init'"


def main():
    arguments, without = sys.argv[1:], set()
    if arguments and arguments[0].startswith("--without="):
        without = set(arguments.pop(0).partition("=")[2].split(","))
    if not arguments or arguments[0].startswith("-") or without - {*CHECKS, "init"}:
        sys.exit("usage: check_hardening.py [--without=WHAT,...] BUILD_DIR | FILE...")
    found = []
    if os.path.isdir(arguments[0]):
        build = arguments[0]
        arguments = [os.path.join(build, name) for name in ("septet", "libseptet.so")]
        found += [] if "init" in without else not_initialised(build)
    for path in arguments:
        found += breaches(path, without)
    for breach in found:
        print(breach)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
