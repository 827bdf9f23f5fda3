# SPDX-License-Identifier: MIT
"""./dev: which commands install what is missing, and which only name it. The packages, the compiler
and cmake are fakes, and the folder is a copy."""

import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
COMPILER = "septet-test-cc"  # which Debian's gcc brings, as far as ./dev knows
APT = """#!/bin/sh
echo "apt-get $*" >>"$CALLS"
case " $* " in
*" install "*) [ -z "$FAKE_INSTALLS" ] || ln -s "$(command -v cc)" "$FAKE_BIN/%s" ;;
esac
""" % COMPILER
SUDO = """#!/bin/sh
echo "sudo" >>"$CALLS"
exec "$@"
"""
CMAKE = """#!/bin/sh
echo "cmake $*" >>"$CALLS"
exit 7
"""
ID = """#!/bin/sh
echo "$FAKE_ID"
"""


class Dev(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="septet-dev-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.bin = os.path.join(self.root, "bin")
        self.calls_file = os.path.join(self.root, "calls")
        shutil.copy(os.path.join(ROOT, "dev"), self.root)
        os.mkdir(self.bin)
        for name, text in {"apt-get": APT, "sudo": SUDO, "cmake": CMAKE, "id": ID}.items():
            path = os.path.join(self.bin, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, 0o755)

    def dev(self, *arguments, installs=False, user=0):
        environment = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}", "CC": COMPILER,
                       "CALLS": self.calls_file, "FAKE_BIN": self.bin, "FAKE_ID": str(user),
                       "FAKE_INSTALLS": "yes" if installs else ""}
        done = subprocess.run([os.path.join(self.root, "dev"), *arguments], env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def calls(self):
        try:
            with open(self.calls_file, encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def test_these_name_what_is_missing_and_install_nothing(self):
        for command in (["build"], ["build", "debug"], ["run", "x.lua"], ["bench"], ["fuzz"],
                        ["lint"]):
            with self.subTest(command):
                status, out = self.dev(*command)
                self.assertEqual(status, 1, out)
                self.assertRegex(out, r"missing or too old .*: (.* )?gcc\b")
                self.assertRegex(out, r"run \./dev setup or this command:\n.*"
                                      r"apt-get install --no-install-recommends (.* )?gcc\b")
                self.assertEqual(self.calls(), [])

    def test_the_command_that_is_named_has_sudo_for_all_but_root(self):
        self.assertIn("dev: apt-get install ", self.dev("build")[1])
        self.assertIn("dev: sudo apt-get install ", self.dev("build", user=1000)[1])

    def test_setup_installs_what_is_missing(self):
        self.dev("setup", installs=True)
        update, install = self.calls()
        self.assertIn("update", update)
        self.assertRegex(install, r"^apt-get install .* gcc\b")

    def test_setup_needs_root(self):
        self.dev("setup", installs=True, user=1000)
        calls = self.calls()
        self.assertEqual(calls[0], "sudo")
        self.assertEqual(calls[2], "sudo")

    def test_what_is_missing_after_the_installation_fails_it(self):
        status, out = self.dev("setup")
        self.assertEqual(status, 1, out)
        self.assertRegex(out, r"still missing, or too old, after the installation: (.* )?gcc\b")

    def test_setup_takes_no_arguments(self):
        status, out = self.dev("setup", "all")
        self.assertEqual((status, out), (1, "dev: setup takes no arguments\n"))
        self.assertEqual(self.calls(), [])

    def test_demo_and_test_install_and_then_build(self):
        for command in ("demo", "test"):
            with self.subTest(command):
                status, out = self.dev(command, installs=True)
                self.assertNotEqual(status, 0, out)  # for cmake fails here
                calls = self.calls()
                self.assertRegex(calls[1], r"^apt-get install .* gcc\b", out)
                self.assertRegex(calls[2], r"^cmake -S .* --preset release\b", out)
                os.unlink(self.calls_file)
                os.unlink(os.path.join(self.bin, COMPILER))

    def test_help_lists_every_command(self):
        status, out = self.dev("help")
        self.assertEqual(status, 0)
        for command in ("demo", "test", "setup", "fuzz", "build", "run", "bench", "lint", "package",
                        "abi", "help"):
            self.assertIn(f"\n  {command} ", out)


if __name__ == "__main__":
    unittest.main()
