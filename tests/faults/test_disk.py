"""A disk that is full or fails: a typed error, and the file is the old one or the new one, never something between.
What fails is the call itself, by strace; a full disk is a small file system in a mount namespace."""

import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import harness  # noqa: E402

OLD = "old contents"

# Writes `arg[2]` bytes beside the file arg[1] and puts them in its place. Says how that ended, and whether others ran.
WRITE = """
local task, sio = require "septet.task", require "septet.io"
local path, n = arg[1], tonumber(arg[2])
local ok, err = pcall(function()
  local w <close> = sio.create(path .. ".part", { digest = "sha256" })
  local chunk = ("0123456789abcdef"):rep(1024)
  for _ = 1, n // #chunk do w:write(chunk) end
  w:commit(path)
  w:close()
end)
print(ok and "ok" or task.is(err, "IoError") and err.code .. " " .. tostring(err) or tostring(err))
"""

# A tool that watches system calls does not go with the leak check.
TRACED = {"ASAN_OPTIONS": "detect_leaks=0"}



class Disk(harness.Case):
    def setUp(self):
        super().setUp()
        self.script = self.write("write.lua", WRITE)
        self.path = os.path.join(self.dir, "file")

    def traced(self, size, *injections, script=None):
        """Runs the script with system calls that fail; returns what it printed."""
        with open(self.path, "w") as file:
            file.write(OLD)
        argv = ["strace", "-f", "-qq", "-o", os.path.join(self.dir, "calls")]
        for injection in injections:
            argv += ["-e", "inject=" + injection]
        argv += [harness.SEPTET, script or self.script, self.path, str(size)]
        result = self.septet(argv=argv, env=TRACED)
        self.assertEqual((result.status, result.err), (0, ""), result)
        return result.out

    def calls(self, *names):
        """The names of those system calls, in the order in which they began."""
        with open(os.path.join(self.dir, "calls")) as file:
            return re.findall(r" (%s)[a-z0-9]*\(" % "|".join(names), file.read())

    def assert_file(self, expected):
        with open(self.path) as file:
            text = file.read()
        self.assertTrue(text == expected, "%d bytes, not %d" % (len(text), len(expected)))


def new(size):
    return "0123456789abcdef" * (size // 16)


class Fault43(Disk):
    def test_write_error(self):
        """fault.43 EIO in a write raises IoError, and the target is the old file"""
        out = self.traced(1 << 20, "pwrite64:error=EIO:when=5")
        self.assertEqual(out, "EIO cannot write '%s.part': i/o error\n" % self.path)
        self.assert_file(OLD)

    def test_sync_error(self):
        """fault.43 EIO in fsync raises IoError, fsync is not tried again, and the target is the old file"""
        out = self.traced(1 << 16, "fsync:error=EIO:when=1")
        self.assertEqual(out, "EIO cannot sync '%s.part': i/o error\n" % self.path)
        self.assert_file(OLD)
        self.assertEqual(self.calls("fsync", "rename"), ["fsync"])

    def test_rename_error(self):
        """fault.43 an error in rename raises IoError, and the target is the old file"""
        out = self.traced(1 << 16, "/^rename:error=EROFS:when=1")
        self.assertEqual(out, "EROFS cannot rename '%s.part': read-only file system\n" % self.path)
        self.assert_file(OLD)

    def test_folder_sync_error(self):
        """fault.43 EIO in the fsync of the folder raises IoError, and the target is the new file"""
        out = self.traced(1 << 16, "fsync:error=EIO:when=2")
        self.assertEqual(out, "EIO cannot sync the folder of '%s.part': i/o error\n" % self.path)
        self.assert_file(new(1 << 16))

    def test_order(self):
        """fault.43 the file is synced before it is renamed, and its folder after that"""
        self.assertEqual(self.traced(1 << 16), "ok\n")
        self.assert_file(new(1 << 16))
        self.assertEqual(self.calls("pwrite64", "fsync", "rename"), ["pwrite64"] * 4 + ["fsync", "rename", "fsync"])

    def test_signals(self):
        """fault.43 calls that a signal interrupts are made again"""
        out = self.traced(1 << 16, "pwrite64:error=EINTR:when=1+2", "fsync:error=EINTR:when=1", "ftruncate:error=EINTR:when=1")
        self.assertEqual(out, "ok\n")
        self.assert_file(new(1 << 16))

    def test_full(self):
        """fault.43 ENOSPC raises IoError, and the target is the old file"""
        if os.geteuid() == 0:
            unshare = ["unshare", "-m"]
        else:
            unshare = ["unshare", "-r", "-m"]
        disk = os.path.join(self.dir, "disk")
        os.mkdir(disk)
        path = os.path.join(disk, "file")
        commands = "mount -t tmpfs -o size=1m none %s && printf %s >%s && %s %s %s %d && cat %s && stat -c ' %%s' %s.part" % (
            disk, shlex.quote(OLD), path, harness.SEPTET, self.script, path, 4 << 20, path, path)
        result = self.septet(argv=unshare + ["sh", "-c", commands])
        said, rest = result.out.split("\n", 1)
        self.assertEqual(said, "ENOSPC cannot write '%s.part': no space left on device" % path, result)
        self.assertRegex(rest, "^%s [0-9]+\n$" % OLD)
        self.assertEqual((result.status, result.err), (0, ""), result)

    def test_short_write(self):
        """fault.43 a write that takes some bytes and then no more raises IoError, and the target is the old file"""
        limit = 100 * 1000  # in the middle of a write

        def limited():
            harness.default_signals()
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        with open(self.path, "w") as file:
            file.write(OLD)
        process = subprocess.run([harness.SEPTET, self.script, self.path, str(1 << 20)], preexec_fn=limited,
                                 env=harness.environment(None), stdout=subprocess.PIPE, text=True, timeout=harness.HANG)
        self.assertEqual(process.stdout, "EFBIG cannot write '%s.part': file too large\n" % self.path)
        self.assert_file(OLD)
        with open(self.path + ".part") as file:
            self.assertEqual(file.read(), new(1 << 20)[:limit])


if __name__ == "__main__":
    unittest.main()
