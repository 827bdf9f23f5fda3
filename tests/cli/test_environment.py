# SPDX-License-Identifier: MIT
"""The environment variables that select what runs, and -E, which ignores them."""

import os
import unittest

import harness

ASK = "print((require 'septet.json'))"
QUIRKS = "print((require 'septet'.versions(true):match 'with a cure: (.*)'))"


class Environment(harness.Case):
    def setUp(self):
        super().setUp()
        os.mkdir(os.path.join(self.dir, "septet"))
        self.write("septet/json.lua", "return 'another'")
        self.env = {"SEPTET_LUA_PATH": self.dir, "SEPTET_QUIRKS": "+poke,+timeout"}

    def test_modules_from_a_folder(self):
        """H-21: SEPTET_LUA_PATH replaces the modules of Septet"""
        self.check(self.septet("-e", ASK, env=self.env), out="another\n")

    def test_a_folder_that_is_wrong_is_an_error(self):
        """The built-in modules do not stand in for those of a folder that cannot be read."""
        self.write("file", "")
        os.symlink("loop", os.path.join(self.dir, "loop"))
        os.makedirs(os.path.join(self.dir, "half/septet"))
        for folder, why in (("none", "No such file or directory"), ("file", "Not a directory"),
                            ("loop", "Too many levels"), ("half", "No such file or directory")):
            path = os.path.join(self.dir, folder)
            for words in (("-e", ASK), ("check", "--rules")):
                with self.subTest(folder=folder, words=words):
                    result = self.septet(*words, env={"SEPTET_LUA_PATH": path})
                    self.assertEqual((result.status, result.out), (1, ""))
                    self.assertRegex(result.err, "cannot open '%s/septet/[a-z/]+[.]lua': %s"
                                     % (path, why))

    def test_modules_that_the_build_makes_are_built_in(self):
        lua = os.path.join(harness.ROOT, "lua")
        out = self.septet("doc", "task.sleep").out
        self.assertIn("task.sleep", out)
        self.check(self.septet("doc", "task.sleep", env={"SEPTET_LUA_PATH": lua}), out=out)

    def test_quirks(self):
        """H-21: SEPTET_QUIRKS changes what is assumed of libcurl"""
        out = self.septet("-e", QUIRKS, env={"SEPTET_QUIRKS": "+poke,+timeout"}).out
        self.assertIn("poke", out)
        self.assertIn("timeout", out)
        self.assertNotIn(
            "timeout", self.septet("-e", QUIRKS, env={"SEPTET_QUIRKS": "-timeout"}).out
        )

    def test_an_empty_variable_is_none(self):
        """H-21: a variable that is empty counts as one that is not set"""
        self.check(
            self.septet("-e", "print(type(require 'septet.json'))", env={"SEPTET_LUA_PATH": ""}),
            out="table\n",
        )

    def test_E_ignores_each(self):
        """H-21: with -E, wherever it stands, no variable chooses what runs"""
        env = {
            **self.env,
            "LUA_INIT": "print 'init'",
            "LUA_PATH": self.dir + "/?.lua",
            "LUA_CPATH": "x",
            "LUA_INIT_5_4": "print 'init'",
            "LUA_PATH_5_4": self.dir + "/?.lua",
            "LUA_CPATH_5_4": "x",
        }
        source = "print(type(require 'septet.json'), package.path, package.cpath)" + QUIRKS
        bare = self.septet("-e", source).out
        for args in (["-E", "-e", source], ["-e", source, "-E"]):
            self.check(self.septet(*args, env=env), out=bare)
        self.check(self.septet("-E", env=env, stdin=source), out=bare)


if __name__ == "__main__":
    unittest.main()
