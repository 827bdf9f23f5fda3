# SPDX-License-Identifier: MIT
"""A session at the prompt, in one terminal of tmux: what is typed, and what the terminal shows."""
import re
import unittest

import harness
from terminal import Terminal

FAILING = "error { why = 1 }"

# name, line, what is printed
LINES = [
    ("an expression is shown", "1 + 1", "2"),
    ("floats and integers are told apart", "4 / 2", "2.0"),
    ("several values", "1, 'a', nil", '1\n"a"\nnil'),
    ("a call without a value shows nothing", "(function() end)()", ""),
    ("an assignment shows nothing", "x = { 1, 2, name = 'n' }", ""),
    ("a table is shown with what is in it", "x", '{ 1, 2, name = "n" }'),
    ("_ is the value shown last", "_.name", '"n"'),
    ("= before an expression, as in older versions of Lua", "= #x", "2"),
    ("a blank line", "  ", ""),
    ("a local is gone, which is said once", "local y = 1",
     "note: a local is gone after its line; without 'local', the name stays"),
    ("a local again, which is not said", "local y = 1", ""),
    ("a syntax error", "x = = 1", "prompt:1: unexpected symbol near '='"),
    ("an error with its place", "error 'boo'", "prompt:1: boo"),
    ("an error that is a table", FAILING, "{ why = 1 }"),
    ("an error in a function has its traceback", "json.decode '{'",
     re.compile(r"JsonError: .*\{.*line = 1.*")),
    ("an error in __tostring", "setmetatable({}, { __tostring = error })",
     re.compile(r"\(__tostring failed: .*\) \{\}")),
    ("a line waits", "task.sleep(0.001)", ""),
    ("a task that is waited for", "task.spawn(function() return 'done' end):await()", '"done"'),
    ("a coroutine", "coroutine.wrap(function() coroutine.yield(task.sleep(0) or 5) end)()", "5"),
    ("return of nil", "return nil", "nil"),
    ("a group of errors", "task.group(function(g) g:spawn(error, 'a') end)",
     re.compile(r"ErrorGroup of 1 error\n  1 in task '.*': \"a\".*")),
    ("out of memory", "('x'):rep(1 << 40)", re.compile(".*(not enough memory|too large).*")),
    ("a module without require", "csv.format { { 1, 2 } }", '"1,2\\r\\n"'),
    ("json.null", "json.decode 'null'", "json.null"),
    ("wide characters", "'é漢字🙂'", '"é漢字🙂"'),
    (":time", ":time 1 + 1", re.compile(r"took [\d.e-]+ ms\n2")),
    (":doc of nothing", ":doc nothing.at.all", re.compile("(no entry|the docu).*")),
    (":trace without a word", ":trace", "the trace is off"),
    ("a command that does not exist", ":nothing", "no command ':nothing' (try :help)"),
    ("a label is no command", "::a::", ""),
    ("an unknown global", "nothing_of_it", "nil"),
    ("print", "print('a', 1)", "a\t1".expandtabs(8)),
    ("io.write without a line end", "io.write('abc')", "abc"),
]

ENTER, TAB, UP, LEFT, HOME, BACK = "Enter", "Tab", "Up", "Left", "Home", "BSpace"
KEYS = {ENTER, TAB, UP, LEFT, HOME, BACK, "C-_", "C-c", "C-d", "C-r", "C-u", "C-w"}


def shown(pattern):
    """Waits until the end of the screen matches."""
    return re.compile("(?:%s)\\Z" % pattern)


def columns(number):
    return lambda terminal: terminal.tmux("resize-window", "-x", str(number))


def pasted(text):
    def paste(terminal):
        terminal.tmux("set-buffer", "--", text)
        terminal.tmux("paste-buffer", "-p")
    return paste


def interrupted(line):
    return ([line, ENTER, shown("\nstarted"), "C-c"],
            "> %s\nstarted\n^C\ninterrupted\n>" % line)


