# SPDX-License-Identifier: MIT
"""Writers and saves on a disk that is full, slow or fails: a typed error, and the file is the old
one or the new one. strace makes the calls fail. A full disk is a small file system in a mount
namespace."""

import hashlib
import os
import re
import resource
import shlex
import signal
import subprocess
import time
import unittest
import urllib.parse
import urllib.request

import harness

OLD = "old contents"

# Replaces the file arg[1] with arg[2] bytes, and prints the outcome.
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

# Saves arg[2] bytes, or the URL arg[2], as the file arg[1]. Prints the outcome, and whether other
# tasks ran meanwhile.
SAVE = """
local task, http = require "septet.task", require "septet.http"
local path, what = arg[1], arg[2]
local url = tonumber(what) and ("%s/bytes/%s"):format(os.getenv "SEPTET_ORIGIN", what) or what
local ticks = 0
task.background(function()
  while true do
    task.sleep(0.001)
    ticks = ticks + 1
  end
end)
local ok, result = pcall(http.save, url, path, { resume = arg[3] == "resume" })
print(ok and "ok" or task.is(result, "IoError") and result.code .. " " .. tostring(result)
  or tostring(result))
if ok and arg[3] then print(result.status, result.bytes, result.resumed, ticks > 50) end
"""

# strace counts calls by thread.
ONE_THREAD = {"UV_THREADPOOL_SIZE": "1"}


class Disk(harness.Case):
    def setUp(self):
        super().setUp()
        self.script = self.write("write.lua", WRITE)
        self.save = self.write("save.lua", SAVE)
        self.path = os.path.join(self.dir, "file")
        self.part = self.path + ".part"

    def traced(self, what, *injections, script=None, more=()):
        """Runs the script with system calls that fail, and returns its output."""
        with open(self.path, "w") as file:
            file.write(OLD)
        options = [word for call in injections for word in ("-e", "inject=" + call)]
        command = [script or self.script, self.path, str(what), *more]
        result, self.lines = self.strace(*command, options=options, env=ONE_THREAD)
        self.check(result, out=None)
        return result.out

    def on_a_small_disk(self, *commands):
        """Runs shell commands on a disk of 1 MiB, with the old contents in 'file'. Returns the
        lines that they print."""
        # The mount must not be visible outside. In a chroot, where / is no mount, the command
        # fails.
        unshare = harness.unshare("--mount", "--propagation", "unchanged")
        disk = os.path.join(self.dir, "disk")
        os.mkdir(disk)
        first = [
            "mount --make-rprivate / 2>/dev/null || true",
            "mount -t tmpfs -o size=1m none %s" % disk, "cd %s" % disk,
            "printf %s >file" % shlex.quote(OLD),
        ]
        result = self.septet(argv=unshare + ["sh", "-e", "-c", "\n".join([*first, *commands])])
        self.check(result, out=None)
        return result.out.split("\n")

    def calls(self, *names):
        """Returns the names of those system calls, in the order in which they began."""
        return re.findall(r" (%s)[a-z0-9]*\(" % "|".join(names), "\n".join(self.lines))

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
        """fault.43 EIO in fsync raises IoError without a retry, and the target is the old file"""
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
        self.assertEqual(
            self.calls("pwrite64", "fsync", "rename"),
            ["pwrite64"] * 4 + ["fsync", "rename", "fsync"],
        )

    def test_signals(self):
        """fault.43 calls that a signal interrupts are repeated"""
        out = self.traced(
            1 << 16, "pwrite64:error=EINTR:when=1+2", "fsync:error=EINTR:when=1",
            "ftruncate:error=EINTR:when=1",
        )
        self.assertEqual(out, "ok\n")
        self.assert_file(new(1 << 16))

    def test_full(self):
        """fault.43 ENOSPC raises IoError, and the target is the old file"""
        out = self.on_a_small_disk(
            "%s %s file %d" % (harness.SEPTET, self.script, 4 << 20), "cat file"
        )
        self.assertEqual(out, ["ENOSPC cannot write 'file.part': no space left on device", OLD])

    def test_short_write(self):
        """fault.43 a short write raises IoError, and the target is the old file"""
        limit = 100 * 1000  # in the middle of a write

        def limited():
            harness.default_signals()
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        with open(self.path, "w") as file:
            file.write(OLD)
        process = subprocess.run(
            [harness.SEPTET, self.script, self.path, str(1 << 20)], preexec_fn=limited,
            env=harness.environment(None), stdout=subprocess.PIPE, text=True, timeout=harness.HANG,
        )
        self.assertEqual(
            process.stdout, "EFBIG cannot write '%s.part': file too large\n" % self.path
        )
        self.assert_file(OLD)
        with open(self.path + ".part") as file:
            self.assertEqual(file.read(), new(1 << 20)[:limit])


