# SPDX-License-Identifier: MIT
"""What the command says of errors and of what a script leaves behind."""

import re
import unittest

import harness


class Words(harness.Case):
    def errors(self, code):
        """Returns the standard error of a script."""
        return self.septet(self.write("words.lua", code)).err

    def test_an_error_without_words_shows_its_fields(self):
        """X-12: the fields of a table that is no text are shown, one level deep"""
        for value, words in {
            "{ code = 5 }": "(error object is a table value): { code = 5 }",
            "{ b = true, a = 'x', c = {}, 7 }": (
                "(error object is a table value): { a = x, b = true, c = table }"
            ),
            "{}": "(error object is a table value)",
            "{ 1, 2 }": "(error object is a table value)",
            "setmetatable({ code = 5 }, {})": "(error object is a table value): { code = 5 }",
        }.items():
            self.assertEqual(self.errors("error(%s)" % value).splitlines()[0], "septet: " + words)

    def test_many_fields_are_cut(self):
        """X-12: eight fields are shown, in the order of their names"""
        err = self.errors(
            "local t = {} for i = 1, 50 do t[('f%02d'):format(i)] = i end error(t)"
        ).splitlines()[0]
        self.assertEqual(err, "septet: (error object is a table value): { %s }" %
                         ", ".join("f%02d = %d" % (i, i) for i in range(1, 9)))

    def test_a_task_that_is_lost_to_a_failure_is_no_cause(self):
        """X-12: the failure of the main task is reported, not the tasks that never ran"""
        err = self.errors("require 'septet.task'.spawn(print) error 'broken'")
        self.assertRegex(err, r"^septet: [^ ]*words\.lua:1: broken\n")
        self.assertNotIn("before it ran", err)
        self.assertIn("before it ran", self.errors("require 'septet.task'.spawn(print)"))

    def test_an_error_of_files_says_where(self):
        """X-12: the report of an IoError names the line of the script"""
        for call in "open '/nowhere/at/all'", "create '/nowhere/at/all'":
            err = self.errors("\nrequire 'septet.io'." + call)
            self.assertRegex(
                err,
                r"^septet: cannot open '/nowhere/at/all': no such file or directory\n"
                r"stack traceback:\n(.*\n)*\t[^ ]*words\.lua:2: ",
            )

    def test_a_time_limit_says_what_passed(self):
        """X-12: a time limit names its seconds, itself, and what the request did"""
        code = """local http = require "septet.http"
            local origin = os.getenv "SEPTET_ORIGIN" or error "no origin"
            print(pcall(http.get, origin .. "/stall", { timeout = { first_byte = 0.05 } }))
            print(pcall(http.get, origin .. "/stall", { timeout = 0.05 }))"""
        out = self.septet(self.write("words.lua", code)).out
        self.assertRegex(
            out,
            re.compile(
                r"timed out after 0\.05 s \(first_byte\) while waiting for the first byte.*"
                r"timed out after 0\.05 s \(total\) while ",
                re.S,
            ),
        )


if __name__ == "__main__":
    unittest.main()
