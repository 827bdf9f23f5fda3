# SPDX-License-Identifier: MIT
"""SIGINT and SIGTERM end a process whose script does not receive Cancelled, after a grace period. A
script that has received it is left to end."""

import os
import re
import signal
import unittest

import harness

HEAD = """
io.stdout:setvbuf 'no'
local task = require 'septet.task'
local function closing(fn) return setmetatable({}, {__close = fn}) end
"""
NUMBERS = (signal.SIGINT, signal.SIGTERM)

# Functions in C that no hook interrupts: some compute, and some wait where no signal wakes them.
STUCK = {
    "computes": "string.find(('a'):rep(60), ('a-'):rep(60) .. 'b')",
    "waits for a program": "io.popen('exec sleep 20 >/dev/null', 'w'):close()",
    "compares": (
        "table.sort({ 1, 2, 3 }, function() return string.find(('a'):rep(60), ('a-'):rep(60) .."
        " 'b') end)"
    ),
    "replaces": (
        "string.gsub('x', 'x', function() return string.match(('a'):rep(60), ('a-'):rep(60) .. 'b')"
        " end)"
    ),
}
# Places of such a call, %s.
PLACES = {
    "main": "print 'ready' %s",
    "task": "task.spawn(function() print 'ready' %s end) task.sleep(1e6)",
    "coroutine": "coroutine.wrap(function() print 'ready' %s end)()",
    "finalizer": "setmetatable({}, {__gc = function() print 'ready' %s end}) collectgarbage()",
    "shield": "task.shield(function() print 'ready' %s end)",
    "after another task": (
        "task.background(function() task.sleep(0) print 'ready' %s end) pcall(task.sleep, 1e6)"
    ),
}


def unsaid(result):
    """Returns stderr without the line that says where a Ctrl-C met the script."""
    return re.sub(r"^septet: (interrupted: task #|C code blocks: ).*\n", "", result.err, flags=re.M)


class Unfelt(harness.Case):
    """Runs all processes of a test at once, because each takes the whole grace period."""

    def start_each(self, sources):
        children = []
        for number, source in zip(NUMBERS * len(sources), sources):
            child = self.start("-e", HEAD + source)
            child.expect("ready")
            child.kill(number)
            children.append((child, number, source))
        return children

    def all_die(self, sources):
        for child, number, source in self.start_each(sources):
            result = child.end()
            # If the signal comes before the other task is in C, the main task absorbs Cancelled and
            # ends.
            status = 0 if "background" in source and result.status == 0 else -number
            self.assertEqual((result.status, unsaid(result)), (status, ""), (source, result))

    def test_in_each_place(self):
        """T-D: a signal ends the process while a task is in a C function, wherever it was called"""
        self.all_die([around % call for call in STUCK.values() for around in PLACES.values()])

    def test_a_finalizer_that_spins(self):
        """T-D: a signal ends the process while a finalizer spins, in which no hooks run"""
        self.all_die(
            [
                "setmetatable({}, {__gc = function() print 'ready' while true do end end})"
                " collectgarbage()"
            ]
            * 2
        )

    def test_a_shield_that_spins(self):
        """T-D: a signal ends the process while a shield computes for longer than the grace
        period"""
        self.all_die(
            [
                "task.shield(function() print 'ready' while true do end end)",
                "task.cleanup(60, function() print 'ready' while true do pcall(print) end end)",
            ]
            * 2
        )

    def test_a_task_that_comes_between(self):
        """T-D: a signal ends the process while its Cancelled waits behind a task that is in a C
        function"""
        self.all_die(["""
local function find() print 'ready' string.find(('a'):rep(60), ('a-'):rep(60) .. 'b') end
task.background(function() task.sleep(0) find() end)
while true do task.sleep(0) end"""] * 2)

    def test_a_later_run(self):
        """T-D: a signal ends the second of several scripts, after the first has absorbed one"""
        self.write(
            "next.lua", HEAD + "print 'again' string.find(('a'):rep(60), ('a-'):rep(60) .. 'b')"
        )
        child = self.start(
            "-e",
            HEAD + "task.spawn(function() print 'ready' end) pcall(task.sleep, 1e6)",
            "next.lua",
        )
        child.expect("ready")
        child.kill(signal.SIGTERM)
        child.expect("again")
        child.kill(signal.SIGTERM)
        self.assertEqual(child.end().status, -signal.SIGTERM)

    def test_the_second_one_ends_at_once(self):
        """T-D: a second signal, also of the other kind, ends the process at once"""
        absorbs = HEAD + """
task.spawn(function() print 'ready' end)
pcall(task.sleep, 1e6)
print 'felt'
while true do pcall(task.sleep, 1) end"""
        for first in NUMBERS:
            for second in NUMBERS:
                child = self.start("-e", absorbs)
                child.expect("ready")
                child.kill(first)
                child.expect("felt")
                child.kill(second)
                self.assertEqual(child.end().status, -second)


