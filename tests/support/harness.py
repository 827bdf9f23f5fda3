"""Runs the septet command for tests: a clean environment, a folder of its own for
each test, a child that is never left behind, and a limit after which a hang is a failure.

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

HANG = 30  # seconds; nothing here takes more than a moment unless it hangs

SEPTET = os.environ.get("SEPTET") or sys.exit("set SEPTET to the command to test")
SEPTET = os.path.abspath(SEPTET)


def default_signals():
    """In the child: a test run in the background of a shell would else pass on ignored signals."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


def environment(extra):
    """This environment without what Lua and septet read, and with `extra`."""
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith("LUA_") and k not in ("SEPTET", "SEPTET_ORIGIN_LOG")}
    kept.update(extra or {})
    return kept


SLOW = re.compile(
    r"septet: warning: task '[^']*' ran for [\d.]+ s without waiting, at .*: everything else stood"
    r" still\n"
)


class Result:
    def __init__(self, status, out, err):
        # On a busy machine any turn of a script may be a slow one.
        self.status, self.out, self.err = status, out, SLOW.sub("", err)
        self.warned = err

    def __repr__(self):
        return "status %r\n--- stdout\n%s--- stderr\n%s---" % (self.status, self.out, self.err)


class Child:
    """A running septet, whose stdout is read line by line."""

    def __init__(self, argv, cwd, env, stdin=subprocess.DEVNULL):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            argv, cwd=cwd, env=environment(env), stdin=stdin, stdout=subprocess.PIPE,
            stderr=self.errors, text=True, preexec_fn=default_signals, start_new_session=True)
        self.guard = threading.Timer(HANG, self.kill_all)
        self.guard.start()

    def kill_all(self):
        """It, and what it has started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def line(self):
        """The next line of its stdout, without the newline; "" at the end."""
        return self.process.stdout.readline().rstrip("\n")

    def expect(self, text):
        got = self.line()
        if got != text:
            result = self.end()
            raise AssertionError("expected the line %r, got %r and then %r" % (text, got, result))

    def kill(self, number):
        self.process.send_signal(number)

    def end(self):
        """Waits for its end; the Result holds what was not read by line()."""
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
    maxDiff = None

    def setUp(self):
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="septet-cli-"))
        self.addCleanup(shutil.rmtree, self.dir)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def septet(self, *args, stdin="", env=None, argv=None):
        """Runs it to its end, in the test's folder."""
        process = subprocess.run(
            argv or [SEPTET, *args], cwd=self.dir, env=environment(env), input=stdin, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=HANG,
            preexec_fn=default_signals)
        return Result(process.returncode, process.stdout, process.stderr)

    def start(self, *args, env=None, argv=None):
        child = Child(argv or [SEPTET, *args], self.dir, env)
        self.addCleanup(child.close)
        return child

    def check(self, result, status=0, out="", err=""):
        """The whole result; `err` may be a compiled pattern, to be matched from the start."""
        self.assertEqual(result.status, status, result)
        self.assertEqual(result.out, out, result)
        if isinstance(err, re.Pattern):
            self.assertRegex(result.err, err)
        else:
            self.assertEqual(result.err, err, result)
