# SPDX-License-Identifier: MIT
"""The prompt, in a terminal of tmux, and in a pipe. What is checked is what the terminal shows."""
import fcntl
import os
import pty
import re
import select
import signal
import stat
import subprocess
import termios
import unittest

import harness
from terminal import Terminal


class Typing(harness.Case):
    def setUp(self):
        super().setUp()
        self.terminal = Terminal(self)
        self.terminal.clear()

    def test_several_lines(self):
        self.terminal.enter("for i = 1, 2 do")
        self.terminal.enter("print(i)")
        self.terminal.enter("end")
        self.terminal.shows("> for i = 1, 2 do\n>> print(i)\n>> end\n1\n2\n>")

    def test_the_place_of_an_error_in_several_lines(self):
        self.terminal.enter("if true then")
        self.terminal.enter("error 'x'")
        self.terminal.enter("end")
        self.terminal.shows("> if true then\n>> error 'x'\n>> end\nprompt:2: x\n>")

    def test_ctrl_c_drops_what_is_typed(self):
        self.terminal.enter("if x then")
        self.terminal.type("abc")
        self.terminal.shows("> if x then\n>> abc")
        self.terminal.type("", "C-c")
        self.terminal.shows("> if x then\n>> abc\n>")

    def test_ctrl_c_twice_on_an_empty_line_leaves(self):
        self.terminal.type("", "C-c")
        self.terminal.shows(">\n(Ctrl-C once more, or Ctrl-D, leaves)\n>")
        self.terminal.type("", "C-c")
        self.terminal.shows(">\n(Ctrl-C once more, or Ctrl-D, leaves)\n>\nstatus 0")

    def test_ctrl_d_leaves(self):
        self.terminal.type("", "C-d")
        self.terminal.shows(">\nstatus 0")

    def test_ctrl_d_deletes_within_a_line(self):
        self.terminal.type("12", "Home", "C-d", "Enter")
        self.terminal.shows("> 2\n2\n>")

    def test_keys_that_move_and_delete(self):
        self.terminal.type("x = 'bc'", "C-a", "C-k", "C-y", "Left", "Left", "BSpace")
        self.terminal.type("d", "C-e")
        self.terminal.type(" y", "C-w")
        self.terminal.type("z")
        self.terminal.shows("> x = 'dc' z")

    def test_wide_characters_are_deleted_as_one(self):
        self.terminal.type("é漢字🙂x", "Left", "BSpace", "BSpace")
        self.terminal.type("'")
        self.terminal.shows("> é漢'x")

    def test_completion_of_a_field(self):
        self.terminal.type("string.rev", "Tab")
        self.terminal.shows("> string.reverse")

    def test_completion_lists_what_is_possible(self):
        self.terminal.type("string.re", "Tab")
        self.terminal.shows("rep      reverse\n> string.re")

    def test_completion_of_a_global_and_a_module(self):
        self.terminal.type("collectg", "Tab")
        self.terminal.type("(task.backg", "Tab")
        self.terminal.shows("> collectgarbage(task.background")

    def test_completion_of_a_method(self):
        self.terminal.type("('x'):up", "Tab", "C-u")
        self.terminal.enter("f = io.stdout")
        self.terminal.type("f:setv", "Tab")
        self.terminal.until(lambda screen: screen.endswith("> f:setvbuf"), "f:setvbuf")

    def test_completion_of_a_module_in_require(self):
        self.terminal.type("require 'septet.prog", "Tab")
        self.terminal.shows("> require 'septet.progress")

    def paste(self, text):
        """Pastes a text, as a terminal does: it marks it if the program has asked for that."""
        self.terminal.tmux("set-buffer", "--", text)
        self.terminal.tmux("paste-buffer", "-p")

    def test_a_paste_keeps_its_tabs_and_lines(self):
        self.paste("for i = 1, 2 do\n\tprint(#'\t', i)\nend\nstring.rev\t")
        self.terminal.until(lambda s: re.search(r"\n1 +1\n1 +2\n> string.rev$", s), "the loop")
        self.terminal.type("", "C-u", "C-d")
        self.terminal.until(lambda s: s.endswith("status 0"), "the end")
        self.paste("cat")
        self.terminal.until(lambda s: s.endswith("status 0\ncat"), "a paste without marks")

    def test_history_goes_on_in_the_next_run_and_only_its_owner_can_read_it(self):
        self.terminal.enter("first = 1")
        self.terminal.enter("'second'")
        self.terminal.type("", "Up", "Up")
        self.terminal.until(lambda s: s.endswith("\n> first = 1"), "the first line")
        self.terminal.type("", "Down", "C-u", "C-d")
        self.terminal.until(lambda s: s.endswith("status 0"), "the end")
        path = os.path.join(self.dir, "state", "septet", "history")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.terminal.close()
        again = Terminal(self)
        again.clear()
        again.type("", "Up", "Enter")
        again.shows("> 'second'\n\"second\"\n>")

    def test_without_the_environment_there_is_no_history(self):
        terminal = self.terminal
        terminal.close()
        terminal = Terminal(self, "-E")
        terminal.line("1", "1")
        terminal.type("", "C-d")
        terminal.until(lambda s: s.endswith("status 0"), "the end")
        self.assertFalse(os.path.exists(os.path.join(self.dir, "state", "septet")))

    def test_twenty_columns(self):
        self.terminal.type("x = '1234567890abcdefghij' .. 'é漢字'")
        self.terminal.shows("> x = '1234567890abcdefghij' .. 'é漢字'")
        self.terminal.tmux("resize-window", "-x", "20")
        self.terminal.shows("> x = '1234567890abc\ndefghij' .. 'é漢字'")
        self.terminal.type("", "Left", "BSpace")
        self.terminal.type("語 and what goes on")
        self.terminal.shows("> x = '1234567890abc\ndefghij' .. 'é漢語 a\nnd what goes on'")

    def test_a_wider_terminal(self):
        self.terminal.tmux("resize-window", "-x", "30")
        self.terminal.type("x = '" + "1234567890" * 4)
        self.terminal.shows("> x = '12345678901234567890123\n45678901234567890")
        self.terminal.tmux("resize-window", "-x", "60")
        self.terminal.shows("> x = '" + "1234567890" * 4)

    def test_a_very_long_line(self):
        self.terminal.type("#'" + "x" * 3000 + "'", "Enter")
        self.terminal.until(lambda s: s.endswith("\n3000\n>"), "3000")

    def test_invalid_utf8(self):
        self.terminal.tmux("send-keys", "-H", "23", "27", "ff", "c3", "27", "0d")
        self.terminal.shows("> #'\ufffd\ufffd'\n2\n>")


