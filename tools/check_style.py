#!/usr/bin/env python3
"""check_style: checks the rules of names, sizes and wording that neither a compiler nor clang-format knows.

  sizes      a C file under src/ has at most 450 lines, a function 50, a struct 16 members at one level, a Lua module 350
  widths     a line of C, Lua or Python has at most 100 columns
  members    a member and its comment stand on one line, or the comment stands above the member
  prefixes   the functions that a header declares share one prefix
  circles    no file of a folder includes one that includes it, over however many others
  wording    a comment asks no question, and says neither who, whose, whoever nor told; nothing "lets go"

It prints each breach with its place, and ends with 1 where there is any. With the names of rules, it checks those alone.
"""

import os
import re
import sys

FILE_MAX, FUNCTION_MAX, MEMBERS_MAX, MODULE_MAX, WIDTH_MAX = 450, 50, 16, 350, 100
COMMENT = re.compile(r"/\*.*?\*/", re.S)
BARRED_WORDS = re.compile(r"\b(who|whoever|whose|told|lets go|let go of)\b", re.I)
FUNCTION = re.compile(r"^\w[^;{}#]*\)\n\{\n(.*?)^\}", re.S | re.M)
STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\}", re.S | re.M)
TORN = re.compile(r"^ +[\w ]+\*?\n +\*?\w+(\[[^\]]*\])?; /\*", re.M)
DECLARED = re.compile(r"^(?:SEPTET_API )?(?:const |unsigned |struct |enum )*\w+ \*?(spt_\w+)\(", re.M)
INCLUDE = re.compile(r'#include "(\w+(?:/\w+)*)/(\w+)\.h"')


def files(*endings, under=("src", "include", "lua", "tests", "tools", "bench", "examples")):
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


def sizes():
    for path, text in files(".c", under=("src",)):
        lines = text.count("\n")
        if lines > FILE_MAX:
            yield path, 1, f"has {lines} lines, more than {FILE_MAX}"
        for found in FUNCTION.finditer(text):
            n = found.group(1).count("\n")
            if n > FUNCTION_MAX:
                yield path, line_of(text, found.start()), f"a function of {n} lines, more than {FUNCTION_MAX}"
    for path, text in files(".c", ".h", under=("src",)):
        for found in STRUCT.finditer(text):
            members = len(re.findall(r"^    (?! )[^#\n]*?[;,](?= |$)", COMMENT.sub("", found.group(2)), re.M))
            if members > MEMBERS_MAX:
                yield path, line_of(text, found.start()), f"'{found.group(1)}' has {members} members, more than {MEMBERS_MAX}"
    for path, text in files(".lua", under=("lua",)):
        lines = text.count("\n")
        if lines > MODULE_MAX:
            yield path, 1, f"has {lines} lines, more than {MODULE_MAX}"


def widths():
    for path, text in files(".c", ".h", ".lua", ".py"):
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > WIDTH_MAX:
                yield path, number, f"is {len(line)} columns wide, more than {WIDTH_MAX}"


def members():
    for path, text in files(".c", ".h", under=("src", "include")):
        for found in TORN.finditer(text):
            yield path, line_of(text, found.start()), "a member is torn by its comment, which belongs above it"


def prefixes():
    for path, text in files(".h", under=("src",)):
        names = DECLARED.findall(text)
        common = os.path.commonprefix([name + "_" for name in names]).rpartition("_")[0]
        if len(names) > 1 and common in ("", "spt"):
            yield path, 1, f"declares functions with several prefixes: {', '.join(sorted(set(names))[:4])}"


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
        folder, stem = os.path.dirname(path)[len("src/"):], os.path.splitext(os.path.basename(path))[0]
        for other_folder, other in INCLUDE.findall(text):
            if other_folder == folder and other != stem:
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


RULES = {rule.__name__: rule for rule in (sizes, widths, members, prefixes, circles, wording)}


def main():
    names = sys.argv[1:] or list(RULES)
    if any(name not in RULES for name in names):
        sys.exit(f"usage: check_style.py [RULE...], of {' '.join(RULES)}")
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    breaches = [breach for name in names for breach in RULES[name]()]
    for path, number, what in breaches:
        print(f"{path}:{number}: {what}")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
