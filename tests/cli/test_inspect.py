# SPDX-License-Identifier: MIT
"""Ctrl-\\, SIGUSR1 and `septet ps PID` show the tasks at any time, wherever the script is. No other
process gets a signal."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import unittest

import harness

HEAD = """
io.stdout:setvbuf 'no'
local task, sync = require 'septet.task', require 'septet.sync'
"""

# A function in C that computes for hours.
COMPUTES = "string.find(('a'):rep(60), ('a-'):rep(60) .. 'b')"

# Where a script may be, and the line of the tree that says so. Each prints "ready" before.
PLACES = {
    "waiting": ("task.spawn(function() print 'ready' end) task.sleep(1e6)",
                r"^#1 main +wait sleep +[\d.]+s 1000000 s  s.lua:4 in main chunk$"),
    "spinning": ("print 'ready' while true do end",
                 r"^#1 main +run +[\d.]+s +s.lua:4 in main chunk$"),
    "spinning in a task": (
        "task.spawn(function() print 'ready' while true do end end)\ntask.sleep(1e6)",
        r"^└─ #2 s.lua:4 +run +[\d.]+s +s.lua:4$"),
    "spinning in a coroutine": (
        "coroutine.wrap(function() print 'ready' while true do end end)()",
        r"^#1 main +run +[\d.]+s +s.lua:4 ← s.lua:4 in main chunk$"),
    "spinning in a callback of C": (
        "string.gsub('x', 'x', function() print 'ready' while true do end end)",
        r"^#1 main +run +[\d.]+s +s.lua:4 ← s.lua:4 in main chunk$"),
    "calling C": ("print 'ready' while true do ('x'):rep(1e6) end",
                  r"^#1 main +run +[\d.]+s +s.lua:4 in main chunk$"),
    "under a hook": (
        "debug.sethook(function() end, 'l') print 'ready' while true do local x = 1 end",
        r"^#1 main +run +[\d.]+s +s.lua:4 in main chunk$"),
    "yielding": ("print 'ready' while true do task.sleep(0) end", r"^#1 main +(run|ready) "),
}


class Shown(harness.Case):
    def start_at(self, source, *options):
        child = self.start(*options, self.write("s.lua", HEAD + source))
        child.expect("ready")
        return child

    def errors_of(self, child, pattern, asked=None):
        """Waits until the child has written a line with the pattern to stderr, and returns all.
        Sends the signal `asked` for each tree that comes instead."""
        with open("/proc/self/fd/%d" % child.errors.fileno()) as errors:
            text, trees = "", -1
            while not re.search(pattern, text, re.M):
                self.assertIsNone(child.process.poll(), text)
                if asked and text.count("\nseptet ") + text.startswith("septet ") > trees:
                    trees += 1
                    child.kill(asked)
                time.sleep(0.002)
                text += errors.read().replace(self.dir + "/", "")
        return text

    def settle(self, child):
        """Waits until all of its tasks wait."""
        while not re.search(r"(\d+) \(0 run, 0 ready, \1 wait\)", self.ps(child).out):
            pass

    def ps(self, child, *options):
        """Asks again if the machine has stood still for as long as the command waits."""
        for _ in range(5):
            result = self.septet("ps", *options, str(child.process.pid))
            if "has not sent all of its answer" not in result.err:
                break
        return result

    def test_at_each_place(self):
        for number in (signal.SIGUSR1, signal.SIGQUIT):
            children = {name: self.start_at(source) for name, (source, _) in PLACES.items()}
            for name, (_, line) in PLACES.items():
                with self.subTest(name):
                    child = children[name]
                    child.kill(number)
                    said = self.errors_of(child, line)
                    self.assertRegex(said, r"(?m)^septet \d+ s.lua  up [\d.]+s  tasks \d+ \(")
                    self.assertIsNone(child.process.poll())
                    child.kill(signal.SIGTERM)
                    self.assertEqual(child.end().status, -signal.SIGTERM)

    def test_ps_at_each_place(self):
        for name, (source, line) in PLACES.items():
            with self.subTest(name):
                child = self.start_at(source)
                result = self.ps(child)
                self.assertEqual((result.status, result.err), (0, ""), result)
                self.assertRegex(result.out.replace(self.dir + "/", ""), re.compile(line, re.M))
                child.kill(signal.SIGTERM)
                self.assertEqual(child.end().err, "")

    def test_a_script_does_not_notice(self):
        child = self.start_at("""
