# SPDX-License-Identifier: MIT
"""septet test: files of Lua's own io that a test leaves open."""

import re
import unittest

import harness

LEFT = (  # the body of a test, and what its report calls what is left
    ("kept = io.open 'a.txt'", "a file of io.open"),
    ("kept = { io.open 'a.txt', 1 }", "a file of io.open"),
    ("package.loaded.kept = io.open('a.txt', 'a')", "a file of io.open"),
    ("local open = io.open kept = coroutine.wrap(function() return open 'a.txt' end)()",
     "a file of io.open"),
    ("kept = io.popen 'true'", "a program of io.popen"),
    ("kept = io.tmpfile()", "a file of io.tmpfile"),
)
CLOSED = (
    "local file = io.open 'a.txt'",
    "kept = io.open 'a.txt' kept:close()",
    "local file <close> = io.open 'a.txt' kept = file",
    "io.popen('true'):close()",
    "io.open('a.txt'):read 'a'",
    "for _ in io.lines 'a.txt' do break end",
    "kept = { io.open 'none' }",
    "outer:read 'a'",
    "kept = { io.open, io.stdout, io.input(), io.output() }",
)


class Files(harness.Case):
    def setUp(self):
        super().setUp()
        self.write("a.txt", "a\n")

    def run_bodies(self, bodies):
        self.write("a_spec.lua", "local outer = io.open 'a.txt'\n" + "".join(
            "it('%d', function() %s end)\n" % item for item in enumerate(bodies)))
        return self.septet("test", "--slowest=0")

    def test_one_that_a_variable_holds_is_a_leak(self):
        result = self.run_bodies([body for body, _ in LEFT])
        told = re.findall(r"left behind:\n +(.*) was left open, made at (.*)\n", result.out)
        self.assertEqual(told, [(kind, "a_spec.lua:%d" % (i + 2))
                                for i, (_, kind) in enumerate(LEFT)], result)

    def test_one_that_the_collector_closes_is_none(self):
        result = self.run_bodies(CLOSED)
        self.assertEqual(result.status, 0, result)

    def test_errors_of_the_functions_name_the_line_of_the_test(self):
        self.write("a_spec.lua", "it('a', function() io.open() end)\n"
                   "it('b', function()\nio.open('a.txt', 'no mode') end)\n")
        result = self.septet("test")
        self.assertIn("a_spec.lua:1: bad argument #1 to 'open' (string expected, got no value)\n",
                      result.out)
        self.assertIn("a_spec.lua:3: bad argument #2 to 'open' (invalid mode)\n", result.out)

    def test_leaks_allows_it(self):
        self.write("a_spec.lua",
                   "it('a', { leaks = true }, function() kept = io.open 'a.txt' end)\n")
        self.assertEqual(self.septet("test").status, 0)


if __name__ == "__main__":
    unittest.main()
