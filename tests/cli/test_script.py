# SPDX-License-Identifier: MIT
"""The script: its source, its arguments, and the reports of its errors."""

import os
import re
import unittest

import harness

SHOW = "print(arg[-3], arg[-2], arg[-1], arg[0], arg[1], arg[2], #arg, ...)"


class Arguments(harness.Case):
    def show(self, *args, **kwargs):
        result = self.septet(*args, **kwargs)
        self.check(result, out=None)
        return [None if word == "nil" else word for word in result.out.rstrip("\n").split("\t")]

    def setUp(self):
        super().setUp()
        self.write("s.lua", SHOW)

    def test_none(self):
        self.assertEqual(self.show("s.lua"),
                         [None, None, harness.SEPTET, "s.lua", None, None, "0"])

    def test_some(self):
        self.assertEqual(self.show("s.lua", "a", "", "-c"),
                         [None, None, harness.SEPTET, "s.lua", "a", "", "3", "a", "", "-c"])

    def test_what_stands_before_the_script(self):
        self.assertEqual(self.show("-e", "x = 1", "s.lua", "a"),
                         [harness.SEPTET, "-e", "x = 1", "s.lua", "a", None, "1", "a"])

    def test_after_two_dashes(self):
        self.assertEqual(self.show("--", "s.lua", "a"),
                         [None, harness.SEPTET, "--", "s.lua", "a", None, "1", "a"])

    def test_two_dashes_after_the_script(self):
        self.assertEqual(self.show("s.lua", "--", "a"),
                         [None, None, harness.SEPTET, "s.lua", "--", "a", "2", "--", "a"])

    def test_dash_is_stdin_with_arguments(self):
        self.assertEqual(self.show("-", "a", stdin=SHOW),
                         [None, None, harness.SEPTET, "-", "a", None, "1", "a"])

    def test_stdin_without_dash(self):
        self.assertEqual(self.show(stdin=SHOW),
                         [None, None, None, harness.SEPTET, None, None, "0"])
        self.assertEqual(self.show("-W", stdin=SHOW),
                         [None, None, None, harness.SEPTET, "-W", None, "1"])

    def test_dash_after_two_dashes_is_a_file(self):
        self.write("-", "print 'the file'")
        self.check(self.septet("--", "-", stdin="print 'stdin'"), out="the file\n")

    def test_arg_may_be_changed_before(self):
        change = "arg[1] = 'new' arg[2] = nil"
        self.assertEqual(self.show("-e", change, "s.lua", "a", "b"),
                         [harness.SEPTET, "-e", change, "s.lua", "new", None, "1", "new"])

    def test_arg_must_stay_a_table(self):
        self.check(self.septet("-e", "arg = nil", "s.lua"), 1,
                   err="septet: 'arg' is not a table\n")


