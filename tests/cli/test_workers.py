# SPDX-License-Identifier: MIT
"""--workers=N: several processes of a script, with their signals, their output and their ends."""

import collections
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
import unittest

import harness

HEAD = """
local task = require 'septet.task'
local worker, workers = os.getenv 'SEPTET_WORKER', os.getenv 'SEPTET_WORKERS'
io.stdout:setvbuf 'line'
"""
# Each says that it is ready when its main task waits, and that it was unwound.
SLEEP = """
local x <close> = setmetatable({}, { __close = function() print 'closed' end })
task.spawn(function() print 'ready' end)
task.sleep(1e6)
"""


def state(pid):
    """Returns the letter of a process, X if there is none."""
    try:
        with open("/proc/%s/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "X"


def is_alive(pid):
    return state(pid) not in "ZX"


def await_end(pids):
    """Waits until none of the processes, which are not ours, is there."""
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.poll(harness.HANG * 1000)
        os.close(fd)


class Case(harness.Case):
    HEAD = HEAD

    def begin(self, source, *options, count=3, lines=("ready",), **more):
        """Starts workers, and waits until each has written these lines."""
        path = self.write("s.lua", HEAD + source)
        child = self.start("--workers=%d" % count, *options, path, **more)
        got = [child.line() for _ in range(count * len(lines))]
        self.assertEqual(sorted(got), sorted(list(lines) * count))
        return child

    def pids(self, child, count=3):
        """Returns the numbers of the workers' processes."""
        with open("/proc/%d/task/%d/children" % (child.process.pid, child.process.pid)) as file:
            pids = [int(pid) for pid in file.read().split()]
        self.assertEqual(len(pids), count)
        return pids


class Start(Case):
    def test_each_worker_has_a_number_and_all_arguments(self):
        result = self.septet("--workers=4", self.write("s.lua", HEAD + """
print(worker, workers, ..., arg[0] == 's.lua', arg[-1])"""), "a", stdin="unread")
        lines = sorted(result.out.splitlines())
        self.assertEqual(lines, ["%d\t4\ta\tfalse\t%s" % (i, harness.SEPTET) for i in (1, 2, 3, 4)])
        self.check(result, out=None)

    def test_their_random_numbers_differ(self):
        """Lua draws its seed from addresses, which are those of a sanitizer in each process"""
        result = self.lua("print(math.random(2^53 // 1 | 0))", "--workers=8")
        self.assertEqual(len(set(result.out.split())), 8)

    def test_they_read_nothing(self):
        result = self.lua("print(io.read 'a')", "--workers=2", stdin="text")
        self.check(result, out="\n\n")

    def test_one_is_the_process_itself(self):
        result = self.lua("print(worker, workers, io.read 'a')", "--workers=1", stdin="text")
        self.check(result, out="1\t1\ttext\n")

    def test_without_the_option_there_is_no_number(self):
        self.check(self.lua("print(worker, workers)"), out="nil\tnil\n")

    def test_statements_and_other_options_are_passed_on(self):
        result = self.lua("print(n, task.now() >= 1e6)", "-e", "n = 7", "--workers=2", "-e",
                          "require 'septet.task'.sleep(1e6)", "--virtual-time")
        self.check(result, out="7\ttrue\n7\ttrue\n")

    def test_a_program_that_a_worker_starts_is_no_worker_to_itself(self):
        result = self.lua("""
local p = io.popen(('"%s" -e "print(os.getenv [[SEPTET_WORKER_TERMINALS]])"'):format(arg[-1]))
print(p:read 'a', p:close())""", "--workers=2")
        self.check(result, out="nil\n\ttrue\texit\t0\n" * 2)

    def test_other_numbers_are_refused(self):
        usage = "usage: septet [options] [script [args]]\ntry 'septet --help'\n"
        for number in ("", "0", "-1", "1.5", "x", "2x", " 2", "257", "99999999999999999999"):
            result = self.lua("print 'ran'", "--workers=" + number)
            self.check(result, 2, err="septet: a number from 1 to 256 is expected in"
                       " '--workers=%s'\n" % number + usage)
        self.check(self.lua("", "--workers"), 2, err=re.compile("^septet: unrecognized option"))

    def test_standard_input_cannot_be_their_script(self):
        for words in (["--workers=2"], ["--workers=2", "-"]):
            result = self.septet(*words, stdin="print 'ran'")
            self.check(result, 2, err=re.compile("^septet: --workers needs a script in a file"))

    def test_that_cannot_be_started_end_the_others(self):
        path = self.write("s.lua", HEAD + SLEEP)
        result = self.septet(argv=["sh", "-c", 'ulimit -n 20; exec "$0" --workers=40 "$1"',
                                   harness.SEPTET, path])
        # The first ones may have begun, and so close what they have.
        self.check(result, 1, out=None, err=None)
        self.assertRegex(result.err, r"septet: cannot start worker \d+ of 40: Too many open files")


class Ends(Case):
    def test_the_worst_status_is_returned(self):
        result = self.lua("os.exit(({ 0, 7, 3 })[tonumber(worker)])", "--workers=3")
        self.check(result, 7, err=None)
        self.assertRegex(result.err, r"septet: worker 2 \(process \d+\) ended with status 7")
        self.assertRegex(result.err, r"septet: worker 3 \(process \d+\) ended with status 3")
        self.assertNotIn("worker 1", result.err)

    def test_the_others_go_on(self):
        child = self.start("--workers=2", self.write("s.lua", HEAD + """
if worker == '1' then error('broken', 0) end
while not io.open 'go' do task.sleep(0.01) end
print 'went on'"""))
        while b"the others go on" not in os.pread(child.errors.fileno(), 65536, 0):
            time.sleep(0.01)
        self.write("go", "")
        result = child.end()
        self.check(result, 1, out="went on\n", err=None)
        self.assertIn("septet: broken\n", result.err)

    def test_a_worker_that_dies_of_a_signal_is_named(self):
        child = self.begin("print 'ready' while not io.open 'go' do task.sleep(0.01) end")
        pid = self.pids(child)[0]
        os.kill(pid, signal.SIGKILL)
        while b"worker" not in os.pread(child.errors.fileno(), 65536, 0):
            time.sleep(0.01)
        self.write("go", "")
        result = child.end()
        self.check(result, 128 + signal.SIGKILL, err=None)
        self.assertRegex(result.err, r"^septet: worker \d \(process %d\) was ended by signal 9"
                         r" \(Killed\); the others go on\n$" % pid)

    def test_no_worker_outlives_a_command_that_is_killed(self):
        for source in (SLEEP, "print 'ready' while true do end",
                       "print 'ready' while true do pcall(task.sleep, 1e6) end"):
            child = self.begin(source)
            pids = self.pids(child)
            os.kill(child.process.pid, signal.SIGKILL)
            await_end(pids)
            self.assertEqual([pid for pid in pids if is_alive(pid)], [])

    def test_nothing_waits_for_a_program_that_a_worker_leaves(self):
        result = self.lua("os.execute 'sleep 1000 & echo $!'", "--workers=2")
        for pid in result.out.split():
            os.kill(int(pid), signal.SIGKILL)
        self.check(result, out=None)
        self.assertEqual(len(result.out.split()), 2)


class Signals(Case):
    def ends(self, number, group=False, count=3):
        child = self.begin(SLEEP, count=count)
        if group:
            os.killpg(child.process.pid, number)
        else:
            child.kill(number)
        result = child.end()
        self.check(result, -number, out="closed\n" * count, err=None)
        self.assertNotIn("worker", result.err)

    def test_an_interrupt_unwinds_each_worker(self):
        self.ends(signal.SIGINT)

    def test_a_termination_unwinds_each_worker(self):
        self.ends(signal.SIGTERM)

    def test_an_interrupt_of_the_whole_group_reaches_each_worker_once(self):
        self.ends(signal.SIGINT, group=True)

    def test_a_hangup_ends_each_worker(self):
        child = self.begin(SLEEP)
        child.kill(signal.SIGHUP)
        self.check(child.end(), -signal.SIGHUP)

    def test_a_second_one_ends_them_at_once(self):
        child = self.begin("""
task.spawn(function() print 'ready' end)
pcall(task.sleep, 1e6)
print 'absorbed'
while true do end""")
        child.kill(signal.SIGTERM)
        self.assertEqual([child.line() for _ in range(3)], ["absorbed"] * 3)
        child.kill(signal.SIGTERM)
        self.check(child.end(), -signal.SIGTERM, err=None)

    def test_a_worker_that_takes_none_is_killed_after_the_second(self):
        child = self.begin(SLEEP)
        stopped = self.pids(child)[0]
        os.kill(stopped, signal.SIGSTOP)
        child.kill(signal.SIGTERM)
        self.assertEqual([child.line() for _ in range(2)], ["closed"] * 2)
        child.kill(signal.SIGTERM)
        result = child.end()
        self.check(result, -signal.SIGTERM, err=None)
        self.assertIn("(process %d) was ended by signal 9" % stopped, result.err)
        self.assertFalse(is_alive(stopped))

    def test_usr1_shows_the_tasks_of_each(self):
        child = self.begin("task.spawn(function() print 'ready' end) io.open('pid', 'w'):close()"
                           " while not io.open 'go' do task.sleep(0.01) end")
        child.kill(signal.SIGUSR1)
        while os.pread(child.errors.fileno(), 65536, 0).count(b"#1 main") < 3:
            time.sleep(0.01)
        self.write("go", "")
        self.check(child.end(), err=None)

    def test_usr1_at_the_very_beginning_ends_no_worker(self):
        child = self.start("--workers=4", self.write("s.lua", "print 'done'"))
        while child.process.poll() is None:
            try:
                child.kill(signal.SIGUSR1)
            except ProcessLookupError:
                break
            with open("/proc/%d/status" % child.process.pid) as file:
                if "State:\tZ" in file.read():
                    break
            time.sleep(0.005)
        status = child.process.wait()
        self.assertIn(status, (0, -signal.SIGUSR1))

    def test_ps_says_which_processes_to_ask(self):
        child = self.begin(SLEEP)
        result = self.septet("ps", str(child.process.pid))
        self.check(result, 1, err=None)
        self.assertIn("it runs no script, its workers do:", result.err)
        for pid in self.pids(child):
            self.assertIn(str(pid), result.err)
            self.assertEqual(self.septet("ps", str(pid)).status, 0)

    def test_those_ignored_from_the_start_stay_ignored(self):
        self.write("s.lua", HEAD + SLEEP)
        child = self.start(argv=["sh", "-c", 'trap "" INT HUP; exec "$0" --workers=2 s.lua',
                                 harness.SEPTET])
        for _ in range(2):
            child.expect("ready")
        child.kill(signal.SIGINT)
        child.kill(signal.SIGHUP)
        child.kill(signal.SIGTERM)
        self.check(child.end(), -signal.SIGTERM, out="closed\n" * 2, err=None)


class Terminal(Case):
    def on_terminal(self, source, *options, count=2):
        """Starts workers on a terminal of their own. Returns a function that types something and
        returns what is shown until a pattern matches."""
        path = self.write("s.lua", HEAD + source)
        pid, master = pty.fork()
        if pid == 0:
            os.chdir(self.dir)
            self.shell([harness.SEPTET, "--workers=%d" % count, *options, path])
        self.addCleanup(os.close, master)
        self.addCleanup(os.waitpid, pid, 0)
        self.addCleanup(os.kill, pid, signal.SIGKILL)

        def talk(pattern, typed=b""):
            shown = b""
            os.write(master, typed)
            while not re.search(pattern, shown):
                self.assertTrue(select.select([master], [], [], harness.HANG)[0], shown)
                shown += os.read(master, 65536)
            return shown

        return talk

    def shell(self, argv):
        """Runs a command in the foreground, as a shell does. Continues it if it stops, and prints
        how it ended. Does not return."""
        harness.default_signals()
        process = subprocess.Popen(argv, env=harness.environment({}), process_group=0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, process.pid)
        while os.WIFSTOPPED(status := os.waitpid(process.pid, os.WUNTRACED)[1]):
            path = "/proc/%d/task/%d/children" % (process.pid, process.pid)
            with open(path) as file:
                pids = file.read().split()
            while {state(pid) for pid in pids} != {"T"}:
                time.sleep(0.01)
            self.write("stopped", "")
            os.killpg(process.pid, signal.SIGCONT)
        code = os.waitstatus_to_exitcode(status)
        os.write(1, b"status %d\n" % code)
        signal.pause()

    def test_ctrl_c_reaches_each_worker_once(self):
        talk = self.on_terminal(SLEEP)
        talk(rb"(?s)ready.*ready")
        text = talk(rb"status -?\d+\r\n", b"\x03")
        self.assertEqual(text.count(b"closed"), 2, text)
        self.assertIn(b"status -2\r", text)

    def test_ctrl_c_reaches_the_programs_of_workers(self):
        talk = self.on_terminal("""
os.execute 'trap "echo trapped; exit" INT; echo ready; while :; do sleep 0.01; done'""")
        talk(rb"(?s)ready.*ready")
        text = talk(rb"status -?\d+\r\n", b"\x03")
        self.assertEqual(text.count(b"trapped"), 2, text)

    def test_ctrl_z_stops_them_until_they_are_continued(self):
        talk = self.on_terminal("print 'ready'"
                                " while not io.open 'stopped' do task.sleep(0.01) end print 'went'")
        talk(rb"(?s)ready.*ready")
        text = talk(rb"status -?\d+\r\n", b"\x1a")
        self.assertEqual(text.count(b"went"), 2, text)
        self.assertIn(b"status 0\r", text)

    def test_lines_are_shown_as_they_are_printed(self):
        path = os.path.join(self.dir, "own.lua")
        with open(path, "w") as file:
            file.write("print 'shown' require 'septet.task'.sleep(1e6)")
        talk = self.on_terminal("dofile(%r)" % path)
        talk(rb"(?s)shown.*shown")

    def test_a_progress_line_is_a_plain_line(self):
        talk = self.on_terminal("""
local bar <close> = require 'septet.progress'.new { total = 3 }
bar:add(3)""")
        text = talk(rb"status -?\d+\r\n")
        self.assertNotIn(b"\x1b", text)
        self.assertEqual(text.count(b"3 of 3 done"), 2, text)

    def test_the_lines_of_a_trace_are_limited_as_those_of_one_process(self):
        talk = self.on_terminal("for i = 1, 150 do task.spawn(function() end):await() end",
                                "--trace")
        self.assertIn(b"suppressed (limit 100/s", talk(rb"status -?\d+\r\n"))


class Output(Case):
    def test_lines_are_never_mixed_nor_lost(self):
        """Lines of all lengths, written in pieces that end anywhere"""
        result = self.lua("""
io.stdout:setvbuf('full', 1000)
local n = tonumber(worker)
for i = 1, 300 do
  local digit = tostring(n)
  io.write(n, ' ', i, ' ', digit:rep(i * i % 3001), i % 60 == 0 and digit:rep(1e5) or '', '\\n')
end""", "--workers=4")
        self.assertEqual(result.status, 0)
        seen = collections.defaultdict(list)
        for line in result.out.splitlines():
            n, i, text = re.fullmatch(r"(\d) (\d+) (\d*)", line).groups()
            seen[n].append(int(i))
            length = int(i) ** 2 % 3001 + (100000 if int(i) % 60 == 0 else 0)
            self.assertEqual(text, n * length)
        self.assertEqual(dict(seen), {n: list(range(1, 301)) for n in "1234"})

    def test_a_line_without_end_is_written_at_the_end(self):
        result = self.lua("io.write('x', worker)", "--workers=3")
        self.assertEqual(sorted(result.out.split("\n")), ["x1", "x2", "x3"])

    def test_a_long_line_without_end_does_not_keep_the_others_for_ever(self):
        result = self.lua("""
if worker == '1' then
  io.stdout:setvbuf 'no'
  io.write(('x'):rep(200000))
  io.open('begun', 'w'):close()
  while not io.open 'over' do task.sleep(0.01) end
  io.write 'y'
else
  while not io.open 'begun' do task.sleep(0.01) end
  for i = 1, 100000 do print(i) end -- more than all buffers take
  io.open('over', 'w'):close()
end""", "--workers=2")
        self.check(result, out=None)
        self.assertEqual(sorted(result.out.split("\n"), key=len)[-1], "x" * 200000)
        self.assertEqual(len(re.findall(r"(?m)^\d+$", result.out)), 100000)
        self.assertRegex(result.out, r"(?m)^y$")

    def test_the_beginning_of_a_line_keeps_nobody_waiting(self):
        """It was written behind a line that is longer than a piece, and the others waited for its
        end"""
        child = self.start("--workers=2", self.write("s.lua", HEAD + """
io.stdout:setvbuf 'no'
if worker == '1' then
  io.write(('x'):rep(5000) .. '\\nbegun')
  io.open('begun', 'w'):close()
  while not io.open 'go' do task.sleep(0.01) end
  io.write ' and ended\\n'
else
  while not io.open 'begun' do task.sleep(0.01) end
  print 'other'
end"""))
        child.expect("x" * 5000)
        child.expect("other")
        self.write("go", "")
        self.check(child.end(), out="begun and ended\n")

    def test_a_slow_reader_slows_the_workers(self):
        """what is not read is neither kept nor lost"""
        child = self.start("--workers=2", self.write("s.lua", HEAD + """
io.stdout:setvbuf 'full'
for i = 1, 20000 do
  io.write(worker, (' '):rep(100), i, '\\n')
  if i % 100 == 0 then io.open('n' .. worker, 'w'):write(i):close() end
end"""))

        def read(name):
            try:
                with open(os.path.join(self.dir, name)) as file:
                    return int(file.read() or 0)
            except FileNotFoundError:
                return 0

        def progress():
            return [read("n1"), read("n2")]
        before = None
        while progress()[0] == 0 or before != (before := progress()):
            time.sleep(0.2)
        self.assertLess(max(before), 10000)
        result = child.end()
        self.check(result, out=None)
        lines = [line.split() for line in result.out.splitlines()]
        for n in "12":
            self.assertEqual([int(i) for w, i in lines if w == n], list(range(1, 20001)))

    def test_signals_pass_while_the_reader_is_slow(self):
        child = self.begin("print 'ready' while true do print(('x'):rep(1000)) end", lines=())
        while child.line() != "ready":
            pass
        child.kill(signal.SIGTERM)
        self.assertEqual(child.process.wait(), -signal.SIGTERM)

    def test_a_reader_that_goes_ends_them(self):
        for source in ("print 'ready' while true do print 'x' task.sleep(0) end",
                       "print 'ready' if worker == '1' then while true do print 'x' end end"
                       " task.sleep(1e6)"):
            child = self.begin(source, lines=())
            child.line()
            pids = self.pids(child)
            child.process.stdout.close()
            self.assertEqual(child.process.wait(), -signal.SIGPIPE)
            self.assertEqual([pid for pid in pids if is_alive(pid)], [])
            child.errors.seek(0)
            self.assertEqual(harness.SLOW.sub("", child.errors.read()), "")

    def test_that_cannot_be_written_is_said(self):
        path = self.write("s.lua", "print 'x'")
        for to, reason in ((">/dev/full", "No space left on device"),
                           (">&-", "Bad file descriptor")):
            result = self.septet(argv=["sh", "-c", 'exec "$0" --workers=2 "$1" ' + to,
                                       harness.SEPTET, path])
            self.check(result, 1, err="septet: cannot write to standard output: %s\n" % reason)

    def test_both_outputs_in_one_file_have_whole_lines(self):
        path = self.write("s.lua", HEAD + """
io.stdout:setvbuf 'full'
for i = 1, 2000 do
  io.write(('o'):rep(70), '\\n')
  if i % 10 == 0 then io.stderr:write(('e'):rep(5000) .. '\\n') end
end""")
        result = self.septet(argv=["sh", "-c", 'exec "$0" --workers=2 "$1" 2>&1',
                                   harness.SEPTET, path])
        count = collections.Counter(harness.SLOW.sub("", result.out).splitlines())
        self.assertEqual(count, {"o" * 70: 4000, "e" * 5000: 400})


class Traces(Case):
    def test_each_worker_has_a_file_of_its_own(self):
        for name, names in (("t.trc", "t.1.trc t.2.trc"), ("a.b/t.html", "t.1.html t.2.html")):
            folder = os.path.join(self.dir, os.path.dirname(name))
            os.makedirs(folder, exist_ok=True)
            result = self.lua("task.sleep(0)", "--workers=2", "--trace=" + name)
            self.check(result)
            made = sorted(n for n in os.listdir(folder) if n.startswith("t."))
            self.assertEqual(made, names.split())

    def test_a_statement_that_looks_like_an_option_stays(self):
        result = self.septet("--workers=2", "-e", "print '--trace=a.trc'")
        self.check(result, out="--trace=a.trc\n" * 2)

    def test_one_worker_has_the_file_itself(self):
        self.check(self.lua("task.sleep(0)", "--workers=1", "--trace=t.trc"))
        self.assertTrue(os.path.exists(os.path.join(self.dir, "t.trc")))

    def test_lines_name_their_worker(self):
        err = self.lua("task.sleep(0)", "--workers=2", "--trace").err
        for number in "12":
            self.assertRegex(err, r"(?m)^\[%s\] .* end    ok" % number)

    def test_summaries_name_their_worker_and_are_not_mixed(self):
        err = self.lua("task.sleep(0)", "--workers=2", "--summary").err
        one, two = sorted(re.split(r"(?m)^(?=worker \d:$)", err)[1:])
        self.assertEqual((one[:10], two[:10]), ("worker 1:\n", "worker 2:\n"))
        for text in one, two:  # a warning of a slow turn may follow
            self.assertEqual(len(text.split("\n\n")[0].splitlines()), 2, err)
        lines = self.lua("", "--workers=2", "--summary=json").err.splitlines()
        self.assertEqual(sorted(json.loads(line)["worker"] for line in lines), [1, 2])


if __name__ == "__main__":
    unittest.main()
