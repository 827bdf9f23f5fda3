# SPDX-License-Identifier: MIT
"""docs/man/septet.1: it is well formed, and describes what --help lists."""

import os
import re
import subprocess
import unittest

from installed import ROOT, run

PAGE = os.path.join(ROOT, "docs", "man", "septet.1")


class Man(unittest.TestCase):
    def test_mandoc_finds_no_fault(self):
        run("mandoc", "-Tlint", "-Wwarning", PAGE)

    def test_it_describes_the_options_of_help_in_their_order(self):
        text = run(os.environ["SEPTET"], "--help")
        columns = re.findall(r"^  (-.*?)  ", text, re.M)
        listed = [name for column in columns for name in re.findall(r"(?:^| )(--?[\w-]*)", column)]
        self.assertGreater(len(listed), 12)
        with open(PAGE, encoding="utf-8") as file:
            items = re.findall(r"^\.It Fl ?(.*)$", file.read(), re.M)
        described = ["-" + re.match(r"-?[\w-]*", item).group(0) for item in items
                     if item != "l Ar g Ns = Ns Ar mod"]
        self.assertEqual(described, listed)

    def test_it_describes_each_status_of_help(self):
        text = run(os.environ["SEPTET"], "--help").partition("Exit status:")[2]
        with open(PAGE, encoding="utf-8") as file:
            page = file.read().partition(".Sh EXIT STATUS")[2].partition(".Sh ")[0]
        self.assertEqual(re.findall(r"^\.It (\d+)$", page, re.M), re.findall(r"\b(\d+) ", text))

    def test_a_reader_sees_its_sections(self):
        shown = subprocess.run(["mandoc", "-Tutf8", PAGE], capture_output=True, text=True,
                               check=True).stdout
        text = re.sub(".\b", "", shown)
        for title in ("NAME", "SYNOPSIS", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES"):
            self.assertIn(f"\n{title}\n", text)


if __name__ == "__main__":
    unittest.main()
