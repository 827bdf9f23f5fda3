# SPDX-License-Identifier: MIT
"""The rockspec: luarocks make builds the module and installs it into a tree, from which a stock
lua5.4 requires it."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from installed import ROOT, run

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from harness import environment  # noqa: E402

LUAROCKS = ("luarocks", "--lua-version=5.4")


class Rock(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="septet-rock-")
        cls.addClassCleanup(folder.cleanup)
        cls.source = os.path.join(folder.name, "source")
        cls.tree = os.path.join(folder.name, "tree")
        # luarocks builds in the folder of the sources.
        shutil.copytree(ROOT, cls.source, ignore=shutil.ignore_patterns(
            "build", ".git", "__pycache__", "node_modules", "seeds"))
        # It looks for what it has to download only if something is missing.
        run(*LUAROCKS, f"--tree={cls.tree}", "make", cwd=cls.source, HOME=folder.name,
            CMAKE_GENERATOR="Ninja", CMAKE_BUILD_TYPE="Debug")

    def test_a_stock_lua_requires_it_from_the_tree(self):
        paths = run(*LUAROCKS, f"--tree={self.tree}", "path", "--lr-cpath").strip()
        done = subprocess.run(
            ["lua5.4", "-e", "print(require 'septet'.run(function() return 42 end))"],
            env=environment({"LUA_CPATH": paths}), capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "42\n", ""))

    def test_it_brings_the_library_itself_and_exports_nothing_of_it(self):
        path = [os.path.join(place, "septet.so") for place, _, names in os.walk(self.tree)
                if "septet.so" in names][0]
        self.assertNotIn("libseptet.so", run("readelf", "-d", path))
        names = [line.split()[-1] for line in run("nm", "-D", "--defined-only", path).splitlines()]
        self.assertEqual(names, ["luaopen_septet"])

    def test_it_is_removed_without_a_rest(self):
        run(*LUAROCKS, f"--tree={self.tree}", "remove", "septet")
        self.assertEqual([names for _, _, names in os.walk(self.tree) if "septet.so" in names], [])


if __name__ == "__main__":
    unittest.main()