class Source(harness.Case):
    def test_top_level_awaits(self):
        self.write("s.lua", "local task = require 'septet.task'\ntask.sleep(0.01)\nprint 'slept'\n")
        self.check(self.septet("s.lua"), out="slept\n")

    def test_closed_standard_descriptors_are_taken_by_nothing(self):
        script = (
            "local read, why, code = io.read(); print(read, why, code) require"
            " 'septet.task'.sleep(0.01) print 'slept'"
        )
        result = self.septet(argv=["sh", "-c", 'exec "$0" -e "$1" <&-', harness.SEPTET, script])
        self.check(result, out="nil\tBad file descriptor\t9\nslept\n")
        result = self.septet(argv=["sh", "-c", 'exec "$0" -e "$1" <&- >&- 2>&-', harness.SEPTET,
                                   "require 'septet.task'.sleep(0.01) os.exit(7)"])
        self.check(result, status=7)

    def test_stdin_awaits(self):
        self.check(self.septet(stdin="require 'septet.task'.sleep(0.01) print 'slept'"),
                   out="slept\n")

    def test_shebang(self):
        path = self.write("s", "#!%s\nprint(arg[0], ...)\n" % harness.SEPTET, 0o755)
        self.check(self.septet(argv=[path, "a", "-z"]), out="%s\ta\t-z\n" % path)

    def test_shebang_through_env(self):
        link = os.path.join(self.dir, "septet")
        os.symlink(harness.SEPTET, link)
        path = self.write("s", "#!/usr/bin/env septet\nprint(...)\n", 0o755)
        self.check(self.septet(argv=[path, "a"], env={"PATH": self.dir + ":" + os.environ["PATH"]}),
                   out="a\n")

    def test_missing_file(self):
        result = self.septet("nofile.lua")
        self.check(result, 1, err=re.compile(r"septet: cannot open nofile\.lua"))
        self.assertEqual(len(result.err.splitlines()), 1)

    def test_a_folder(self):
        result = self.septet(self.dir)
        self.assertEqual((result.status, result.out), (1, ""))
        self.assertIn("septet: cannot read " + self.dir, result.err)

    def test_does_not_compile(self):
        self.write("s.lua", "local x = 1\nx x\n")
        self.check(self.septet("s.lua"), 1, err="septet: s.lua:2: syntax error near 'x'\n")

    def test_stdin_that_does_not_compile(self):
        self.check(self.septet("-", stdin="x x"), 1,
                   err="septet: stdin:1: syntax error near 'x'\n")

    def test_results_are_ignored(self):
        self.write("s.lua", "return 3, 'x'")
        self.check(self.septet("s.lua"))

    def test_stdlib_stays_stock(self):
        self.write("s.lua", """
            local line = io.read()
            io.write(line, "\\n")
            print(coroutine.wrap(function() coroutine.yield(1) end)())
            print((select(2, io.open("nofile"))))
        """)
        self.check(self.septet("s.lua", stdin="from stdin\nmore\n"),
                   out="from stdin\n1\nnofile: No such file or directory\n")


class Errors(harness.Case):
    def fails(self, source, pattern):
        self.write("s.lua", source)
        result = self.septet("s.lua")
        self.check(result, 1, err=re.compile(pattern))
        return result.err

    def test_message_and_traceback(self):
        self.fails("local function f()\n  error 'boom'\nend\nf()\n",
                   r"septet: s\.lua:2: boom\nstack traceback:\n(\t.*\n)*"
                   r"\ts\.lua:2: in local 'f'\n\ts\.lua:4: in main chunk\n")

    def test_traceback_spans_awaits(self):
        self.fails("""local task = require 'septet.task'
local function inner() task.sleep(0) error 'boom' end
local function outer() inner() task.sleep(0) end
task.sleep(0)
outer()
""", r"septet: s\.lua:2: boom\nstack traceback:\n(\t.*\n)*\ts\.lua:2: in upvalue 'inner'\n"
     r"\ts\.lua:3: in local 'outer'\n\ts\.lua:5: in main chunk\n")

    def test_error_after_await_in_a_callee_of_pcall(self):
        self.write("s.lua", """local task = require 'septet.task'
print(pcall(function() task.sleep(0) error('caught', 0) end))""")
        self.check(self.septet("s.lua"), out="false\tcaught\n")

    def test_error_without_position(self):
        self.fails("error('plain', 0)", r"septet: plain\nstack traceback:\n")

    def test_error_object_with_tostring(self):
        self.fails("error(setmetatable({}, {__tostring = function() return 'as text' end}))",
                   r"septet: as text\n")

    def test_error_object_without(self):
        self.fails("error {}", r"septet: .*table")

    def test_error_nil(self):
        self.fails("error(nil)", r"septet: .*nil")

    def test_error_of_a_task_that_is_awaited(self):
        err = self.fails("""local task = require 'septet.task'
task.spawn(function() task.sleep(0) error('once', 0) end):await()""", r"septet: once\n")
        self.assertEqual(err.count("once"), 1)

    def test_error_of_a_task_that_nobody_awaits(self):
        self.fails("""local task = require 'septet.task'
task.spawn(function() error('lost', 0) end)
task.sleep(0)""", r"septet: unhandled error in task '[^'\n]+': lost\nstack traceback:\n")

    def test_the_others_go_on(self):
        self.write("s.lua", """local task = require 'septet.task'
local other = task.spawn(function() task.sleep(0.02) print 'other' end)
task.spawn(function() error('lost', 0) end)
other:await()
print 'main'""")
        self.check(self.septet("s.lua"), 1, out="other\nmain\n",
                   err=re.compile(r"septet: unhandled error in task '[^'\n]+': lost\n"))

    def test_await_outside_a_task_is_named(self):
        self.fails("local task = require 'septet.task'\n"
                   "table.sort({3, 2, 1}, function(a, b) task.sleep(0) return a < b end)",
                   r"septet: s\.lua:2: .*sort")


