# SPDX-License-Identifier: MIT
"""--trace=FILE and `septet trace`: what ran is written however the run ends. What cannot be read or
written is said."""

import json
import os
import pty
import re
import signal
import subprocess
import unittest

import harness

CHECK = os.path.join(harness.ROOT, "tests", "support", "check_chrome.lua")

SCRIPT = """
local task = require 'septet.task'
local child = task.spawn(function() task.sleep(0.001) end)
child:await()
print 'done'
"""

# The ends of a run: what it does, its status, and the signal that it gets.
ENDS = {
    "returns": ("", 0, None),
    "fails": ("error 'x'", 1, None),
    "exits": ("os.exit(3)", 3, None),
    "exits and closes": ("os.exit(3, true)", 3, None),
    "exits in a coroutine": ("coroutine.wrap(function() os.exit(3) end)()", 3, None),
    "exits in a task": ("task.spawn(function() os.exit(3, true) end):await()", 3, None),
    "exits again": ("while true do pcall(os.exit, 3, true) end", 3, None),
    "deadlock": ("local m = task.current() task.spawn(m.await, m):await()", 4, None),
    "interrupted": ("task.sleep(100)", -signal.SIGINT, signal.SIGINT),
    "terminated": ("while true do end", -signal.SIGTERM, signal.SIGTERM),
    "nothing reads": ("for i = 1, 1e9 do print(('x'):rep(1000)) task.sleep(0) end",
                      -signal.SIGPIPE, None),
}


