# SPDX-License-Identifier: MIT
"""SIGINT and SIGTERM unwind the script, wherever it is. The second signal ends the process at
once."""

import ctypes
import os
import signal
import socket
import unittest

import harness

HEAD = """
io.stdout:setvbuf 'no'
local task = require 'septet.task'
local x <close> = setmetatable({}, {__close = function() print 'closed' end})
"""

# Prints "ready" once the main task waits, since it starts only then.
ANNOUNCE = "task.spawn(function() print 'ready' end)\n"

SLEEP = HEAD + ANNOUNCE + "task.sleep(1e6) print 'after'"
SPIN = HEAD + "print 'ready' while true do end"


class Unwinds(harness.Case):
    def ends(self, source, number, *left):
        child = self.start(self.write("s.lua", source))
        child.expect("ready")
        child.kill(number)
        result = child.end()
        self.assertEqual(result.status, -number, result)
        self.assertEqual(result.out.split(), list(left), result)
        return result.err

    def test_asleep(self):
        self.ends(SLEEP, signal.SIGINT, "closed")

    def test_asleep_terminated(self):
        self.ends(SLEEP, signal.SIGTERM, "closed")

    def test_spinning(self):
        self.ends(SPIN, signal.SIGINT, "closed")

    def test_spinning_terminated(self):
        self.ends(SPIN, signal.SIGTERM, "closed")

    def test_that_lands_on_a_helpers_thread(self):
        """The system gives a signal to any thread that does not block it."""
        child = self.start(self.write("s.lua", HEAD + """
local file = require 'septet.io'.open(arg[0])
file:read(10) -- by a thread of libuv's
file:close()
print 'ready'
while true do end"""))
        child.expect("ready")
        pid = child.process.pid
        others = [int(name) for name in os.listdir("/proc/%d/task" % pid) if int(name) != pid]
        self.assertNotEqual(others, [])
        libc = ctypes.CDLL(None, use_errno=True)
        tgkill = 234 if os.uname().machine == "x86_64" else 131
        self.assertEqual(libc.syscall(tgkill, pid, others[0], signal.SIGINT), 0)
        result = child.end()
        self.assertEqual(result.status, -signal.SIGINT, result)
        self.assertEqual(result.out, "closed\n", result)

    def test_spinning_in_a_spawned_task(self):
        self.ends(HEAD + """
task.spawn(function() print 'ready' while true do end end)
task.sleep(1e6)
print 'after'""", signal.SIGINT, "closed")

    def test_spinning_in_the_background(self):
        self.ends(HEAD + """
task.background(function() print 'ready' while true do end end)
task.sleep(1e6)
print 'after'""", signal.SIGINT, "closed")

    def test_spinning_in_a_trace_hook(self):
        """A hook that spins between tasks is ended as well, and the main task with it."""
        self.ends(HEAD + """
local hooks = { request_exception = function() print 'ready' while true do end end }
local s = require 'septet.http'.session { trace = hooks }
pcall(s.get, s, 'http://127.0.0.1:1/')
task.sleep(1e6)
print 'after'""", signal.SIGINT, "closed")

    def test_sleeping_for_ever(self):
        self.ends(
            HEAD + "print 'ready' task.sleep(math.huge) print 'after'", signal.SIGINT, "closed"
        )

    def test_spinning_in_a_coroutine(self):
        self.ends(HEAD + """
coroutine.wrap(function() print 'ready' while true do end end)()""", signal.SIGINT, "closed")

    def test_spinning_over_checkpoints(self):
        self.ends(
            HEAD + "print 'ready' while true do task.checkpoint() end", signal.SIGINT, "closed"
        )

    def test_spinning_in_library_code(self):
        self.ends(HEAD + "print 'ready' while true do ('x'):rep(10) end", signal.SIGINT, "closed")

    def test_every_task_is_unwound(self):
        err = self.ends(HEAD + """
local function sleeper()
  local y <close> = setmetatable({}, {__close = function() print 'closed' end})
  task.sleep(1e6)
end
task.spawn(sleeper) task.spawn(sleeper)
""" + ANNOUNCE + "task.sleep(1e6)", signal.SIGINT, "closed", "closed", "closed")
        self.assertRegex(err, "^septet: interrupted: task #[14] .*\n$")

    def test_cleanup_cannot_await(self):
        self.ends("""
io.stdout:setvbuf 'no'
local task = require 'septet.task'
local x <close> = setmetatable({}, {__close = function()
  local ok, e = pcall(task.sleep, 1e6)
  print(ok, task.is(e, 'Cancelled'))
end})
""" + ANNOUNCE + "task.sleep(1e6)", signal.SIGINT, "false", "true")

    def test_cleanup_after_pcall(self):
        self.ends(HEAD + ANNOUNCE + """
local ok, e = pcall(task.sleep, 1e6)
print(ok, task.is(e, 'Cancelled'))
error(e, 0)""", signal.SIGINT, "false", "true", "closed")

    def test_finalizers_run(self):
        self.ends(HEAD + """
local y = setmetatable({}, {__gc = function() print 'collected' end})
""" + ANNOUNCE + "task.sleep(1e6)", signal.SIGINT, "closed", "collected")

    def test_buffered_output_is_written(self):
        self.ends("""
local task = require 'septet.task'
io.stdout:setvbuf('full', 65536)
local x <close> = setmetatable({}, {__close = function() io.write 'buffered' end})
task.spawn(function() print 'ready' io.flush() end)
task.sleep(1e6)""", signal.SIGINT, "buffered")

    def test_what_follows_is_not_run(self):
        self.write("next.lua", "print 'next'")
        child = self.start("-e", SLEEP, "next.lua")
        child.expect("ready")
        child.kill(signal.SIGINT)
        result = child.end()
        self.check(result, -signal.SIGINT, out="closed\n", err=None)

    def test_a_shell_sees_the_signal(self):
        self.write("s.lua", SLEEP)
        child = self.start(argv=["/bin/sh", "-c",
                                 '"$0" s.lua & echo $!; wait $!; echo status $?', harness.SEPTET])
        pid = int(child.line())
        child.expect("ready")
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(child.end().out, "closed\nstatus 143\n")

    def test_request_in_flight(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(harness.HANG)
            url = "http://127.0.0.1:%d/" % server.getsockname()[1]
            child = self.start(self.write("s.lua", HEAD + """
require 'septet.http'.get(...)
print 'after'"""), url)
            connection, _ = server.accept()
            with connection:
                connection.settimeout(harness.HANG)
                self.assertIn(b"GET / HTTP/1.1\r\n", connection.recv(65536))
                child.kill(signal.SIGINT)
                self.assertEqual(connection.recv(1), b"")
            result = child.end()
            self.check(result, -signal.SIGINT, out="closed\n", err=None)


class Absorbed(harness.Case):
    """A script that catches the first signal's Cancelled continues, and the second signal ends
    it."""

    def twice(self, source):
        child = self.start(self.write("s.lua", source))
        child.expect("ready")
        child.kill(signal.SIGINT)
        child.expect("swallowed")
        child.kill(signal.SIGINT)
        result = child.end()
        self.assertEqual(result.status, -signal.SIGINT, result)
        self.assertNotIn("closed", result.out)

    def test_second_while_asleep(self):
        self.twice(HEAD + ANNOUNCE + """
pcall(task.sleep, 1e6)
print 'swallowed'
while true do pcall(task.sleep, 1e6) end""")

    def test_second_while_spinning(self):
        self.twice(HEAD + """
pcall(function() print 'ready' while true do end end)
print 'swallowed'
while true do end""")

    def test_second_during_cleanup(self):
        self.twice("""
io.stdout:setvbuf 'no'
local task = require 'septet.task'
local x <close> = setmetatable({}, {__close = function() print 'swallowed' while true do end end})
""" + ANNOUNCE + "task.sleep(1e6)")

    def test_script_that_ends_well_all_the_same(self):
        child = self.start(self.write("s.lua", HEAD + ANNOUNCE + """
print(pcall(task.sleep, 1e6) == false)"""))
        child.expect("ready")
        child.kill(signal.SIGINT)
        result = child.end()
        self.check(result, out="true\nclosed\n", err=None)

    def test_ignored_from_the_start_stays_ignored(self):
        self.write("s.lua", SLEEP)
        child = self.start(argv=["/bin/sh", "-c", 'trap "" INT; exec "$0" s.lua', harness.SEPTET])
        child.expect("ready")
        child.kill(signal.SIGINT)
        child.kill(signal.SIGTERM)
        result = child.end()
        self.check(result, -signal.SIGTERM, out="closed\n", err=None)


class BrokenPipe(harness.Case):
    def test_of_its_output_ends_it_as_it_ends_any_program(self):
        child = self.start("-e", """
io.stdout:setvbuf 'no'
print 'ready'
while true do print 'x' end""")
        child.expect("ready")
        child.process.stdout.close()
        self.assertEqual(child.process.wait(), -signal.SIGPIPE)
        child.errors.seek(0)
        self.assertEqual(child.errors.read(), "")

    def test_of_something_else_is_an_error_of_the_write(self):
        self.check(self.septet("-e", """
local pipe = io.popen('exec true', 'w')
pipe:setvbuf 'no'
local ok, message
repeat ok, message = pipe:write(('x'):rep(1000)) until not ok
print(message)"""), out="Broken pipe\n")

    def test_programs_it_starts_still_die_of_it(self):
        self.check(self.septet("-e", "print(os.execute 'kill -PIPE $$')"),
                   out="nil\tsignal\t13\n")


if __name__ == "__main__":
    unittest.main()