class Felt(harness.Case):
    """A script that has received the signal's Cancelled takes longer than the grace period to
    end."""

    SOURCES = {
        "a cleanup": """
local x <close> = closing(function()
  task.cleanup(5, function() task.sleep(2.6) print 'ended' end)
end)
task.spawn(function() print 'ready' end) task.sleep(1e6)""",
        "a function in C in a closing variable": """
local x <close> = closing(function() io.popen('sleep 2.6'):close() print 'ended' end)
task.spawn(function() print 'ready' end) task.sleep(1e6)""",
        "a shield that it came to": """
task.shield(function() print 'ready' task.sleep(2.6) print 'ended' end)""",
        "a shield that computes for less than the grace": """
task.shield(function()
  print 'ready'
  local until_ = task.now() + 0.5
  while task.now() < until_ do end
  task.sleep(2.6)
  print 'ended'
end)""",
        "a shield beside a task that spins": """
task.background(function() while true do task.sleep(0) end end)
task.shield(function() print 'ready' task.sleep(2.6) print 'ended' end)""",
        "a cleanup of a task": """
task.spawn(function()
  local x <close> = closing(function()
    task.cleanup(5, function() task.sleep(2.6) print 'ended' end)
  end)
  print 'ready' task.sleep(1e6)
end)
task.sleep(1e6)""",
        "a loop that computes after it": """
pcall(function() print 'ready' while true do end end)
local until_ = task.now() + 2.6
while task.now() < until_ do end
print 'ended'""",
    }

    def test_it_keeps_its_time(self):
        """T-D: a script that has received Cancelled is not interrupted again, whatever it does
        then"""
        children = [
            (self.start("-e", HEAD + source), name, number)
            for number in NUMBERS
            for name, source in self.SOURCES.items()
        ]
        for child, _, number in children:
            child.expect("ready")
            child.kill(number)
        for child, name, number in children:
            with self.subTest(name):
                result = child.end()
                self.assertEqual((result.out, unsaid(result)), ("ended\n", ""), result)
                self.assertIn(result.status, (-number, 0), result)

    def test_what_blocks_is_not_disturbed_later(self):
        """T-D: no later signal reaches a script that has received Cancelled"""
        child = self.start("-e", HEAD + """
task.spawn(function() print 'ready' end)
pcall(task.sleep, 1e6)
print((io.popen('sleep 2.6; echo read'):read()))""")
        child.expect("ready")
        child.kill(signal.SIGTERM)
        result = child.end()
        self.check(result, out="read\n", err=None)


class End(harness.Case):
    HOLDERS = (
        "keep = io.popen('exec sleep 20 >/dev/null', 'w')",
        "local p <const> = io.popen('exec sleep 20')",
        "keep = setmetatable({}, {__gc = function() while true do end end})",
    )

    def test_a_program_that_goes_on(self):
        """T-D: closing the Lua state, which waits for a script's programs, has the grace period,
        and no file loses a line"""
        children = []
        for number in NUMBERS:
            for holder in self.HOLDERS:
                name = "written%d" % len(children)
                child = self.start("-e", HEAD + holder + """
written = io.open('%s', 'w')
written:write 'lines'
task.spawn(function() print 'ready' end)
task.sleep(1e6)""" % name)
                child.expect("ready")
                child.kill(number)
                children.append((child, number, holder, name))
        for child, number, holder, name in children:
            with self.subTest(holder):
                result = child.end()
                self.check(result, -number, out=None, err=None)
                self.assertEqual(unsaid(result), "", result)
                with open(os.path.join(self.dir, name)) as file:
                    self.assertEqual(file.read(), "lines")


if __name__ == "__main__":
    unittest.main()