# name, what is typed on an empty screen, what is on the screen at the end
TYPED = [
    ("several lines", ["for i = 1, 2 do", ENTER, "print(i)", ENTER, "end", ENTER],
     "> for i = 1, 2 do\n>> print(i)\n>> end\n1\n2\n>"),
    ("an error in the second line", ["if true then", ENTER, "error 'x' end", ENTER],
     "> if true then\n>> error 'x' end\nprompt:2: x\n>"),
    ("an unfinished table", ["{", ENTER, "1, 2 }", ENTER], "> {\n>> 1, 2 }\n{ 1, 2 }\n>"),
    ("an operator at the end", ["'a' ..", ENTER, "'b'", ENTER], "> 'a' ..\n>> 'b'\n\"ab\"\n>"),
    ("a long string", ["#[[", ENTER, "]]", ENTER], "> #[[\n>> ]]\n0\n>"),
    ("completion of a field", ["string.rev", TAB, "('ab')", ENTER],
     "> string.reverse('ab')\n\"ba\"\n>"),
    ("completion of a global and a module", ["collectg", TAB, " == task.backg", TAB,
                                             shown("task.background"), ENTER],
     "> collectgarbage == task.background\nfalse\n>"),
    ("completion lists what is possible", ["string.re", TAB, shown("rep +reverse\n> string.re"),
                                           "C-u"], re.compile("rep +reverse\n>")),
    ("completion of a method", ["io.stdout:setv", TAB, shown("> io.stdout:setvbuf"), "C-u"], ">"),
    ("an earlier line", ["40 + 2", ENTER, shown("\n42\n>"), UP, shown("> 40 \\+ 2"), ENTER],
     "> 40 + 2\n42\n> 40 + 2\n42\n>"),
    ("a search for an earlier line", ["C-r", "40 +", shown(r"[^\n]*40 \+ 2[^\n]*"), ENTER],
     re.compile(r"[^\n]*40 \+ 2\n42\n>")),
    ("keys that move and delete", ["1203", LEFT, BACK, ENTER], "> 123\n123\n>"),
    ("a deletion is undone", ["12", "C-w", shown(">"), "C-_", shown("> 12"), ENTER],
     "> 12\n12\n>"),
    ("Ctrl-D deletes in a line", ["12", HOME, "C-d", ENTER], "> 2\n2\n>"),
    ("Ctrl-C drops what is typed", ["if x then", ENTER, "abc", shown(">> abc"), "C-c"],
     "> if x then\n>> abc\n>"),
    ("Ctrl-C ends a wait", *interrupted("print 'started' task.sleep(1000)")),
    ("Ctrl-C ends a wait that nothing could end",
     *interrupted("print 'started' sync.channel():recv()")),
    ("Ctrl-C ends a loop", *interrupted("print 'started' while true do end")),
    ("a task in the background", ["t = task.spawn(task.sleep, 1000)", ENTER],
     "> t = task.spawn(task.sleep, 1000)\n>"),
    ("it goes on after Ctrl-C", *interrupted("print 'started' task.sleep(1000)")),
    ("its state", ["t:status()", ENTER], "> t:status()\n\"suspended\"\n>"),
    (":tree", [":tree", ENTER], re.compile(
        r"> :tree\n#\d+ 'line \d+' suspended.*\n  #\d+ '.*' suspended, waits for sleep 1000 s\n>")),
    ("a task waits for an event", ["gate = sync.event() task.spawn(function() gate:wait()"
                                   " print 'above' end)", ENTER], re.compile("> gate = .*\n>")),
    ("what it prints is above the line",
     ["later = task.spawn(function() task.sleep(0.3) gate:set() end)", ENTER, "1 + 漢",
      shown("\nabove\n> 1 \\+ 漢"), "C-u"], re.compile("> later.*\nabove\n>")),
    ("a failure is told above the line",
     ["task.spawn(function() task.sleep(0.3) error 'lost' end)", ENTER, "typed",
      re.compile(r"septet: unhandled error in task 'prompt:1#(?s:.*)\n> typed\Z"), "C-u"],
     re.compile("(?s:.*)lost(?s:.*)\n>")),
    ("twenty columns", [columns(20), "y = '1234567890abcdefghij' .. 'é漢字'", ENTER],
     "> y = '1234567890abc\ndefghij' .. 'é漢字'\n>"),
    ("wide characters are deleted as one", ["'é漢字🙂", BACK, BACK, "'", ENTER],
     "> 'é漢'\n\"é漢\"\n>"),
    ("a wider terminal", [columns(100), "y", ENTER], "> y\n\"1234567890abcdefghijé漢字\"\n>"),
    ("a line of several rows", ["#'" + "x" * 500 + "'", ENTER], re.compile("(?s:.*)\n500\n>")),
    ("a paste keeps its lines and tabs", [pasted("for i = 1, 2 do\n\tprint(#'\t', i)\nend\n")],
     re.compile("(?s:.*)\n1 +1\n1 +2\n>")),
    (":trace on", [":trace on", ENTER], "> :trace on\n>"),
    ("the trace of a line", ["task.sleep(0.001)", ENTER, re.compile("sleep 0.001 s")],
     re.compile("(?s:.*)\n>")),
    (":trace off", [":trace off", ENTER], re.compile("(?s:.*)> :trace off\n(?s:.*)>")),
    ("Ctrl-C on an empty line", ["C-c"], ">\n(Ctrl-C once more, or Ctrl-D, leaves)\n>"),
]


class Session(harness.Case):
    def play(self, typed):
        """Types each item: a text, a key, or a function; or waits for what a pattern finds."""
        for i, item in enumerate(typed):
            if callable(item):
                item(self.terminal)
            elif isinstance(item, re.Pattern):
                self.terminal.until(item.search, item.pattern)
            elif item not in KEYS:
                self.terminal.type(item)
                last = re.sub(r"\s", "", item)[-8:]
                self.terminal.until(lambda s: last in re.sub(r"\s", "", s), "the text %r" % item)
            else:
                self.terminal.type("", item)
                following = typed[i + 1] if i + 1 < len(typed) else None
                if item == ENTER and isinstance(following, str):
                    self.terminal.until(lambda s: s.split("\n")[-1] in (">", ">>"), "a prompt")

    def test_of_more_than_forty_inputs(self):
        self.assertGreater(len(LINES) + len(TYPED), 40)
        self.terminal = Terminal(self, "-E")
        for name, line, expected in LINES:
            with self.subTest(name):
                self.terminal.line(line, expected)
        for name, typed, expected in TYPED:
            with self.subTest(name):
                self.terminal.clear()
                self.play(typed)
                self.terminal.shows(expected)
        self.terminal.type("", "C-d")
        self.terminal.until(lambda s: s.endswith("\nstatus 0"), "the end")


if __name__ == "__main__":
    unittest.main()
