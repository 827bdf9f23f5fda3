# SPDX-License-Identifier: MIT
"""septet test: how tests end, and what is reported of them."""

import os
import pty
import re
import socket
import subprocess
import unittest
import xml.etree.ElementTree as tree

import harness

HEAD = "local task = require 'septet.task'\n"


class Runner(harness.Case):
    def spec(self, name, text):
        return self.write(name, HEAD + text)

    def run_tests(self, *words, env=None):
        return self.septet("test", *words, env=env)


class Ends(Runner):
    """Each way in which a test may end, its report and the status."""

    def test_all_pass(self):
        self.spec("a_spec.lua", "it('adds', function() expect(1 + 1).equal(2) end)\n")
        self.check(self.run_tests(), out="ok adds\n1 passed, 0 failed\n")

    def test_a_nil_is_a_value_like_others(self):
        self.spec("a_spec.lua", "it('is nil', function()\nexpect(nil).equal(nil)\n"
                  "expect(nil).never.equal(1)\nexpect(nil).falsy()\nexpect(nil).same(nil)\n"
                  "expect(nil).equal(1)\nend)\n")
        result = self.run_tests()
        self.assertEqual(result.status, 1)
        self.assertIn("a_spec.lua:7: expected 1, got nil\n", result.out)

    def test_a_failing_one(self):
        self.spec("a_spec.lua", "describe('tables', function()\n"
                  "it('differ', function()\nprint 'hello'\n"
                  "expect({ a = { 1, 2 } }).equal { a = { 1, 3 } }\nend)\n"
                  "it('and the next one runs', function() end)\nend)\n")
        result = self.run_tests()
        self.assertEqual(result.status, 1)
        self.assertIn("not ok tables: differ\nok tables: and the next one runs\n", result.out)
        self.assertIn("1. tables: differ\n   a_spec.lua:3\n"
                      "   a_spec.lua:5: .a[2]: expected 3, got 2\n", result.out)
        self.assertIn("--- it printed:\n   hello\n", result.out)
        self.assertTrue(result.out.endswith("1 passed, 1 failed\n"), result)

    def test_a_table_that_holds_itself(self):
        self.spec("a_spec.lua", "it('is a ring', function()\nlocal ring = {}\nring.ring = ring\n"
                  "expect({ ring = 1 }).equal(ring)\nend)\n")
        result = self.run_tests()
        self.assertEqual(result.status, 1)
        self.assertIn("a_spec.lua:5: .ring: expected <1> { ring = <table 1> }, got 1\n", result.out)

    def test_a_hanging_one_shows_the_tasks(self):
        self.spec("a_spec.lua", "it('hangs', function()\n"
                  "local t = task.spawn(task.sleep, math.huge)\nt:await()\nend)\n"
                  "it('and the next one runs', function() end)\n")
        result = self.run_tests()
        self.assertEqual(result.status, 1)
        self.assertIn("too slow: it did not end within a day of its virtual clock\n", result.out)
        self.assertRegex(result.out, r"#\d+ hangs +wait")
        self.assertIn("a_spec.lua:4", result.out)
        self.assertTrue(result.out.endswith("1 passed, 1 failed\n"), result)

    def test_a_leaking_one_names_what_it_left(self):
        self.spec("a_spec.lua", "it('leaks', function()\n"
                  "task.background(function() task.sleep(1000) end)\nend)\n")
        result = self.run_tests()
        self.assertEqual(result.status, 1)
        self.assertRegex(result.out, r"the test left behind:\n     a task goes on, spawned at "
                         r"a_spec\.lua:3: a_spec\.lua:3#\d+, which waits for sleep 1000 s\n")

    def test_an_erring_one(self):
        self.spec("a_spec.lua", "it('errs', function()\nlocal x\nx.y = 1\nend)\n")
        result = self.run_tests()
        self.assertEqual(result.status, 1)
        self.assertIn("a_spec.lua:4: attempt to index a nil value (local 'x')\n", result.out)
        self.assertNotIn("[septet", result.out)

    def test_a_failure_that_no_task_saw(self):
        self.spec("a_spec.lua", "it('is quiet', function()\n"
                  "task.background(function() error 'unseen' end)\ntask.sleep(1)\nend)\n")
        result = self.run_tests()
        self.assertEqual(result.status, 1)
        self.assertIn("no task saw the failure of a_spec.lua:3", result.out)

    def test_one_that_ends_the_process(self):
        self.spec("a_spec.lua", "it('exits', function() os.exit(0) end)\n")
        result = self.run_tests()
        self.assertEqual(result.status, 1)
        self.assertIn("a_spec.lua:2: a test must not end the process\n", result.out)

    def test_one_whose_process_is_killed(self):
        self.spec("a_spec.lua", "it('is killed', function()\n"
                  "local pid = io.open('/proc/self/stat'):read 'n'\n"
                  "os.execute('kill -9 ' .. pid)\nend)\n")
        result = self.run_tests()
        self.assertEqual(result.status, 1)
        self.assertIn("not ok is killed\n", result.out)
        self.assertIn("signal KILL ended the process of this file", result.out)

    @unittest.skipIf(os.environ.get("SEPTET_SANITIZED"), "a sanitizer reserves more than the limit")
    def test_one_that_runs_out_of_memory(self):
        self.spec("a_spec.lua", "it('fills the memory', { timeout = 60 }, function()\n"
                  "local kept = {}\nfor i = 1, math.huge do\n"
                  "kept[i] = ('x'):rep(1 << 20) .. i\nend\nend)\n"
                  "it('and the next one runs', function() end)\n")
        result = self.septet(argv=["sh", "-c", 'ulimit -v 200000; exec "$0" test --slowest=0',
                                   harness.SEPTET])
        self.assertEqual(result.status, 1)
        self.assertEqual(result.out, "not ok fills the memory\nok and the next one runs\n\n"
                         "1. fills the memory\n   a_spec.lua:2\n   not enough memory\n\n"
                         "1 passed, 1 failed\n")

    def test_one_that_computes_for_ever_shows_where(self):
        self.spec("a_spec.lua", "it('spins', { timeout = 0.2 }, function()\n"
                  "while true do end\nend)\n")
        result = self.run_tests()
        self.assertEqual(result.status, 1)
        self.assertRegex(result.out, r"spins +run .*a_spec\.lua:3")

    def test_a_file_that_does_not_load(self):
        self.spec("a_spec.lua", "it('bad' function() end)\n")
        result = self.run_tests()
        self.assertEqual(result.status, 1)
        self.assertIn("a_spec.lua:2: ')' expected near 'function'", result.out)

    def test_no_tests(self):
        self.check(self.run_tests(), 2, out="", err="septet: there are no files *_spec.lua or"
                   " *_test.lua in this folder\n")
        self.spec("a_spec.lua", "")
        self.check(self.run_tests(), 2, out="", err="septet: the files declare no tests\n")
        self.spec("a_spec.lua", "it('a', function() end)\n")
        self.check(self.run_tests("--filter=b"), 2, out="",
                   err="septet: no test is chosen by these options\n")

    def test_a_path_that_is_not_there(self):
        result = self.run_tests("nowhere")
        self.assertEqual(result.status, 2)
        self.assertIn("'nowhere'", result.err)


