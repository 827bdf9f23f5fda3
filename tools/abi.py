#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""abi write|check [LIBRARY]: what programs that embed Septet rely on.

write  writes down the interface: tests/package/abi/symbols.txt lists the functions that the headers
       declare, and x86_64.abixml describes the types that they use
check  compares the headers with both, and LIBRARY with the list. It prints what differs, and ends
       with 1 if there is anything

The types are those of a small library that is compiled here. It has a variable for each function, a
pointer to it, so that no type of ours that the headers keep private comes in. For each constant it
has an array, whose size depends on the value. A function or a constant that is new breaks nothing,
and is guarded once `./dev abi` has written it down. So is a member at the end of a struct that says
how long it is.
"""

import os
import platform
import re
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
INCLUDE = os.path.join(ROOT, "include")
FOLDER = os.path.join(ROOT, "tests", "package", "abi")
SYMBOLS = os.path.join(FOLDER, "symbols.txt")
TYPES = os.path.join(FOLDER, "x86_64.abixml")
FUNCTION = re.compile(r"^SEPTET_API [^;(]*?(septet_\w+)\(", re.M)
ENUM = re.compile(r"enum \w*\s*\{(.*?)\}", re.S)
CONSTANT = re.compile(r"\b(SEPTET_\w+)\b\s*[,=}]|\b(SEPTET_\w+)\s*$", re.M)
STATUS = re.compile(r"^\s+XX\((\w+),", re.M)
# What abidiff says of a member at the end of a struct that may grow. Anywhere else it would also
# say which members moved.
GROWN = re.compile(r"""
    \s*(Functions|Variables)\ changes\ summary: .*
  | \s*\d+\ Changed\ variables?(\ \(.*\))?:
  | \s*\[C\].*\ was\ changed\ at\ .*
  | \s*(type\ of\ variable\ changed|in\ pointed\ to\ type\ .*):?
  | \s*parameter\ \d+\ of\ type\ .*\ has\ sub-type\ changes:
  | \s*underlying\ type\ 'struct\ septet_(config|script_options|stats|op_type)'.*\ changed:
  | \s*type\ size\ (changed\ from\ \d+\ to\ \d+\ \(in\ bits\)|hasn't\ changed)
  | \s*\d+\ data\ member\ insertions?:
  | \s*'[^']*',\ at\ offset\ \d+\ \(in\ bits\).*
  | \s*""", re.X)
# The bits of abidiff's status.
ERRORS, CHANGED, INCOMPATIBLE = 1 | 2, 4, 8


def run(*command, good=0):
    """Returns the status and the output of a command. `good` are the bits that it may have set."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if done.returncode & ~good:
        raise SystemExit(f"abi: {' '.join(command)}: status {done.returncode}\n{done.stdout}")
    return done.returncode, done.stdout


def headers():
    """Returns the text of the public headers without comments."""
    text = ""
    for name in ("septet", "op"):
        with open(os.path.join(INCLUDE, "septet", f"{name}.h"), encoding="utf-8") as file:
            text += file.read()
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def declared():
    return sorted(set(FUNCTION.findall(headers())))


def constants():
    text = headers()
    names = {f"SEPTET_{name}" for name in STATUS.findall(text)}
    for body in ENUM.findall(text):
        names.update(first or last for first, last in CONSTANT.findall(body))
    return sorted(names - {"SEPTET_STATUS_MAP", "SEPTET_"})


def exported(library):
    """Returns the names of what the library exports, but for that of its version."""
    _, out = run("nm", "-D", "--defined-only", library)
    fields = [line.split() for line in out.splitlines()]
    return {name.partition("@")[0] for _, kind, name in fields if kind != "A"}


def compile_types(folder):
    """Compiles the library with the types of the headers, and returns its path."""
    source, library = os.path.join(folder, "types.c"), os.path.join(folder, "types.so")
    with open(source, "w", encoding="utf-8") as file:
        file.write("#include <septet/op.h>\n#include <septet/septet.h>\n")
        file.writelines(f"__typeof__({name}) *p_{name};\n" for name in declared())
        file.writelines(f"char c_{name}[{name} + 1000];\n" for name in constants())
    _, flags = run("pkg-config", "--cflags", "lua5.4")
    run(os.environ.get("CC", "cc"), "-std=gnu11", "-g", "-shared", "-fPIC", f"-I{INCLUDE}",
        *flags.split(), "-o", library, source)
    return library


def write(_library):
    os.makedirs(FOLDER, exist_ok=True)
    with open(SYMBOLS, "w", encoding="utf-8") as file:
        file.writelines(name + "\n" for name in declared())
    with tempfile.TemporaryDirectory(prefix="septet-abi-") as folder:
        run("abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--no-elf-needed",
            "--out-file", TYPES, compile_types(folder))
        with open(TYPES, encoding="utf-8") as file:
            text = file.read()
        with open(TYPES, "w", encoding="utf-8") as file:
            file.write(text.replace(folder + "/", ""))
    return []


def check_symbols(library):
    with open(SYMBOLS, encoding="utf-8") as file:
        listed = set(file.read().split())
    names = exported(library)
    for name in sorted(names - listed):
        yield f"'{name}' is exported, and not in symbols.txt: run ./dev abi if it is public"
    for name in sorted(listed - names):
        yield f"'{name}' is in symbols.txt, and not exported"


def check_types():
    with tempfile.TemporaryDirectory(prefix="septet-abi-") as folder:
        status, out = run("abidiff", "--no-added-syms", TYPES, compile_types(folder),
                          good=ERRORS | CHANGED | INCOMPATIBLE)
    removed = re.search(r"Variables changes summary: [1-9]\d* Removed", out)
    strange = [line for line in out.splitlines() if not GROWN.fullmatch(line)]
    if status & ERRORS or removed or strange:
        yield out


def check(library):
    found = list(check_symbols(library)) if library else []
    if platform.machine() == "x86_64":
        found += check_types()
    return found


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in ("write", "check"):
        sys.exit("usage: abi.py write|check [LIBRARY]")
    library = sys.argv[2] if len(sys.argv) == 3 else None
    breaches = {"write": write, "check": check}[sys.argv[1]](library)
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