class Running(harness.Case):
    def setUp(self):
        super().setUp()
        self.terminal = Terminal(self)
        self.terminal.clear()

    def interrupted(self, line):
        self.terminal.type(line, "Enter")
        self.terminal.until(lambda s: s.endswith("started"), "started")
        self.terminal.type("", "C-c")
        self.terminal.until(lambda s: s.endswith("^C\ninterrupted\n>"), "interrupted")

    def test_ctrl_c_ends_a_wait(self):
        self.interrupted("print 'started' task.sleep(1000)")

    def test_ctrl_c_ends_a_wait_that_nothing_could_end(self):
        self.interrupted("print 'started' sync.channel():recv()")

    def test_ctrl_c_ends_a_loop(self):
        self.interrupted("print 'started' while true do end")

    def test_ctrl_c_ends_a_loop_in_a_coroutine(self):
        self.interrupted("print 'started' coroutine.wrap(function() while true do end end)()")

    def test_ctrl_c_ends_a_loop_in_a_task_of_the_line(self):
        self.interrupted("task.spawn(function() print 'started' while true do end end):await()")

    def test_ctrl_c_leaves_tasks_of_earlier_lines_alone(self):
        self.terminal.enter("t = task.spawn(task.sleep, 1000)")
        self.terminal.ready()
        self.interrupted("print 'started' task.sleep(1000)")
        self.terminal.line("t:status()", '"suspended"')

    def test_ctrl_c_ends_a_task_that_holds_up_the_prompt(self):
        self.terminal.type("t = task.spawn(function() print 'started' while true do end end)",
                           "Enter")
        self.terminal.until(lambda s: s.endswith("started") or s.endswith("started\n>"), "started")
        self.terminal.type("", "C-c")
        self.terminal.until(lambda s: s.endswith(">"), "a prompt")
        self.terminal.type("", "C-c")
        self.terminal.clear()
        self.terminal.line("t:status()", '"cancelled"')

    def test_what_is_printed_appears_above_the_line(self):
        self.terminal.enter("gate = sync.event()")
        self.terminal.enter("task.spawn(function() gate:wait() print 'above' end)"
                           " task.spawn(function() task.sleep(0.3) gate:set() end)")
        self.terminal.until(lambda s: s.endswith("\n>"), "a prompt")
        self.terminal.type("1 + 漢")
        self.terminal.until(lambda s: s.endswith("\nabove\n> 1 + 漢"), "the line below")

    def test_a_task_that_fails_is_told_above_the_line(self):
        self.terminal.enter("task.spawn(function() task.sleep(0.3) error 'lost' end)")
        self.terminal.type("typed")
        screen = self.terminal.until(
            lambda s: s.endswith("\n> typed") and "septet:" in s, "the error")
        self.assertIn("septet: unhandled error in task 'prompt:1#", screen)

    def test_a_task_is_shown_with_its_state(self):
        self.terminal.enter("t = task.spawn(task.sleep, 1000)")
        self.terminal.line("t.name = 'sleeper'", "")
        self.terminal.line("t", "task 'sleeper' (suspended, waits for sleep 1000 s)")
        self.terminal.clear()
        self.terminal.enter(":tree")
        self.terminal.shows(re.compile(
            r"> :tree\n#\d+ 'line 1' suspended.*\n  #\d+ 'sleeper' suspended, waits for sleep"
            r" 1000 s\n>"))

    def test_the_trace_is_printed(self):
        self.terminal.enter(":trace on")
        self.terminal.enter("task.sleep(0.001)")
        self.terminal.until(lambda s: "sleep 0.001 s" in s, "a line of the trace")
        self.terminal.enter(":trace off")
        self.terminal.clear()

    def test_os_exit(self):
        self.terminal.type("os.exit(7)", "Enter")
        self.terminal.shows("> os.exit(7)\nstatus 7")

    def test_os_exit_that_closes_the_state(self):
        self.terminal.type("os.exit(7, true)", "Enter")
        self.terminal.shows("> os.exit(7, true)\nstatus 7")

    def test_quit_cancels_the_tasks(self):
        self.terminal.enter("t = task.spawn(function() local c <close> = setmetatable({}, { __close"
                           " = function() print 'closed' end }) task.sleep(1000) end)")
        self.terminal.ready()
        self.terminal.type(":quit", "Enter")
        self.terminal.until(lambda s: s.endswith("> :quit\nclosed\nstatus 0"), "the end")

    def test_a_closed_standard_output(self):
        self.terminal.enter("io.stdout:close()")
        self.terminal.until(lambda s: s.count(">") > 1 and s.endswith("\n>"), "a prompt")
        self.terminal.enter("1 + 1")
        self.terminal.until(lambda s: "\n2\n" in s, "a result")

    def test_the_terminal_has_its_mode_again(self):
        self.terminal.type("", "C-d")
        self.terminal.shows(">\nstatus 0")
        self.terminal.type("abc", "Enter")
        self.terminal.shows(">\nstatus 0\nabc\nabc")

    def ended_by(self, number):
        pane = self.terminal.tmux("list-panes", "-F", "#{pane_pid}").strip()
        with open("/proc/%s/task/%s/children" % (pane, pane)) as file:
            child = file.read().split()[0]
        os.kill(int(child), number)
        self.terminal.until(lambda s: s.endswith("status %d" % (128 + number)), "the end")

    def test_sigterm(self):
        self.ended_by(signal.SIGTERM)

    def test_a_terminal_that_is_gone(self):
        self.ended_by(signal.SIGHUP)