class Files(harness.Case):
    def path(self, name):
        return os.path.join(self.dir, name)

    def check_chrome(self, *names):
        """Returns the number of tasks in each file, which keeps the rules of Perfetto."""
        result = self.septet(CHECK, *names)
        self.check(result, out=None)
        return [int(line.split()[0]) for line in result.out.splitlines()]

    def files(self):
        return sorted(name for name in os.listdir(self.dir) if name != "s.lua")

    def test_every_end(self):
        for end, (source, status, number) in ENDS.items():
            with self.subTest(end):
                self.write("s.lua", SCRIPT + source)
                # A process that ends in the middle of C code leaks the memory of its stack.
                child = self.start("--trace=run.json", "s.lua", env=harness.NO_LEAK_CHECK)
                child.expect("done")
                if number:
                    child.kill(number)
                if end == "nothing reads":
                    child.process.stdout.close()
                    self.assertEqual(child.process.wait(), status)
                else:
                    self.assertEqual(child.end().status, status)
                self.assertEqual(self.files(), ["run.json"])
                self.assertGreaterEqual(self.check_chrome("run.json")[0], 2)
                os.remove(self.path("run.json"))

    def test_a_killed_run_leaves_what_converts(self):
        self.write("s.lua", SCRIPT + "task.sleep(0.05) print 'now' task.sleep(100)")
        child = self.start("--trace=run.json", "s.lua")
        child.expect("done")
        child.expect("now")
        child.kill(signal.SIGKILL)
        child.end()
        self.assertEqual(self.files(), ["run.json.trc"])
        self.check(self.septet("trace", "run.json.trc", "-o", "run.json"))
        self.assertEqual(self.check_chrome("run.json"), [2])

    def test_an_exit_has_the_turn_that_exits(self):
        self.lua("require 'septet.trace'.mark 'last' os.exit(0)", "--trace=run.trc")
        self.assertIn("mark   last", self.septet("trace", "run.trc").out)

    def test_a_slice_limit_does_not_end_the_conversion(self):
        self.lua("""
            local task = require 'septet.task'
            for i = 1, 3000 do task.spawn(function() end) end
            task.sleep(0)
            os.exit(5)""", "--max-slice=0.2", "--trace=run.json")
        self.assertEqual(self.check_chrome("run.json"), [3001])

    def test_several_files(self):
        self.write("s.lua", SCRIPT)
        self.check(self.septet("--trace=a.json", "--trace=b.trc", "--trace=c.json", "--trace",
                               "--trace-filter=end", "s.lua"), out="done\n",
                   err=re.compile(r" *\+\S+ #2 s.lua:3 .* end .*\n.* end .*\n$"))
        self.assertEqual(self.files(), ["a.json", "b.trc", "c.json"])
        self.assertEqual(self.check_chrome("a.json", "c.json"), [2, 2])

    def test_a_report(self):
        self.write("s.lua", SCRIPT)
        self.check(self.septet("--trace=run.html", "s.lua"), out="done\n")
        with open(self.path("run.html")) as file:
            page = file.read()
        self.assertRegex(page, r"(?s)^<!doctype html>.*<title>s.lua .*</html>\s*$")

    def test_the_script_is_named(self):
        self.write("s.lua", SCRIPT)
        self.septet("--trace=a.json", "s.lua")
        with open(self.path("a.json")) as file:
            self.assertIn('"script":"s.lua"', file.read())

    # --- what cannot be written ---

    def fails(self, *args, err, status=1, out=""):
        self.write("s.lua", SCRIPT)
        self.check(self.septet(*args, "s.lua"), status, out=out, err=re.compile(err))

    def test_nothing_runs_if_the_recording_cannot_be_made(self):
        self.fails("--trace=no/run.json", err="septet: cannot open 'no/run.json.trc': no such file")
        os.mkdir(self.path("dir.trc"))
        self.fails("--trace=dir.trc", err="septet: cannot open 'dir.trc': illegal operation on a d")
        self.fails("--trace=no/run.trc", err="septet: cannot open 'no/run.trc': no such file")

    def test_nothing_runs_if_the_file_is_a_directory(self):
        os.mkdir(self.path("dir.json"))
        self.fails("--trace=dir.json", err="septet: cannot write 'dir.json': Is a directory\n$")
        self.assertEqual(os.listdir(self.path("dir.json")), [])

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_nothing_runs_if_the_file_is_read_only(self):
        self.write("old.json", "old", mode=0o444)
        self.fails("--trace=old.json", err="septet: cannot write 'old.json': Permission denied\n$")

    def test_a_full_disk_at_the_end(self):
        os.symlink("/dev/full", self.path("run.json"))
        self.fails("--trace=run.json", out="done\n", err=
                   "septet: cannot write 'run.json': No space left on device\n"
                   "septet: what was recorded is in 'run.json.trc'\n$")
        self.assertIn("run.json.trc", self.files())

    def test_a_full_disk_does_not_hide_a_failure(self):
        os.symlink("/dev/full", self.path("run.json"))
        result = self.lua("os.exit(7)", "--trace=run.json")
        self.check(result, 7, err=re.compile("septet: cannot write 'run.json': No space left"))

    def test_a_full_disk_while_it_records(self):
        os.symlink("/dev/full", self.path("run.json.trc"))
        self.write("s.lua", SCRIPT)
        result = self.septet("--trace=run.json", "s.lua")
        self.assertEqual((result.status, result.out), (1, ""), result)
        os.remove(self.path("run.json.trc"))
        os.symlink("/dev/full", self.path("run.trc"))
        result = self.septet("--trace=run.trc", "s.lua")
        self.assertEqual(result.status, 1, result)
        self.assertRegex(result.err, "(?i)septet: .*no space left on device")

    # --- septet trace ---

    def record(self):
        self.write("s.lua", SCRIPT)
        self.check(self.septet("--trace=run.trc", "s.lua"), out="done\n")

    def test_formats(self):
        self.record()
        self.assertRegex(self.septet("trace", "run.trc").out, r"(?m) #2 \S+ +end +ok")
        self.assertEqual(self.septet("trace", "--to=lines", "run.trc").out,
                         self.septet("trace", "run.trc", "--to", "lines").out)
        out = self.septet("trace", "run.trc", "--trace-filter=#2", "--trace-filter=end").out
        self.assertRegex(out, r"^ *\+\S+ #2 .* end .*\n$")
        self.check(self.septet("trace", "run.trc", "--to", "chrome", "-ox"))
        self.check(self.septet("trace", "run.trc", "-o", "y.json"))
        self.assertEqual(self.check_chrome("x", "y.json"), [2, 2])
        result = self.septet("trace", "run.trc", "--to", "summary", "--json")
        self.assertEqual(json.loads(result.out)["tasks"]["count"], 2)

    def test_an_exporter_of_a_user(self):
        self.record()
        self.write("names.lua", """
            local task = require 'septet.task'
            return function(m, write, options)
              task.sleep(0.001)
              for _, t in ipairs(m.tasks) do write(('%d %s\\n'):format(t.id, t.name)) end
            end""")
        self.check(self.septet("trace", "run.trc", "--to", "names.lua"), out="1 main\n2 s.lua:3\n")
        self.write("none.lua", "return 7")
        self.write("bad.lua", "return function() error 'mine' end")
        self.write("syntax.lua", "return (")
        for name, err in (("none.lua", "septet: 'none.lua' returns no function\n$"),
                          ("bad.lua", "septet: bad.lua:1: mine\n"),
                          ("syntax.lua", "septet: syntax.lua:1: "),
                          ("missing.lua", "septet: cannot open.* missing.lua")):
            self.check(self.septet("trace", "run.trc", "--to", name), 1, err=re.compile(err))

    def test_what_is_no_recording(self):
        self.write("text.trc", "print 'x'\n")
        self.write("empty.trc", "")
        self.write("newer.trc", "SPTR\x07\x00\x20\x00\x00\x00\x00\x00")
        os.mkdir(self.path("dir.trc"))
        for name, why in (("text.trc", "it is no recording of a trace"),
                          ("empty.trc", "it is no recording of a trace"),
                          ("newer.trc", "its format has version 7, not 1"),
                          ("dir.trc", "Is a directory"),
                          ("missing.trc", "No such file or directory")):
            for target in ("lines", "chrome"):
                self.check(self.septet("trace", name, "--to", target), 1,
                           err="septet: cannot read '%s': %s\n" % (name, why))

    def test_what_is_damaged(self):
        self.record()
        with open(self.path("run.trc"), "rb") as file:
            whole = file.read()
        for cut in (1, 40):
            with open(self.path("cut.trc"), "wb") as file:
                file.write(whole[:-cut])
            result = self.septet("trace", "cut.trc", "--to", "chrome", "-o", "cut.json")
            self.check(result, err=re.compile(r"septet: 'cut.trc' is cut off: \d+ bytes at its e"))
            self.check_chrome("cut.json")

    def test_usage(self):
        self.record()
        for args, problem in (
                ([], "the recording is missing"), (["--to"], "missing argument of '--to'"),
                (["run.trc", "-o"], "missing argument of '-o'"),
                (["run.trc", "b.trc"], "a second file, 'b.trc'"),
                (["run.trc", "--from=x"], "unrecognized option '--from=x'"),
                (["run.trc", "--to", "pdf"], "unknown format 'pdf' (one of chrome, har, html,"
                 " lines, otlp, summary, or a file .lua)")):
            self.check(self.septet("trace", *args), 2, err="septet: %s\nusage: septet trace FILE"
                       " [--to FORMAT] [-o OUT]\ntry 'septet trace --help'\n" % problem)
        self.assertRegex(self.septet("trace", "--help").out, "^usage: septet trace FILE")

    def test_output_that_is_lost(self):
        self.record()
        with open("/dev/full", "w") as full:
            process = subprocess.run(
                [harness.SEPTET, "trace", "run.trc"], cwd=self.dir, stdout=full,
                stderr=subprocess.PIPE, text=True, timeout=harness.HANG)
        self.assertEqual(process.returncode, 1)
        self.assertIn("septet: cannot write to standard output", process.stderr)
        self.check(self.septet("trace", "run.trc", "-o", "no/x"), 1,
                   err="septet: cannot write 'no/x': No such file or directory\n")


