# SPDX-License-Identifier: MIT
"""The prompt, signals and the mode of its terminal: whatever ends or stops the process gives the
terminal back, and nothing but a key or a signal ends the prompt."""
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
import unittest

import harness
from terminal import Terminal

# A shell with one job, septet in a process group of its own. Its arguments are the descriptor of
# the terminal and the command; each line on its standard input is done and answered.
SHELL = """
import fcntl, os, signal, sys, termios
terminal = int(sys.argv[1])
os.setsid()
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
signal.signal(signal.SIGHUP, lambda number, frame: os.kill(job, number))
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpid())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGTTOU, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    for fd in range(3):
        os.dup2(terminal, fd)
    os.closerange(3, 64)
    os.execv(sys.argv[2], sys.argv[2:])
os.close(terminal)
print(job, flush=True)
for line in sys.stdin:
    word = line.strip()
    if word == "background":
        terminal = os.open("/dev/tty", os.O_RDWR)
        os.tcsetpgrp(terminal, os.getpgrp())
        os.close(terminal)
    elif word == "foreground":
        terminal = os.open("/dev/tty", os.O_RDWR)
        os.tcsetpgrp(terminal, job)
        os.close(terminal)
        os.kill(job, signal.SIGCONT)
    if word in ("background", "foreground"):
        print("done", flush=True)
        continue
    pid, status = os.waitpid(job, os.WUNTRACED if word == "wait" else os.WNOHANG)
    if pid == 0:
        print("running", flush=True)
    elif os.WIFSTOPPED(status):
        print("stopped", os.WSTOPSIG(status), flush=True)
    elif os.WIFSIGNALED(status):
        print("ended", -os.WTERMSIG(status), flush=True)
    else:
        print("ended", os.WEXITSTATUS(status), flush=True)
"""


class Job:
    """A prompt in a terminal of its own, with job control."""

    def __init__(self, case, *args):
        self.master, self.slave = pty.openpty()
        self.seen = b""
        self.answers = b""
        env = harness.environment({"HOME": case.dir, "TERM": "xterm", "NO_COLOR": "1",
                                   **harness.NO_LEAK_CHECK})
        self.shell = subprocess.Popen(
            [sys.executable, "-c", SHELL, str(self.slave), harness.SEPTET, *args], cwd=case.dir,
            env=env, pass_fds=[self.slave], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        case.addCleanup(self.close)
        self.pid = int(self.answer())
        self.until(PROMPT)

    def close(self):
        for number in (signal.SIGKILL, signal.SIGCONT):
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass
        self.shell.kill()
        self.shell.wait()
        self.shell.stdin.close()
        self.shell.stdout.close()
        self.hang_up()

    def hang_up(self):
        """Closes the terminal."""
        for fd in (self.master, self.slave):
            if fd is not None:
                os.close(fd)
        self.master = self.slave = None

    def read(self, limit):
        """Reads what the terminal got, and what the shell answers."""
        files = [self.shell.stdout] + ([self.master] if self.master is not None else [])
        ready, _, _ = select.select(files, [], [], max(0, limit - time.monotonic()))
        if self.master in ready:
            self.seen += os.read(self.master, 65536)
        if self.shell.stdout in ready:
            self.answers += os.read(self.shell.stdout.fileno(), 4096)
        if time.monotonic() > limit:
            raise AssertionError("too late: %r %r" % (self.seen, self.answers))

    def until(self, pattern):
        """Waits until what the terminal got since the last call has the pattern."""
        limit = time.monotonic() + harness.HANG
        while not re.search(pattern, self.seen.decode("utf-8", "replace")):
            self.read(limit)
        self.seen = b""

    def answer(self):
        limit = time.monotonic() + harness.HANG
        while b"\n" not in self.answers:
            self.read(limit)
        line, self.answers = self.answers.split(b"\n", 1)
        return line.decode()

    def tell(self, word):
        self.shell.stdin.write(word.encode() + b"\n")
        self.shell.stdin.flush()
        return self.answer()

    def state(self):
        """Waits until the job has stopped or ended, and returns how."""
        return self.tell("wait")

    def insist(self, act):
        """Does something again and again until the job has ended, and returns how. Signals that
        come at once count as one."""
        while True:
            act()
            state = self.tell("look")
            if state != "running":
                return state
            time.sleep(0.01)

    def type(self, text):
        os.write(self.master, text.encode())

    def enter(self, line, shows):
        self.type(line + "\r")
        self.until(shows)

    def kill(self, number):
        os.kill(self.pid, number)

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO)


PROMPT = r"(?:\n|\x1b\[\?2004h)> \r\x1b\[2C$"
NEXT = r"(?:\x1b\[\?2004h)?> \r\x1b\[2C$"  # the same behind the end of a line
STUCK = "string.find(('a'):rep(60), ('a-'):rep(60) .. 'b')"  # in C, which no hook interrupts
RUNNING = {
    "nothing": None,
    "a wait": "task.sleep(1000)",
    "a loop": "while true do end",
    "a call of C": STUCK,
    "a loop that absorbs its cancellation": "while true do pcall(task.sleep, 5) end",
    "a shield": "task.shield(function() while true do end end)",
    "a background task that computes": "task.background(function() while true do end end)"
                                       " task.sleep(1000)",
}


