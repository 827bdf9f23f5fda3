# SPDX-License-Identifier: MIT
"""What the command reports of an uncaught error."""

import re
import unittest

import harness

AROUND = {
    "timeout": "task.timeout(1, fails)",
    "move_on_after": "task.move_on_after(1, fails)",
    "shield": "task.shield(fails)",
    "cleanup": "task.cleanup(1, fails)",
    "group": "task.group(fails)",
    "a group that is a variable": "do local g <close> = task.group() fails() end",
    "a task of a group": "task.group(function(g) g:spawn(fails) end)",
    "gather": "task.gather { fails }",
    "race": "task.race { fails }",
    "await": "task.spawn(fails):await()",
    "var:with": "task.var():with(1, fails)",
    "semaphore:with": "sync.semaphore(1):with(fails)",
    "lock:with": "sync.lock():with(fails)",
    "generator": "for _ in task.generator(fails) do end",
}

SCRIPT = """local task, sync = require 'septet.task', require 'septet.sync'
local function deep() error(%s, 0) end
local function fails() deep() return nil end
%s
task.sleep(0.05)
"""

ERRORS = {"'config missing'": "config missing",
          "42": "42",
          "{}": "(error object is a table value)",
          "select(2, pcall(task.sleep, -1))": "seconds cannot be negative"}

STRANGE = ("function() error 'boom' end", "function() return nil end", "function() return {} end",
           "function() require 'septet.task'.sleep(1) end", "7")


class Reports(harness.Case):
    def report(self, source, *options, status=1):
        self.write("s.lua", source)
        result = self.septet(*options, "s.lua")
        self.assertEqual(result.status, status, result)
        return result.err

    def test_frames_behind_functions_of_ours(self):
        """T-F: the report of an uncaught error shows the frames that raised it"""
        for place, call in AROUND.items():
            for error, words in ERRORS.items():
                with self.subTest(place=place, error=error):
                    err = self.report(SCRIPT % (error, call))
                    if "group" not in place or error != "{}":
                        self.assertIn(words, err)
                    self.assertRegex(err, r"s\.lua:2: in \w+ '?deep|s\.lua:2: in function <")
                    self.assertRegex(err, r"s\.lua:3: in ")
                    self.assertNotIn("\t[septet.", err)
                    self.assertEqual(err.count("s.lua:2: in "), 1, err)

    def test_frames_of_an_unhandled_task(self):
        """T-F: the report of an error in a task that is never awaited shows the frames of what
        raised it"""
        for place, call in AROUND.items():
            with self.subTest(place=place):
                err = self.report(SCRIPT % ("'lost'", "task.spawn(function() %s end)" % call))
                self.assertIn("unhandled error in task 's.lua:4#2': ", err)
                self.assertRegex(err, r"s\.lua:2: in ")

    def test_awaits_are_shown(self):
        """T-F: the report says where and in which task the error was raised, and where it was
        awaited"""
        err = self.report(SCRIPT % ("'lost'", "task.spawn(fails):await()"))
        self.assertRegex(
            err,
            re.compile(
                r"^septet: lost\nstack traceback:\nraised at, in task"
                r" 's\.lua:3#2':\n(\t.*\n)*\ts\.lua:2: in .*\n(\t.*\n)*"
                r"awaited at, in task 'main':\n(\t.*\n)*\ts\.lua:4: in main chunk\n",
                re.M,
            ),
        )

    def test_own_frames_on_request(self):
        """T-F: -v shows the frames of Septet's own modules"""
        err = self.report(SCRIPT % ("'lost'", "task.timeout(1, fails)"), "-v")
        self.assertIn("\t[septet.task.blocks]:", err)

    def test_timeout(self):
        """T-F: the report of an uncaught Timeout says what the task waited for"""
        err = self.report(
            SCRIPT % ("1", "task.timeout(0.01, function() task.sleep(9) return nil end)")
        )
        self.assertRegex(err, r"^septet: timed out after 0\.01 s\nstack traceback:\n"
                              r"\t\[C\]: in function 'task\.sleep'\n\ts\.lua:4: in ")

    def test_stray(self):
        """T-R: a stray Cancelled is reported with its place"""
        err = self.report("""local task = require 'septet.task'
local kept
local t = task.spawn(function() kept = select(2, pcall(task.sleep, 1)) end)
task.sleep(0)
t:cancel()
task.wait { t }
error(kept)
""")
        self.assertRegex(
            err, r"^septet: stray Cancelled\nstack traceback:\n(\t.*\n)*\ts\.lua:7: in main chunk\n"
        )

    def test_errors_without_words(self):
        """T-R: an error without a message is reported like lua5.4 does, with its task and
        traceback"""
        for to_string in STRANGE:
            error = "setmetatable({}, { __tostring = %s })" % to_string
            for place in (
                "fails()", "task.spawn(fails)", "task.spawn(fails):await()",
                "task.timeout(1, fails)",
            ):
                with self.subTest(to_string=to_string, place=place):
                    err = self.report(SCRIPT % (error, place))
                    self.assertIn("(error object is a table value)\nstack traceback:\n", err)
                    self.assertRegex(err, r"s\.lua:2: in ")
                    self.assertNotIn("on_unhandled", err)
                    if place == "task.spawn(fails)":
                        self.assertIn("unhandled error in task 's.lua:3#2': (error", err)

    def test_blame(self):
        """X-8: the report blames a script's hook for what it raised itself, and for nothing else"""
        hook = "task.on_unhandled = function(_, err) %s end\n"
        error = "setmetatable({}, { __tostring = function() error 'boom' end })"
        err = self.report(
            SCRIPT.replace("local function deep", hook % "told = true" + "local function deep")
            % (error, "task.spawn(fails)"),
            status=0,
        )
        self.assertEqual(err, "")
        err = self.report(
            SCRIPT.replace("local function deep", hook % "error(err)" + "local function deep")
            % (error, "task.spawn(fails)")
        )
        self.assertIn(
            "septet: warning: task.on_unhandled failed: (error object is a table value)\n", err
        )
        self.assertIn(
            (
                "unhandled error in task 's.lua:4#2': (error object is a table value)\nstack"
                " traceback:\n"
            ),
            err,
        )


if __name__ == "__main__":
    unittest.main()
