# SPDX-License-Identifier: MIT
"""tools/abi.py: the interface is the one that was written down, and a change of it is seen."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from installed import BUILD, ROOT

sys.path.insert(0, os.path.join(ROOT, "tools"))
import abi  # noqa: E402

LIBRARY = os.path.join(BUILD, "libseptet.so")
# What breaks a program, as a text of septet.h and what takes its place.
BREAKS = {
    "a member of another type": ("    uint32_t slow_ms;", "    uint64_t slow_ms;"),
    "a member in the middle": ("    uint32_t slow_ms;", "    uint32_t slow_ms; uint64_t more;"),
    "a member before another of a struct without a size": (
        "    int is_main;", "    int more[2]; int is_main;"),
    "a parameter more": (
        "septet_tasks(const septet_host *host);", "septet_tasks(const septet_host *host, int n);"),
    "a callback with another parameter": ("(*permit)(void *ud, int", "(*permit)(void *ud, long"),
    "a status of another value": ("XX(ENOMEM, -1,", "XX(ENOMEM, -101,"),
    "constants in another order": (
        "SEPTET_CLOCK_REAL, SEPTET_CLOCK_VIRTUAL", "SEPTET_CLOCK_VIRTUAL, SEPTET_CLOCK_REAL"),
    "a function less": ("SEPTET_API size_t septet_tasks(const septet_host *host);", ""),
}
KEEPS = {
    "a member at the end": ("    int processes;",
                            "    int processes; uint64_t more; int most;"),
    "a function more": ("SEPTET_API size_t septet_tasks(",
                        "SEPTET_API int septet_more(void);\nSEPTET_API size_t septet_tasks("),
    "a constant more": ("SEPTET_CLOCK_MANUAL }", "SEPTET_CLOCK_MANUAL, SEPTET_CLOCK_MORE }"),
}


class Interface(unittest.TestCase):
    def test_the_library_exports_what_is_listed(self):
        self.assertEqual(list(abi.check_symbols(LIBRARY)), [])

    def test_the_list_is_what_the_headers_declare(self):
        with open(abi.SYMBOLS, encoding="utf-8") as file:
            self.assertEqual(set(file.read().split()), set(abi.declared()))

    def test_the_types_are_those_that_were_written_down(self):
        self.assertEqual(list(abi.check_types()), [])


class Changes(unittest.TestCase):
    """The tool itself, on a copy of the headers."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="septet-abi-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        for name in ("tools/abi.py", "include/septet/septet.h", "include/septet/op.h"):
            path = os.path.join(self.root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shutil.copy(os.path.join(ROOT, name), path)
        self.abi("write")

    def abi(self, *arguments):
        done = subprocess.run([sys.executable, os.path.join(self.root, "tools", "abi.py"),
                               *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        return done.returncode, done.stdout

    def changed(self, old, new):
        path = os.path.join(self.root, "include", "septet", "septet.h")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(text.count(old), 1, old)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))
        result = self.abi("check")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return result

    def test_what_breaks_a_program_is_found(self):
        for what, (old, new) in BREAKS.items():
            with self.subTest(what):
                status, out = self.changed(old, new)
                self.assertEqual(status, 1, out)
                self.assertIn("hanged", out)

    def test_what_breaks_none_passes(self):
        for what, (old, new) in KEEPS.items():
            with self.subTest(what):
                self.assertEqual(self.changed(old, new), (0, ""))

    def test_a_library_that_lacks_a_function_or_has_another_is_found(self):
        path = os.path.join(self.root, "tests", "package", "abi", "symbols.txt")
        with open(path, "a", encoding="utf-8") as file:
            file.write("septet_missing\n")
        with open(path, encoding="utf-8") as file:
            names = file.read().replace("septet_new\n", "")
        with open(path, "w", encoding="utf-8") as file:
            file.write(names)
        status, out = self.abi("check", LIBRARY)
        self.assertEqual(status, 1)
        self.assertIn("'septet_new' is exported, and not in symbols.txt", out)
        self.assertIn("'septet_missing' is in symbols.txt, and not exported", out)


if __name__ == "__main__":
    unittest.main()
