# SPDX-License-Identifier: MIT
"""Blocks that a script leaves open or another task closes: the report, and the status of the
run."""

import unittest

import harness

ALIVE = "task.background(function() while true do task.sleep(0.2) end end)\n"

FOREIGN = """
task.group(function(g)
  g:spawn(function(group) local mine <close> = group group:spawn(task.sleep, 0.01) end, g)
end)
"""

UNRELATED = """
local handle
task.background(function() task.sleep(0) local mine <close> = handle end)
task.group(function(g) handle = g task.sleep(0.05) end)
print "ended"
"""


class Blocks(harness.Case):
    HEAD = "local task = require 'septet.task'\n"

    def test_a_handle_closed_by_another_task(self):
        """T-B: a handle closed by another task is an error there, also while others live."""
        for before in "", ALIVE:
            result = self.lua(before + FOREIGN)
            self.assertEqual(result.status, 1, result)
            self.assertIn(
                "scopes close last in, first out, in the task that opened them", result.err
            )
            result = self.lua(before + UNRELATED)
            self.check(result, 1, out="ended\n", err=None)
            self.assertIn(
                "scopes close last in, first out, in the task that opened them", result.err
            )

    def test_a_group_left_open(self):
        """T-A: a group left open is reported once, with task and line, and its tasks are
        cancelled."""
        for body in (
            "return 1", "task.sleep(0)", "pcall(task.sleep, 0)", "task.timeout(0, task.sleep, 0)",
        ):
            result = self.lua("""
task.spawn(function()
  task.current().name = "careless"
  local g = task.group()
  g:spawn(task.sleep, 1000)
  pcall(function() %s end)
end):await()
print(task.scope())
""" % body)
            self.check(result, out="nil\n", err=None)
            self.assertEqual(result.err.count("\n"), 1, result)
            self.assertIn("task 'careless' left a block open, opened at s.lua:5 ", result.err)

    def test_a_group_left_open_by_main(self):
        """T-A: a group that the main task leaves open is reported."""
        result = self.lua("local g = task.group()\ng:spawn(task.sleep, 1000)\n")
        self.assertEqual((result.status, result.err.count("\n")), (0, 1), result)
        self.assertIn("task 'main' left a block open, opened at s.lua:2 ", result.err)

    def test_a_failure_in_a_group_left_open(self):
        """T-A: the run fails with the failure of a task in a group that the main task left open."""
        result = self.lua("local g = task.group()\ng:spawn(error, 'lost')\ntask.sleep(1000)\n")
        self.assertEqual(result.status, 1, result)
        self.assertIn("lost", result.err)
        self.assertNotIn("stray", result.err)

    def test_a_coroutine_that_dies(self):
        """T-A: a coroutine that dies in a block says nothing, and the run goes on."""
        result = self.lua("""
local function producer() local g <close> = task.group() g:spawn(task.sleep, 5) task.sleep(9) end
print(pcall(task.timeout, 0.05, function() return coroutine.resume(coroutine.create(producer)) end))
print(pcall(task.sleep, 0.01)) print(task.move_on_after(0.01, task.sleep, 1))
""")
        self.check(result, out="true\tfalse\tcancelled (deadline)\ntrue\nfalse\n")


if __name__ == "__main__":
    unittest.main()