print 'ready' local n = 0
for i = 1, 50 do task.sleep(0.001) for j = 1, 1e5 do n = n + 1 end end
print(n)""")
        while not select.select([child.process.stdout], [], [], 0.001)[0]:
            child.kill(signal.SIGUSR1)
        self.check(child.end(), out="5000000\n", err=None)

    def test_many_tasks_are_grouped(self):
        child = self.start_at("""
local function page() task.sleep(1e6) end
for i = 1, 10000 do task.spawn(page).name = 'page' end
task.spawn(function() print 'ready' end)
task.sleep(1e6)""")
        self.settle(child)
        result = self.ps(child)
        self.assertEqual(len(re.findall(r"#\d+ page +wait", result.out)), 3, result)
        self.assertIn('… 9997 more "page" waiting on sleep (grouped; -a for all)\n', result.out)
        result = self.ps(child, "-a")
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertEqual(len(re.findall(r"#\d+ page +wait", result.out)), 10000)
        tasks = json.loads(self.ps(child, "--json").out)
        self.assertEqual(len(tasks), 10001)
        self.assertEqual(tasks[1]["parent"], 1)
        self.assertEqual(tasks[1]["wait"], {"kind": "sleep", "ref": 0, "detail": "1000000 s"})
        self.assertEqual(tasks[1]["stack"], [{"src": self.dir + "/s.lua", "line": 5}])

    def test_names_are_escaped(self):
        child = self.start_at("task.current().name = 'a\\n\\27[31m\"' print 'ready' "
                              "task.sleep(1e6)")
        self.assertIn('#1 a\\n\\x1b[31m" ', self.ps(child).out)
        self.assertEqual(json.loads(self.ps(child, "--json").out)[0]["name"], 'a\\n\\x1b[31m"')

    # --- C code that blocks ---

    def test_c_code_that_waits(self):
        """A read goes on where it was, and the tasks follow it."""
        fifo = os.path.join(self.dir, "fifo")
        os.mkfifo(fifo)
        child = self.start_at("local file = io.popen('exec cat %s')\nprint 'ready'\n"
                              "print(file:read 'l') while true do end" % fifo)
        with open(fifo, "w") as out:
            self.errors_of(child, "^septet: C code blocks: task #1 has run for [0-9.]+ s; the "
                                  "tasks follow when it returns$", signal.SIGUSR1)
            result = self.ps(child)
            self.check(result, 1, err=re.compile(r"^septet: process \d+ does not answer: C code "
                                                 r"blocks: task #1 has run for \d+\.\d s$"))
            out.write("line\n")
        self.errors_of(child, r"^#1 main +run +[\d.]+s +s.lua:6 in main chunk$")
        child.expect("line")

    def test_c_code_that_computes(self):
        child = self.start_at("print 'ready' " + COMPUTES)
        self.errors_of(child, "^septet: C code blocks: task #1 has run for ", signal.SIGUSR1)

    def test_c_code_on_a_virtual_clock(self):
        child = self.start_at("print 'ready' " + COMPUTES, "--virtual-time")
        self.errors_of(child, "^septet: C code blocks: task #1 runs; the tasks follow",
                       signal.SIGUSR1)

    # --- signals ---

    def test_a_second_quit_ends_the_process(self):
        child = self.start_at("print 'ready' while true do end")
        child.kill(signal.SIGQUIT)
        self.errors_of(child, "^#1 main +run ")
        child.kill(signal.SIGQUIT)
        self.assertEqual(child.end().status, -signal.SIGQUIT)

    def test_a_signal_that_is_ignored_stays_ignored(self):
        self.write("s.lua", HEAD + "print 'ready' task.sleep(1e6)")
        child = self.start(argv=["/bin/sh", "-c", 'trap "" QUIT USR1; exec "$0" s.lua',
                                 harness.SEPTET])
        child.expect("ready")
        child.kill(signal.SIGQUIT)
        child.kill(signal.SIGUSR1)
        result = self.ps(child)
        self.check(result, 1, err="septet: process %d does not answer now: it starts or ends, or "
                                  "SIGUSR1 is ignored\n" % child.process.pid)
        child.kill(signal.SIGTERM)
        self.check(child.end(), -signal.SIGTERM, out=None, err="")

    def test_programs_it_starts_have_the_default_action(self):
        self.check(self.septet("-e", "print(os.execute 'kill -USR1 $$')"),
                   out="nil\tsignal\t%d\n" % signal.SIGUSR1)

    def test_outside_of_a_run(self):
        """What closes the state is no task."""
        child = self.start("-e", HEAD + """