class Limit(harness.Case):
    SPAWNS = "for i = 1, 300 do require 'septet.trace'.mark('m' .. i) end"

    def test_a_file_gets_every_line(self):
        result = self.lua(self.SPAWNS, "--trace", "--trace-filter=mark")
        self.assertEqual(len(result.err.splitlines()), 300)

    def test_a_limit(self):
        result = self.lua(self.SPAWNS, "--trace-filter=mark", "--trace-limit=7", "--virtual-time")
        lines = result.err.splitlines()
        self.assertEqual(lines[7:], ["… 293 lines suppressed (limit 7/s; --trace-limit=0 for all)"])

    def test_a_terminal_gets_a_hundred_a_second(self):
        self.write("s.lua", self.SPAWNS)
        main, side = pty.openpty()
        process = subprocess.Popen(
            [harness.SEPTET, "--virtual-time", "--trace-filter=mark", "s.lua"], cwd=self.dir,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=side)
        os.close(side)
        text = b""
        try:
            while piece := os.read(main, 65536):
                text += piece
        except OSError:  # the other side is closed
            pass
        os.close(main)
        self.assertEqual(process.wait(), 0)
        lines = text.decode().splitlines()
        self.assertEqual((len(lines), lines[-1]), (
            101, "… 200 lines suppressed (limit 100/s; --trace-limit=0 for all)"))


if __name__ == "__main__":
    unittest.main()
