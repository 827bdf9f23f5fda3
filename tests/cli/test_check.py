# SPDX-License-Identifier: MIT
"""septet check: mistakes that are found without running a script."""

import json
import os
import subprocess
import unittest

import harness

GRAMMAR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check_grammar.lua")
USAGE = "usage: septet check [options] PATH...\ntry 'septet check --help'\n"


class Words(harness.Case):
    def test_what_is_clean_says_nothing(self):
        self.write("a.lua", "local x = 1\nreturn x + #arg\n")
        self.check(self.septet("check", "a.lua"), out="")

    def test_a_warning_has_its_place_and_rule(self):
        self.write("a.lua", "#!/usr/bin/env septet\nlocal ä\n")
        self.check(self.septet("check", "a.lua"), 1, out="a.lua:2:7: error: <name> expected near"
                   " '<\\195>'\n")
        self.write("a.lua", "#!/usr/bin/env septet\nlocal x = 'ä', prnt(1)\n")
        self.check(self.septet("check", "a.lua"), 1, out="a.lua:2:16: warning: the global 'prnt' is"
                   " never set, did you mean 'print'? [unset-global]\n")

    def test_json(self):
        self.write("a.lua", "prnt '\"'\n")
        result = self.septet("check", "--json", "a.lua")
        self.assertEqual(result.status, 1)
        self.assertEqual(json.loads(result.out), {
            "file": "a.lua", "line": 1, "column": 1, "kind": "warning", "rule": "unset-global",
            "message": "the global 'prnt' is never set, did you mean 'print'?"})

    def test_folders_are_walked_and_the_output_is_sorted(self):
        os.makedirs(os.path.join(self.dir, "f/.git"))
        os.makedirs(os.path.join(self.dir, "f/skipped"))
        for name in "f/b.lua", "f/a.lua", "f/.git/c.lua", "f/d.txt", "f/skipped/e.lua":
            self.write(name, "b() a()\n")
        text = "f/%s.lua:1:%d: warning: the global '%s' is never set [unset-global]"
        lines = [text % place
                 for place in (("a", 1, "b"), ("a", 5, "a"), ("b", 1, "b"), ("b", 5, "a"))]
        self.assertEqual(self.septet("check", "--skip=f/skipped", "f/", "f/b.lua").out.splitlines(),
                         lines)

    def test_stdin(self):
        self.check(self.septet("check", "-", stdin="x = y"), 1,
                   out="stdin:1:5: warning: the global 'y' is never set [unset-global]\n")

    def test_rules_are_chosen(self):
        self.write("a.lua", "x()\n")
        rules = self.septet("check", "--rules").out.split()
        self.assertIn("unset-global", rules)
        self.check(self.septet("check", "--except=unset-global", "a.lua"), out="")
        self.check(self.septet("check", "--only=unset-global", "a.lua"), 1, out=None)
        self.check(self.septet("check", "--only=unset-globl", "a.lua"), 2, err="septet: unknown"
                   " rule 'unset-globl', did you mean 'unset-global'?\n" + USAGE)

    def test_comments_silence(self):
        for text, count in (("x() -- check: ignore unset-global the host sets it", 0),
                            ("x() -- check: ignore", 0),
                            ("-- check: ignore unset-global\nx()\nx()", 1),
                            ("x() -- check: ignore other-rule", 1),
                            ("x() -- check: ignore other-rule, unset-global", 0),
                            ("y() x() -- check: globals x, z", 1)):
            self.write("a.lua", text)
            with self.subTest(text):
                self.assertEqual(self.septet("check", "a.lua").out.count("\n"), count)
        self.check(self.septet("check", "--globals=x,y", "a.lua"), out="")

    def test_a_global_may_be_set_in_another_file(self):
        self.write("a.lua", "x() y() z()\n")
        self.write("b.lua", "function x() end\nlocal function f() _G.y = 1 end\nf()\n_G.z = 2\n")
        self.check(self.septet("check", "a.lua", "b.lua"), out="")

    def test_wrong_usage(self):
        self.check(self.septet("check"), 2, err="septet: a file or folder is missing\n" + USAGE)
        result = self.septet("check", "nowhere.lua")
        self.assertEqual((result.status, result.out), (2, ""))
        self.assertRegex(result.err, "^septet: cannot open .*nowhere.lua")


class Grammar(harness.Case):
    def test_the_parser_accepts_what_lua_accepts(self):
        files = subprocess.run(["find", "lua", "meta", "scripts", "examples", "tests", "bench",
                                "-name", "*.lua"], cwd=harness.ROOT, capture_output=True, text=True,
                               check=True).stdout
        for seed in "1", "2":
            self.check(self.septet(GRAMMAR, harness.ROOT, seed, stdin=files),
                       out="true\ttrue\ttrue\n")


class Tree(harness.Case):
    def test_ours_are_clean(self):
        folders = [os.path.join(harness.ROOT, name) for name in ("scripts", "examples", "tests")]
        self.check(self.septet("check", "--skip=" + folders[2] + "/cli/check", *folders), out="")


if __name__ == "__main__":
    unittest.main()