# what comes, and the lines that run then
LEAVING = [
    ((signal.SIGTERM,), list(RUNNING)),
    ((signal.SIGHUP,), ["nothing", "a wait", "a call of C"]),
    ((signal.SIGHUP, signal.SIGHUP), ["a loop that absorbs its cancellation"]),
    ((signal.SIGINT, signal.SIGTERM), ["a wait", "a call of C", "a shield"]),
]
CLOSED = ["nothing", "a call of C", "a loop that absorbs its cancellation",
          "a background task that computes"]


class Leaving(harness.Case):
    """Runs all prompts of a test at once, because some take the whole grace period."""

    def running(self, name):
        job = Job(self)
        if RUNNING[name]:
            job.enter("print('star' .. 'ted') " + RUNNING[name], "started")
        self.assertEqual(job.is_raw(), name == "nothing")
        return job

    def test_signals_end_the_prompt(self):
        jobs = [(numbers, name, self.running(name)) for numbers, names in LEAVING
                for name in names]
        for numbers, _, job in jobs:
            for number in numbers:
                job.kill(number)
        for numbers, name, job in jobs:
            with self.subTest(name, numbers=numbers):
                self.assertEqual(job.state(), "ended %d" % -numbers[-1])
                self.assertFalse(job.is_raw())

    def test_a_closed_terminal_leaves_no_process(self):
        jobs = [(name, self.running(name)) for name in CLOSED]
        for _, job in jobs:
            job.hang_up()
        for name, job in jobs:
            with self.subTest(name):
                self.assertIn(job.state(), ("ended %d" % -signal.SIGHUP, "ended 0"))


ENDING = ("task.background(function() pcall(task.sleep, 1000) task.shield(function()"
          " print('end' .. 'ing') task.sleep(1000) end) end)")


class Ending(harness.Case):
    def ending(self):
        job = Job(self)
        job.enter(ENDING, PROMPT)
        job.type("\x04")
        job.until("ending")
        self.assertFalse(job.is_raw())
        return job

    def test_ctrl_c_twice_ends_the_process_as_it_does_a_script(self):
        job = self.ending()
        self.assertEqual(job.insist(lambda: job.type("\x03")), "ended %d" % -signal.SIGINT)

    def test_sigterm_twice(self):
        job = self.ending()
        self.assertEqual(job.insist(lambda: job.kill(signal.SIGTERM)),
                         "ended %d" % -signal.SIGTERM)

    def test_sighup(self):
        job = self.ending()
        job.kill(signal.SIGHUP)
        self.assertEqual(job.state(), "ended %d" % -signal.SIGHUP)

    def test_a_closed_terminal(self):
        job = self.ending()
        job.hang_up()
        self.assertEqual(job.state(), "ended %d" % -signal.SIGHUP)


class Restoring(harness.Case):
    def test_signals_that_end_any_program(self):
        for number in (signal.SIGALRM, signal.SIGUSR2, signal.SIGXCPU, signal.SIGSYS,
                       signal.SIGRTMIN + 3):
            with self.subTest(number):
                job = Job(self)
                self.assertTrue(job.is_raw())
                job.kill(number)
                self.assertEqual(job.state(), "ended %d" % -number)
                self.assertFalse(job.is_raw())

    def test_crashes(self):
        for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE,
                       signal.SIGILL):
            with self.subTest(number):
                job = Job(self)
                job.kill(number)
                self.assertRegex(job.state(), "^ended (-%d|[1-9].*)$" % number)  # a sanitizer's
                self.assertFalse(job.is_raw())

    def test_ctrl_backslash_twice(self):
        job = Job(self)
        job.type("typed")
        job.until("typed")
        job.type("\x1c")
        job.until("typed")
        job.type("\x1c")
        self.assertEqual(job.state(), "ended %d" % -signal.SIGQUIT)
        self.assertFalse(job.is_raw())

    def test_an_exit_that_a_signal_ends(self):
        job = Job(self)
        job.enter("gate = sync.event() task.background(function() gate:wait() local c <close> ="
                  " setmetatable({}, { __close = function() print('clos' .. 'ing') %s end })"
                  " os.exit(3, true) end)" % STUCK, PROMPT)
        job.enter("gate:set()", "closing")
        job.kill(signal.SIGTERM)
        self.assertEqual(job.state(), "ended 3")
        self.assertFalse(job.is_raw())


