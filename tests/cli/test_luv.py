# SPDX-License-Identifier: MIT
"""luv at the end of a run: what a script leaves open, os.exit, an interrupt, an error."""

import signal
import unittest

import harness

LEFT = """
io.stdout:setvbuf 'no'
local task, uv = require 'septet.task', require 'luv'
local function none() end
local timer = uv.new_timer() timer:start(60000, 0, none)
local server = uv.new_tcp() server:bind('127.0.0.1', 0) server:listen(8, none)
local client = uv.new_tcp() client:connect('127.0.0.1', server:getsockname().port, none)
client:write(('x'):rep(1000000))
uv.new_udp():recv_start(none)
uv.new_fs_event():start('.', {}, none)
local async = uv.new_async(none)
uv.fs_stat('.', none) uv.fs_scandir('.', none) uv.getaddrinfo('localhost', nil, nil, none)
uv.new_work(function() for i = 1, 3e6 do end return 1 end, none):queue()
uv.new_timer():close()
"""

LATER = "local later = uv.new_timer() later:start(5, 0, function() %s end) task.future():await()"


class Luv(harness.Case):
    HEAD = LEFT

    def test_handles_left_open_end_with_the_script(self):
        self.check(self.lua("print 'end'"), out="end\n")

    def test_an_error_and_an_exit_end_them(self):
        self.check(self.lua("error 'x'"), 1, err=None)
        for close in "", ", true":
            for code in "os.exit(3%s)", LATER % "os.exit(3%s)":
                with self.subTest(code=code % close):
                    self.check(self.lua(code % close), 3)

    def test_an_exit_leaves_alone_what_threads_of_the_pool_compute(self):
        """The states of these threads were asked for their owner while they ran."""
        work = "for i = 1, 3e5 do t[i % 100] = {} end"
        self.HEAD = "local uv = require 'luv'\n"
        self.check(self.lua("""for i = 1, 4 do
  uv.new_work(function() local t = {} %s end, print):queue()
end
os.exit(3)""" % work), 3)

    def test_an_interrupt_ends_them(self):
        loop = LATER % "print 'ready' while true do end"
        for code in "print 'ready' task.future():await()", loop:
            for number in signal.SIGINT, signal.SIGTERM:
                with self.subTest(code=code, number=number):
                    child = self.start(self.write("s.lua", LEFT + code))
                    child.expect("ready")
                    child.kill(number)
                    self.assertEqual(child.end().status, -number)

    def test_a_failed_callback_fails_the_run_with_its_traceback(self):
        code = "local function culprit() error 'broken' end " + LATER % "culprit()"
        result = self.lua(code.replace("task.future():await()", "task.sleep(0.05)"))
        self.check(result, 1, err=None)
        self.assertIn("unhandled error in task 'callback of luv': s.lua:", result.err)
        self.assertRegex(result.err, "broken\nstack traceback:\n(.*\n)*.*culprit")

    def test_a_future_that_nothing_sets_is_a_deadlock_at_its_line(self):
        self.HEAD = ""
        result = self.lua("""local task, uv = require 'septet.task', require 'luv'
uv.new_timer():start(5, 0, print)
task.future():await()""")
        self.check(result, 4, out="\n", err=None)
        self.assertIn("made at s.lua:3", result.err)

    def test_a_missing_luv_is_told_as_require_does(self):
        result = self.septet("-e", "package.cpath = './?.none' require 'luv'")
        self.check(result, 1, err=None)
        self.assertIn("module 'luv' not found:", result.err)
        self.assertIn("no file './luv.none'", result.err)


if __name__ == "__main__":
    unittest.main()
