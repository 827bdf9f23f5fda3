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


if __name__ == "__main__":
    unittest.main()