# What a test may leave open: what the census calls it, and the expression that makes it.
KINDS = (
    ("an HTTP session", "http.session()"),
    ("a reader", "io.open 'a.txt'"),
    ("a writer", "io.create 'out.txt'"),
    ("a server", "net.listen { path = 'socket' }"),
    ("a connection", "net.connect { path = outer.path }"),
    ("a connection", "accepted()"),
    ("a process", "process.spawn { 'sleep', '1000', background = true }"),
    ("a temporary file or folder", "fs.temp_dir()"),
    ("a temporary file or folder", "fs.temp_file()"),
    ("a watch of files", "fs.watch '.'"),
    ("a walk of folders", "fs.walk '.'"),
    ("a tail of a file", "fs.tail 'a.txt'"),
)

CENSUS = HEAD + """local fs, http, io, net, process = require 'septet.fs', require 'septet.http',
  require 'septet.io', require 'septet.net', require 'septet.process'
local outer
before_all(function() outer = net.listen { path = 'outer' } end)
local function accepted()
  local client <close> = net.connect { path = outer.path }
  return outer:accept()
end
"""


class Census(Runner):
    """What a test leaves open fails it, with the line that made it."""

    def setUp(self):
        super().setUp()
        self.write("a.txt", "a\n")

    def test_each_kind_is_named_with_its_line(self):
        self.write("a_spec.lua", CENSUS + "".join(
            "it('%d', function()\n local _ = %s\nend)\n" % item
            for item in enumerate(make for _, make in KINDS)))
        result = self.run_tests()
        first = CENSUS.count("\n") + 2
        lines = [first + 3 * i for i in range(len(KINDS))]
        lines[5] = CENSUS.split("\n").index("  return outer:accept()") + 1
        told = re.findall(r"left behind:\n +(.*) was left open, made at (.*)\n", result.out)
        self.assertEqual(told, [(kind, "a_spec.lua:%d" % line)
                                for (kind, _), line in zip(KINDS, lines)], result)
        self.assertTrue(result.out.endswith("0 passed, %d failed\n" % len(KINDS)), result)

    def test_what_is_closed_is_none_of_it(self):
        self.write("a_spec.lua", CENSUS + "".join(
            "it('%d', function()\n local _ <close> = %s\nend)\n" % item
            for item in enumerate(make for _, make in KINDS)))
        result = self.run_tests()
        self.assertEqual(result.status, 0, result)

    def test_nor_is_what_ends_with_the_test(self):
        self.write("a_spec.lua", CENSUS + "it('a process', function()\n"
                   "process.spawn { 'sleep', '1000' }\nend)\n"
                   "it('one that ended', function()\n"
                   "process.spawn({ 'true', background = true }):wait()\nend)\n"
                   "it('the default session', function()\n"
                   "pcall(http.get, 'http://127.0.0.1:1/')\nend)\n"
                   "it('loops that end', function()\n"
                   "for _ in fs.walk '.' do end\nfor _ in fs.walk '.' do break end\nend)\n")
        self.check(self.run_tests("--real-time"), out="ok a process\nok one that ended\n"
                   "ok the default session\nok loops that end\n4 passed, 0 failed\n")

    def test_each_test_has_a_census_of_its_own(self):
        self.write("a_spec.lua", CENSUS + "local kept\n"
                   "before_all(function() kept = http.session() end)\n"
                   "it('leaks', function() kept = { kept, http.session(), http.session() } end)\n"
                   "it('does not', function() end)\n"
                   "it('may', { leaks = true }, function() kept = http.session() end)\n")
        result = self.run_tests()
        self.assertEqual(result.out.count("an HTTP session was left open"), 2, result)
        self.assertTrue(result.out.endswith("2 passed, 1 failed\n"), result)

    def test_many_things_that_are_closed_leave_those_that_are_not(self):
        self.write("a_spec.lua", CENSUS + "it('leaks one of many', function()\n"
                   "local kept = {}\nfor i = 1, 300 do\nkept[i] = http.session()\n"
                   "if i ~= 150 then kept[i]:close() end\nend\nend)\n")
        result = self.run_tests()
        self.assertEqual(result.out.count("was left open"), 1, result)