class Fault43Save(Disk):
    def make(self, key, **options):
        """Has the origin serve such a file, and returns its URL."""
        url = "%s/file/%s" % (harness.ORIGIN, key)
        query = urllib.parse.urlencode({"etag": '"a"', **options})
        urllib.request.urlopen(
            urllib.request.Request("%s?%s" % (url, query), method="POST")
        ).close()
        return url

    def assert_no_part(self):
        self.assertFalse(os.path.exists(self.part) or os.path.exists(self.part + ".meta"))

    def test_write_error(self):
        """fault.43 EIO in a write of a save raises IoError, the target is the old file, and the
        part is gone"""
        for more in ((), ("resume",)):
            out = self.traced(4 << 20, "pwrite64:error=EIO:when=5", script=self.save, more=more)
            self.assertEqual(out, "EIO cannot write '%s': i/o error\n" % self.part)
            self.assert_file(OLD)
            self.assert_no_part()

    def test_sync_error(self):
        """fault.43 EIO in the fsync of a save raises IoError, the target is the old file, and the
        part is gone"""
        out = self.traced(1 << 20, "fsync:error=EIO:when=1", script=self.save)
        self.assertEqual(out, "EIO cannot sync '%s': i/o error\n" % self.part)
        self.assert_file(OLD)
        self.assert_no_part()
        self.assertEqual(self.calls("fsync", "rename"), ["fsync"])

    def test_full(self):
        """fault.43 ENOSPC in a save raises IoError, the target is the old file, and a later save
        resumes the part"""
        url = self.make("full", size=4 << 20)
        save = "%s %s file %s resume" % (harness.SEPTET, self.save, url)
        out = self.on_a_small_disk(
            save, "cat file", "echo", "mount -o remount,size=8m .", "stat -c %s file.part", save,
            "sha256sum <file", "ls",
        )
        self.assertEqual(out[:2], ["ENOSPC cannot write 'file.part': no space left on device", OLD])
        kept = int(out[2])
        self.assertGreater(kept, 900 * 1000)
        status, size, resumed, _ = out[4].split()
        self.assertEqual((out[3], status, size, resumed), ("ok", "206", str(4 << 20), str(kept)))
        self.assertEqual(out[5].split()[0], hashlib.sha256(new(4 << 20).encode()).hexdigest())
        self.assertEqual(out[6:], ["file", ""])

    def test_slow(self):
        """fault.43 a slow disk does not delay other tasks"""
        delay = 200 * 1000  # microseconds
        out = self.traced(
            1 << 16, "pwrite64:delay_enter=%d" % delay, "fsync:delay_enter=%d" % delay,
            "/^rename:delay_enter=%d" % delay, script=self.save, more=("slow",),
        )
        self.assertEqual(out, "ok\n200\t65536\t0\ttrue\n")
        self.assert_file(new(1 << 16))

    def test_killed(self):
        """fault.43 a killed save leaves the old file, and the next one resumes it"""
        url = self.make("killed", size=1000000, stall=600000)
        with open(self.path, "w") as file:
            file.write(OLD)
        child = self.start(self.save, self.path, url, "resume")
        while not os.path.exists(self.part) or os.stat(self.part).st_size < 600000:
            self.assertIsNone(child.process.poll())
            time.sleep(0.002)
        child.kill(signal.SIGKILL)
        child.end()
        self.assert_file(OLD)
        self.make("killed", size=1000000)
        result = self.septet(self.save, self.path, url, "resume")
        self.assertRegex(result.out, "^ok\n206\t1000000\t600000\t")
        self.assert_file(new(1000000))
        self.assert_no_part()


if __name__ == "__main__":
    unittest.main()
