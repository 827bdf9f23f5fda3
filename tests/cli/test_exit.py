# SPDX-License-Identifier: MIT
"""os.exit: a script that absorbs it, and what it closes."""

import signal
import unittest

import harness

HEAD = """
local task = require 'septet.task'
local function closing(word) return setmetatable({}, {__close = function() print(word) end}) end
"""

# Endless loops in which a script continues after os.exit(code, true).
LOOPS = {
    "waits": "pcall(os.exit, 7, true) while true do pcall(task.sleep, 0.001) end",
    "waits for ever": "pcall(os.exit, 7, true) while true do pcall(task.sleep, math.huge) end",
    "exits again": "while true do pcall(os.exit, 7, true) end",
    "exits with another code": "pcall(os.exit, 7, true) pcall(os.exit, 8, true) while true do end",
    "exits and waits": """
        while true do
          pcall(function() os.exit(7, true) end)
          pcall(task.sleep, 0.01)
        end""",
    "exits in a shield": "while true do pcall(task.shield, function() os.exit(7, true) end) end",
    "waits in the shield": """
        task.shield(function()
          pcall(os.exit, 7, true)
          while true do pcall(task.sleep, 9) end
        end)""",
    "exits below C code": """
        while true do ('x'):gsub('x', function() pcall(os.exit, 7, true) end) end""",
    "exits in a message handler": """
        while true do xpcall(error, function() pcall(os.exit, 7, true) end) end""",
    "exits in a block": "while true do pcall(task.timeout, 9, function() os.exit(7, true) end) end",
    "exits in a finalizer": """
        while true do
          setmetatable({}, {__gc = function() os.exit(7, true) end})
          pcall(collectgarbage)
        end""",
    "checks in": "pcall(os.exit, 7, true) while true do pcall(task.checkpoint) end",
}

# Places of such a loop, %s.
PLACES = {
    "main": "%s",
    "task": "task.spawn(function() %s end):await()",
    "background": "task.background(function() %s end) task.sleep(1e6)",
    "coroutine": "coroutine.wrap(function() %s end)()",
    "resumed": "coroutine.resume(coroutine.create(function() %s end)) task.sleep(1e6)",
    "generator": "for _ in task.generator(function() %s end) do end task.sleep(1e6)",
    "group": "task.group(function(g) g:spawn(function() %s end) end)",
}