class Clocks(Runner):
    def test_the_clock_is_virtual_unless_a_file_or_a_test_says_so(self):
        head = ("local function jumps()\n"
                "return (pcall(require 'septet.testing'.autojump, true))\nend\n")
        self.spec("a_spec.lua", head + "it('jumps', function() expect(jumps()).same(true) end)\n"
                  "it('flows', { real_time = true }, function() expect(jumps()).same(false) end)\n")
        self.write("b_test.lua", "-- test: real-time\n" + HEAD + head +
                   "it('flows, too', function() expect(jumps()).same(false) end)\n")
        result = self.run_tests("--jobs=1")
        self.check(result, out="ok jumps\nok flows\nok flows, too\n3 passed, 0 failed\n")


    def test_time_of_the_virtual_clock_is_limited_if_that_is_asked_for(self):
        self.spec("a_spec.lua", "local function hour() task.sleep(3600) end\nit('a', hour)\n"
                  "it('b', { timeout = 3601 }, hour)\nit('c', { timeout = 3599 }, hour)\n")
        result = self.run_tests()
        self.assertEqual(result.status, 1)
        self.assertTrue(result.out.startswith("ok a\nok b\nnot ok c\n"), result)
        self.assertIn("too slow: it did not end within 3599 s\n", result.out)
        result = self.run_tests("--timeout=3000")
        self.assertTrue(result.out.startswith("not ok a\nok b\nnot ok c\n"), result)
        self.assertIn("too slow: it did not end within 3000 s\n", result.out)


