# SPDX-License-Identifier: MIT
"""tools/check_hardening.py: the build is hardened, and a build that lacks a protection is
reported."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

import harness

TOOL = os.path.join(harness.ROOT, "tools", "check_hardening.py")
BUILD = os.path.dirname(os.path.abspath(os.environ["SEPTET"]))

PROGRAM = """
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    char text[20000];
    strcpy(text, argv[0]);
    return printf("%s %d", text, argc) < 0;
}
"""
COMPILE = [
    "-O2", "-fPIE", "-fstack-protector-strong", "-fstack-clash-protection", "-fcf-protection",
    "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2",
]
LINK = ["-pie", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack"]
# The reports of a program that is built with other flags.
WITHOUT = {
    "pie": ["-no-pie"],
    "relro": ["-Wl,-z,lazy"],
    "stack": ["-Wl,-z,execstack"],
    "canary": ["-fno-stack-protector"],
    "fortify": ["-U_FORTIFY_SOURCE"],
    "clash": ["-fno-stack-clash-protection"],
    "cet": ["-fcf-protection=none"],
}


def cached(name):
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as file:
        return re.search("^%s:[A-Z]+=(.*)$" % name, file.read(), re.MULTILINE).group(1)


def check(*arguments):
    done = subprocess.run(
        [sys.executable, TOOL, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


class Hardening(unittest.TestCase):
    def build(self, *more):
        folder = tempfile.TemporaryDirectory(prefix="septet-hardening-")
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "program")
        subprocess.run(
            [cached("CMAKE_C_COMPILER"), "-x", "c", "-", "-o", path, *COMPILE, *LINK, *more],
            input=PROGRAM, text=True, check=True, capture_output=True,
        )
        return path

    def test_what_was_built(self):
        """H-21: the built program and library are hardened; fortify only if the compiler
        optimises"""
        plain = cached("CMAKE_BUILD_TYPE") == "Debug" or cached("SEPTET_SANITIZE") != ""
        self.assertEqual(check(*(["--without=fortify"] if plain else []), BUILD), (0, ""))

    def test_nothing_lacks(self):
        """H-21: a program that is built with every protection passes"""
        self.assertEqual(check(self.build()), (0, ""))

    def test_each_is_found(self):
        """H-21: a program that is built without one protection is reported, with its name"""
        for name, flags in WITHOUT.items():
            with self.subTest(name):
                path = self.build(*flags)
                self.assertEqual(check(path), (1, "%s: there is no '%s'\n" % (path, name)))

    def test_a_file_that_is_not_initialised_is_found(self):
        """H-21: a file of the library that was compiled without zeroed locals is reported"""
        with tempfile.TemporaryDirectory(prefix="septet-hardening-") as folder:
            for name in ("septet", "libseptet.so"):
                os.symlink(os.path.join(BUILD, name), os.path.join(folder, name))
            compiler = cached("CMAKE_C_COMPILER")
            with open(os.path.join(folder, "compile_commands.json"), "w", encoding="utf-8") as file:
                file.write('[{"command": "%s -c a.c", "file": "/src/a.c"}]' % compiler)
            status, out = check("--without=fortify", folder)
            self.assertEqual((status, out), (1, "/src/a.c: compiled without 'init'\n"))


if __name__ == "__main__":
    unittest.main()
