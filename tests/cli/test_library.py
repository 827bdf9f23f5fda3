# SPDX-License-Identifier: MIT
"""library/: the definitions for editors, which the build makes of the annotations.

lua-language-server itself is in neither Debian nor npm, so tools/api/check.lua holds them to its
grammar."""
import filecmp
import glob
import json
import os
import re
import unittest

import harness

ROOT = harness.ROOT
TOOLS = os.path.join(ROOT, "tools", "api")
BUILD = os.path.dirname(harness.SEPTET)
LIBRARY = os.path.join(BUILD, "library")
FILES = sorted(glob.glob(os.path.join(LIBRARY, "*.lua"))
               + glob.glob(os.path.join(LIBRARY, "septet", "*.lua")))


class Library(harness.Case):
    def tool(self, name, *words):
        return self.septet(os.path.join(TOOLS, name), *words,
                           env={"LUA_PATH": os.path.join(TOOLS, "?.lua")})

    def test_the_annotations_of_the_sources_can_be_read(self):
        self.check(self.tool("main.lua", ROOT, os.path.join(BUILD, "made"), "check"))

    def test_the_folder_of_the_sources_may_have_any_name(self):
        for name in ("septet", "lua", "of (a) %w"):
            root = os.path.join(self.dir, name)
            os.symlink(ROOT, root)
            for folder in ("made/septet/doc", "library/septet"):
                os.makedirs(os.path.join(self.dir, folder), exist_ok=True)
            with open(os.path.join(BUILD, "made", "sources")) as file:
                self.write("made/sources", file.read().replace(ROOT + "/", root + "/"))
            self.check(self.tool("main.lua", root, os.path.join(self.dir, "made"),
                                 os.path.join(self.dir, "library")))
            for path in FILES:
                made = os.path.join(self.dir, "library", os.path.relpath(path, LIBRARY))
                with self.subTest(name, path=path):
                    self.assertTrue(filecmp.cmp(made, path, shallow=False))

    def test_the_definitions_keep_the_grammar(self):
        modules = [n[:-4] for n in os.listdir(os.path.join(ROOT, "lua", "septet"))
                   if n.endswith(".lua") and n != "init.lua"]
        self.assertEqual([os.path.relpath(path, LIBRARY) for path in FILES],
                         ["septet.lua"] + sorted("septet/%s.lua" % n
                                                 for n in modules + ["errors", "tests"]))
        self.check(self.tool("check.lua", *FILES))

    def test_the_module_of_a_file_is_what_it_returns(self):
        for path in FILES:
            with open(path) as file:
                text = file.read()
            module = os.path.relpath(path, LIBRARY)[:-4].replace("/", ".")
            if module in ("septet.errors", "septet.tests"):
                module = "_"
            self.assertIn("\n---@meta %s\n" % module, text)
            if module != "_":
                self.assertRegex(text, r"\nreturn \w+\n$")

    def test_what_files_of_tests_get_are_globals(self):
        with open(os.path.join(LIBRARY, "septet", "tests.lua")) as file:
            text = file.read()
        self.assertIn("\nfunction it(title, options, fn) end\n", text)
        self.assertIn("---@return septet.Expectation\nfunction expect(value) end\n", text)
        self.assertIn("\nfunction Expectation.equal(expected) end\n", text)
        self.assertNotIn("TestGlobals", text)

    def test_functions_that_wait_are_marked(self):
        with open(os.path.join(LIBRARY, "septet", "task.lua")) as file:
            text = file.read()
        self.assertIn("---@async\n---@param seconds number\nfunction task.sleep(seconds) end", text)
        self.assertNotRegex(text, r"---@async\n(---.*\n)*function task\.now")

    def test_the_addon_has_its_settings(self):
        with open(os.path.join(ROOT, "meta", "config.json")) as file:
            config = json.load(file)
        self.assertEqual(config["name"], "Septet")
        self.assertEqual(config["settings"], {"Lua.runtime.version": "Lua 5.4"})

    def test_each_breach_is_found(self):
        for text, message in (
                ("---@class A\n---@field x strin\n", "unknown type 'strin'"),
                ("---@class A: B\n", "unknown type 'B'"),
                ("---@class A\n---@field x string\n---@field x number\n", "duplicate field 'x'"),
                ("---@class A\n\n---@class A\n", "'A' is defined in "),
                ("---@alias A string\n---@alias A number\n", "'A' is defined in "),
                ("---@class A\nlocal A = {}\n---@param b string\nfunction A.f(a) end\n",
                 "'b' is described in the place of 'a'"),
                ("---@class A\nlocal A = {}\nfunction A.f(a) end\n", "'a' has no type"),
                ("---@class A\nlocal A = {}\n---@param a string\nfunction A.f() end\n",
                 "'a' is no parameter"),
                ("---@class A\nlocal A = {}\nfunction A.f() end\nfunction A.f() end\n",
                 "'A.f' is defined twice"),
                ("function f(a) end\n", "'a' has no type"),
                ("function f() end\nfunction f() end\n", "'f' is defined in "),
                ("---@param fun(\n", "name of a parameter expected"),
                ("---@class A\n---@field f fun(a: string\n", "')' expected"),
                ("---@class A\n---@field f table<string,>\n", "type expected"),
                ("---@class A\n---@feild f string\n", "unknown annotation '@feild'"),
                ("---@field f string\n", "a field without a class"),
                ("local x = = 1\n", "unexpected symbol"),
        ):
            with self.subTest(text):
                path = self.write("bad.lua", "---@meta _\n\n" + text)
                self.check(self.tool("check.lua", path), status=1,
                           err=re.compile(re.escape(path) + r":\d+: .*" + re.escape(message)))
        path = self.write("bad.lua", "local x = 1\n")
        self.check(self.tool("check.lua", path), status=1, err=re.compile("---@meta"))


if __name__ == "__main__":
    unittest.main()