class Stopping(harness.Case):
    def stopped(self, how, number):
        job = Job(self)
        job.type("1 + 2")
        job.until(r"1 \+ 2\r\x1b\[7C$")
        how(job)
        self.assertEqual(job.state(), "stopped %d" % number)
        return job

    def goes_on(self, job):
        job.tell("foreground")
        job.until(r"\r\x1b\[J> 1 \+ 2\r\x1b\[7C$")
        self.assertTrue(job.is_raw())
        job.enter("", r"3\r?\n")

    def test_ctrl_z_gives_the_terminal_back_and_fg_goes_on(self):
        job = self.stopped(lambda job: job.type("\x1a"), signal.SIGTSTP)
        self.assertFalse(job.is_raw())
        job.tell("background")
        self.goes_on(job)
        job.type("2 + 3\x1a")
        self.assertEqual(job.state(), "stopped %d" % signal.SIGTSTP)
        self.assertFalse(job.is_raw())

    def test_sigstop(self):
        job = self.stopped(lambda job: job.kill(signal.SIGSTOP), signal.SIGSTOP)
        attributes = termios.tcgetattr(job.slave)
        job.tell("background")
        attributes[3] |= termios.ICANON | termios.ECHO  # as a shell does
        termios.tcsetattr(job.slave, termios.TCSANOW, attributes)
        self.goes_on(job)

    def test_ctrl_z_while_a_line_runs(self):
        job = Job(self)
        job.enter("gate = sync.event() task.spawn(function() gate:wait() end)", PROMPT)
        job.enter("print('star' .. 'ted') task.sleep(1000)", "started")
        job.type("\x1a")
        self.assertEqual(job.state(), "stopped %d" % signal.SIGTSTP)
        job.tell("foreground")
        job.type("\x03")
        job.until("interrupted\r?\n" + NEXT)
        self.assertTrue(job.is_raw())

    def test_a_signal_ends_it_in_the_background(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                job = self.stopped(lambda job: job.kill(signal.SIGSTOP), signal.SIGSTOP)
                job.tell("background")
                job.kill(signal.SIGCONT)
                job.kill(number)
                self.assertEqual(job.state(), "ended %d" % -number)


class Slices(harness.Case):
    def test_a_line_that_runs_too_long_fails_and_the_prompt_goes_on(self):
        job = Job(self, "--max-slice=0.1", "-i")
        for line in ("while true do end", "while true do pcall(error) end",
                     "coroutine.wrap(function() while true do end end)()",
                     "task.spawn(task.sleep, 1000) while true do end",
                     "task.spawn(function() while true do end end):await()"):
            with self.subTest(line):
                job.enter(line, "ran for more than 0.1 s")
                job.enter("40 + 2", "42\r?\n" + NEXT)
                job.type("x\x03")
                job.until(PROMPT)
        job.type("\x04")
        self.assertEqual(job.state(), "ended 0")

    def test_in_a_pipe(self):
        result = self.septet("--max-slice=0.1", "-i", stdin="while true do end\n5\n")
        self.check(result, out="5\n", err=re.compile("ran for more than 0.1 s"))


class Screen(harness.Case):
    def setUp(self):
        super().setUp()
        self.terminal = Terminal(self)
        self.terminal.ready()

    def test_a_warning_is_printed_above_the_line(self):
        self.terminal.enter("gate = sync.event() task.background(function() gate:wait()"
                            " warn('@on') warn('b', 'oo') end)")
        self.terminal.enter("task.background(function() task.sleep(0.3) gate:set() end)")
        self.terminal.clear()
        self.terminal.type("typed")
        self.terminal.shows("septet: warning: boo\n> typed")

    def test_the_tree_is_printed_above_the_line(self):
        self.terminal.clear()
        self.terminal.type("typed")
        self.terminal.shows("> typed")  # or the terminal would drop it, with the signal
        self.terminal.type("", "C-\\")
        self.terminal.until(lambda s: re.match(r"septet \d+ [^>]*\n> typed\Z", s), "the tree")

    def test_an_idle_prompt_waits_for_nothing_but_keys_and_signals(self):
        job = Job(self)
        while True:
            tree = self.septet("ps", str(job.pid)).out
            if re.findall(r" prompt(?:: [a-z]+)? +wait ([a-z]+) ", tree) == [
                    "join", "read", "terminal", "sleep"]:
                break
        self.assertRegex(tree, "prompt: keys +wait sleep .* for ever")

    def test_what_is_printed_behind_an_interrupt_has_a_line_of_its_own(self):
        self.terminal.clear()
        self.terminal.type("print(1) for i = 1, 1 do print((pcall(task.sleep, 1000))) end",
                           "Enter")
        self.terminal.until(lambda s: s.endswith("\n1"), "1")
        self.terminal.type("", "C-c")
        self.terminal.until(lambda s: s.endswith("\n1\n^C\nfalse\n>"), "false")

    def test_a_trace_has_no_lines_of_the_prompt_itself(self):
        terminal = Terminal(self, "--trace", "-i")
        terminal.ready()
        terminal.enter("task.sleep(0.001)")
        screen = terminal.until(lambda s: " end " in s and s.endswith("\n>"), "a trace")
        self.assertIn("sleep 0.001 s", screen)
        self.assertNotRegex(screen, "#[0-9]+ prompt")


if __name__ == "__main__":
    unittest.main()