class Choice(Runner):
    """Which tests run, in which order and how often."""

    def setUp(self):
        super().setUp()
        self.spec("a_spec.lua", "describe('one', { tags = { 'quick' } }, function()\n"
                  "it('a', function() end)\nit('b #slow', function() end)\nend)\n")
        self.write("sub/b_test.lua", "it('c', { tags = { 'slow' } }, function() end)\n")

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(os.path.join(self.dir, name)), exist_ok=True)
        return super().write(name, text, mode)

    def titles(self, *words):
        result = self.run_tests("--jobs=1", *words)
        self.assertEqual(result.status, 0, result)
        return re.findall(r"^ok (.*)$", result.out, re.M)

    def test_by_titles_and_tags(self):
        self.assertEqual(self.titles(), ["one: a", "one: b #slow", "c"])
        self.assertEqual(self.titles("--filter=^one"), ["one: a", "one: b #slow"])
        self.assertEqual(self.titles("--exclude=a$", "--filter=o", "--filter=c"),
                         ["one: b #slow", "c"])
        self.assertEqual(self.titles("--tags=slow"), ["one: b #slow", "c"])
        self.assertEqual(self.titles("--tags=slow,quick,-slow"), ["one: a"])
        self.assertEqual(self.titles("sub"), ["c"])

    def test_list(self):
        self.check(self.run_tests("--list", "--tags=slow"), out="one: b #slow\nc\n")

    def test_repeat_and_jobs(self):
        result = self.run_tests("--repeat=3", "--jobs=4")
        self.assertTrue(result.out.endswith("9 passed, 0 failed\n"), result)

    def test_shuffle_prints_the_seed_which_gives_the_order_again(self):
        self.spec("a_spec.lua", "for i = 1, 20 do it(tostring(i), function() end) end\n")
        result = self.run_tests("--shuffle", "a_spec.lua")
        seed = re.search(r"^order: (--shuffle=\d+)$", result.out, re.M)[1]
        first = self.titles(seed, "a_spec.lua")
        self.assertEqual(first, re.findall(r"^ok (.*)$", result.out, re.M))
        self.assertEqual(sorted(first, key=int), [str(i) for i in range(1, 21)])
        self.assertNotEqual(self.titles("--shuffle=7", "a_spec.lua"),
                            self.titles("--shuffle=8", "a_spec.lua"))

    def test_fail_fast(self):
        os.remove(os.path.join(self.dir, "sub/b_test.lua"))
        self.spec("a_spec.lua", "it('a', function() error 'no' end)\nit('b', function() end)\n")
        result = self.run_tests("--fail-fast", "--jobs=1")
        self.assertTrue(result.out.startswith("not ok a\nnot run b\n"), result)
        self.assertTrue(result.out.endswith("0 passed, 1 failed, 1 not run\n"), result)

    def test_what_stands_around_tests(self):
        self.spec("a_spec.lua", "local log = {}\n"
                  "before_all(function() log[#log + 1] = 'before all' end)\n"
                  "after_all(function() print(table.concat(log, ', ')) end)\n"
                  "before_each(function() log[#log + 1] = 'before' end)\n"
                  "after_each(function() log[#log + 1] = 'after' end)\n"
                  "it('a', function() log[#log + 1] = 'a' end)\n"
                  "describe('in', function()\n"
                  "before_each(function() log[#log + 1] = 'inner' end)\n"
                  "it('b', function() log[#log + 1] = 'b' end)\nend)\n")
        self.check(self.run_tests("--in-process", "a_spec.lua"), out="ok a\n"
                   "before all, before, a, after, before, inner, b, after\nok in: b\n"
                   "2 passed, 0 failed\n")

    def test_helper(self):
        self.write("help.lua", "function five() return 5 end\n")
        self.spec("a_spec.lua", "it('a', function() expect(five()).equal(5) end)\n")
        result = self.run_tests("--helper=help.lua", "a_spec.lua")
        self.check(result, out="ok a\n1 passed, 0 failed\n")

    def test_wrong_words(self):
        result = self.run_tests("--filtre=x")
        self.assertEqual(result.status, 2)
        self.assertIn("unrecognized option '--filtre=x', did you mean '--filter'?", result.err)
        self.spec("a_spec.lua", "it('a', { timeuot = 1 }, function() end)\n")
        self.assertIn("unknown option 'timeuot' of 'it', did you mean 'timeout'?",
                      self.run_tests("a_spec.lua").out)


