# SPDX-License-Identifier: MIT
"""septet.progress on a terminal: one line, drawn seldom, cut to the width, and gone at the end."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import unittest

import harness

CLEAR = "\r\x1b[K"


class Progress(harness.Case):
    HEAD = """
local task, progress = require 'septet.task', require 'septet.progress'
"""

    def on_terminal(self, source, columns=80, interrupt=None):
        """Returns what the terminal shows and the exit status."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen(
            [harness.SEPTET, self.write("s.lua", self.HEAD + source)], cwd=self.dir,
            env=harness.environment({}), stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
            preexec_fn=harness.default_signals)
        self.addCleanup(process.kill)
        os.close(slave)
        shown = b""
        try:
            while data := os.read(master, 65536):
                shown += data
                if interrupt and interrupt in shown:
                    process.send_signal(signal.SIGINT)
                    interrupt = None
        except OSError:  # EIO: it has ended
            pass
        os.close(master)
        return shown.decode().replace("\r\n", "\n"), process.wait()

    def test_it_is_drawn_at_most_ten_times_a_second_and_stays_at_the_end(self):
        shown, status = self.on_terminal("""
local bar <close> = progress.new { total = 4000, label = 'pages' }
local began = task.now()
while bar.done < 4000 do
  bar:add()
  if bar.done % 20 == 0 then task.sleep(0.005) end
end
bar:print('took ' .. task.now() - began)
""")
        self.assertEqual(status, 0, shown)
        seconds = float(re.search(r"took ([\d.]+)\n", shown)[1])
        self.assertLessEqual(shown.count("pages:"), seconds * 10 + 3)
        self.assertTrue(shown.startswith(CLEAR + "pages: 0 of 4000 done"), shown)
        self.assertRegex(shown, r"pages: 4000 of 4000 done, 0 failed, \d+ a second, 0:\d\d\n$")

    def test_it_is_cut_to_the_width_also_in_wide_characters(self):
        for columns in 12, 13, 30:
            shown, status = self.on_terminal(
                "local bar <close> = progress.new { label = '進捗進捗進捗', keep = false }", columns)
            self.assertEqual(status, 0, shown)
            line = shown.split(CLEAR)[1].rstrip("\r")
            width = sum(2 if ord(c) > 0x2E80 else 1 for c in line)
            self.assertLess(width, columns)
            self.assertGreaterEqual(width, min(columns, 25) - 3)

    def test_it_prints_above_the_line(self):
        shown, status = self.on_terminal("""
local bar <close> = progress.new { keep = false }
for i = 1, 3 do
  bar:print('line', i)
  task.sleep(0.15)
end
""")
        self.assertEqual(status, 0, shown)
        self.assertEqual(re.sub(r"\r\x1b\[K(\d[^\r\n]*\r)?", "", shown),
                         "line\t1\nline\t2\nline\t3\n")

    def test_an_error_and_an_interrupt_leave_a_clean_line(self):
        shown, status = self.on_terminal("local bar <close> = progress.new {} error 'broken'")
        self.assertEqual(status, 1)
        self.assertRegex(shown, r"a second\r\r\x1b\[K0 done, 0 failed, [^\n]*\nsepte[^\n]*broken\n")
        shown, status = self.on_terminal(
            "local bar <close> = progress.new {} bar:print 'ready' task.sleep(60)",
            interrupt=b"ready")
        self.assertEqual(status, -signal.SIGINT)
        self.assertRegex(shown, r"(\r|\n)septet: interrupted[^\n]*\n(\r\x1b\[K)?0 done, [^\n]*\n$")

    def test_a_bar_left_open_keeps_no_run_alive(self):
        shown, status = self.on_terminal("progress.new({}):add() print 'end'")
        self.assertEqual(status, 0)
        self.assertIn("end\n", shown)

    def test_without_a_terminal_there_are_plain_lines(self):
        result = self.lua("local bar <close> = progress.new { total = 2 } bar:add(2)")
        self.assertEqual(result.status, 0)
        self.assertRegex(result.err, r"^2 of 2 done, 0 failed, \d+ a second, 0:0\d\n$")


if __name__ == "__main__":
    unittest.main()
