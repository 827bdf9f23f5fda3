# SPDX-License-Identifier: MIT
"""Queues in files where the disk is full or cannot be written. Nothing is half done, the error
reaches the script, and the queue goes on once there is space."""

import os
import unittest

import harness
from test_disk import Disk

HEAD = """
local jobs, task = require "septet.jobs", require "septet.task"
local private = debug.getregistry()["septet.require"]
local function try(fn, ...)
  local ok, err = pcall(fn, ...)
  print(ok and "ok" or task.is(err, "JobsError") and err.code or tostring(err))
  return ok
end
"""

# Puts jobs until the disk is full, frees some, and puts the last one again.
PUT = """
local q <close> = jobs.open("queue.db", { patience = 5 })
local data, n, ok, err = ("x"):rep(2000), 0, true, nil
while ok do
  n = n + 1
  local list = {}
  for i = 1, 10 do list[i] = { key = n .. " " .. i, data = data } end
  ok, err = pcall(q.put_many, q, list)
  if not ok then
    print(err.kind, err.code)
    print(q:stats().pending == 10 * (n - 1), #q:check())
    os.remove "filler"
    print(q:put_many(list), q:stats().pending == 10 * n, #q:check())
  end
end
"""

# Leases jobs, and ends them on a disk that is full, and then on one that is not.
ACK = """
local d = private "septet.jobs.sqlite".open({ path = "queue.db", shown = "queue.db" },
  { owner = "o", patience = 5 })
local list = {}
for i = 1, 8 do list[i] = { key = "key " .. i } end
d:put(list)
local taken = d:take(8, { lease = 3600, attempts = 5, token = "t" })
local ends = {}
for i, job in ipairs(taken) do
  ends[i] = { key = job.key, token = "t", how = "done", result = '"' .. ("r"):rep(20000) .. '"',
    puts = { { key = "child of " .. job.key } } }
end
os.execute "head -c 2000000 /dev/zero >rest 2>/dev/null"
try(d.finish, d, ends)
local stats = d:stats()
print(stats.leased, stats.done, stats.pending)
os.remove "rest"
os.remove "filler"
local answers = d:finish(ends)
for i = 1, #ends do assert(answers[i]) end
stats = d:stats()
print(stats.leased, stats.done, stats.pending, #d:results(nil, 100), #d:check())
d:close()
"""


class SmallDisk(Disk):
    def run_on_a_small_disk(self, script, *before):
        path = self.write("s.lua", HEAD + script)
        fill = "head -c 400000 /dev/zero >filler"
        return self.on_a_small_disk(fill, *before, "%s %s" % (harness.SEPTET, path))[:-1]

    def test_put(self):
        """law_10_full: a put that found no space has put nothing, and the next one works"""
        out = self.run_on_a_small_disk(PUT)
        self.assertEqual(out, ["JobsError\tfull", "true\t0", "10\ttrue\t0"])

    def test_ack(self):
        """law_10_full: ends that found no space are not done, with what they put, and then are"""
        out = self.run_on_a_small_disk(ACK)
        self.assertEqual(out, ["full", "8\t0\t0", "0\t8\t8\t8\t0"])

    def test_open(self):
        """a disk without space for a queue says so, and has room for it later"""
        out = self.run_on_a_small_disk("""
os.execute "head -c 2000000 /dev/zero >rest 2>/dev/null"
try(jobs.open, "queue.db")
os.remove "rest"
local q <close> = jobs.open "queue.db"
print(q:put { key = "a" })
""")
        self.assertEqual(out, ["full", "true"])


class ReadOnly(Disk):
    OPEN = HEAD + """try(jobs.open, arg[1], { patience = 1 })"""

    def test_a_file_system(self):
        """a file on a file system that is mounted read-only is refused"""
        make = self.write("make.lua", 'require "septet.jobs".open("queue.db"):close()')
        path = self.write("s.lua", self.OPEN)
        out = self.on_a_small_disk("%s %s" % (harness.SEPTET, make), "mount -o remount,ro .",
                                   "%s %s queue.db" % (harness.SEPTET, path),
                                   "%s %s other.db" % (harness.SEPTET, path))
        self.assertEqual(out, ["readonly", "open", ""])

    def test_a_file(self):
        """a file that the user may not write, and one that he may not read, are refused"""
        path = os.path.join(self.dir, "queue.db")
        make = self.write("make.lua", 'require "septet.jobs".open(arg[1]):close()')
        self.check(self.septet(make, path), out="")
        os.chmod(self.dir, 0o755)
        for mode, code in (0o444, "readonly"), (0, "open"):
            os.chmod(path, mode)
            argv = [harness.SEPTET, self.write("s.lua", self.OPEN), path]
            if os.geteuid() == 0:
                argv = ["setpriv", "--reuid=65534", "--clear-groups", *argv]
            result = self.septet(argv=argv)
            self.assertEqual((result.status, result.out), (0, code + "\n"), result)


if __name__ == "__main__":
    unittest.main()