ALL = ("it('passes', function() print 'fine' end)\n"
       "it('fails <&\\1\\xff', function() print '\\0\\27' expect(1).equal(2) end)\n"
       "it('errs', function() error({}) end)\n"
       "it('hangs', function() task.sleep(math.huge) end)\n"
       "pending 'later'\n")


def plain(text):
    return re.sub("\x1b\\[[0-9]*m", "", text)


class Terminal(Runner):
    """The report on a terminal: dots and colours."""

    def shown(self, *words, env=None):
        """Returns what a terminal shows, and the status."""
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [harness.SEPTET, "test", "--jobs=1", *words], cwd=self.dir,
            env=harness.environment({"NO_COLOR": "", **(env or {})}), stdin=subprocess.DEVNULL,
            stdout=slave, stderr=slave, preexec_fn=harness.default_signals)
        self.addCleanup(process.kill)
        os.close(slave)
        text = b""
        try:
            while data := os.read(master, 65536):
                text += data
        except OSError:  # EIO: it has ended
            pass
        os.close(master)
        return text.decode().replace("\r\n", "\n"), process.wait()

    def test_each_test_is_a_coloured_dot(self):
        self.spec("a_spec.lua", "it('a', function() end)\n"
                  "it('b', function() expect(1).equal(2) end)\npending 'c'\n")
        text, status = self.shown()
        self.assertEqual(status, 1)
        self.assertTrue(text.startswith(
            "\x1b[32m.\x1b[0m\x1b[31mF\x1b[0m\x1b[33ms\x1b[0m\n\n\x1b[1m1. b\x1b[0m\n"), [text])
        self.assertTrue(text.endswith(
            "\x1b[32m1 passed\x1b[0m, \x1b[31m1 failed\x1b[0m, \x1b[33m1 skipped\x1b[0m\n"), [text])

    def test_no_color_leaves_the_dots(self):
        self.spec("a_spec.lua", "it('a', function() end)\n"
                  "it('b', function() expect(1).equal(2) end)\npending 'c'\n")
        coloured, _ = self.shown()
        text, status = self.shown(env={"NO_COLOR": "1"})
        self.assertEqual(status, 1)
        self.assertNotIn("\x1b", text)
        self.assertTrue(text.startswith(".Fs\n\n1. b\n"), [text])
        self.assertEqual(text, plain(coloured))

    def test_a_line_has_72_dots(self):
        for count, lines in ((72, ["." * 72]), (73, ["." * 72, "."])):
            self.spec("a_spec.lua", "for i = 1, %d do it('t', function() end) end\n" % count)
            text, status = self.shown()
            self.assertEqual(status, 0)
            self.assertEqual(plain(text).splitlines(), lines + ["%d passed, 0 failed" % count])

    def test_programs_get_no_colours_on_a_terminal(self):
        self.spec("a_spec.lua", "it('a', function() end)\n")
        self.assertEqual(self.shown("--tap"), ("TAP version 14\nok 1 - a\n1..1\n", 0))


