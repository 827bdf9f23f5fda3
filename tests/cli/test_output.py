# SPDX-License-Identifier: MIT
"""Standard output that cannot be written is reported once, and no run that lost bytes ends with
0."""

import os
import resource
import signal
import subprocess
import unittest

import harness

ORIGIN = harness.ORIGIN

# Ends of a script, and the status if its output can be written.
ENDINGS = {
    "the end": ("", 0),
    "os.exit": ("os.exit(0)", 0),
    "os.exit without arguments": ("os.exit()", 0),
    "os.exit that closes": ("os.exit(0, true)", 0),
    "os.exit in a task": (
        "require 'septet.task'.spawn(function() os.exit(0, true) end):await()",
        0,
    ),
    "os.exit in a finalizer": ("setmetatable({}, {__gc = function() os.exit(0, true) end})", 0),
    "os.exit with a code": ("os.exit(3)", 3),
    "os.exit with a code that closes": ("os.exit(3, true)", 3),
    "an error": ("error('failed', 0)", 1),
    "a deadlock": ("require 'septet.sync'.event():wait()", 4),
}
# Ways to write. The last two write at the very end.
WRITES = {
    "not buffered": "io.stdout:setvbuf 'no' print 'text'",
    "by line": "io.stdout:setvbuf 'line' print 'text'",
    "in full": "io.stdout:setvbuf('full', 65536) print 'text'",
    "as it is": "io.write 'text'",
    "much": "for _ = 1, 1000 do print(('x'):rep(100)) end",
    "flushed": "print 'text' io.stdout:flush()",
    "early, and nothing later": "print 'text' io.stdout:flush() require 'septet.task'.sleep(0.001)",
    "closing": "local x <close> = setmetatable({}, {__close = function() print 'text' end})",
    "collected": "kept = setmetatable({}, {__gc = function() print 'text' end})",
}
LOST = "septet: cannot write to standard output: "


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


class Lost(harness.Case):
    def run_with(self, kind, args):
        """Runs septet with a standard output that is full, closed, or at its size limit. Returns
        status and stderr."""
        if kind == "full":
            with open("/dev/full", "w", encoding="utf-8") as out:
                return self.finish(args, out)
        if kind == "closed":
            return self.finish(["sh", "-c", 'exec "$0" "$@" >&-', *args], subprocess.DEVNULL)
        with open(os.path.join(self.dir, "out"), "w", encoding="utf-8") as out:
            return self.finish(args, out, limit_files)

    def finish(self, argv, out, prepare=lambda: None):
        def before():
            harness.default_signals()
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            prepare()
        done = subprocess.run(
            argv, cwd=self.dir, env=harness.environment(None), stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.PIPE, text=True, timeout=harness.HANG, preexec_fn=before, check=False,
        )
        return done.returncode, harness.SLOW.sub("", done.stderr)

    def is_told(self, kind, status, args):
        got, err = self.run_with(kind, [harness.SEPTET, *args])
        self.assertEqual(got, status or 1, err)
        self.assertEqual(err.count(LOST), 1, err)
        if status == 0:
            self.assertRegex(err, r"\A%s.+\n\Z" % LOST)

    def test_each_way_to_write_and_to_end(self):
        """T-E: lost output gives status 1 and a message, for each way to write it and to end"""
        for kind in ("full", "closed", "limit"):
            for how, write in WRITES.items():
                if kind != "full" and how not in ("not buffered", "as it is", "closing"):
                    continue
                for name, (ending, status) in ENDINGS.items():
                    after = (
                        name.startswith("os.exit")
                        and "close" not in name
                        and "finalizer" not in name
                        and how in ("closing", "collected")
                        and "task" not in name
                    )
                    if after:
                        continue  # nothing is written: os.exit without `true` closes nothing
                    with self.subTest(kind=kind, write=how, ending=name):
                        self.is_told(kind, status, ["-e", write + "\n" + ending])

    def test_text_of_the_command(self):
        """T-E: lost output of --help, --version and -v gives status 1 and a message"""
        for kind in ("full", "closed", "limit"):
            for option in ("--help", "--version", "-v"):
                with self.subTest(kind=kind, option=option):
                    self.is_told(kind, 0, [option])

    def test_a_script_that_writes_nothing_needs_no_output(self):
        """T-E: a script that writes nothing succeeds without a standard output"""
        for kind in ("full", "closed", "limit"):
            for ending, status in ENDINGS.values():
                if status in (0, 3):
                    got = self.run_with(kind, [harness.SEPTET, "-e", ending])
                    self.assertEqual(got, (status, ""), (kind, ending))

    def test_a_signal_stays(self):
        """T-E: a script that lost output and that a signal ends still ends by it"""
        for number in (signal.SIGINT, signal.SIGTERM):
            script = "print 'text' io.popen('kill -%d ' .. ...):close() while true do end" % number
            status, err = self.run_with("full", ["sh", "-c", 'exec "$0" "$1" $$', harness.SEPTET,
                                                 self.write("s.lua", script)])
            self.assertEqual((status, err.count(LOST)), (-number, 1), err)

    def test_the_reason_is_said_where_it_is_known(self):
        """T-E: the message has the reason, if the last bytes are those that could not be written"""
        self.assertEqual(self.run_with("full", [harness.SEPTET, "-e", "io.write 'x'"]),
                         (1, LOST + "No space left on device\n"))
        self.assertEqual(self.run_with("closed", [harness.SEPTET, "-e", "io.write 'x'"]),
                         (1, LOST + "Bad file descriptor\n"))

    def test_a_limit_is_an_error_of_the_write(self):
        """T-E: a file at its size limit fails the write, and kills neither the script nor its
        children"""
        script = """
local f = io.open('other', 'w')
f:setvbuf 'no'
io.stderr:write(select(2, f:write 'text'), '\\n')
io.stderr:write(tostring(select(3, os.execute 'kill -XFSZ $$')), '\\n')"""
        self.assertEqual(self.run_with("limit", [harness.SEPTET, "-e", script]),
                         (0, "other: File too large\n25\n".replace("other: ", "")))


class Fetch(harness.Case):
    SCRIPT = os.path.join(harness.ROOT, "scripts", "fetch.lua")
    run_with, finish = Lost.run_with, Lost.finish

    def test_results_that_are_lost(self):
        """T-E: fetch.lua fails, and counts a result that it could not write as failed"""
        urls = [ORIGIN + "/bytes/%d" % size for size in (1, 2, 3)]
        for kind in ("full", "closed", "limit"):
            for options in ([], ["--json"]):
                with self.subTest(kind=kind, options=options):
                    status, err = self.run_with(
                        kind, [harness.SEPTET, self.SCRIPT, *options, *urls]
                    )
                    self.assertEqual((status, err.count(LOST)), (1, 1), err)
                    self.assertRegex(err, r"[1-3] done, [1-3] failed")

    def test_its_help(self):
        """T-E: lost output of fetch.lua --help gives status 1 and a message"""
        status, err = self.run_with("full", [harness.SEPTET, self.SCRIPT, "--help"])
        self.assertEqual((status, err.count(LOST)), (1, 1), err)


if __name__ == "__main__":
    unittest.main()
