# SPDX-License-Identifier: MIT
"""septet.fs where the system refuses: permissions, full disks, descriptors, calls that fail, a pool
of one thread, and the end of the run in the middle of it all."""

import os
import resource
import signal
import subprocess
import unittest

import harness
from test_disk import Disk

HEAD = """
local task, fs = require "septet.task", require "septet.fs"
local function try(fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then print("ok") else print(err.code or tostring(err), err.operation, err.path) end
end
"""

NOBODY = 65534


class Files(Disk):
    def source(self, text):
        return self.write("s.lua", HEAD + text)


class Permissions(Files):
    def as_nobody(self, script):
        """Runs a script as a user without rights of its own, in a folder that belongs to that."""
        argv = [harness.SEPTET, self.source(script)]
        if os.geteuid() == 0:
            argv = ["setpriv", "--reuid=%d" % NOBODY, "--clear-groups", *argv]
            os.chmod(self.dir, 0o755)
            for folder, _, names in os.walk(self.mine):
                for path in [folder] + [os.path.join(folder, name) for name in names]:
                    os.chown(path, NOBODY, -1)
        result = self.septet(argv=argv, env={"TMPDIR": self.mine})
        self.check(result, out=None)
        return result.out.splitlines()

    def setUp(self):
        super().setUp()
        self.mine = os.path.join(self.dir, "mine")
        for name in "closed", "open", "readonly/in":
            os.makedirs(os.path.join(self.mine, name))
        for name in "closed/f", "open/f", "readonly/f", "unreadable":
            with open(os.path.join(self.mine, name), "w") as file:
                file.write("text")
        os.chmod(os.path.join(self.mine, "closed"), 0)
        os.chmod(os.path.join(self.mine, "readonly"), 0o555)
        os.chmod(os.path.join(self.mine, "unreadable"), 0)
        self.addCleanup(self.open_all)

    def open_all(self):
        for name in "closed", "readonly":
            os.chmod(os.path.join(self.mine, name), 0o755)

    def test_a_file(self):
        """what may not be read or written raises EACCES with its path"""
        out = self.as_nobody("""
local dir = "%s"
try(fs.read, dir .. "/unreadable")
try(fs.read, dir .. "/closed/f")
try(fs.exists, dir .. "/closed/f")
try(fs.list, dir .. "/closed")
try(fs.write, dir .. "/readonly/new", "x")
try(fs.append, dir .. "/readonly/new", "x")
try(fs.remove, dir .. "/readonly/f")
try(fs.rename, dir .. "/open/f", dir .. "/readonly/g")
try(fs.mkdir, dir .. "/readonly/a/b", { parents = true })
try(fs.copy, dir .. "/unreadable", dir .. "/open/g")
try(fs.copy, dir .. "/open/f", dir .. "/readonly/g")
try(fs.temp_file, { dir = dir .. "/readonly" })
try(fs.tail, dir .. "/unreadable")
try(fs.watch, dir .. "/closed")
print(#fs.list(dir .. "/open"), #fs.list(dir .. "/readonly"))
""" % self.mine)
        paths = ["unreadable", "closed/f", "closed/f", "closed", "readonly/new", "readonly/new",
                 "readonly/f", "open/f", "readonly/a/b", "unreadable", "readonly/g",
                 "readonly/septet-XXXXXX", "unreadable", "closed"]
        self.assertEqual(out[-1], "1\t2")
        for line, path in zip(out, paths):
            code, operation, failed = line.split("\t")
            self.assertEqual(code, "EACCES", line)
            self.assertEqual(failed, os.path.join(self.mine, path))

    def test_a_walk(self):
        """a walk tells of the folders that it may not read, or raises, and goes on"""
        out = self.as_nobody("""
local dir = "%s"
local function tell(e, path) print(e.code, path == e.path, path) end
for path in fs.walk(dir, { sort = true, errors = tell }) do print(path) end
try(function() for _ in fs.walk(dir, { sort = true }) do end end)
local n = 0
for _ in fs.walk(dir, { errors = "skip" }) do n = n + 1 end
print(n)
try(fs.copy, dir, dir .. "2", { recursive = true })
try(fs.copy, dir .. "/readonly", dir .. "/open/copy", { recursive = true })
print(#fs.list(dir .. "/open/copy"))
try(fs.remove, dir .. "/open/copy", { recursive = true })
""" % self.mine)
        closed = os.path.join(self.mine, "closed")
        self.assertIn("EACCES\ttrue\t" + closed, out)
        self.assertIn(os.path.join(self.mine, "readonly/f"), out)
        self.assertIn("EACCES\tlist\t" + closed, out)
        self.assertIn("7", out)
        self.assertEqual(out[-4].split("\t")[0], "EACCES")
        self.assertEqual(out[-3:-1], ["ok", "2"])
        self.assertTrue(out[-1].startswith("EACCES\tremove\t"), out[-1])


