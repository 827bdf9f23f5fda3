# SPDX-License-Identifier: MIT
"""When every task waits and nothing can wake them, each is named and the status is 4."""

import unittest

import harness

CYCLE = """local task = require 'septet.task'
local x <close> = setmetatable({}, {__close = function() print 'closed' end})
local first, second
first = task.spawn(function()
  second:await()
end)
second = task.spawn(function()
  first:await()
end)
first:await()
print 'after'
"""

ENDLESS = {
    "absorbs": "while true do pcall(sync.event().wait, sync.event()) end",
    "shielded": "while true do task.shield(pcall, function() sync.event():wait() end) end",
    "sleeps in a shield": '''
local ok, err = pcall(function() sync.event():wait() end)
task.shield(function() while true do pcall(task.sleep, 1) end end)''',
    "spawns in a shield": '''
local function again() pcall(function() sync.event():wait() end) task.background(again) end
again()
pcall(function() sync.event():wait() end)''',
    "waits for its owner": '''
local main = task.current()
task.group(function(g) g:spawn(main.await, main) end)''',
    "waits for its owner in a shield": '''
local main = task.current()
task.group(function(g) g:spawn(task.shield, main.await, main) end)''',
    "a closer that waits": '''
local _ <close> = setmetatable({}, { __close = function()
  task.shield(function() sync.event():wait() end)
end })
sync.event():wait()''',
    "locks": '''
local a, b = sync.lock(), sync.lock()
local function both(x, y) x:acquire() task.sleep(0) y:acquire() end
task.gather { function() both(a, b) end, function() both(b, a) end }''',
    "gathers": '''
local a, b
a = task.spawn(function() return task.gather { b } end)
b = task.spawn(function() return task.gather { a } end)
task.wait { a, b }''',
    "starts": '''
task.group(function(g) g:start(function() sync.event():wait() end) end)''',
}


class Deadlock(harness.Case):
    def setUp(self):
        super().setUp()
        self.write("s.lua", CYCLE)

    def test_status_and_unwinding(self):
        result = self.septet("s.lua")
        self.check(result, 4, out="closed\n", err=None)

    def test_each_task_is_named_with_its_line(self):
        err = self.septet("s.lua").err
        for line in (5, 8, 10):
            self.assertEqual(sum("s.lua:%d" % line in said for said in err.splitlines()), 1, err)
        self.assertTrue(all(said.startswith(("septet: ", "\t")) for said in err.splitlines()), err)

    def test_no_deadlock_while_a_timer_runs(self):
        self.check(self.septet("-e", """
local task = require 'septet.task'
local main = task.current()
local waiter = task.spawn(function() return pcall(main.await, main) end)
task.sleep(0.01)
print 'slept'"""), out="slept\n")

    def test_ends_what_would_follow(self):
        self.write("next.lua", "print 'next'")
        result = self.septet("-e", CYCLE, "next.lua")
        self.check(result, 4, out="closed\n", err=None)

    def test_under_a_shield_ends_too(self):
        """Two gathers that wait for each other cannot be cancelled one by one."""
        result = self.septet("-e", """
local task = require 'septet.task'
local a, b
a = task.spawn(function() task.gather { b } end)
b = task.spawn(function() task.gather { a } end)
a:await()""")
        self.assertEqual(result.status, 4, result)
        self.assertEqual(result.err.count("deadlock:"), 1, result)

    def test_of_tasks_that_wait_anew_each_time_ends_too(self):
        result = self.septet("-e", """
local task = require 'septet.task'
local me = task.current()
task.spawn(function() while true do pcall(me.await, me) end end):await()""")
        self.assertEqual(result.status, 4, result)

    def test_a_deadlock_that_was_told_ends_the_run(self):
        """T-B: a reported deadlock always ends the run with status 4, whatever the tasks do
        then."""
        for name, script in ENDLESS.items():
            result = self.septet("--virtual-time", "-e", "local task = require 'septet.task'\n"
                                 "local sync = require 'septet.sync'\n" + script)
            self.assertEqual(result.status, 4, (name, result))
            self.assertEqual(result.err.count("septet: warning: deadlock:"), 1, (name, result))


if __name__ == "__main__":
    unittest.main()