setmetatable({}, { __gc = function() print 'ready' while true do end end })
x = setmetatable({}, { __gc = function() print 'ready' for i = 1, 1e12 do end end })""")
        child.expect("ready")
        child.kill(signal.SIGUSR1)
        self.errors_of(child, "^septet: no script runs, so there is nothing to show$")
        self.check(self.ps(child), 1, err=re.compile("^septet: process [0-9]+ does not answer: no "
                                                     "script runs, so there is nothing to show$"))

    # --- Ctrl-C ---

    def interrupted(self, child):
        child.kill(signal.SIGINT)
        result = child.end()
        self.assertEqual(result.status, -signal.SIGINT, result)
        return result.err.replace(self.dir + "/", "")

    def test_the_first_interrupt_says_where_it_was(self):
        self.assertEqual(
            self.interrupted(self.start_at("print 'ready' while true do end")),
            "septet: interrupted: task #1 'main' ran, at s.lua:4 in main chunk\n")
        child = self.start_at("task.spawn(function() print 'ready' end)\ntask.sleep(1e6)")
        self.settle(child)
        self.assertEqual(
            self.interrupted(child),
            "septet: interrupted: task #1 'main' waited for sleep 1000000 s, at s.lua:5 in main "
            "chunk\n")

    def test_an_interrupt_of_c_code_says_that_it_blocks(self):
        child = self.start_at("print 'ready' " + COMPUTES)
        self.errors_of(child, "^septet: C code blocks", signal.SIGUSR1)
        self.assertRegex(self.interrupted(child), r"\nseptet: C code blocks: task #1 has run for "
                                                  r"\d+.\d s; interrupted there$")

    def test_a_termination_says_nothing(self):
        child = self.start_at("print 'ready' while true do end")
        child.kill(signal.SIGTERM)
        self.check(child.end(), -signal.SIGTERM)


COUNTER = """
import signal, sys
got = []
for number in range(1, signal.NSIG):
    try:
        signal.signal(number, lambda number, frame: got.append(number))
    except (OSError, ValueError):
        pass
print("ready", flush=True)
sys.stdin.readline()
print(got, flush=True)
"""


class Others(harness.Case):
    """Processes that cannot be asked."""

    def refused(self, pid, why):
        result = self.septet("ps", str(pid))
        self.check(result, 1, err="septet: process %s %s\n" % (pid, why))

    def test_no_septet_gets_no_signal(self):
        with subprocess.Popen([sys.executable, "-c", COUNTER], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as other:
            self.assertEqual(other.stdout.readline(), "ready\n")
            self.refused(other.pid, "is no Septet")
            other.stdin.write("\n")
            other.stdin.flush()
            self.assertEqual(other.stdout.readline(), "[]\n")

    def test_one_that_has_ended(self):
        child = self.start("-e", "")
        os.waitid(os.P_PID, child.process.pid, os.WEXITED | os.WNOWAIT)
        self.refused(child.process.pid, "has ended")
        child.end()
        self.refused(child.process.pid, "does not exist")

    def test_one_that_is_stopped(self):
        child = self.start("-e", HEAD + "print 'ready' task.sleep(1e6)")
        child.expect("ready")
        child.kill(signal.SIGSTOP)
        os.waitid(os.P_PID, child.process.pid, os.WSTOPPED)
        pid = child.process.pid
        self.refused(pid, "is stopped: continue it first, by kill -CONT")
        child.kill(signal.SIGCONT)
        self.assertEqual(self.septet("ps", str(pid)).status, 0)

    def test_one_of_another_user(self):
        if os.geteuid() == 0:
            with subprocess.Popen(["sleep", "60"], user=65534) as other:
                self.refused(other.pid, "belongs to another user")
                other.kill()
        else:
            self.refused(1, "belongs to another user")

    def test_one_in_another_namespace(self):
        child = self.start(argv=[*harness.unshare("--pid", "--fork"), harness.SEPTET, "-e", HEAD +
                                 "print 'ready' task.sleep(1e6)"])
        if child.line() != "ready":
            self.skipTest("no namespaces here")
        with open("/proc/%d/task/%d/children" % (child.process.pid, child.process.pid)) as file:
            pid = int(file.read())
        self.refused(pid, "is in another PID namespace: ask there")

    def test_a_thread(self):
        child = self.start("-e", HEAD + """
