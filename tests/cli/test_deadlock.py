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


class Deadlock(harness.Case):
    def setUp(self):
        super().setUp()
        self.write("s.lua", CYCLE)

    def test_status_and_unwinding(self):
        result = self.septet("s.lua")
        self.assertEqual((result.status, result.out), (4, "closed\n"), result)

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
        self.assertEqual((result.status, result.out), (4, "closed\n"), result)

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


if __name__ == "__main__":
    unittest.main()