class Exit(harness.Case):
    def test_later_failures_of_a_gather_are_told_and_count_for_nothing(self):
        for options in "{}", "{ limit = 2 }":
            result = self.septet("-e", """
                local task = require 'septet.task'
                pcall(task.gather, {
                  function() pcall(task.sleep, math.huge) error('late', 0) end,
                  function() task.sleep(0.01) error('first', 0) end,
                }, %s)""" % options)
            self.check(
                result, 0, err=re.compile(r"septet: unhandled error in task '[^'\n]+': late\n")
            )

    def test_codes(self):
        for args, status in (("", 0), ("0", 0), ("3", 3), ("true", 0), ("false", 1), ("-1", 255),
                             ("7, false", 7), ("0, true", 0), ("3, true", 3), ("true, true", 0),
                             ("false, true", 1)):
            self.check(self.septet("-e", "io.write 'before' os.exit(%s) print 'after'" % args),
                       status, out="before")

    def test_bad_code(self):
        self.check(self.septet("-e", "os.exit {}"), 1, err=re.compile(
            r"septet: .*bad argument #1 to 'exit' \(number expected, got table\)\n"))

    def test_ends_what_would_follow(self):
        self.write("s.lua", "print 'script'")
        self.check(self.septet("-e", "os.exit(0)", "s.lua"))
        self.check(self.septet("-e", "os.exit(0, true)", "s.lua"))

    def test_at_once_unwinds_nothing(self):
        self.check(self.septet("-e", """
            local x <close> = setmetatable({}, {__close = function() print 'closed' end})
            os.exit(4)"""), 4)

    def test_closing_unwinds_first(self):
        self.check(self.septet("-e", """
            local x <close> = setmetatable({}, {__close = function() print 'closed' end})
            setmetatable({}, {__gc = function() print 'collected' end})
            os.exit(4, true)"""), 4, out="closed\ncollected\n")

    def test_closing_unwinds_every_task(self):
        self.write("s.lua", """local task = require 'septet.task'
local function closing(name)
  return setmetatable({}, {__close = function() print(name) end})
end
local x <close> = closing 'main'
task.spawn(function() local y <close> = closing 'sleeper' task.sleep(1e6) end)
task.spawn(function() local z <close> = closing 'caller' os.exit(5, true) print 'after' end)
task.sleep(1e6)
print 'after'
""")
        result = self.septet("s.lua")
        self.check(result, 5, out=None)
        self.assertEqual(sorted(result.out.split()), ["caller", "main", "sleeper"])

    def test_closing_passes_pcall(self):
        self.check(self.septet("-e", "pcall(os.exit, 6, true)"), 6)

    def test_closing_from_a_finalizer_at_the_end(self):
        self.check(self.septet("-e", "setmetatable({}, {__gc = function() os.exit(8, true) end})"),
                   8)

    def test_a_main_task_that_was_cancelled_has_not_done_its_work(self):
        result = self.septet("-e", """
local task = require 'septet.task'
task.current():cancel 'enough'
task.sleep(1)
print 'after'""")
        self.check(result, 1, err=None)
        self.assertIn("cancelled: enough", result.err)

    def test_a_background_task_that_absorbs_its_end_is_abandoned(self):
        result = self.septet("-e", """
local task = require 'septet.task'
task.background(function() while true do pcall(task.sleep, 1) end end)
task.sleep(0.001)""")
        self.assertEqual(result.status, 1, result)
        self.assertIn("abandoned", result.err)

    def test_a_handler_that_fails_loses_nothing_of_what_it_was_told(self):
        result = self.septet("-e", """
local task = require 'septet.task'
task.on_unhandled = function() error 'oops' end
task.spawn(function() error 'boom' end)
task.sleep(0.001)""")
        self.assertEqual(result.status, 1, result)
        self.assertIn("boom", result.err)
        self.assertIn("task.on_unhandled failed: (command line):3: oops", result.err)


if __name__ == "__main__":
    unittest.main()