class Starting(harness.Case):
    def test_a_script_keeps_its_globals(self):
        self.write("s.lua", "x = 42 print(...)")
        terminal = Terminal(self, "-i", "s.lua", "argument")
        terminal.shows("argument\n>")
        terminal.line("x", "42")

    def test_a_script_that_fails_opens_the_prompt(self):
        self.write("s.lua", "x = 42 error 'failed'")
        terminal = Terminal(self, "-i", "s.lua")
        terminal.ready()
        self.assertIn("septet: s.lua:1: failed", terminal.screen())
        terminal.line("x", "42")
        terminal.type("", "C-d")
        terminal.until(lambda s: s.endswith("status 0"), "the end")

    def test_the_banner_and_help_fit_on_a_terminal(self):
        terminal = Terminal(self, columns=80)
        terminal.until(lambda s: re.fullmatch(r"Septet \S+; :help helps, Ctrl-D leaves\n>", s),
                       "the banner")
        terminal.enter(":help")
        screen = terminal.until(lambda s: s.endswith("for io.\n>"), "the help")
        self.assertIn("  :doc NAME ", screen)

    def test_no_colours_if_they_are_not_wanted(self):
        terminal = Terminal(self, env={"NO_COLOR": "1"})
        terminal.line("1", "1")
        self.assertNotIn("\x1b[36m", terminal.tmux("capture-pane", "-p", "-e"))
        terminal.close()
        terminal = Terminal(self)
        terminal.line("1", "1")
        self.assertIn("\x1b[36m1", terminal.tmux("capture-pane", "-p", "-e"))


