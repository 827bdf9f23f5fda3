#!/usr/bin/env python3
"""check_floors BUILD_DIR: checks the rules of the house that a compiler does not know.

  includes   a file under src/ includes the headers of its own floor or of lower ones, written with the
             folder; one awaitable never includes another; the CLI sees the public headers alone
  symbols    core/ needs nothing of libuv, libcurl and c-ares, loop/ nothing of Lua, base/ nothing of all four
             (read from the built objects)
  exports    the shared library exports septet_* and nothing else
  words      no file speaks of the machine it was written on, or of a package registry's host

It prints each breach with its place, and ends with 1 where there is any.
"""

import os
import re
import subprocess
import sys

FLOORS = {"base": 0, "core": 1, "loop": 2, "op": 3, "lua": 4}
HOST, CLI = 5, 6  # src/host/host.c; src/cli/
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
BARRED_SYMBOLS = {
    "base": re.compile(r"(uv|curl|ares|luaL?)_"),
    "core": re.compile(r"(uv|curl|ares)_"),
    "loop": re.compile(r"luaL?_|luaopen_"),
}
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


def floor_of(path):
    """The floor of a file under src/, or None where it has none."""
    folder, _, _ = path.partition("/")
    if path == "host.c":
        return HOST
    return CLI if folder == "cli" else FLOORS.get(folder)


def check_include(path, bracket, name):
    """What is wrong with this include, or None. path and name are relative to src/."""
    floor = floor_of(path)
    if floor is None:
        return "a file that stands on no floor"
    public = name.startswith("septet/")
    if bracket == "<" and not (public and floor < CLI):
        return None  # a library's header, or the CLI's own way of including ours
    if public:
        return None
    if floor == CLI:
        if os.path.exists(f"src/cli/{name}"):
            return None  # its own; src/ is not on its path, so that it cannot see the other floors
        return f'the CLI includes "{name}": it may see the public headers only'
    if "/" not in name:
        return f'"{name}" is included without its folder'
    other = floor_of(name)
    if other is None:
        return f'"{name}" stands on no floor'
    if other > floor:
        return f'"{name}" stands on floor {other}, above this file\'s floor {floor}'
    is_awaitable = floor == FLOORS["op"] and os.path.exists(f"src/{stem(name)}.c")
    if is_awaitable and name.startswith("op/") and stem(path) != stem(name):
        return f'one awaitable includes another: "{name}"'
    return None


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


def symbols(build):
    objects = os.path.join(build, "CMakeFiles", "septet_objects.dir", "src")
    for folder, barred in BARRED_SYMBOLS.items():
        checked = 0
        for place, _, names in os.walk(os.path.join(objects, folder)):
            for name in names:
                path = os.path.join(place, name)
                source = os.path.relpath(stem(path), objects)
                # The object of a file that is gone stays in the build folder.
                if name.endswith(".o") and os.path.exists(os.path.join("src", source)):
                    checked += 1
                    for *_, symbol in nm("-u", path):
                        if barred.match(symbol):
                            yield f"{path}: {folder}/ needs '{symbol}'"
        if not checked:
            yield f"{objects}/{folder}: there are no objects to check; build first"


def exports(build):
    library = os.path.join(build, "libseptet.so")
    if not os.path.exists(library):
        yield f"{library}: there is no library to check; build first"
        return
    names = [fields[-1].partition("@")[0] for fields in nm("-D", "--defined-only", library)]
    if not names:
        yield f"{library}: exports nothing"
    for name in names:
        if not OWN_EXPORTS.match(name):
            yield f"{library}: exports '{name}'"


def project_files():
    for place, folders, names in os.walk("."):
        folders[:] = sorted(f for f in folders if f not in (".git", "build", "__pycache__"))
        names = [name for name in names if name != ".git"]  # a linked work tree has a file of that name
        for name in sorted(names):
            yield os.path.normpath(os.path.join(place, name))


def words():
    for path in project_files():
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                found = BARRED_WORDS.search(line)
                if found:
                    yield f"{path}:{number}: '{found.group()}' has no place here"


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: check_floors.py BUILD_DIR")
    build = os.path.abspath(sys.argv[1])
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    breaches = [*includes(), *symbols(build), *exports(build), *words()]
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