class FullDisk(Files):
    def test_write(self):
        """ENOSPC in a write leaves the old file, and no temporary"""
        script = self.source("""
local text = ("x"):rep(4 << 20)
try(fs.write, "file", text)
try(fs.copy, arg[0], "kept")
try(fs.write, "new", text)
fs.remove "kept"
""")
        out = self.on_a_small_disk("%s %s" % (harness.SEPTET, script), "cat file", "echo", "ls -A")
        self.assertEqual(out, ["ENOSPC\twrite\tfile", "ok", "ENOSPC\twrite\tnew", "old contents",
                               "file", ""])

    def test_copy_and_append(self):
        """ENOSPC in a copy, of a file or a folder, leaves no copy"""
        big = os.path.join(self.dir, "big")
        os.mkdir(big)
        for i in range(4):
            with open(os.path.join(big, "f%d" % i), "wb") as file:
                file.write(b"x" * 400000)
        script = self.source("""
try(fs.copy, arg[1], "copy", { recursive = true })
print(table.concat(fs.list ".", " "))
for i = 0, 1 do fs.copy(arg[1] .. "/f" .. i, "f" .. i) end
try(fs.copy, arg[1] .. "/f2", "f2")
try(fs.copy, arg[1] .. "/f2", "file", { overwrite = true })
print(fs.read "file")
try(fs.append, "f0", ("x"):rep(1 << 20))
print(table.concat(fs.list ".", " "))
""")
        out = self.on_a_small_disk("%s %s %s" % (harness.SEPTET, script, big))
        self.assertRegex(out[0], "^ENOSPC\tcopy\t")
        self.assertEqual(out[1], "file")
        self.assertEqual(out[2:], ["ENOSPC\tcopy\t%s/f2" % big] * 2 +
                         ["old contents", "ENOSPC\twrite\tf0", "f0 f1 file", ""])

    def test_read_only(self):
        """EROFS on a file system that is mounted read-only"""
        script = self.source("""
try(fs.write, "file", "x")
try(fs.append, "file", "x")
try(fs.remove, "file")
try(fs.mkdir, "d")
try(fs.mkdir, ".", { parents = true })
""")
        out = self.on_a_small_disk("mount -o remount,ro .", "%s %s" % (harness.SEPTET, script))
        self.assertEqual([line.split("\t")[0] for line in out], ["EROFS"] * 4 + ["ok", ""])


class Calls(Files):
    WRITE = """
try(fs.write, arg[1], ("0123456789abcdef"):rep(arg[2] // 16))
for _, name in ipairs(fs.list(arg[1]:match "^(.*)/")) do
  if name:find "septet-" then print(name) end
end
"""

    def test_failing_calls(self):
        """a write, a sync or a rename that fails leaves the old file, and no temporary"""
        for call, words in (("pwrite64:error=EIO:when=2", "EIO\twrite"),
                            ("fsync:error=EIO:when=1", "EIO\tsync"),
                            ("/^rename:error=EXDEV:when=1", "EXDEV\trename")):
            with self.subTest(call=call):
                out = self.traced(1 << 20, call, script=self.source(self.WRITE))
                self.assertEqual(out, "%s\t%s\n" % (words, self.path))
                self.assert_file("old contents")

    def test_order(self):
        """the temporary is synced before it is renamed, and the folder after that"""
        self.assertEqual(self.traced(1 << 18, script=self.source(self.WRITE)), "ok\n")
        self.assertEqual(self.calls("pwrite64", "fsync", "rename"),
                         ["pwrite64", "fsync", "rename", "fsync"])

    def test_interrupted(self):
        """calls that a signal interrupts are repeated"""
        out = self.traced(1 << 18, "pwrite64:error=EINTR:when=1", "fsync:error=EINTR:when=1+2",
                          script=self.source(self.WRITE))
        self.assertEqual(out, "ok\n")

    def test_copies_without_the_kernel(self):
        """a copy is whole if the kernel cannot copy: by sendfile, or by read and write"""
        script = self.source("""
fs.write(arg[1] .. "2", ("0123456789abcdef"):rep(65536))
try(fs.copy, arg[1] .. "2", arg[1], { overwrite = true })
print(#fs.read(arg[1]))
fs.remove(arg[1] .. "2")
""")
        for calls in (["copy_file_range:error=EXDEV"],
                      ["copy_file_range:error=ENOSYS", "sendfile:error=EINVAL"]):
            self.assertEqual(self.traced(1, *calls, script=script), "ok\n1048576\n")


