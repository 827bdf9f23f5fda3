# SPDX-License-Identifier: MIT
"""What happens to the process: deadlocks, signals at each kind of wait, files that are no
scripts."""

import os
import signal
import time
import unittest

import harness

ORIGIN = harness.ORIGIN

HEAD = """
io.stdout:setvbuf 'no'
local task, http = require 'septet.task', require 'septet.http'
local sync, sio = require 'septet.sync', require 'septet.io'
local x <close> = setmetatable({}, {__close = function() print 'closed' end})
task.spawn(function() print 'ready' end)
"""

# Each kind of wait, as the main task's last statement. None ends by itself: a machine may stand
# still before the signal comes.
WAITS = {
    "sleep": "task.sleep(1e6)",
    "sleep for ever": "task.sleep(math.huge)",
    "join": "task.spawn(task.sleep, 1e6):await()",
    "group": "task.group(function(g) g:spawn(task.sleep, 1e6) end)",
    "gather": "task.gather { function() task.sleep(1e6) end }",
    "wait": "task.wait { task.spawn(task.sleep, 1e6) }",
    "event": "task.background(task.sleep, 1e6) sync.event():wait()",
    "semaphore": """local s = sync.semaphore(1)
s:acquire() task.spawn(task.sleep, 1e6) s:acquire()""",
    "lock": """local l = sync.lock()
local held = task.spawn(function() l:acquire() task.sleep(1e6) end)
task.checkpoint() l:acquire()""",
    "send": "task.background(task.sleep, 1e6) sync.channel():send(1)",
    "receive": "task.background(task.sleep, 1e6) sync.channel():recv()",
    "timeout": "task.timeout(1e6, task.sleep, 1e6)",
    "generator": "for _ in task.generator(function() task.sleep(1e6) end) do end",
    "coroutine": "coroutine.wrap(function() task.sleep(1e6) end)()",
    "future": "task.background(task.sleep, 1e6) task.future():await()",
    "receive with a timeout": "sync.channel():recv(1e6)",
    "pool": "task.pool(1, function(p) p:map(task.sleep, { 1e6, 1e6 }) end)",
    "program": "require 'septet.process'.run { 'sleep', '600' }",
    "process": "local p <close> = require 'septet.process'.spawn { 'sleep', '600' } p:wait()",
    "output of a program": """local p <close> = require 'septet.process'.spawn { 'sleep', '600' }
p.stdout:read_line()""",
    "input of a program": """local p <close> = require 'septet.process'.spawn { 'sleep', '600' }
p.stdin:write(('x'):rep(1000000))""",
    "accept": "require 'septet.net'.listen {}:accept()",
    "serve": "require 'septet.net'.listen {}:serve(print)",
    "connection": """local net = require 'septet.net'
local s = net.listen {}
local c <close> = net.connect { host = s.host, port = s.port }
c:read_line()""",
    "watch": "for _ in require 'septet.fs'.watch '.' do end",
    "tail": "for _ in require 'septet.fs'.tail 'nothing' do end",
    "server for tests": "require 'septet.testing'.serve(print):wait(1)",
    "events": """local session <close> = http.session { timeout = { first_byte = 1e6 } }
for _ in session:events(arg[1] .. '/stall') do end""",
    "request": "http.get(arg[1] .. '/stall', { timeout = { first_byte = 1e6 } })",
    "stream": """local session <close> = http.session { timeout = { idle = 1e6 } }
local r <close> = session:stream('GET', arg[1] .. '/stall?after=0&length=9')
r:read(1000)""",
}


# Computations that no hook of Lua's interrupts.
STUCK = {
    "a finalizer": "setmetatable({}, {__gc = function() while true do end end}) collectgarbage()",
    "string.rep": "string.rep('', 1 << 40)",
    "table.move": "table.move({}, 1, 1 << 40, 2, {})",
    "a pattern": "string.find(('a'):rep(60), ('.-'):rep(6) .. 'b')",
}


class Deadlocks(harness.Case):
    def test_fault_54_all_tasks_wait(self):
        """fault.54 all tasks wait for one another: each is named, and the status is 4"""
        result = self.lua("""
local task = require 'septet.task'
local a, b
a = task.spawn(function() b:await() end)
b = task.spawn(function() a:await() end)
a.name, b.name = 'egg', 'hen'
a:await()
""")
        self.assertEqual(result.status, 4, result)
        for part in ("deadlock", "egg", "hen", "in a circle", "s.lua:4", "s.lua:5"):
            self.assertIn(part, result.err)

    def test_fault_54_one_task_waits(self):
        """fault.54 the only task waits for what never comes"""
        result = self.lua("require 'septet.sync'.event():wait()")
        self.assertEqual(result.status, 4, result)
        self.assertIn("the only task waits and nothing can wake it", result.err)


