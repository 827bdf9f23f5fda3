# SPDX-License-Identifier: MIT
"""septet.io on standard input of every kind, shared with other processes, and closed."""

import fcntl
import os
import pty
import socket
import unittest

import harness

READ = """
local sio = require "septet.io"
for line in sio.stdin():lines() do
  print(line)
  io.stdout:flush()
end
print "end"
"""

# Reads the shared standard input, and lines of control that this process alone gets.
WORKER = """
local task, sio = require "septet.task", require "septet.io"
io.stdout:setvbuf "line"
local control = sio.open(arg[1])
task.spawn(function()
  for line in sio.stdin():lines() do print("took " .. line) end
end)
print "ready"
for line in control:lines() do print("asked " .. line) end
"""


class Stdin(harness.Case):
    def begin(self, stdin, *argv):
        child = harness.Child([harness.SEPTET, *argv], self.dir, None, stdin=stdin)
        self.addCleanup(child.close)
        return child

    def is_blocking(self, fd):
        self.assertEqual(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK, 0)

    def reads(self, stdin, write, end):
        """Reads one line, then waits for the next, then reads to the end. The descriptor's flags
        never change."""
        child = self.begin(stdin, self.write("read.lua", READ))
        write(b"one\n")
        child.expect("one")
        self.is_blocking(stdin)
        write(b"two\n")
        child.expect("two")
        end()
        self.check(child.end(), out="end\n")
        self.is_blocking(stdin)

    def test_a_pipe(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.reads(reading, lambda text: os.write(writing, text), lambda: os.close(writing))

    def test_a_fifo(self):
        path = os.path.join(self.dir, "fifo")
        os.mkfifo(path)
        reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reading)
        writing = os.open(path, os.O_WRONLY)
        fcntl.fcntl(reading, fcntl.F_SETFL, 0)
        self.reads(reading, lambda text: os.write(writing, text), lambda: os.close(writing))

    def test_a_fifo_whose_writer_has_left(self):
        path = os.path.join(self.dir, "fifo")
        os.mkfifo(path)
        reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reading)
        with open(path, "w") as writing:
            writing.write("one\ntwo")
        self.check(self.begin(reading, self.write("read.lua", READ)).end(), out="one\ntwo\nend\n")

    def test_a_terminal(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        self.reads(slave, lambda text: os.write(master, text), lambda: os.write(master, b"\x04"))

    def test_a_socket(self):
        ours, its = socket.socketpair()
        self.addCleanup(its.close)
        self.reads(its.fileno(), ours.send, ours.close)

    def test_a_pipe_that_several_read(self):
        shared, writing = os.pipe()
        self.addCleanup(os.close, shared)
        children, controls = [], []
        for name in "ab":
            path = os.path.join(self.dir, name)
            os.mkfifo(path)
            children.append(self.begin(shared, self.write("worker.lua", WORKER), path))
            controls.append(open(path, "w", buffering=1))
            children[-1].expect("ready")
        for n in range(20):
            os.write(writing, b"%d\n" % n)
            for child, control in zip(children, controls):
                control.write("x\n")
            for child in children:  # all but the first to read continue
                line = child.line()
                while line.startswith("took"):
                    line = child.line()
                self.assertEqual(line, "asked x")
        for control in controls:
            control.close()
        os.close(writing)
        for child in children:
            self.assertEqual(child.end().status, 0)

    def test_a_directory(self):
        folder = os.open(self.dir, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        result = self.begin(folder, self.write("read.lua", READ)).end()
        self.assertEqual(result.status, 1)
        self.assertRegex(result.err, "cannot open 'stdin': illegal operation on a directory")

    def test_none(self):
        script = self.write("none.lua", """
            local sio, task = require "septet.io", require "septet.task"
            local ok, err = pcall(function() return sio.stdin():read_line() end)
            print(ok, err.kind, err.code, err.path)""")
        result = self.septet(argv=["sh", "-c", 'exec "$0" "$1" <&-', harness.SEPTET, script])
        self.check(result, out="false\tIoError\tEBADF\tstdin\n")

    def test_that_the_script_has_closed(self):
        self.check(
            self.septet(
                "-e",
                "local r = require 'septet.io'.stdin() io.stdin:close() print(r:read_line())",
                stdin="one\n",
            ),
            out="one\n",
        )


if __name__ == "__main__":
    unittest.main()