class Plain(harness.Case):
    """A terminal that knows no escape sequences."""

    def until(self, ending):
        """Reads what the terminal shows up to an ending, and checks that it is nothing but text."""
        shown = b""
        while not shown.endswith(ending):
            self.assertTrue(select.select([self.master], [], [], harness.HANG)[0], shown)
            shown += os.read(self.master, 4096)
        self.assertNotRegex(shown, rb"[^\r\n -~]")
        return shown

    def test_lines_are_read_without_escape_sequences(self):
        for name in "dumb", "", None:
            self.master, slave = pty.openpty()
            env = harness.environment({"HOME": self.dir})
            env.pop("TERM", None)
            if name is not None:
                env["TERM"] = name
            child = subprocess.Popen([harness.SEPTET], cwd=self.dir, env=env, stdin=slave,
                                     stdout=slave, stderr=slave, start_new_session=True,
                                     preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
            os.close(slave)
            self.until(b"leaves\r\n> ")
            os.write(self.master, b"{ 1 +\n")
            self.until(b"{ 1 +\r\n>> ")
            os.write(self.master, b"1 }\n")
            self.until(b"1 }\r\n{ 2 }\r\n> ")
            os.write(self.master, b"ab")
            self.until(b"ab")
            os.write(self.master, b"\x03")
            self.until(b"^C\r\n(Ctrl-C once more, or Ctrl-D, leaves)\r\n> ")
            os.write(self.master, b"error 'x'\n")
            self.until(b"prompt:1: x\r\n> ")
            os.write(self.master, b"\x04")
            self.until(b"\r\n")
            self.assertEqual(child.wait(), 0)
            os.close(self.master)


class Pipe(harness.Case):
    def test_results_without_a_prompt(self):
        self.check(self.septet("-i", stdin="1 + 1\nx = { 'a' }\nx\n"), out='2\n{ "a" }\n')

    def test_several_lines_and_waits(self):
        self.check(self.septet("-i", stdin="for i = 1, 2 do\ntask.sleep(0)\nprint(i)\nend\n3"),
                   out="1\n2\n3\n")

    def test_errors_go_to_stderr_and_the_next_lines_run(self):
        result = self.septet("-i", stdin="error 'boo'\n= = 1\n2\n")
        self.check(result, out="2\n", err=re.compile(
            r"septet: prompt:1: boo\nseptet: prompt:1: unexpected symbol near '='\n\Z"))

    def test_the_end_within_a_statement(self):
        self.check(self.septet("-i", stdin="1\nif true then\n"), out="1\n",
                   err=re.compile("septet: prompt:1: .*<eof>\n"))

    def test_an_unfinished_expression_goes_on(self):
        self.check(self.septet("-i", stdin="{\n1, 2\n}\n'a' ..\n'b'\n1 +\n2\nmath.max(\n1)\n= {\n}"
                               "\n[[c\nd]]\nif x then\nend\n"),
                   out='{ 1, 2 }\n"ab"\n3\n1\n{}\n"c\\nd"\n')

    def test_the_end_within_an_expression(self):
        for text in "{", "1 +\n", ":time {\n":
            self.check(self.septet("-i", stdin=text), out="",
                       err=re.compile("septet: prompt:1: .* near <eof>\n"))

    def test_a_mark_of_unicode_and_a_line_for_the_system_before_the_first_line(self):
        self.check(self.septet("-i", stdin="\ufeff#!/usr/bin/septet\n1\n"), out="1\n")
        self.check(self.septet("-i", stdin="\ufeff1\n#! 2\n"), out="1\n",
                   err=re.compile("septet: prompt:1: unexpected symbol near '!'\n"))

    def test_what_write_gives_is_not_shown(self):
        self.check(self.septet("-i", stdin="io.write 'a'\nio.stdout:write('b'):write('c')\n"
                               "io.write('d', 1)\n_ == io.stdout, io.type(io.open('/dev/null'))\n"),
                   out='abcd1true\n"file"\n')

    def test_a_last_word_finds_entries_of_the_api_as_septet_doc_does(self):
        for name in "gather", "get", "nonesuch", "task.gather":
            ours = self.septet("-i", stdin=":doc %s\n" % name)
            others = self.septet("doc", name)
            self.assertEqual((ours.out.rstrip("\n"), ours.err),
                             (others.out.rstrip("\n"), others.err))
        self.assertIn("task.gather", ours.out)

    def test_the_time_of_an_expression_and_of_statements(self):
        result = self.septet("-i", stdin=":time 1, 2\n:time x = 3\n:time\nx\n:time = x +\n1\n")
        self.assertRegex(result.out, r"\Atook \S+ \S+\n1\n2\ntook \S+ \S+\n3\ntook \S+ \S+\n4\n\Z")
        self.assertRegex(result.err, r"\Aseptet: an expression or statements are expected.*\n\Z")

    def test_a_script_before(self):
        self.write("s.lua", "x = 7")
        self.check(self.septet("-i", "s.lua", stdin="x\n"), out="7\n")

    def test_a_statement_before(self):
        self.check(self.septet("-i", "-e", "x = 8", stdin="x\n"), out="8\n")

    def test_input_that_ends_while_a_task_runs(self):
        self.check(self.septet("-i", stdin="task.spawn(task.sleep, 1000) print 'last'\n"),
                   out="last\n")

    def test_os_exit(self):
        self.check(self.septet("-i", stdin="os.exit(3)\n1\n"), status=3)

    def test_without_the_option_standard_input_is_a_script(self):
        self.check(self.septet(stdin="print(1)\nlocal x = 2\nprint(x)\n"), out="1\n2\n")

    def test_a_trace_to_stderr(self):
        result = self.septet("-i", stdin=":trace on\ntask.sleep(0.001)\n")
        self.check(result, err=re.compile("sleep 0.001 s"))


if __name__ == "__main__":
    unittest.main()