local file = require 'septet.io'.open(arg[0])
file:read(10) -- by a thread of libuv's
print 'ready' task.sleep(1e6)""".replace("arg[0]", "'/etc/hosts'"))
        child.expect("ready")
        pid = child.process.pid
        thread = max(int(name) for name in os.listdir("/proc/%d/task" % pid))
        self.assertNotEqual(thread, pid)
        self.refused(thread, "is none: it is a thread")

    def test_itself(self):
        result = self.septet(argv=["/bin/sh", "-c", 'exec "$0" ps $$', harness.SEPTET])
        self.check(result, 1, err=re.compile("is this one, which runs no script$"))

    def test_bad_words(self):
        usage = "usage: septet ps [--json] [-a] PID\ntry 'septet ps --help'\n"
        for words, problem in (
                ([], "septet: the process id is missing\n"),
                (["x"], "septet: a process id is expected, got 'x'\n"),
                (["0"], "septet: a process id is expected, got '0'\n"),
                (["99999999999999999999"],
                 "septet: a process id is expected, got '99999999999999999999'\n"),
                (["1x"], "septet: a process id is expected, got '1x'\n"),
                (["-1"], "septet: unrecognized option '-1'\n"),
                (["--jsn", "1"], "septet: unrecognized option '--jsn'\n"),
                (["1", "2"], "septet: one process at a time, not '2'\n")):
            self.check(self.septet("ps", *words), 2, err=problem + usage)
        for row in json.loads(self.septet("help", "--json").out)["commands"]:
            for option in row["options"] if row["name"] == "ps" else []:
                if option["name"] != "--help":
                    self.check(self.septet("ps", option["name"]), 2, err=re.compile("is missing"))

    def test_help(self):
        result = self.septet("ps", "--help")
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertRegex(result.out, r"^usage: septet ps(.|\n)*--json .*\n")

    def test_a_script_of_that_name(self):
        self.write("ps", "print 'a script'")
        self.check(self.septet("./ps"), out="a script\n")

    # --- questions that are none ---

    def queue(self, child, value):
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        libc.sigqueue(child.process.pid, signal.SIGUSR1, ctypes.c_void_p(value))

    def test_a_question_about_no_pipe_of_the_sender(self):
        child = self.start("-e", HEAD + "print 'ready' task.sleep(1e6)")
        child.expect("ready")
        path = self.write("target", "unchanged")
        with open(path, "r+") as file:
            inode = os.fstat(file.fileno()).st_ino & 0xfffff
            self.queue(child, inode << 12 | file.fileno())
            self.queue(child, 5 << 12 | 700)
            for form in range(4):
                self.queue(child, 1 << 12 | form << 10)
            self.assertIn("#1 -e ", self.septet("ps", str(child.process.pid)).out)
        with open(path) as file:
            self.assertEqual(file.read(), "unchanged")
        child.kill(signal.SIGTERM)
        self.check(child.end(), -signal.SIGTERM)

    def test_a_reader_that_does_not_read(self):
        child = self.start("-e", HEAD + """
for i = 1, 20000 do task.spawn(task.sleep, 1e6).name = ('x'):rep(100) .. i end
task.spawn(function() print 'ready' end)
local n = 0 while true do task.sleep(0.01) n = n + 1 print(n) end""")
        child.expect("ready")
        ends = os.pipe()
        for _ in range(5):
            self.queue(child, (os.fstat(ends[1]).st_ino & 0xfffff) << 12 | 1 << 10 | ends[1])
        for i in range(1, 40):
            child.expect(str(i))
        os.close(ends[0])
        os.close(ends[1])
        self.assertEqual(self.septet("ps", str(child.process.pid)).status, 0)


if __name__ == "__main__":
    unittest.main()