class Reports(Runner):
    def test_tap(self):
        self.spec("a_spec.lua", ALL)
        result = self.run_tests("--tap")
        self.assertEqual(result.status, 1)
        lines = result.out.splitlines()
        self.assertEqual((lines[0], lines[-1]), ("TAP version 14", "1..5"))
        points = [line for line in lines if re.match("(not )?ok ", line)]
        self.assertEqual([re.match(r"((?:not )?ok \d+) - ", line)[1] for line in points],
                         ["ok 1", "not ok 2", "not ok 3", "not ok 4", "ok 5"])
        self.assertEqual(points[4], "ok 5 - later # SKIP pending")
        inside = False
        for line in lines[1:-1]:  # all else is in blocks of YAML
            inside = (inside or line == "  ---") and line != "  ..."
            self.assertTrue(inside or line == "  ..." or line in points, line)

    def test_junit_keeps_the_rules_of_the_schema(self):
        self.spec("a_spec.lua", ALL)
        self.assertEqual(self.run_tests("--junit=out.xml").status, 1)
        path = os.path.join(self.dir, "out.xml")
        junit = check_junit(self, tree.parse(path).getroot())
        cases = junit[0].findall("testcase")
        self.assertEqual([[child.tag for child in case] for case in cases],
                         [["system-out"], ["failure", "system-out"], ["error"], ["error"],
                          ["skipped"]])
        self.assertEqual(cases[1].get("name"), "fails <&\\x01\\xff")
        self.assertEqual(cases[1].findtext("system-out"), "\\x00\\x1b\n")
        self.assertEqual(junit[0].get("hostname"), socket.gethostname())
        self.assertEqual({k: junit[0].get(k) for k in ("tests", "failures", "errors", "skipped")},
                         {"tests": "5", "failures": "1", "errors": "2", "skipped": "1"})

    def test_coverage(self):
        self.write("mod.lua", "local mod = {}\nfunction mod.sign(n)\n  if n > 0 then\n"
                   "    return 1\n  elseif n < 0 then\n    return -1\n  end\n  return 0\nend\n"
                   "function mod.never()\n  local x = 1\n\n  return x\nend\nreturn mod\n")
        head = HEAD + "local mod = require 'mod'\n"
        self.write("a_spec.lua", head + "it('in a task', function()\n"
                   "expect(task.spawn(mod.sign, 1):await()).equal(1)\nend)\n")
        self.write("b_spec.lua", head + "it('in a coroutine', function()\n"
                   "expect(coroutine.wrap(mod.sign)(0)).equal(0)\nend)\n")
        result = self.run_tests("--coverage=c.info")
        self.assertEqual(result.status, 0, result)
        self.assertEqual(result.out.split("\n\n")[1],
                         "file     lines     run  lines not run\n"
                         "mod.lua     11   72.7%  6, 11, 13\ntotal       11   72.7%\n")
        with open(os.path.join(self.dir, "c.info")) as file:
            self.assertEqual(file.read(), "TN:\nSF:mod.lua\n" + "".join(
                "DA:%d,%d\n" % item for item in
                ((1, 2), (2, 2), (3, 2), (4, 1), (5, 1), (6, 0), (8, 1), (10, 2), (11, 0), (13, 0),
                 (15, 2))) + "LF:11\nLH:8\nend_of_record\n")


