# SPDX-License-Identifier: MIT
"""Recordings of runs that are killed at any moment, or whose disk is full or fails: what was
written can be read, and what was not is said."""

import os
import random
import re
import signal
import unittest

import harness

SEED = int(os.environ.get("SEPTET_SEED", "16"))
RING = 65536  # records

# Records to arg[1], and kills its process at the mark number arg[2]. Most marks are of one turn.
KILLED = """
local task, trace = require "septet.task", require "septet.trace"
local file <close> = io.open "/proc/self/stat"
local pid, last = file:read "n", tonumber(arg[2])
local recording = trace.record(arg[1], { level = 2 })
local function mark(i)
  if i == last then os.execute("kill -KILL " .. pid) end
  trace.mark("mark " .. i, i)
end
for i = 1, 100 do
  mark(i)
  task.sleep(1e-4) -- a turn of the loop
end
for i = 101, 200000 do mark(i) end
"""

# Prints for each recording: events, marks, the last mark, lost records, bytes that are cut off.
READ = """
require "septet.trace"
local decode = debug.getregistry()["septet.modules"]["septet.trace.decode"]
for _, path in ipairs(arg) do
  local file <close> = assert(io.open(path, "rb"))
  local bytes = file:read "a"
  local meta, at = assert(decode.head(bytes))
  local events, marks, lost = 0, 0, 0
  local function add(event)
    events = events + 1
    if event.kind == "lost" then lost = lost + event.count end
    if event.kind == "mark" then
      marks = marks + 1
      assert(event.value == marks and event.name == "mark " .. marks)
    end
  end
  while at <= #bytes do
    local following, problem = decode.block(bytes, at, add)
    assert(following or problem == "cut off")
    if not following then break end
    at = following
  end
  print(events, marks, lost, #bytes - at + 1)
end
"""

# Makes marks in many turns, and closes a recording whose disk may fail.
FAILS = """
local task, trace = require "septet.task", require "septet.trace"
local recording = trace.record(arg[1])
for i = 1, 30 do
  trace.mark("mark " .. i, i)
  task.sleep(0.001)
end
print(pcall(recording.close, recording))
"""

# Leaves its recording open, and does not even keep it.
LEFT = """
local trace = require "septet.trace"
trace.record(arg[1])
for i = 1, 1000 do
  trace.mark("mark " .. i, i)
  collectgarbage "step"
end
"""


class Recordings(harness.Case):
    def setUp(self):
        super().setUp()
        self.read = self.write("read.lua", READ)

    def path(self, name):
        return os.path.join(self.dir, name)

    def counts(self, *paths):
        """Returns the events, marks, lost records and cut-off bytes of each recording."""
        result = self.septet(self.read, *paths)
        self.check(result, out=None)
        return [[int(word) for word in line.split()] for line in result.out.splitlines()]

    def test_a_run_that_is_killed_leaves_what_was_written(self):
        script = self.write("killed.lua", KILLED)
        moments = sorted([1, 2, 100, 101, 200000] + random.Random(SEED).sample(range(200000), 5))
        paths = []
        for moment in moments:
            paths.append(self.path(f"{moment}.trc"))
            result = self.septet(script, paths[-1], str(moment))
            self.assertEqual(result.status, -signal.SIGKILL, (SEED, moment))
        for moment, (_, marks, lost, cut) in zip(moments, self.counts(*paths)):
            at_least = max(min(moment, 101) - 2, moment - RING // 2 - 1)
            self.assertTrue(at_least <= marks < moment, (SEED, moment, marks))
            self.assertEqual((lost, cut), (0, 0), (SEED, moment))

    def test_a_run_that_is_killed_as_it_writes(self):
        script = self.write("fails.lua", FAILS)
        for number in 1, 2, 9:
            with self.subTest(number):
                path = self.path(f"{number}.trc")
                # as the call of that number begins, of which the first one writes the head
                self.strace(script, path, options=[
                    "-e", f"inject=writev:signal=SIGKILL:when={number}", "-e", "trace=writev"])
                if number == 1:
                    self.assertEqual(os.path.getsize(path), 0)
                    continue
                [[_, marks, lost, cut]] = self.counts(path)
                self.assertTrue(number - 3 <= marks <= number, marks)
                self.assertEqual((lost, cut), (0, 0))

    def test_a_disk_that_fails_ends_the_recording(self):
        script = self.write("fails.lua", FAILS)
        for error, words in ("ENOSPC", "no space left on device"), ("EIO", "i/o error"):
            with self.subTest(error):
                path = self.path(error + ".trc")
                result, _ = self.strace(script, path, options=[
                    "-e", f"inject=writev:error={error}:when=11+", "-e", "trace=writev"])
                self.check(
                    result,
                    out=None,
                    err=f"septet: warning: the recording '{path}' has ended: {words}\n",
                )
                missing = re.fullmatch(
                    rf"false\tcannot write '{re.escape(path)}': {words}"
                    r" \((\d+) records are missing\)\n", result.out)
                self.assertTrue(missing, result.out)
                [[events, marks, lost, cut]] = self.counts(path)
                self.assertTrue(8 <= marks <= 10, marks)
                self.assertEqual((lost, cut), (0, 0))
                self.assertGreater(int(missing[1]), 20)
                self.assertGreater(events, marks)

    def test_a_disk_that_is_full_at_the_end_is_said(self):
        script = self.write("left.lua", LEFT)
        path = self.path("left.trc")
        result, _ = self.strace(script, path, options=[
            "-e", "inject=writev:error=ENOSPC:when=2+", "-e", "trace=writev"])
        self.check(result, err=f"septet: warning: the recording '{path}' has ended:"
                   " no space left on device\n")

    def test_what_is_left_open_is_whole(self):
        script = self.write("left.lua", LEFT)
        path = self.path("left.trc")
        self.check(self.septet(script, path))
        [[_, marks, lost, cut]] = self.counts(path)
        self.assertEqual((marks, lost, cut), (1000, 0, 0))

    def test_equal_runs_on_a_virtual_clock_have_equal_traces(self):
        script = self.write("virtual.lua", """
            local task, trace = require "septet.task", require "septet.trace"
            trace.record(arg[1], { level = 2 })
            local function nap(n)
              trace.span("nap", task.sleep, n / 100)
              return task.gather(task.map(task.sleep, { n, 1 }))
            end
            task.gather(task.map(nap, { 3, 1, 2, 4 }))
        """)
        traces = []
        for name in "a", "b":
            path = self.path(name)
            self.check(self.septet("--virtual-time", "--shuffle=5", script, path))
            with open(path, "rb") as file:
                head, separator, blocks = file.read().partition(b"SPTB")
            self.assertIn(b"pid=", head)
            traces.append(separator + blocks)
        self.assertEqual(*traces)
        self.assertEqual(self.counts(path)[0][1:], [0, 0, 0])
        self.assertGreater(self.counts(path)[0][0], 100)


if __name__ == "__main__":
    unittest.main()