class Absorbed(harness.Case):
    def ends(self, source, out=None):
        # The process ends in the middle of C code, which leaks the memory of its stack.
        result = self.lua(HEAD + source, env=harness.NO_LEAK_CHECK)
        self.check(result, 7, out=None)
        if out is not None:
            self.assertEqual(result.out, out, result)

    def ends_with(self, words, source):
        """Compares the printed words in any order."""
        result = self.septet(self.write("s.lua", HEAD + source))
        self.check(result, 7, out=None)
        self.assertEqual(sorted(result.out.split()), sorted(words.split()), result)
        self.assertEqual(result.out.split()[-1], words.split()[-1])

    def test_each_loop_in_each_place(self):
        """T-G: os.exit(code, true) ends the process with its code, whatever code catches it"""
        for place, around in PLACES.items():
            for name, loop in LOOPS.items():
                with self.subTest(place=place, loop=name):
                    self.ends(around % loop)

    def test_what_can_be_closed_is_closed_first(self):
        """T-G: a task that absorbs os.exit and all others have their variables closed, and
        finalizers run"""
        for name in ("waits", "exits again", "exits in a shield"):
            with self.subTest(name):
                self.ends_with("other own collected", """
local last = setmetatable({}, {__gc = function() print 'collected' end})
task.spawn(function() local y <close> = closing 'other' task.sleep(1e6) end)
task.sleep(0)
local x <close> = closing 'own'
""" + LOOPS[name])

    def test_another_task_that_absorbs_it(self):
        """T-G: a task that absorbs its cancellation by another task's os.exit does not delay the
        exit"""
        self.ends("""
task.spawn(function() while true do pcall(task.sleep, 1) end end)
task.sleep(0)
os.exit(7, true)""", "")

    def test_a_cleanup_may_wait(self):
        """T-G: a task that unwinds for os.exit may wait in a cleanup"""
        self.ends("""
local x <close> = setmetatable({}, {__close = function()
  task.cleanup(5, function() task.sleep(0.01) print 'cleaned' end)
end})
os.exit(7, true)""", "cleaned\n")

    def test_what_computes_is_ended_by_a_signal(self):
        """T-G: a signal ends a script that catches the exit and computes for ever, with its code"""
        for code in ("while true do end", "while true do pcall(error) end",
                     "while true do pcall(function() while true do end end) end",
                     "coroutine.wrap(function() while true do end end)()"):
            for number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(code=code, number=number):
                    child = self.start(
                        "-e", "pcall(os.exit, 7, true) print 'ready' io.flush() " + code
                    )
                    child.expect("ready")
                    child.kill(number)
                    self.assertEqual(child.end().status, 7)

    # A script that catches the exit, and then spins in a C function, where no error reaches it.
    SPINNING = ("pcall(os.exit, %d, true) print 'ready' io.flush() "
                "print((('x'):rep(60)):find(('x*'):rep(60) .. 'y'))")

    def test_a_signal_ends_what_spins_in_c_with_the_code(self):
        """T-G: a signal ends a script that catches the exit and spins in C, with its code"""
        for code in (0, 7):
            with self.subTest(code=code):
                child = self.start("-e", self.SPINNING % code)
                child.expect("ready")
                child.kill(signal.SIGTERM)
                self.assertEqual(child.end().status, code)

    def test_a_second_signal_ends_what_spins_in_c_by_itself(self):
        """T-G: a second signal ends such a script at once, as it does any other"""
        child = self.start("-e", self.SPINNING % 0)
        child.expect("ready")
        child.kill(signal.SIGINT)
        child.kill(signal.SIGTERM)
        self.assertIn(child.end().status, (-signal.SIGINT, -signal.SIGTERM))

    def test_outside_of_tasks_it_makes_no_noise(self):
        """T-G: os.exit in on_unhandled, a debug hook, a trace hook or a subscriber is not
        reported"""
        for source in (
                """task.on_unhandled = function() os.exit(7, true) end
                task.background(error, 'x')
                task.sleep(1e6)""",
                """debug.sethook(function() debug.sethook() os.exit(7, true) end, '', 1)
                task.sleep(1e6)""",
                "debug.sethook(function() pcall(os.exit, 7, true) end, '', 1) while true do end",
                """require 'septet.trace'.subscribe(function() os.exit(7, true) end)
                task.sleep(0)
                task.sleep(1e6)""",
                """local hooks = { request_exception = function() os.exit(7, true) end }
                local s = require 'septet.http'.session { trace = hooks }
                pcall(s.get, s, 'http://127.0.0.1:1/') task.sleep(1e6)"""):
            with self.subTest(source):
                self.ends(source)


GC = "setmetatable({}, {__gc = function() %s end})\n"


class AtTheEnd(harness.Case):
    def test_the_other_finalizers_run(self):
        """X-7: os.exit(code, true) in a finalizer at the end lets the others run, as in lua5.4"""
        for code, status in (("0", 0), ("true", 0), ("5", 5), ("false", 1)):
            for before in (
                "", "error('x', 0)", "os.exit(4, true)", "require 'septet.task'.sleep(0.001)",
            ):
                with self.subTest(code=code, before=before):
                    source = GC % "print(1)" + GC % (
                        "print(2) os.exit(%s, true) print 'after'" % code
                    )
                    result = self.septet("-e", source + before)
                    self.check(result, status, out="2\n1\n", err=None)

    def test_several_exit(self):
        """X-7: the code of the last finalizer that exits counts"""
        self.check(
            self.septet("-e", GC % "print(1) os.exit(3, true)" + GC % "print(2) os.exit(4, true)"),
            3,
            out="2\n1\n",
        )

    def test_without_close_it_ends_at_once(self):
        """X-7: os.exit without `true` runs no other finalizer, as in lua5.4"""
        self.check(self.septet("-e", GC % "print(1)" + GC % "print(2) os.exit(6)"), 6, out="2\n")

    def test_in_a_closing_variable(self):
        """X-7: os.exit(code, true) in a variable that is closed lets the others close, and
        finalizers run"""
        self.check(self.septet("-e", "held = " + GC % "print 'collected'" + """
local x <close> = setmetatable({}, {__close = function() print 'x' end})
local y <close> = setmetatable({}, {__close = function() print 'y' os.exit(9, true) end})"""), 9,
                   out="y\nx\ncollected\n")


if __name__ == "__main__":
    unittest.main()
