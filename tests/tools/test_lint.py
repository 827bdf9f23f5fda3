# SPDX-License-Identifier: MIT
"""tools/check_style.py and tools/check_layers.py: a small tree that keeps every rule passes, and
each breach that is planted in it is found and named with its place."""

import os
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
COMPILER = os.environ.get("CC", "cc")
LAYERS = ("base", "core", "loop", "dns", "http", "op", "lua", "host")

HEADER = """/* Counts the things of the layer {layer}. */
int spt_{layer}_one(int n);
int spt_{layer}_two(int n);

struct spt_{layer} {{
    int count; /* number of things */
}};
"""
SOURCE = """#include "{layer}/{layer}.h"

int spt_{layer}_one(int n)
{{
    return n + 1;
}}

int spt_{layer}_two(int n)
{{
    return n + 2;
}}
"""
LIBRARY = """int septet_answer(void)
{
    return 42;
}
"""


MARK = "SPDX-License-Identifier: MIT"
MARKS = {".c": f"/* {MARK} */\n", ".h": f"/* {MARK} */\n", ".lua": f"-- {MARK}\n",
         ".py": f"# {MARK}\n", ".sh": f"# {MARK}\n", ".txt": f"# {MARK}\n"}
# The rules that a text without the line of the licence can keep.
OTHER_RULES = ("sizes", "widths", "members", "prefixes", "circles", "wording")


