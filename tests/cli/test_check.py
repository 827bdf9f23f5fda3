# SPDX-License-Identifier: MIT
"""septet check: mistakes that are found without running a script."""

import json
import os
import re
import subprocess
import unittest

import harness

HERE = os.path.dirname(os.path.abspath(__file__))
GRAMMAR = os.path.join(HERE, "check_grammar.lua")
PLANTED = os.path.join(HERE, "check")
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
                            ("y() x() -- check: globals x, z", 1),
                            ("raises(function() x() end) local raises", 1),
                            ("local raises raises(function() x() end)", 0),
                            ("assert.has_error(function() x() end)", 0),
                            ("local expect expect(function() x() end).never:to_raise()", 0),
                            ("local expect expect(function() x() end):is_true()", 1),
                            ("local on_error on_error(function() x() end)", 1),
                            ("x()\ny()\n-- check: allow unset-global", 0)):
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


class Mistakes(harness.Case):
    def test_planted_mistakes_are_found_in_their_places(self):
        """Each line of tests/cli/check says behind " -- " what is found in it."""
        names = sorted(os.listdir(PLANTED))
        count = 0
        for name in names:
            path = os.path.join(PLANTED, name)
            with open(path, encoding="utf-8") as file:
                expected = re.findall(r"\b(\d+:\d+) ([a-z-]+)",
                                      "".join(re.findall(r" -- (.*\n)", file.read())))
            result = self.septet("check", path)
            lines = re.findall(r":(\d+:\d+): (\w+): .*?(?:\[([a-z-]+)\])?\n", result.out)
            with self.subTest(name):
                self.assertEqual([(at, rule or kind) for at, kind, rule in lines], expected)
                self.assertEqual((result.status, result.err), (1 if expected else 0, ""))
            count += len(expected)
        self.assertGreater(len(names), 25)
        self.assertGreater(count, 50)

    def test_each_rule_has_a_planted_mistake_and_is_on_its_page(self):
        out = self.septet("check", PLANTED).out
        with open(os.path.join(harness.ROOT, "docs/command.md"), encoding="utf-8") as file:
            page = file.read()
        for rule in self.septet("check", "--rules").out.split():
            self.assertIn("[%s]" % rule, out)
            self.assertIn("| `%s` |" % rule, page)

    def test_what_is_said(self):
        lines = self.septet("check", PLANTED + "/session_option.lua",
                            PLANTED + "/wait_in_gsub.lua").out.splitlines()
        self.assertEqual([line.partition(": warning: ")[2] for line in lines], [
            "unknown option 'limt' for 'http.session', did you mean 'limit'? [unknown-option]",
            "unknown option 'cafile' for 'http.session', did you mean 'ca_file'? [unknown-option]",
            "cannot wait in the replacement of string.gsub: 'task.sleep' waits [cannot-wait]",
            "cannot wait in the replacement of string.gsub: 'slow' waits [cannot-wait]"])

    def test_warnings_of_waits_are_true(self):
        """Each function in which a wait is reported does raise there."""
        for code in ("table.sort({ 2, 1 }, WAIT)", "('x'):gsub('x', WAIT)",
                     "assert(load(WAIT))", "xpcall(error, WAIT)",
                     "tostring(setmetatable({}, { __tostring = WAIT }))",
                     "setmetatable({}, { __gc = WAIT }) collectgarbage()",
                     "debug.sethook(WAIT, 'l')\nlocal x\ndebug.sethook()",
                     "task.on_unhandled = WAIT task.background(error) task.sleep(0.001)",
                     "require 'septet.trace'.subscribe(WAIT) task.sleep(0.001)",
                     "local s <close> = require 'septet.http'.session { trace = {"
                     " request_start = WAIT } } pcall(s.get, s, 'http://127.0.0.1:1/')"):
            script = self.write("wait.lua", "local task = require 'septet.task';\n" + code.replace(
                "WAIT", "function() local _, e = pcall(task.sleep, 0) print(e) return '' end"))
            with self.subTest(code):
                self.assertIn("cannot wait here", self.septet(script).out)
                self.assertIn("[cannot-wait]", self.septet("check", script).out)

    def test_waits_across_lua_are_not_reported(self):
        code = """local task = require "septet.task"
            local function wait() task.sleep(0) end
            local mt = { __index = wait, __newindex = wait, __call = wait, __close = wait,
              __eq = wait, __lt = wait, __len = wait, __add = wait, __concat = wait,
              __pairs = function() task.sleep(0) return next, {} end }
            local x <close> = setmetatable({}, mt)
            local y = setmetatable({}, mt)
            x.a = x.b
            x()
            print(#x, x == y, x < y, x + 1, x .. "")
            for _ in pairs(x) do print "never" end
            for _ in wait do print "never" end
            pcall(wait)
            xpcall(wait, print)
            coroutine.wrap(wait)()"""
        script = self.write("across.lua", code)
        result = self.septet(script)
        self.assertEqual((result.status, result.err), (0, ""))
        self.check(self.septet("check", script), out="")


class Tree(harness.Case):
    def test_ours_are_clean(self):
        folders = [os.path.join(harness.ROOT, name) for name in ("scripts", "examples", "tests")]
        self.check(self.septet("check", "--skip=" + folders[2] + "/cli/check", *folders), out="")


if __name__ == "__main__":
    unittest.main()
