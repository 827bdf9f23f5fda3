#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_layers BUILD_DIR [RULE...]: checks the rules of layers, symbols and foreign words.

  includes   a file under src/ includes the headers of its own layer or of lower ones, written with
             the folder; one awaitable (x.c with its x_*.c) never includes another; the CLI
             and the module see the public headers alone
  symbols    base/ needs no library, core/ Lua alone, loop/ libuv alone, html/ none of these
             three, http/ no c-ares, dns/, fs/, net/, sqlite/ and redis/ no libcurl, and none of the
             last six any Lua; SQLite is called in sqlite/ and hiredis in redis/ alone (read from
             the built objects)
  calls      no file of a folder uses a function or an object of one that uses it, over however many
             others (read from the built objects)
  exports    the shared library exports septet_* and nothing else
  words      no file speaks of the machine it was written on, or of a package registry's host

It prints each breach with its place, and ends with 1 if there is any. With the names of rules, it
checks only those.
"""

import argparse
import os
import re
import subprocess
import sys

from check_style import circle_of

LAYERS = ["base", "lazy", "core", "loop", "dns", "fs", "html", "http", "net", "sqlite", "redis",
          "op", "lua", "host", "cli", "module"]
CLI = LAYERS.index("cli")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
BARRED_SYMBOLS = {
    "base": re.compile(r"(uv|curl|ares|luaL?)_|luaopen_"),
    "core": re.compile(r"(uv|curl|ares)_"),
    "loop": re.compile(r"(curl|ares|luaL?)_|luaopen_"),
    "dns": re.compile(r"(curl|luaL?)_|luaopen_"),
    "fs": re.compile(r"(curl|ares|luaL?)_|luaopen_"),
    "html": re.compile(r"(uv|curl|ares|luaL?)_|luaopen_"),
    "http": re.compile(r"(ares|luaL?)_|luaopen_"),
    "net": re.compile(r"(curl|ares|luaL?)_|luaopen_"),
    "sqlite": re.compile(r"(curl|ares|redis|luaL?)_|redis[A-Z]|luaopen_"),
    "redis": re.compile(r"(curl|ares|sqlite3|luaL?)_|luaopen_"),
    "op": re.compile(r"(curl|ares|sqlite3)_|redis[A-Z]"),
}
OPERATION = re.compile(r"^static const septet_op_type \w+ = \{", re.M)
OWN_EXPORTS = re.compile(r"septet_\w+$")
# Written in pieces, so that this file does not break its own rule.
BARRED_WORDS = re.compile(
    "|".join(
        [
            r"/wo" r"rk/",
            r"/tmp/no" r"tes",
            r"/home/\w+/",
            r"(deb|ftp|archive|security|snapshot|ports)\.(deb" r"ian|ubu" r"ntu)\.(org|com)",
            r"pyp" r"i\.org|pythonho" r"sted\.org|npm" r"js\.org|crate" r"s\.io",
            r"luaro" r"cks\.org|proxy\.gol" r"ang\.org",
        ]
    )
)


def layer_of(path):
    """The layer of a file under src/, or None where it has none."""
    folder, _, _ = path.partition("/")
    return LAYERS.index(folder) if folder in LAYERS else None


def check_include(path, bracket, name):
    """What is wrong with this include, or None. path and name are relative to src/."""
    layer = layer_of(path)
    if layer is None:
        return "a file in no layer"
    public = name.startswith("septet/")
    if bracket == "<" and not (public and layer < CLI):
        return None  # a library's header, or the embedders' way of including ours
    if public:
        return None
    if layer >= CLI:
        if os.path.exists(f"src/{LAYERS[layer]}/{name}"):
            return None  # its own; src/ is not on its path, so that it cannot see the other layers
        return f'{LAYERS[layer]}/ includes "{name}": it may see the public headers only'
    if "/" not in name:
        return f'"{name}" is included without its folder'
    other = layer_of(name)
    if other is None:
        return f'"{name}" is in no layer'
    if other > layer:
        return f'"{name}" is of {LAYERS[other]}, above {LAYERS[layer]}'
    if name.startswith("op/") and is_awaitable(f"src/{stem(name)}.c"):
        if not are_parts(stem(path), stem(name)):
            return f'one awaitable includes another: "{name}"'
    return None


def are_parts(one, other):
    """Returns True for parts of one awaitable: x with x_y."""
    return one == other or one.startswith(f"{other}_") or other.startswith(f"{one}_")


def is_awaitable(path):
    """Returns True for a file in C that defines an operation."""
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as file:
        return bool(OPERATION.search(file.read()))


def stem(path):
    return os.path.splitext(path)[0]


def sources(folder):
    for place, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.join(place, name)


def includes():
    for path in sources("src"):
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                found = INCLUDE.match(line)
                wrong = found and check_include(os.path.relpath(path, "src"), *found.groups())
                if wrong:
                    yield f"{path}:{number}: {wrong}"


def nm(*arguments):
    done = subprocess.run(["nm", *arguments], check=True, capture_output=True, text=True)
    return [line.split() for line in done.stdout.splitlines() if line.strip()]


def objects(build, folder):
    """Yields the path and the source of each object of a folder of src/ and of those in it."""
    top = os.path.join(build, "CMakeFiles", "septet_objects.dir", "src")
    for place, _, names in sorted(os.walk(os.path.join(top, folder))):
        for name in sorted(names):
            path = os.path.join(place, name)
            source = os.path.join("src", os.path.relpath(stem(path), top))
            # The object of a file that is gone stays in the build folder.
            if name.endswith(".o") and os.path.exists(source):
                yield path, source


def symbols(build):
    for folder, barred in BARRED_SYMBOLS.items():
        checked = 0
        for path, source in objects(build, folder):
            checked += 1
            for *_, symbol in nm("-u", path):
                if barred.match(symbol):
                    yield f"{source}: {folder}/ needs '{symbol}'"
        if not checked and os.path.isdir(os.path.join("src", folder)):
            yield f"src/{folder}: there are no objects to check; build first"


def calls(build):
    defined, used = {}, {}
    for folder in LAYERS[:CLI]:
        for path, source in objects(build, folder):
            for *_, kind, symbol in nm(path):
                if kind == "U":
                    used.setdefault(source, set()).add(symbol)
                elif kind.isupper():
                    defined[symbol] = source
    graphs = {}
    for source, names in used.items():
        for other in {defined[name] for name in names if name in defined}:
            if os.path.dirname(other) == os.path.dirname(source):
                graph = graphs.setdefault(os.path.dirname(source), {})
                graph.setdefault(source, set()).add(other)
    for folder, graph in sorted(graphs.items()):
        circle = circle_of(graph)
        if circle:
            names = " -> ".join(os.path.basename(stem(source)) for source in circle)
            yield f"{folder}: a circle of calls: {names}"
    if not defined:
        yield "src: there are no objects to check; build first"


def exports(build):
    library = os.path.join(build, "libseptet.so")
    if not os.path.exists(library):
        yield f"{library}: there is no library to check; build first"
        return
    # Of the absolute kind is the name of the version.
    names = [fields[-1].partition("@")[0] for fields in nm("-D", "--defined-only", library)
             if fields[-2] != "A"]
    if not names:
        yield f"{library}: exports nothing"
    for name in names:
        if not OWN_EXPORTS.match(name):
            yield f"{library}: exports '{name}'"


def project_files():
    for place, folders, names in os.walk("."):
        folders[:] = sorted(f for f in folders if f not in (".git", "build", "__pycache__"))
        for name in sorted(names):
            if name != ".git":  # which is a file in a linked work tree
                yield os.path.normpath(os.path.join(place, name))


def words():
    for path in project_files():
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                found = BARRED_WORDS.search(line)
                if found:
                    yield f"{path}:{number}: '{found.group()}' has no place here"


RULES = {
    "includes": lambda build: includes(),
    "symbols": symbols,
    "calls": calls,
    "exports": exports,
    "words": lambda build: words(),
}


def main():
    parser = argparse.ArgumentParser(description="Checks the rules of layers and symbols.")
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), ".."))
    parser.add_argument("build", metavar="BUILD_DIR")
    parser.add_argument("rules", nargs="*", metavar="RULE", help=f"any of {' '.join(RULES)}")
    asked = parser.parse_args()
    unknown = [name for name in asked.rules if name not in RULES]
    if unknown:
        parser.error(f"there is no rule '{unknown[0]}'")
    build = os.path.abspath(asked.build)
    os.chdir(asked.root)
    breaches = [breach for name in asked.rules or RULES for breach in RULES[name](build)]
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
