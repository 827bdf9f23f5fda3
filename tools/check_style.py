#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_style [RULE...]: checks the rules of names, sizes and wording.

Neither a compiler nor clang-format knows them:

  sizes      a C file under src/ has at most 450 lines, a function 50, a struct 16 members at one
             level, a Lua module 350 lines
  widths     a line of code (C, Lua, JavaScript, CSS, Python, shell, CMake) has at most 100 columns
  members    a member and its comment stand on one line, or the comment stands above the member
  prefixes   the functions of a header share one prefix, and so do those that a C file shares; a
             function of x.c is not declared in y.h if there is a y.c
  circles    no file of a folder includes one that includes it, over however many others
  wording    a comment asks no question, and says neither who, whose, whoever, told nor "lets go"
  licences   a file of code begins with the line that names its licence, if need be behind a `#!`

It prints each breach with its place, and ends with 1 if there is any. With the names of rules, it
checks only those.
"""

import argparse
import os
import re
import sys

FILE_MAX, FUNCTION_MAX, MEMBERS_MAX, MODULE_MAX, WIDTH_MAX = 450, 50, 16, 350, 100
TOPS = ("src", "include", "lua", "meta", "tests", "tools", "bench", "examples", "scripts")
COMMENT = re.compile(r"/\*.*?\*/", re.S)
LICENCE = "SPDX-License-Identifier: MIT"
BARRED_WORDS = re.compile(r"\b(who|whoever|whose|told|lets go|let go of)\b", re.I)
FUNCTION = re.compile(r"^\w[^;{}#]*\)\n\{\n(.*?)^\}", re.S | re.M)
STRUCT = re.compile(r"^(?:static |const |typedef )*struct (\w*) ?\{\n(.*?)^\}", re.S | re.M)
TORN = re.compile(r"^ +[\w ]+\*?\n +\*?\w+(\[[^\]]*\])?; /\*", re.M)
RETURNS = r"(?:(?:SEPTET_API|static|inline|const|unsigned|struct|enum) )*\w+ \*?"
DECLARED = re.compile(rf"^{RETURNS}(spt_\w+)\([^{{}};]*\)(?:;|\n\{{)", re.M)
DEFINED = re.compile(rf"^(?!static ){RETURNS}(spt_\w+)\([^{{}};]*\)\n\{{", re.M)
INCLUDE = re.compile(r'#include "(?:(\w+(?:/\w+)*)/)?(\w+)\.h"')
# What opens a part of the script's functions is declared in one header, the register.
REGISTERED = re.compile(r"spt_open_\w+$")


def files(*endings, under=TOPS):
    """Yields the path and the text of each file with one of the endings."""
    for top in under:
        for place, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                if name.endswith(endings):
                    path = os.path.join(place, name)
                    with open(path, encoding="utf-8") as file:
                        yield path, file.read()


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def members_of(body):
    """Returns the number of members of a struct at its own level."""
    flat = re.sub(r"^#.*$", "", COMMENT.sub("", body), flags=re.M)
    for brackets in (r"\{[^{}]*\}", r"\([^()]*\)"):
        while re.search(brackets, flat):
            flat = re.sub(brackets, "", flat)
    return sum(part.count(",") + 1 for part in flat.split(";") if part.strip())


def sizes():
    for path, text in files(".c", under=("src",)):
        lines = text.count("\n")
        if lines > FILE_MAX:
            yield path, 1, f"has {lines} lines, more than {FILE_MAX}"
        for found in FUNCTION.finditer(text):
            n = found.group(1).count("\n")
            if n > FUNCTION_MAX:
                line = line_of(text, found.start())
                yield path, line, f"a function of {n} lines, more than {FUNCTION_MAX}"
    for path, text in files(".c", ".h", under=("src",)):
        for found in STRUCT.finditer(text):
            name, n = found.group(1), members_of(found.group(2))
            if n > MEMBERS_MAX:
                line = line_of(text, found.start())
                yield path, line, f"'{name}' has {n} members, more than {MEMBERS_MAX}"
    for path, text in files(".lua", under=("lua",)):
        lines = text.count("\n")
        if lines > MODULE_MAX:
            yield path, 1, f"has {lines} lines, more than {MODULE_MAX}"


def code_files():
    """Yields the path and the text of each file whose width counts."""
    yield from files(".c", ".cc", ".h", ".lua", ".js", ".css", ".py", ".sh", "CMakeLists.txt")
    for path in ("CMakeLists.txt", "dev", ".ci/run"):
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                yield path, file.read()


def widths():
    for path, text in code_files():
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > WIDTH_MAX:
                yield path, number, f"is {len(line)} columns wide, more than {WIDTH_MAX}"


def members():
    for path, text in files(".c", ".h", under=("src", "include")):
        for found in TORN.finditer(text):
            line = line_of(text, found.start())
            yield path, line, "a member is torn by its comment, which belongs above it"


def prefix_of(names):
    """Returns the words that all names begin with, without the last one of a name."""
    common = os.path.commonprefix([name + "_" for name in names]).rpartition("_")[0]
    return "" if common == "spt" else common


def prefixes():
    headers = {path: text for path, text in files(".h", under=("src",))}
    declared_in = {}
    for path, text in headers.items():
        names = [name for name in DECLARED.findall(text) if not REGISTERED.match(name)]
        declared_in.update(dict.fromkeys(names, path))
        has_source = os.path.exists(path[:-2] + ".c")
        if has_source and len(names) > 1 and not prefix_of(names):
            some = ", ".join(sorted(set(names))[:4])
            yield path, 1, f"declares functions with several prefixes: {some}"
    for path, text in files(".c", under=("src",)):
        names = [name for name in DEFINED.findall(text) if not REGISTERED.match(name)]
        if len(names) > 1 and not prefix_of(names):
            some = ", ".join(sorted(set(names))[:4])
            yield path, 1, f"defines shared functions with several prefixes: {some}"
        for name in names:
            header = declared_in.get(name)
            if header and header != path[:-2] + ".h" and os.path.exists(header[:-2] + ".c"):
                line = line_of(text, text.index(f"{name}("))
                yield path, line, f"'{name}' is declared in {header}, the header of another file"


def circle_of(graph):
    """Returns a circle of a graph, as a list of names, or None."""
    state = {}

    def visit(name, path):
        state[name] = "open"
        for other in sorted(graph.get(name, ())):
            if state.get(other) == "open":
                return path[path.index(other):] + [other]
            if other not in state:
                found = visit(other, path + [other])
                if found:
                    return found
        state[name] = "closed"
        return None

    for name in sorted(graph):
        if name not in state:
            found = visit(name, [name])
            if found:
                return found
    return None


def circles():
    graphs = {}
    for path, text in files(".c", ".h", under=("src",)):
        folder, name = os.path.split(os.path.relpath(path, "src"))
        stem = os.path.splitext(name)[0]
        for other_folder, other in INCLUDE.findall(text):
            if (other_folder or "cli") == folder and other != stem:
                graphs.setdefault(folder, {}).setdefault(stem, set()).add(other)
    for folder, graph in sorted(graphs.items()):
        circle = circle_of(graph)
        if circle:
            yield f"src/{folder}", 1, f"a circle of includes: {' -> '.join(circle)}"


def comments(path, text):
    if path.endswith((".c", ".h")):
        for found in COMMENT.finditer(text):
            yield line_of(text, found.start()), found.group()
    else:
        for number, line in enumerate(text.split("\n"), 1):
            found = re.search(r"(?<!\S)--+ (.*)", line) if path.endswith(".lua") else None
            if found:
                yield number, found.group(1)


def wording():
    for path, text in files(".c", ".h", ".lua", under=("src", "include", "lua")):
        for number, comment in comments(path, text):
            found = BARRED_WORDS.search(comment)
            if found:
                yield path, number, f"'{found.group()}' in a comment: name the actor, use the term"
            if re.search(r"\w\?(?!\w)", re.sub(r"`[^`]*`|\"[^\"]*\"", "", comment)):
                yield path, number, "a question in a comment: say what is returned"


def licences():
    for path, text in files(".c", ".cc", ".h", ".lua", ".js", ".css", ".html", ".py", ".sh",
                            "CMakeLists.txt"):
        first, second, *_ = text.split("\n", 2) + [""]
        if LICENCE not in (second if first.startswith("#!") else first):
            yield path, 1, f"does not begin with '{LICENCE}'"


RULES = {rule.__name__: rule for rule in
         (sizes, widths, members, prefixes, circles, wording, licences)}


def main():
    parser = argparse.ArgumentParser(description="Checks the rules of names, sizes and wording.")
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), ".."))
    parser.add_argument("rules", nargs="*", metavar="RULE", help=f"any of {' '.join(RULES)}")
    asked = parser.parse_args()
    unknown = [name for name in asked.rules if name not in RULES]
    if unknown:
        parser.error(f"there is no rule '{unknown[0]}'")
    os.chdir(asked.root)
    breaches = [breach for name in asked.rules or RULES for breach in RULES[name]()]
    for path, number, what in breaches:
        print(f"{path}:{number}: {what}")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
