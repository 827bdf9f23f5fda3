"""Senders of channels that a script drops without closing them: what is told, and that nothing
waits for them."""

import unittest

import harness

HEAD = (
    "local task, sync = require 'septet.task', require 'septet.sync'\nlocal ch = sync.channel(1)\n"
)
WARNING = "septet: warning: the sender made at s.lua:%d was collected before it was closed\n"


class Senders(harness.Case):
    def lua(self, script):
        self.write("s.lua", HEAD + script)
        return self.septet("s.lua")

    def test_one_warning_names_the_line(self):
        """T-K: a dropped sender is told once, with the line that made it, and ends a wait."""
        for before in "", "task.background(function() while true do task.sleep(0.2) end end) ":
            result = self.lua(
                before + "\ndo local s = ch:sender() end collectgarbage()\nprint(ch:recv())\n"
            )
            self.assertEqual((result.status, result.out, result.err),
                             (0, "nil\tclosed\n", WARNING % 4), result)

    def test_what_is_collected_late_is_no_deadlock(self):
        """T-K: where nothing else can run, garbage is collected before a deadlock is told."""
        result = self.lua("do local s = ch:sender() end\nprint(ch:recv())\n")
        self.assertEqual(
            (result.status, result.out, result.err), (0, "nil\tclosed\n", WARNING % 3), result
        )
        result = self.lua("local s = ch:sender()\nprint(ch:recv())\ns:close()\n")
        self.assertEqual((result.status, result.out), (4, ""), result)

    def test_each_of_several_is_told(self):
        """T-K: of several dropped senders each is told."""
        result = self.lua("do local a, b = ch:sender(), ch:sender() end\nprint(ch:recv())\n")
        self.assertEqual((result.status, result.out, result.err),
                         (0, "nil\tclosed\n", WARNING % 3 * 2), result)

    def test_the_end_of_the_run_says_nothing(self):
        """T-K: a sender that is open when the run ends is not told, nor one of a channel that was
        closed."""
        for script in ("S = ch:sender()\n", "local s = ch:sender()\n",
                       "do local s = ch:sender() end\nch:close() collectgarbage()\n",
                       "do local s <close> = ch:sender() end\ncollectgarbage()\n"):
            result = self.lua(script)
            self.assertEqual((result.status, result.err), (0, ""), result)


if __name__ == "__main__":
    unittest.main()