def is_installed(module):
    return any(os.path.exists("/usr/share/lua/5.4/" + name)
               for name in (module + ".lua", module + "/init.lua"))


class Others(Runner):
    """The frameworks of others, under the command itself."""

    @unittest.skipUnless(is_installed("busted"), "lua-busted is not installed")
    def test_busted(self):
        body = ("describe('busted', function() it('awaits', function()\n"
                "require 'septet.task'.sleep(0)\nassert.are.equal(1, 1)\nend) end)\n")
        self.write("a_spec.lua", body)
        self.write("b.lua", "require 'busted.runner'()\n" + body)
        for words in ("/usr/bin/busted", "--lua=" + harness.SEPTET, "a_spec.lua"), ("b.lua",):
            result = self.septet(*words)
            self.assertEqual(result.status, 0, result)
            self.assertIn("1 success / 0 failures / 0 errors", result.out)

    @unittest.skipUnless(is_installed("luaunit"), "lua-unit is not installed")
    def test_luaunit(self):
        self.write("a.lua", "local luaunit = require 'luaunit'\nfunction test_awaits()\n"
                   "require 'septet.task'.sleep(0)\nluaunit.assertEquals(1, 1)\nend\n"
                   "os.exit(luaunit.LuaUnit.run())\n")
        result = self.septet("a.lua")
        self.assertEqual(result.status, 0, result)
        self.assertIn("Ran 1 tests", result.out)


# junit-10.xsd as rules: of each element its attributes, those that it must have, and its children
# in their order.
NUMBER, TIME = r"\d+", r"\d+(\.\d+)?"
OUTPUT = ({}, [], [])
JUNIT = {
    "testsuites": ({"name": ".*", "time": TIME, "tests": NUMBER, "failures": NUMBER,
                    "errors": NUMBER}, [], ["testsuite"]),
    "testsuite": ({"name": ".*", "tests": NUMBER, "failures": NUMBER, "errors": NUMBER,
                   "time": TIME, "skipped": NUMBER, "id": NUMBER, "hostname": ".+",
                   "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"}, ["name", "tests"],
                  ["testcase"]),
    "testcase": ({"name": ".*", "time": TIME, "classname": ".+"}, ["name", "classname"],
                 ["skipped", "error", "failure", "system-out", "system-err"]),
    "skipped": ({"message": ".*", "type": ".*"}, [], []),
    "error": ({"message": ".*", "type": ".+"}, [], []),
    "failure": ({"message": ".*", "type": ".+"}, [], []),
    "system-out": OUTPUT, "system-err": OUTPUT,
}
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def check_junit(test, root):
    """Checks the rules of the schema, and that the counts are right. Returns the root."""
    test.assertEqual(root.tag, "testsuites")
    for element in root.iter():
        attributes, needed, children = JUNIT[element.tag]
        for name, value in element.attrib.items():
            test.assertRegex(value, re.compile("(?s:%s)\\Z" % attributes[name]))
            test.assertIsNone(FORBIDDEN.search(value))
        test.assertLessEqual(set(needed), set(element.attrib))
        test.assertIsNone(FORBIDDEN.search(element.text or ""))
        order = [children.index(child.tag) for child in element]
        test.assertEqual(order, sorted(order))
    for suite in root:
        for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"),
                          ("skipped", "skipped")):
            test.assertEqual(int(suite.get(name)), len(list(suite.iter(tag))))
    return root


if __name__ == "__main__":
    unittest.main()
