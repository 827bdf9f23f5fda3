# SPDX-License-Identifier: MIT
"""`septet init`: what it writes runs, and nothing is overwritten."""

import json
import os
import re
import subprocess
import unittest

import harness

FILES = [".luarc.json", "main.lua", "sizes.lua", "sizes_test.lua"]


class Init(harness.Case):
    def read(self, name):
        with open(os.path.join(self.dir, name), encoding="utf-8") as file:
            return file.read()

    def init(self, *args, status=0):
        result = self.septet("init", *args)
        self.assertEqual((result.status, result.err), (status, ""))
        return result.out

    def test_what_it_writes_runs(self):
        out = self.init()
        self.assertEqual(sorted(os.listdir(self.dir)), sorted(FILES))
        self.assertEqual(out.splitlines()[0], "wrote " + ", ".join(FILES))
        self.assertEqual(len(out.splitlines()[2:]), 3)
        result = self.septet("main.lua")
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertRegex(
            result.out, r"^400\thttp://\S+/one\n600\thttp://\S+/three\n800\thttp://\S+/fifteen\n$")

    def test_its_test_runs(self):
        self.init()
        result = self.septet("test")
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertRegex(result.out, r"(?m)^2 passed, 0 failed$")

    def test_the_settings_of_the_editor(self):
        self.init()
        settings = json.loads(self.read(".luarc.json"))
        self.assertEqual(settings["runtime.version"], "Lua 5.4")
        folder, = settings["workspace.library"]
        self.assertTrue(os.path.isabs(folder))
        self.assertTrue(os.path.exists(os.path.join(folder, "septet.lua")), folder)

    def test_no_file_is_overwritten(self):
        self.write("main.lua", "mine")
        os.symlink("nowhere", os.path.join(self.dir, "sizes.lua"))
        out = self.init()
        self.assertEqual(out.splitlines()[:2], ["wrote .luarc.json, sizes_test.lua",
                                                "left as they are: main.lua, sizes.lua"])
        self.assertEqual(self.read("main.lua"), "mine")
        self.assertFalse(os.path.exists(os.path.join(self.dir, "nowhere")))
        self.assertEqual(self.init().splitlines()[0], "left as they are: " + ", ".join(FILES))

    def test_a_folder_is_made(self):
        out = self.init("it's/new")
        self.assertEqual(sorted(os.listdir(os.path.join(self.dir, "it's/new"))), sorted(FILES))
        self.assertRegex(out, r"(?m)^cd 'it'\\''s/new' && septet main\.lua ")

    def test_the_shell_enters_the_folder_that_was_made(self):
        for name in ("-x", "-", "--", "-P", "a b", "$HOME", "~"):
            out = self.init("--", name)
            line = re.search(r"(?m)^(cd .*) && septet main\.lua", out)[1]
            self.assertEqual(subprocess.run(["sh", "-c", line + " && ls"], cwd=self.dir, text=True,
                                            capture_output=True).stdout.split(), sorted(FILES)[1:])

    def test_what_cannot_be_written(self):
        result = self.septet("init", "/proc/septet")
        self.check(result, 1, err=(
            "septet: cannot make the directory '/proc/septet': no such file or directory\n"))
        usage = "usage: septet init [FOLDER]\ntry 'septet init --help'\n"
        self.check(self.septet("init", "a", "b"), 2,
                   err="septet: one folder is expected, not also 'b'\n" + usage)


if __name__ == "__main__":
    unittest.main()
