# SPDX-License-Identifier: MIT
"""septet test: what tests print, and texts of any bytes, in the reports."""

import os
import re
import subprocess
import unittest
import xml.etree.ElementTree as tree

import harness

FAILS = "it('fails', function()\n%s\nerror('no', 0)\nend)\n"

# All bytes, what ends lines in YAML, characters that XML does not have, and a first line that is
# indented.
BYTES = "local t = {} for i = 0, 255 do t[i + 1] = string.char(i) end\n" \
    "local text = '   x\\n' .. table.concat(t) .. " \
    "'\\u{85}\\u{9b}\\u{2028}\\u{2029}\\u{feff}\\u{fffe}\\u{ffff}\\u{1f600}é ]]> \\27[31m\\r\\n'\n"
FORBIDDEN = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
                       "|[\u2028\u2029\ufeff]")


class Output(harness.Case):
    def run_bytes(self, *words):
        """Runs the tests. Returns what was printed as bytes."""
        return subprocess.run([harness.SEPTET, "test", "--slowest=0", *words], cwd=self.dir,
                              env=harness.environment({}), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, timeout=harness.HANG).stdout

    def printed(self, script):
        """Returns the lines that a test has printed, as its report has them."""
        self.write("a_spec.lua", FAILS % script)
        lines = self.run_bytes().decode().split("   --- it printed:\n")[1].split("\n\n0 passed")[0]
        return [line[3:] for line in lines.rstrip("\n").split("\n")]

    def test_a_long_one_keeps_its_beginning_and_its_end(self):
        lines = self.printed("for i = 1, 20000 do print('line ' .. i) end")
        middle, = [i for i, line in enumerate(lines) if "left out" in line]
        first = len(lines[:middle])
        self.assertEqual(lines[:middle], ["line %d" % i for i in range(1, first + 1)])
        last = lines[middle + 1:]
        self.assertEqual(last, ["line %d" % i for i in range(20001 - len(last), 20001)])
        missing = sum(len("line %d\n" % i) for i in range(first + 1, 20001 - len(last)))
        self.assertEqual(lines[middle], "… %d bytes left out …" % missing)
        self.assertLess(sum(map(len, lines)), 33000)
        self.assertGreater(sum(map(len, lines)), 25000)

    def test_one_long_line(self):
        first, middle, last = self.printed("io.write(('é'):rep(50000))")
        self.assertEqual((len(first), len(last)), (4096, 12288))
        self.assertEqual(middle, "… %d bytes left out …" % (100000 - 32768))

    def test_one_that_just_fits(self):
        self.assertEqual(self.printed("io.write(('x'):rep(32768))"), ["x" * 32768])
        self.assertEqual(len(self.printed("io.write(('x'):rep(32769))")), 3)

    def test_the_report_for_people_has_no_control_characters(self):
        self.write("a_spec.lua", BYTES + "it('t\\27[31m\\r\\n' .. text, function()\n"
                   "io.write(text) error(text, 0) end)\n")
        shown = self.run_bytes()
        self.assertIsNone(FORBIDDEN.search(shown.decode().replace("\u2028", "").replace(
            "\u2029", "").replace("\ufeff", "").replace("\ufffe", "").replace("\uffff", "")))
        self.assertIn(rb"t\x1b[31m\r\n   x", shown)
        self.assertIn("\\xc2\\x85\\xc2\\x9b".encode(), shown)

    def test_tap_and_junit_take_any_bytes(self):
        self.write("a_spec.lua", BYTES + "it('t' .. text, function() io.write(text)\n"
                   "error(text, 0) end)\nit('u' .. text, function() end)\n"
                   "it('skips', function() pending(text) end)\n")
        shown = self.run_bytes("--tap", "--junit=out.xml").decode()
        self.assertIsNone(FORBIDDEN.search(shown))
        lines = shown.split("\n")
        self.assertEqual([line[:8] for line in lines if not line.startswith("  ")],
                         ["TAP vers", "not ok 1", "ok 2 - u", "ok 3 - s", "1..3", ""])
        for name in "message", "output":
            at = lines.index("  %s: |2" % name)
            self.assertEqual(lines[at + 1], "       x")
            self.assertTrue(lines[at + 2].startswith("    \\x00\\x01"), lines[at + 2])
        cases = tree.parse(os.path.join(self.dir, "out.xml")).getroot()[0]
        self.assertEqual(len(cases), 3)
        self.assertIn("\\x1b[31m", cases[0].findtext("system-out"))


if __name__ == "__main__":
    unittest.main()
