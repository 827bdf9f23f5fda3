# SPDX-License-Identifier: MIT
"""Senders of channels that a script drops without closing them: the warnings, and that nothing
waits for them."""

import unittest

import harness

WARNING = "septet: warning: the sender made at s.lua:%d was collected before it was closed\n"


class Senders(harness.Case):
    HEAD = (
        "local task, sync = require 'septet.task', require 'septet.sync'\n"
        "local ch = sync.channel(1)\n"
    )

    def test_one_warning_names_the_line(self):
        """T-K: a dropped sender gives one warning, with the line that created it, and ends a
        wait."""
        for before in "", "task.background(function() while true do task.sleep(0.2) end end) ":
            result = self.lua(
                before + "\ndo local s = ch:sender() end collectgarbage()\nprint(ch:recv())\n"
            )
            self.check(result, out="nil\tclosed\n", err=WARNING % 4)

    def test_what_is_collected_late_is_no_deadlock(self):
        """T-K: if nothing else can run, garbage is collected before a deadlock is reported."""
        result = self.lua("do local s = ch:sender() end\nprint(ch:recv())\n")
        self.check(result, out="nil\tclosed\n", err=WARNING % 3)
        result = self.lua("local s = ch:sender()\nprint(ch:recv())\ns:close()\n")
        self.check(result, 4, err=None)

    def test_each_of_several_is_told(self):
        """T-K: each of several dropped senders gives a warning."""
        result = self.lua("do local a, b = ch:sender(), ch:sender() end\nprint(ch:recv())\n")
        self.check(result, out="nil\tclosed\n", err=WARNING % 3 * 2)

    def test_the_end_of_the_run_says_nothing(self):
        """T-K: a sender that is open at the end of the run gives no warning, nor does one of a
        closed channel."""
        for script in ("S = ch:sender()\n", "local s = ch:sender()\n",
                       "do local s = ch:sender() end\nch:close() collectgarbage()\n",
                       "do local s <close> = ch:sender() end\ncollectgarbage()\n"):
            result = self.lua(script)
            self.check(result, out=None)


if __name__ == "__main__":
    unittest.main()
