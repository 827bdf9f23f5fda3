# SPDX-License-Identifier: MIT
"""Tests of docs/c-api.md, and that nothing public is without a test or an example."""

import glob
import os
import re
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(ROOT, "tools", "c_reference.py")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def functions():
    """Returns the names of the functions that the headers declare."""
    names = []
    for header in ("septet.h", "op.h"):
        text = re.sub(r"/\*.*?\*/", "", read("include", "septet", header), flags=re.S)
        names += re.findall(r"SEPTET_API [^;(]*?\b(septet_\w+)\(", text)
    return names


class Reference(unittest.TestCase):
    def test_is_made_from_the_headers(self):
        done = subprocess.run([sys.executable, TOOL, "--check"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_has_each_function(self):
        page = read("docs", "c-api.md")
        self.assertGreater(len(functions()), 20)
        for name in functions():
            with self.subTest(name):
                self.assertTrue(re.search(rf"#### .*`{name}`", page))

    def test_each_function_is_called_by_a_test_or_an_example(self):
        code = ""
        for pattern in ("tests/**/*.[ch]", "examples/*.c*"):
            for path in glob.glob(os.path.join(ROOT, pattern), recursive=True):
                code += read(path)
        for name in functions():
            with self.subTest(name):
                self.assertTrue(re.search(rf"\b{name}\(", code))


if __name__ == "__main__":
    unittest.main()