class Descriptors(Files):
    def limited(self, script, limit):
        def limited():
            harness.default_signals()
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

        process = subprocess.run(
            [harness.SEPTET, self.source(script), self.dir], preexec_fn=limited, text=True,
            env=harness.environment(None), stdout=subprocess.PIPE, timeout=harness.HANG)
        self.assertEqual(process.returncode, 0)
        return process.stdout.splitlines()

    def test_none_left(self):
        """EMFILE is an error of what needs a descriptor, and goes by"""
        out = self.limited("""
local dir = arg[1]
fs.append(dir .. "/f", "text")
local open = {}
repeat
  local file = io.open(dir .. "/f")
  open[#open + 1] = file
until not file
try(fs.read, dir .. "/f")
try(fs.write, dir .. "/f", "x")
try(fs.list, dir)
try(fs.watch, dir)
try(fs.tail, dir .. "/f")
try(fs.temp_file, { dir = dir })
try(fs.remove, dir .. "/none", { recursive = true })
try(fs.copy, dir .. "/f", dir .. "/g")
try(fs.stat, dir .. "/f")
for _, file in ipairs(open) do file:close() end
try(fs.read, dir .. "/f")
print(fs.exists(dir .. "/g"))
""", 64)
        self.assertEqual([line.split("\t")[0] for line in out],
                         ["EMFILE"] * 8 + ["ok", "ok", "false"])
        self.assertFalse([line for line in out[:8] if self.dir not in line], out)

    def test_few_left(self):
        """a deep walk, copy and removal make do with few descriptors"""
        out = self.limited("""
local dir = arg[1]
fs.mkdir(dir .. "/t" .. ("/d"):rep(200), { parents = true })
local open = {}
repeat
  local file = io.open(arg[0])
  open[#open + 1] = file
until not file
for _ = 1, 16 do table.remove(open):close() end
local n = 0
for _ in fs.walk(dir .. "/t") do n = n + 1 end
print(n)
try(fs.copy, dir .. "/t", dir .. "/u", { recursive = true })
try(fs.remove, dir .. "/t", { recursive = true })
n = 0
for _ in fs.walk(dir .. "/u") do n = n + 1 end
print(n)
""", 128)
        self.assertEqual(out, ["200", "ok", "ok", "200"])


class Pool(Files):
    def test_one_thread(self):
        """what takes long gives up its thread, so that other jobs run in between"""
        many = os.path.join(self.dir, "many")
        os.mkdir(many)
        for i in range(40000):
            os.close(os.open(os.path.join(many, str(i)), os.O_CREAT))
        result = self.septet(self.source("""
local t = task.spawn(fs.remove, arg[1], { recursive = true })
task.checkpoint()
local looks = 0
repeat
  pcall(fs.stat, arg[1])
  looks = looks + 1
until t:status() ~= "suspended"
t:await()
print(looks > 2, fs.exists(arg[1]))
"""), many, env={"UV_THREADPOOL_SIZE": "1"})
        self.check(result, out="true\tfalse\n")


class Ends(Files):
    BUSY = """
local dir = fs.temp_dir()
fs.write(dir.path .. "/big", ("x"):rep(1 << 22), { sync = false })
for i = 1, 300 do fs.append(dir.path .. "/" .. i, "x") end
task.background(function() fs.copy(dir.path, dir.path .. "/../copy", { recursive = true }) end)
task.background(function() for _ in fs.tail(dir.path .. "/1") do end end)
task.background(function() for _ in fs.watch(dir.path, { recursive = true }) do end end)
task.background(function() while true do for _ in fs.walk(dir.path, { stat = true }) do end end end)
task.background(function()
  while true do fs.write(dir.path .. "/w", ("x"):rep(1 << 20), { sync = false }) end
end)
task.checkpoint()
"""

    def left(self):
        return [name for name in os.listdir(self.dir) if "septet-" in name]

    def test_ends(self):
        """a temporary folder is gone after any end of the run, whatever is in flight"""
        for ending, status in (("", 0), ("error 'lost'", 1), ("task.sleep(0.02)", 0),
                               ("coroutine.wrap(function() error() end)()", 1)):
            with self.subTest(ending=ending):
                result = self.septet(self.source(self.BUSY + ending), env={"TMPDIR": self.dir})
                self.check(result, status, err=None)
                self.assertEqual(self.left(), [])

    def test_signals(self):
        """a temporary folder is gone after SIGINT and SIGTERM"""
        for number in signal.SIGINT, signal.SIGTERM:
            child = self.start(self.source(self.BUSY + "print 'ready' task.sleep(1000)"),
                               env={"TMPDIR": self.dir})
            self.assertEqual(child.line(), "ready")
            child.kill(number)
            child.end()
            self.assertEqual(self.left(), [])


if __name__ == "__main__":
    unittest.main()
