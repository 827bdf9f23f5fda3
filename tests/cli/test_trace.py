# SPDX-License-Identifier: MIT
"""--trace: a line on stderr for each event, and nothing of it on stdout.

SEPTET_ORIGIN is the address of the origin server, which serves /bytes/N."""

import re
import unittest

import harness

SCRIPT = """local task = require 'septet.task'
local child = task.spawn(function()
  task.sleep(0)
end)
task.sleep(0.01)
child:await()
print 'done'
"""


class Trace(harness.Case):
    def setUp(self):
        super().setUp()
        self.write("s.lua", SCRIPT)

    def trace(self, *args, status=0, out="done\n"):
        result = self.septet("--trace", *args)
        self.check(result, status, out=out, err=None)
        return result.err.splitlines()

    def test_nothing_without_it(self):
        self.check(self.septet("s.lua"), out="done\n")

    def test_every_line_begins_with_its_instant(self):
        lines = self.trace("s.lua")
        self.assertGreaterEqual(len(lines), 5, lines)
        for line in lines:
            self.assertRegex(line, r"^ *\+\d+\.\d+ ")

    def test_tasks_are_seen_from_spawn_to_end(self):
        text = "\n".join(self.trace("s.lua"))
        for number, name in ((1, "main"), (2, "s.lua:2")):
            self.assertRegex(text, r"(?m)^ *\+\S+ +#%d .*\bspawn\b.*s\.lua" % number)
            self.assertRegex(text, r"(?m)^ *\+\S+ +#%d %s +end +ok\b" % (number, re.escape(name)))
        self.assertRegex(text, r"(?m) spawn .* by #1$")

    def test_a_wait_names_what_for_and_where(self):
        text = "\n".join(self.trace("s.lua"))
        self.assertRegex(text, r"(?m) wait +sleep 0\.01 s +s\.lua:5$")

    def test_begins_before_the_first_task(self):
        lines = self.trace("-e", "print 'done'", out="done\n")
        self.assertRegex(lines[0], r"\bspawn\b")

    def test_a_request(self):
        url = harness.ORIGIN + "/bytes/5"
        text = "\n".join(self.trace(
            "-e", "print(#require 'septet.http'.get('%s').body)" % url, out="5\n"))
        self.assertRegex(text, r"(?m)\bwait +GET %s\b" % re.escape(url))
        self.assertRegex(text, r"(?m) 200 ")

    def test_a_failure(self):
        self.write("bad.lua", "error('boom', 0)")
        text = "\n".join(self.trace("bad.lua", status=1, out=""))
        self.assertRegex(text, r"(?m)^ *\+\S+ +#1 main +end +error\b")
        self.assertRegex(text, r"(?m)^septet: boom$")

    def test_no_line_shows_a_password(self):
        result = self.septet("--trace", "-e", """
print(pcall(require 'septet.http'.get, 'http://user:sEcret@127.0.0.1:1/x'))""")
        self.assertIn("127.0.0.1:1/x", result.err)
        self.assertNotIn("sEcret", result.err + result.out)


class Hogs(harness.Case):
    def test_a_long_turn_has_the_place_where_it_ended(self):
        done = self.septet("-e", """
local task, trace = require 'septet.task', require 'septet.trace'
local function compute()
  local from = task.now()
  repeat until task.now() - from > 0.11 -- slow_ms is 100
end
local t = task.spawn(function()
  compute()
  task.sleep(0.001)
  compute()
end)
trace.subscribe(function(e)
  if e.kind == 'hog' and e.task == t.id then print(e.duration > 0.1, e.at) end
end, { level = 1 })
t:await()
task.sleep(0.001)
""")
        self.check(done, err=None,
                   out="true\t(command line):9\ntrue\t(command line):7\n")


if __name__ == "__main__":
    unittest.main()