def tree():
    """Returns the files of a tree without a breach, by their paths."""
    files = {
        "include/septet/septet.h": "/* What embedders call. */\nint septet_answer(void);\n",
        "src/host/septet.c": '#include "septet/septet.h"\n\n' + LIBRARY,
        "src/cli/main.c": "#include <septet/septet.h>\n\nint main(void)\n{\n    return 0;\n}\n",
        "lua/septet/thing.lua": "-- Counts things.\nreturn { count = 1 }\n",
        "CMakeLists.txt": "project(thing)\n",
        "dev": "#!/usr/bin/env bash\n",
    }
    for layer in LAYERS:
        files[f"src/{layer}/{layer}.h"] = HEADER.format(layer=layer)
        files[f"src/{layer}/{layer}.c"] = SOURCE.format(layer=layer)
    return {path: MARKS.get(os.path.splitext(path)[1], "") + text for path, text in files.items()}


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="septet-lint-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name

    def write(self, files):
        for path, text in files.items():
            path = os.path.join(self.root, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def run_tool(self, name, *arguments):
        command = [sys.executable, os.path.join(TOOLS, name), "--root", self.root, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def found(self, result, place, what):
        """Asserts that there is one breach, at this place."""
        status, out = result
        self.assertEqual(status, 1, out)
        self.assertEqual(out.count("\n"), 1, out)
        self.assertTrue(out.startswith(place + ": "), out)
        self.assertIn(what, out)


class Style(Tree):
    def plant(self, path, text, place, what, more=()):
        files = {**tree(), path: text, **dict(more)}
        self.write(files)
        self.found(self.run_tool("check_style.py", *OTHER_RULES), place, what)

    def test_a_clean_tree_passes(self):
        self.write(tree())
        self.assertEqual(self.run_tool("check_style.py"), (0, ""))

    def test_a_rule_is_checked_by_itself(self):
        self.write({**tree(), "src/base/long.c": "\n" * 451})
        self.assertEqual(self.run_tool("check_style.py", "widths", "wording"), (0, ""))
        self.found(self.run_tool("check_style.py", "sizes"), "src/base/long.c:1", "451 lines")

    def test_an_unknown_rule_is_refused(self):
        self.write(tree())
        status, out = self.run_tool("check_style.py", "sizez")
        self.assertEqual(status, 2)
        self.assertIn("there is no rule 'sizez'", out)

    def test_a_long_file(self):
        self.write({**tree(), "src/base/long.c": "\n" * 450})
        self.assertEqual(self.run_tool("check_style.py", "sizes"), (0, ""))
        self.plant("src/base/long.c", "\n" * 451, "src/base/long.c:1", "has 451 lines")

    def test_a_long_function(self):
        body = "    n++;\n" * 51
        text = f"\nstatic int count(int n)\n{{\n{body}}}\n"
        self.plant("src/op/long.c", text, "src/op/long.c:2", "a function of 51 lines")

    def test_a_struct_with_many_members(self):
        text = "struct spt_many {\n" + "".join(f"    int m{i};\n" for i in range(17)) + "};\n"
        self.plant("src/op/many.h", text, "src/op/many.h:1", "'spt_many' has 17 members")

    def test_members_that_share_a_line_are_counted(self):
        names = ", ".join(f"m{i}" for i in range(16))
        text = f"struct spt_many {{\n    int {names};\n    int last;\n}};\n"
        self.plant("src/op/many.h", text, "src/op/many.h:1", "'spt_many' has 17 members")

    def test_the_members_of_a_nested_struct_are_its_own(self):
        inner = "".join(f"        int m{i};\n" for i in range(16))
        outer = "".join(f"    int n{i};\n" for i in range(14))
        call = "    void (*fn)(int a, int b, int c,\n               int d);\n"
        text = f"struct spt_many {{\n    struct {{\n{inner}    }} part;\n{outer}{call}}};\n"
        self.write({**tree(), "src/op/many.h": text})
        self.assertEqual(self.run_tool("check_style.py", *OTHER_RULES), (0, ""))

    def test_a_long_module(self):
        self.plant("lua/septet/long.lua", "\n" * 351, "lua/septet/long.lua:1", "has 351 lines")

    def test_a_wide_line_in_each_kind_of_file(self):
        wide = "x" * 101
        for path in ("src/base/w.c", "src/base/w.h", "lua/septet/w.lua", "tests/w.py", "bench/w.sh",
                     "tests/CMakeLists.txt", "CMakeLists.txt", "dev", ".ci/run"):
            with self.subTest(path):
                self.plant(path, f"\n{wide}\n", f"{path}:2", "101 columns wide")
                os.unlink(os.path.join(self.root, path))

    def test_a_member_that_is_torn_by_its_comment(self):
        text = "struct spt_torn {\n    struct spt_link\n        children; /* list of tasks */\n};\n"
        self.plant("src/core/torn.h", text, "src/core/torn.h:2", "a member is torn")

    def test_a_header_with_two_prefixes(self):
        text = "int spt_circle_open(void);\nint spt_square_open(void);\n"
        self.plant("src/core/shape.h", text, "src/core/shape.h:1",
                   "several prefixes: spt_circle_open, spt_square_open", {"src/core/shape.c": ""})

    def test_an_inline_function_with_another_prefix(self):
        text = ("int spt_circle_open(void);\n"
                "static inline bool spt_square_is_open(int a)\n{\n    return a;\n}\n")
        self.plant("src/core/shape.h", text, "src/core/shape.h:1", "several prefixes",
                   {"src/core/shape.c": ""})

    def test_a_source_that_shares_two_prefixes(self):
        text = ("int spt_circle_open(int n)\n{\n    return n;\n}\n\n"
                "int spt_square_open(int n)\n{\n    return n;\n}\n")
        self.plant("src/core/shape.c", text, "src/core/shape.c:1",
                   "defines shared functions with several prefixes")

    def test_a_function_that_another_files_header_declares(self):
        self.plant("src/core/shape.c", "\nint spt_other_open(int n)\n{\n    return n;\n}\n",
                   "src/core/shape.c:2", "'spt_other_open' is declared in src/core/other.h",
                   {"src/core/other.h": "int spt_other_open(int n);\n", "src/core/other.c": ""})

    def test_a_register_declares_the_openers_of_many(self):
        self.write({**tree(), "src/op/env.h": "void spt_open_a(void);\nvoid spt_open_b(void);\n",
                    "src/op/a.c": "void spt_open_a(void)\n{\n}\n",
                    "src/op/b.c": "void spt_open_b(void)\n{\n}\n"})
        self.assertEqual(self.run_tool("check_style.py", *OTHER_RULES), (0, ""))

    def test_a_circle_of_includes_of_headers(self):
        self.plant("src/dns/a.h", '#include "dns/b.h"\n', "src/dns:1", "includes: a -> b -> c -> a",
                   {"src/dns/b.h": '#include "dns/c.h"\n', "src/dns/c.h": '#include "dns/a.h"\n'})

    def test_a_circle_of_includes_over_a_source(self):
        self.plant("src/dns/a.c", '#include "dns/b.h"\n', "src/dns:1", "includes: a -> b -> a",
                   {"src/dns/a.h": "", "src/dns/b.h": '#include "dns/a.h"\n'})

    def test_a_circle_of_includes_in_the_command(self):
        self.plant("src/cli/a.h", '#include "b.h"\n', "src/cli:1", "includes: a -> b -> a",
                   {"src/cli/b.h": '#include "a.h"\n'})

    def test_each_barred_word(self):
        for word in ("who", "Whoever", "whose", "told", "lets go", "let go of"):
            for path, text in (("src/op/w.c", f"\n/* The {word} waits. */\n"),
                               ("src/op/w.h", f"\n/* The\n * {word} waits. */\n"),
                               ("lua/septet/w.lua", f"\n-- The {word} waits.\n")):
                with self.subTest(word=word, path=path):
                    self.plant(path, text, f"{path}:2", f"'{word}' in a comment")
                    os.unlink(os.path.join(self.root, path))

    def test_a_question_in_a_comment(self):
        for path, text in (("src/op/w.c", "\n/* Is it open? */\n"),
                           ("lua/septet/w.lua", "\n-- Is it open?\n")):
            with self.subTest(path):
                self.plant(path, text, f"{path}:2", "a question in a comment")
                os.unlink(os.path.join(self.root, path))

    def test_code_and_quotations_are_no_questions(self):
        self.write({**tree(), "src/op/w.c": '/* The pattern `a?`, "why?" and http://x/?q=1. */\n',
                    "src/op/v.c": 'const char *told = "who?";\n'})
        self.assertEqual(self.run_tool("check_style.py", *OTHER_RULES), (0, ""))


    def test_each_kind_of_file_without_its_licence(self):
        for ending in MARKS:
            path = "tests/CMakeLists.txt" if ending == ".txt" else "tests/thing" + ending
            with self.subTest(path):
                self.write({**tree(), path: "\n" + MARKS[ending]})
                self.found(self.run_tool("check_style.py"), path + ":1", "does not begin with")
                self.write({path: MARKS[ending]})

    def test_a_licence_behind_the_line_of_an_interpreter(self):
        self.write({**tree(), "tools/thing.py": "#!/usr/bin/env python3\n" + MARKS[".py"]})
        self.assertEqual(self.run_tool("check_style.py"), (0, ""))


class Layers(Tree):
    """The objects are built from the tree, each by itself, and so is the library."""

    def compile(self, files):
        build = os.path.join(self.root, "build")
        for path in files:
            if path.startswith("src/") and path.endswith(".c") and "/cli/" not in path:
                target = os.path.join(build, "CMakeFiles", "septet_objects.dir", path + ".o")
                os.makedirs(os.path.dirname(target), exist_ok=True)
                self.cc("-c", path, "-o", target)

    def link(self, text):
        self.write({"library.c": text})
        self.cc("-shared", "library.c", "-o", "build/libseptet.so")
        os.unlink(os.path.join(self.root, "library.c"))

    def cc(self, *arguments):
        os.makedirs(os.path.join(self.root, "build"), exist_ok=True)
        subprocess.run([COMPILER, "-fPIC", "-Isrc", "-Iinclude", *arguments], cwd=self.root,
                       check=True, capture_output=True)

    def check(self, *rules):
        return self.run_tool("check_layers.py", os.path.join(self.root, "build"), *rules)

    def plant(self, rule, files, place, what):
        self.write({**tree(), **files})
        self.found(self.check(rule), place, what)

    def plant_built(self, rule, files, place, what):
        self.write({**tree(), **files})
        self.compile(files)
        self.found(self.check(rule), place, what)

    def test_a_clean_tree_passes(self):
        self.write(tree())
        self.compile(tree())
        self.link(LIBRARY)
        self.assertEqual(self.check(), (0, ""))

    def test_an_unknown_rule_is_refused(self):
        self.write(tree())
        status, out = self.check("layers")
        self.assertEqual(status, 2)
        self.assertIn("there is no rule 'layers'", out)

    def test_an_include_of_a_higher_layer(self):
        for i, layer in enumerate(LAYERS[:-1]):
            for above in LAYERS[i + 1:]:
                with self.subTest(layer=layer, above=above):
                    path = f"src/{layer}/up.c"
                    self.plant("includes", {path: f'\n#include "{above}/{above}.h"\n'}, f"{path}:2",
                               f"is of {above}, above {layer}")
                    os.unlink(os.path.join(self.root, path))

    def test_an_include_without_its_folder(self):
        self.plant("includes", {"src/core/a.c": '#include "core.h"\n'}, "src/core/a.c:1",
                   "without its folder")

    def test_an_include_of_no_layer(self):
        self.plant("includes", {"src/core/a.c": '#include "misc/core.h"\n'}, "src/core/a.c:1",
                   "is in no layer")

    def test_a_file_in_no_layer(self):
        self.plant("includes", {"src/misc/a.c": '#include "core/core.h"\n'}, "src/misc/a.c:1",
                   "a file in no layer")

    def test_an_awaitable_that_includes_another(self):
        files = {"src/op/b.h": "", "src/op/b.c": "static const septet_op_type type = {\n};\n"}
        self.plant("includes", {**files, "src/op/a.c": '#include "op/b.h"\n'}, "src/op/a.c:1",
                   "one awaitable includes another")
        os.unlink(os.path.join(self.root, "src/op/a.c"))
        self.write({"src/op/b_part.c": '#include "op/b.h"\n'})
        self.assertEqual(self.check("includes"), (0, ""))

    def test_a_command_that_sees_the_library(self):
        self.plant("includes", {"src/cli/a.c": '#include "core/core.h"\n'}, "src/cli/a.c:1",
                   "it may see the public headers only")

    def test_a_symbol_of_a_library_that_the_layer_does_not_know(self):
        barred = {"base": "lua_pop uv_run curl_easy_init ares_init luaL_ref luaopen_base",
                  "core": "uv_run curl_easy_init ares_init",
                  "loop": "curl_easy_init ares_init lua_pop",
                  "dns": "curl_easy_init lua_pop",
                  "http": "ares_init lua_pop",
                  "op": "curl_easy_init ares_init"}
        self.write(tree())
        self.compile(tree())
        for layer, names in barred.items():
            for name in names.split():
                with self.subTest(layer=layer, symbol=name):
                    path = f"src/{layer}/needs.c"
                    text = f"void {name}();\nvoid spt_needs(void)\n{{\n    {name}();\n}}\n"
                    self.write({path: text})
                    self.compile([path])
                    self.found(self.check("symbols"), path, f"{layer}/ needs '{name}'")
                    os.unlink(os.path.join(self.root, path))

    def test_a_folder_without_objects(self):
        self.write(tree())
        status, out = self.check("symbols", "calls", "exports")
        self.assertEqual(status, 1)
        self.assertEqual(out.count("build first\n"), 8, out)

    def test_the_object_of_a_file_that_is_gone_does_not_count(self):
        files = {**tree(), "src/base/gone.c": "void uv_run();\nvoid f(void)\n{\n    uv_run();\n}\n"}
        self.write(files)
        self.compile(files)
        os.unlink(os.path.join(self.root, "src/base/gone.c"))
        self.assertEqual(self.check("symbols"), (0, ""))

    def test_a_circle_of_calls(self):
        def calls(name, other):
            return f"void spt_{other}();\nvoid spt_{name}(void)\n{{\n    spt_{other}();\n}}\n"
        self.plant_built("calls", {"src/dns/a.c": calls("a", "b"), "src/dns/b.c": calls("b", "c"),
                                   "src/dns/c.c": calls("c", "a")},
                         "src/dns", "a circle of calls: a -> b -> c -> a")

    def test_calls_of_another_folder_are_no_circle(self):
        files = {**tree(), "src/dns/a.c": "void f(void);\nvoid g(void)\n{\n    f();\n}\n",
                 "src/http/b.c": "void g(void);\nvoid f(void)\n{\n    g();\n}\n"}
        self.write(files)
        self.compile(files)
        self.assertEqual(self.check("calls"), (0, ""))

    def test_an_export_that_is_not_the_librarys(self):
        self.write(tree())
        self.link(LIBRARY + "int spt_answer(void)\n{\n    return 1;\n}\n")
        self.found(self.check("exports"), os.path.join(self.root, "build", "libseptet.so"),
                   "exports 'spt_answer'")

    def test_a_library_without_exports(self):
        self.write(tree())
        self.link("static int a;\n")
        self.found(self.check("exports"), os.path.join(self.root, "build", "libseptet.so"),
                   "exports nothing")

    def test_a_word_of_the_machine(self):
        # In pieces, so that this file keeps the rule.
        for word in ("/wo" "rk/x", "/tmp/no" "tes", "/home/" "me/x", "deb.deb" "ian.org",
                     "archive.ubu" "ntu.com", "pyp" "i.org", "pythonho" "sted.org", "npm" "js.org",
                     "crate" "s.io", "luaro" "cks.org", "proxy.gol" "ang.org"):
            with self.subTest(word):
                self.plant("words", {"docs/a.md": f"\nsee {word}\n"}, "docs/a.md:2",
                           "has no place here")


if __name__ == "__main__":
    unittest.main()
