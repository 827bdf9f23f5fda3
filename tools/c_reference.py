#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""c_reference.py [--check]: makes docs/c-api.md from the public headers.

The headers are the manual; the page shows the same text with a table of contents and links. With
--check it writes nothing, and ends with 1 if the page is not what it would write.
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEADERS = ("septet/septet.h", "septet/op.h")
PAGE = os.path.join(ROOT, "docs", "c-api.md")
SECTION = re.compile(r"--- (.*) ---$")
NAMED = re.compile(r"^(?:typedef )?(?:struct|enum) (septet_\w+)|^#define (SEPTET_\w+)", re.M)
# Directives that are part of the interface.
PLUMBING = re.compile(r"#define SEPTET_(VERSION|OP|STATUS)")

# What stands around the examples in comments, by their first lines, where a test compiles them.
FRAMES = {
    "septet_config config;": """
#include <septet/septet.h>

static void print_error(void *ud, const septet_error *error)
{
    (void)ud;
    (void)error;
}

int main(void)
{
    const char *source = "";
...
}
""",
    "struct wait_door { septet_op op; struct door *door; };": """
#include <lauxlib.h>
#include <septet/op.h>
#include <septet/septet.h>

struct door { septet_op *waiting; };

static struct door *check_door(lua_State *L, int arg)
{
    return luaL_checkudata(L, arg, "door");
}

...

static int wait_door_start(septet_op *op)
{
    ((struct wait_door *)op)->door->waiting = op;
    return SEPTET_OK;
}

static void wait_door_cancel(septet_op *op)
{
    ((struct wait_door *)op)->door->waiting = NULL;
}

static int wait_door_push(septet_op *op, lua_State *L)
{
    lua_pushinteger(L, op->status);
    return 1;
}

int luaopen_door(lua_State *L)
{
    lua_pushcfunction(L, l_wait_door);
    return 1;
}
""",
}


def example(lines):
    """Returns an example of a comment as a block, with the frame in which a test compiles it."""
    if any("\u2500" <= letter <= "\u257f" for letter in "".join(lines)):
        return ["```text figure", *lines, "```"]
    frame = FRAMES.get(lines[0])
    marks = ["<!-- frame:", *frame.strip().split("\n"), "-->"] if frame else []
    return [*marks, "```c", *lines, "```"]


def words(comment):
    """Returns a comment as paragraphs of Markdown: examples and lists stay as they are."""
    lines = [re.sub(r"^ ?\* ?", "", line.rstrip()) for line in comment.strip().split("\n")]
    out, code = [], []
    for line in [*lines, None]:
        if line and line.startswith("    ") and not line.strip().startswith("- "):
            if not code and out and out[-1]:
                out.append("")
            code.append(line[4:])
        elif code and line == "":
            code.append(line)
        else:
            blank = bool(code) and not code[-1]
            while code and not code[-1]:
                code.pop()
            out += (example(code) if code else []) + ([""] if blank else [])
            code = []
            if line is not None:
                out.append(line)
    return "\n".join(out)


def parts(text):
    """Yields the comment and the code of each part of a header, either of which may be empty."""
    at, lines = 0, text.split("\n")
    while at < len(lines):
        comment, code = [], []
        if lines[at].startswith("/*"):
            while True:
                comment.append(lines[at])
                at += 1
                if comment[-1].endswith("*/"):
                    break
        while at < len(lines) and not lines[at].startswith("/*"):
            depth = sum(line.count("{") - line.count("}") for line in code)
            if not lines[at] and depth == 0:
                break
            code.append(lines[at])
            at += 1
        while at < len(lines) and not lines[at]:
            at += 1
        yield "\n".join(comment)[2:-2], "\n".join(code)


def names_of(code):
    """Returns the names that a part declares."""
    flat = re.sub(r"/\*.*?\*/", "", code, flags=re.S)
    if "SEPTET_API" in flat:
        return re.findall(r"SEPTET_API [^;(]*?\b(septet_\w+)\(", flat)
    return [a or b for a, b in NAMED.findall(flat)]


def is_plumbing(code):
    """Returns true for lines that only the compiler needs."""
    directives = all(not line or line in "{}" or line[0] in "# " or line.startswith("extern")
                     for line in code.split("\n"))
    return directives and not PLUMBING.search(code)


def render(header):
    with open(os.path.join(ROOT, "include", header), encoding="utf-8") as file:
        text = file.read()
    out = [f"## {header}", ""]
    for comment, code in parts(text):
        section = SECTION.match(comment.strip())
        if section:
            out += [f"### {section.group(1)[0].upper()}{section.group(1)[1:]}", ""]
            comment = ""
        if "SPDX" in comment:
            comment = ""
        if comment.strip().startswith("septet/"):
            about = comment.strip().split(": ", 1)[1]
            out += [words(about[0].upper() + about[1:]), ""]
            continue
        if not comment and (not code or is_plumbing(code)):
            continue
        names = names_of(code)
        if names:
            out += ["#### " + ", ".join(f"`{name}`" for name in names), ""]
        if code and not is_plumbing(code):
            out += ["```c", code.replace("SEPTET_API ", ""), "```", ""]
        if comment:
            out += [words(comment), ""]
    return out


def page():
    out = ["# C API", "",
           "Made from the headers by `tools/c_reference.py`. Change them, not this page.", ""]
    rest = []
    for header in HEADERS:
        rest += render(header)
    for line in rest:
        heading = re.match(r"(##|###) (.*)", line)
        if heading:
            anchor = re.sub(r"[^\w -]", "", heading.group(2).lower()).replace(" ", "-")
            out.append("  " * (len(heading.group(1)) - 2) + f"- [{heading.group(2)}](#{anchor})")
    return "\n".join(out + [""] + rest).rstrip() + "\n"


def main():
    made = page()
    if sys.argv[1:] == ["--check"]:
        with open(PAGE, encoding="utf-8") as file:
            if file.read() == made:
                return 0
        print("docs/c-api.md differs from the headers: run tools/c_reference.py", file=sys.stderr)
        return 1
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
