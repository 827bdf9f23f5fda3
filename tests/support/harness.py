# SPDX-License-Identifier: MIT
"""Runs the septet command for tests: in a clean environment, in a folder of each test's own, with a
limit after which a hang is a failure. No child outlives its test.

SEPTET is the path of the command under test."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

HANG = 100  # seconds; nothing here takes more than a moment unless it hangs

SEPTET = os.environ.get("SEPTET") or sys.exit("set SEPTET to the command to test")
SEPTET = os.path.abspath(SEPTET)
ORIGIN = os.environ.get("SEPTET_ORIGIN")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# The leak check works neither under strace nor in a process that ends in the middle of C code.
NO_LEAK_CHECK = {"ASAN_OPTIONS": "detect_leaks=0"}


def unshare(*namespaces):
    """Returns the words before a command that runs as root in new namespaces, such as "--net"."""
    return ["unshare", *namespaces] + ([] if os.geteuid() == 0 else ["--map-root-user"])


def default_signals():
    """Resets the signals in the child, which a shell in the background ignores and passes on."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


def environment(extra):
    """Returns this environment without the variables that Lua and septet read, and with `extra`."""
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith("LUA_") and k not in ("SEPTET", "SEPTET_ORIGIN_LOG")}
    kept.update(extra or {})
    return kept


SLOW = re.compile(
    r"septet: warning: task '[^']*' ran for [\d.]+ s without waiting, at .*: everything else stood"
    r" still\n"
)


class Result:
    """How a run ended. `err` is without the warnings of slow turns, which `warned` has."""

    def __init__(self, status, out, err):
        # On a busy machine any turn of a script may be a slow one.
        self.status, self.out, self.err = status, out, SLOW.sub("", err)
        self.warned = err

    def __repr__(self):
        return "status %r\n--- stdout\n%s--- stderr\n%s---" % (self.status, self.out, self.err)


class Child:
    """A running septet, whose standard output is read line by line."""

    def __init__(self, argv, cwd, env, stdin=subprocess.DEVNULL):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            argv, cwd=cwd, env=environment(env), stdin=stdin, stdout=subprocess.PIPE,
            stderr=self.errors, text=True, preexec_fn=default_signals, start_new_session=True)
        self.guard = threading.Timer(HANG, self.kill_all)
        self.guard.start()

    def kill_all(self):
        """Kills the child and its children."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def line(self):
        """Returns its next line without the newline, or "" at the end."""
        return self.process.stdout.readline().rstrip("\n")

    def expect(self, text):
        got = self.line()
        if got != text:
            result = self.end()
            raise AssertionError("expected the line %r, got %r and then %r" % (text, got, result))

    def kill(self, number):
        self.process.send_signal(number)

    def end(self):
        """Waits for its end. The Result has the output that line() has not read."""
        out = self.process.stdout.read()
        status = self.process.wait()
        self.errors.seek(0)
        return Result(status, out, self.errors.read())

    def close(self):
        self.guard.cancel()
        self.kill_all()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Case(unittest.TestCase):
    """A test with a folder of its own, `dir`."""

    maxDiff = None
    HEAD = ""  # the beginning of each script that lua() runs

    def setUp(self):
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="septet-cli-"))
        self.addCleanup(shutil.rmtree, self.dir)

    def write(self, name, text, mode=0o644):
        """Writes a file in the test's folder, and returns its path."""
        path = os.path.join(self.dir, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def septet(self, *args, stdin="", env=None, argv=None):
        """Runs septet, or `argv`, to its end in the test's folder, and returns the Result."""
        process = subprocess.run(
            argv or [SEPTET, *args], cwd=self.dir, env=environment(env), input=stdin, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=HANG,
            preexec_fn=default_signals)
        return Result(process.returncode, process.stdout, process.stderr)

    def lua(self, source, *options, **more):
        """Runs HEAD and `source` as s.lua, with options before it."""
        self.write("s.lua", self.HEAD + source)
        return self.septet(*options, "s.lua", **more)

    def strace(self, *command, options=(), env=None):
        """Runs septet under strace, and returns the Result and the lines of strace."""
        log = os.path.join(self.dir, "strace.log")
        argv = ["strace", "-f", "-qq", "-o", log, *options, SEPTET, *command]
        result = self.septet(argv=argv, env={**NO_LEAK_CHECK, **(env or {})})
        with open(log) as file:
            return result, file.read().splitlines()

    def start(self, *args, env=None, argv=None):
        """Starts septet, or `argv`, and returns the Child, which ends with the test."""
        child = Child(argv or [SEPTET, *args], self.dir, env)
        self.addCleanup(child.close)
        return child

    def check(self, result, status=0, out="", err=""):
        """Checks a result. `err` may be a compiled pattern. None stands for any text."""
        self.assertEqual(result.status, status, result)
        if out is not None:
            self.assertEqual(result.out, out, result)
        if isinstance(err, re.Pattern):
            self.assertRegex(result.err, err)
        elif err is not None:
            self.assertEqual(result.err, err, result)