class Files(harness.Case):
    def refused(self, content, *parts):
        path = os.path.join(self.dir, "s.lua")
        with open(path, "wb") as file:
            file.write(content)
        result = self.septet("s.lua")
        self.assertEqual(result.status, 1, result)
        for part in parts:
            self.assertIn(part, result.err)

    def test_fault_55_files_that_do_not_compile(self):
        """fault.55 a file that does not compile is an error with its line"""
        self.refused(b"x =\n", "s.lua:2:")
        self.refused(b"\n\nlocal local\n", "s.lua:3:")
        self.refused(b"print 'a\0", "s.lua:1: unfinished string")
        self.refused(b"\xff\xfeprint(1)", "s.lua:1:")
        self.refused(b"\x1bLua\x54\x00junk", "s.lua")

    def test_fault_55_files_that_begin_with_a_mark(self):
        """fault.55 a byte order mark and a first line with # are skipped"""
        path = os.path.join(self.dir, "s.lua")
        for head in (b"\xef\xbb\xbf", b"#!/usr/bin/septet\n", b"\xef\xbb\xbf#!/usr/bin/septet\n"):
            with open(path, "wb") as file:
                file.write(head + b"print(1)\n")
            self.check(self.septet("s.lua"), out="1\n")


class Signals(harness.Case):
    def begin(self, wait):
        child = self.start(self.write("s.lua", HEAD + wait), ORIGIN)
        child.expect("ready")
        return child

    def test_fault_57_an_interrupt_at_each_wait(self):
        """fault.57 SIGINT in each kind of wait unwinds the script"""
        for name, wait in WAITS.items():
            with self.subTest(name):
                child = self.begin(wait)
                child.kill(signal.SIGINT)
                result = child.end()
                self.assertEqual(result.status, -signal.SIGINT, result)
                self.assertEqual(result.out, "closed\n", result)

    def test_fault_57_two_interrupts_at_each_wait(self):
        """fault.57 a second SIGINT ends the process at each kind of wait"""
        for name, wait in WAITS.items():
            with self.subTest(name):
                child = self.begin("local function again() %s end\n"
                                   "for n = 1, 90 do\n"
                                   "  pcall(again)\n"
                                   "  if n == 1 then print 'swallowed' end\n"
                                   "end\nwhile true do end" % wait)
                child.kill(signal.SIGINT)
                child.expect("swallowed")
                child.kill(signal.SIGINT)
                self.assertEqual(child.end().status, -signal.SIGINT)

    def test_fault_57_an_interrupt_while_input_is_read(self):
        """fault.57 SIGINT while standard input is read unwinds the script"""
        reads, writes = os.pipe()
        self.addCleanup(os.close, writes)
        script = self.write("s.lua", HEAD + "sio.stdin():read_line()")
        child = harness.Child([harness.SEPTET, script], self.dir, None, stdin=reads)
        self.addCleanup(child.close)
        os.close(reads)
        child.expect("ready")
        child.kill(signal.SIGINT)
        self.assertEqual(child.end().status, -signal.SIGINT)

    def test_fault_49_what_no_hook_reaches(self):
        """fault.49 a loop in C or in a finalizer: the second SIGINT ends the process"""
        for name, loop in STUCK.items():
            with self.subTest(name):
                script = "io.stdout:setvbuf 'no'\nprint 'ready'\n" + loop
                child = self.start(self.write("s.lua", script))
                child.expect("ready")
                while child.process.poll() is None:  # two that come at once are one
                    child.kill(signal.SIGINT)
                    time.sleep(0.02)
                self.assertIn(child.end().status, (-signal.SIGINT, 128 + signal.SIGINT))

    def test_fault_58_a_process_that_is_stopped_goes_on(self):
        """fault.58 SIGSTOP and SIGCONT: timers are late, not lost; SIGWINCH has no effect"""
        child = self.start(self.write("s.lua", HEAD + """
for n = 1, 3 do task.sleep(0.05) end
print 'slept'
local r = http.get(arg[1] .. '/bytes/3')
print(r.body)
"""), ORIGIN)
        child.expect("ready")
        child.kill(signal.SIGSTOP)
        child.kill(signal.SIGWINCH)
        child.kill(signal.SIGCONT)
        self.check(child.end(), out="slept\n012\nclosed\n")

    def test_fault_58_a_reader_that_ends_early(self):
        """fault.58 SIGPIPE ends the command as it ends any program"""
        path = self.write("s.lua", "while true do print(('x'):rep(1000)) end")
        result = self.septet(argv=["bash", "-c", '"$0" "$1" | head -n 1; echo ${PIPESTATUS[0]}',
                                   harness.SEPTET, path])
        self.assertEqual(result.out, "x" * 1000 + "\n141\n", result)

    def test_fault_58_a_termination_at_each_wait(self):
        """fault.58 SIGTERM in each kind of wait unwinds the script"""
        for name, wait in WAITS.items():
            with self.subTest(name):
                child = self.begin(wait)
                child.kill(signal.SIGTERM)
                result = child.end()
                self.assertEqual(result.status, -signal.SIGTERM, result)
                self.assertEqual(result.out, "closed\n", result)


if __name__ == "__main__":
    unittest.main()
