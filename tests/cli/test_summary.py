# SPDX-License-Identifier: MIT
"""--summary: figures on stderr at the end of a run, and the same from a recording.

SEPTET_ORIGIN is the address of the origin server."""

import json
import os
import unittest

import harness

ORIGIN = os.environ["SEPTET_ORIGIN"]

FETCH = """local task, http = require 'septet.task', require 'septet.http'
local session <close> = http.session { limit_per_host = 2 }
local paths = { '/bytes/7', '/status/404', '/bytes/9', '/status/503' }
task.gather(task.map(function(path) return session:get(... .. path).status end, paths))
print 'done'
""".replace("...", repr(ORIGIN))


class Summary(harness.Case):
    def run_with(self, code, *options, status=0, out=""):
        """Returns what a script writes to stderr."""
        result = self.septet(*options, "-e", code)
        self.check(result, status, out=out, err=None)
        return result.err

    def figures(self, code, **expected):
        return json.loads(self.run_with(code, "--summary=json", **expected).splitlines()[-1])

    def test_it_is_on_stderr_and_within_80_columns(self):
        lines = self.run_with(FETCH, "--summary", out="done\n").splitlines()
        self.assertRegex(lines[0], r"^4 requests in .*, \d+/s, \d+ B received$")
        self.assertRegex(lines[1], r"^  ok 2   http errors 2 \(404×1 503×1\)$")
        self.assertEqual([line for line in lines if len(line) > 80], [])
        self.assertTrue(any(line.startswith("  response ") for line in lines), lines)

    def test_its_json_is_one_line(self):
        t = self.figures(FETCH, out="done\n")
        self.assertEqual(t["requests"]["count"], 4)
        self.assertEqual(t["requests"]["statuses"], {"200": 2, "404": 1, "503": 1})
        self.assertEqual(t["latency"]["response"]["count"], 4)
        self.assertEqual(t["tasks"]["count"], 5)
        self.assertEqual(t["trace"]["lost"], 0)

    def test_a_deadlock_over_locks_is_a_finding(self):
        circle = """local task, sync = require 'septet.task', require 'septet.sync'
local a, b = sync.lock(), sync.lock()
local function hold(one, other)
  one:with(function() task.sleep(0) other:acquire() end)
end
local x, y = task.spawn(hold, a, b), task.spawn(hold, b, a)
x.name, y.name = 'x', 'y'
x:await()"""
        says = "  error: tasks wait for each other: #2 x → #3 y → #2 x"
        err = self.run_with(circle, "--trace=run.trc", "--summary", status=4)
        self.assertIn(says, err.splitlines())
        converted = self.septet("trace", "run.trc", "--to", "summary")
        self.assertIn(says, converted.out.splitlines())
        lines = self.septet("trace", "run.trc", "--to", "lines").out
        self.assertRegex(lines, r"#2 x +deadlock waits for #3, in a circle\n")

    def test_a_long_circle_is_cut(self):
        circle = """local task, sync = require 'septet.task', require 'septet.sync'
local locks, tasks = {}, {}
for i = 1, 20 do locks[i] = sync.lock() end
for i = 1, 20 do
  tasks[i] = task.spawn(function()
    locks[i]:with(function() task.sleep(0) locks[i % 20 + 1]:acquire() end)
  end)
end
tasks[1]:await()"""
        err = " ".join(self.run_with(circle, "--summary", status=4).split())
        self.assertRegex(err, r"error: tasks wait for each other: #2 .* → #17 [^→]* → … → #2 ")

    def test_a_deadlock_without_a_circle_is_a_finding(self):
        err = self.run_with("require 'septet.sync'.event():wait()", "--summary", status=4)
        self.assertIn("  error: the only task waited, and nothing could wake it",
                      err.splitlines())

    def test_none_is_none(self):
        self.assertEqual(self.run_with(FETCH, "--summary=none", out="done\n"), "")

    def test_a_recording_gives_the_same_figures(self):
        err = self.run_with(FETCH, "--trace=run.trc", "--summary", out="done\n")
        converted = self.septet("trace", "run.trc", "--to", "summary")
        self.check(converted, out=None)
        # All up to the first duration that depends on how much of the run was seen.
        for line in ("  ok 2   http errors 2 (404×1 503×1)", "  response ", "  127.0.0.1:"):
            there = [l for l in err.splitlines() if l.startswith(line)]
            self.assertEqual([l for l in converted.out.splitlines() if l.startswith(line)], there)
            self.assertEqual(len(there), 1, err)

    def test_a_script_that_does_nothing_has_one_line(self):
        err = self.run_with("", "--summary")
        self.assertRegex(err, r"^1 task in [\d.]+ [µm]?s, no requests\n$")

    def test_a_failure_and_an_exit_have_one_too(self):
        err = self.run_with("error 'x'", "--summary", status=1)
        self.assertRegex(err, r"\n  error: #1 .* failed: error\n$")
        err = self.run_with("os.exit(3)", "--summary", status=3)
        self.assertRegex(err, r"^1 task in ")

    def test_a_deadlock_shows_its_cycle(self):
        err = self.run_with(
            "local task = require 'septet.task' local main = task.current() "
            "task.spawn(main.await, main):await()", "--summary", status=4)
        self.assertIn("error: tasks wait for each other: #", err)

    def test_no_password_is_shown(self):
        err = self.run_with(
            "local http = require 'septet.http' "
            "pcall(http.get, 'http://joe:secret@127.0.0.1:1/') "
            "pcall(http.get, 'http://joe:secret@[/')", "--summary")
        self.assertIn("127.0.0.1:1", err)
        self.assertNotIn("secret", err)

    def test_time_may_be_virtual(self):
        err = self.run_with("require 'septet.task'.sleep(3600)", "--virtual-time", "--summary=json")
        t = json.loads(err)
        self.assertEqual(t["seconds"], 3600)
        [wait] = t["waits"]
        self.assertEqual([wait["kind"], wait["count"], wait["total"]], ["sleep", 1, 3600])


if __name__ == "__main__":
    unittest.main()
