# SPDX-License-Identifier: MIT
"""septet test: tests that ruin what they run in cost themselves, and those that do not run are
named."""

import os
import re
import unittest
import xml.etree.ElementTree as tree

import harness


class Runner(harness.Case):
    def run_tests(self, *words):
        return self.septet("test", "--slowest=0", *words)


DEATHS = (  # the body of a test, and how its process ends
    ("os.execute('kill -9 ' .. io.open('/proc/self/stat'):read 'n')", "signal KILL ended"),
    ("os.execute('kill -ABRT ' .. io.open('/proc/self/stat'):read 'n')", "signal|status"),
    ("while true do end", "too slow: it did not end within 2.1 s"),
)
BEHIND = ("pending 'written later'\nit('on the real clock', { real_time = true }, function() end)\n"
          "it('last', function() end)\n")


class NotRun(Runner):
    """Tests behind the end of a process, or behind --fail-fast, are in each report."""

    def spec(self, body):
        self.write("a_spec.lua", "it('first', function() end)\n"
                   "it('dies', { timeout = 0.1 }, function() %s end)\n" % body + BEHIND)

    def test_those_behind_the_end_of_a_process_are_named(self):
        for body, how in DEATHS:
            with self.subTest(body):
                self.spec(body)
                result = self.run_tests()
                self.assertEqual(result.status, 1)
                self.assertTrue(result.out.startswith(
                    "ok first\nnot ok dies\nnot run written later\nnot run last\n"
                    "ok on the real clock\n\n1. dies\n   a_spec.lua:2\n"), result)
                self.assertRegex(result.out, how)
                self.assertTrue(result.out.endswith("2 passed, 1 failed, 2 not run\n"), result)

    def test_and_in_junit_and_tap(self):
        self.spec(DEATHS[0][0])
        result = self.run_tests("--tap", "--junit=out.xml")
        self.assertEqual(re.findall("^(?:not )?ok.*$|^1[.].*$", result.out, re.M), [
            "ok 1 - first", "not ok 2 - dies",
            "ok 3 - written later # SKIP not run: the process of its file ended before",
            "ok 4 - last # SKIP not run: the process of its file ended before",
            "ok 5 - on the real clock", "1..5"])
        suite = tree.parse(os.path.join(self.dir, "out.xml")).getroot()[0]
        self.assertEqual([suite.get(name) for name in ("tests", "errors", "failures", "skipped")],
                         ["5", "1", "0", "2"])
        self.assertEqual([case.find("skipped").get("message") for case in suite[2:4]],
                         ["not run: the process of its file ended before"] * 2)

    def test_those_behind_the_first_failure(self):
        self.write("a_spec.lua", "it('fails', function() error 'no' end)\n" + BEHIND)
        self.write("b_spec.lua", "it('b', function() end)\n")
        result = self.run_tests("--fail-fast", "--jobs=1")
        self.assertTrue(result.out.startswith(
            "not ok fails\nnot run written later\nnot run last\nnot run on the real clock\n"
            "not run b_spec.lua\n"), result)
        self.assertTrue(result.out.endswith("0 passed, 1 failed, 4 not run\n"), result)
        result = self.run_tests("--fail-fast", "--in-process", "b_spec.lua")
        self.assertEqual(result.out, "ok b\n1 passed, 0 failed\n")

    def test_a_process_that_ends_before_it_has_declared_its_tests(self):
        self.write("a_spec.lua", "it('a', function() end)\n" + DEATHS[0][0] + "\n")
        result = self.run_tests()
        self.assertTrue(result.out.startswith("not ok the file as a whole\n"), result)


RAISED = (  # an error value, and a part of the report
    ("setmetatable({}, { __tostring = function() error 'no' end })", "__tostring failed: .*: no"),
    ("setmetatable({}, { __tostring = function() return {} end })", "__tostring"),
    ("setmetatable({}, { __name = {}, __index = function() error 'index' end })", "error: {}"),
    ("setmetatable({}, { __metatable = false })", "error: {}"),
    ("setmetatable({}, { __gc = function() error 'gc' end })", "error: {}"),
    ("setmetatable({}, { __name = 'septet.test.Skip' })", "error: "),
    ("(function() local t = {} t[t] = t return t end)()", "error: <1> {"),
    ("nil", "error: nil"),
    ("io.stdout", "error: file"),
    ("'\\0\\255'", r"\\xff"),
)

RUINS = (
    "string.format = nil",
    "string.find = nil string.gsub = nil string.sub = nil",
    "table = nil table_concat = nil",
    "for name in pairs(table) do table[name] = nil end",
    "for _, part in ipairs { string, os, io, package, debug } do\n"
    " for name in pairs(part) do part[name] = nil end\nend",
    "setmetatable(_G, { __index = function() error 'no global' end, __newindex = print })",
    "debug.sethook(function() error 'hook' end, '', 1)",
    "debug.sethook(function() while true do coroutine.yield() end end, 'l')",
    "os.exit = nil", "error = nil", "pcall, xpcall, assert, type, next, pairs = nil",
    "package.loaded['septet.task'] = nil package.path = '' package.preload = nil",
    "collectgarbage 'stop'",
    "getmetatable('').__index = nil", "debug.setmetatable('', nil)",
    "getmetatable('').__index = function() error 'no method' end",
    "debug.setmetatable(nil, { __index = function() return 1 end })",
    "getmetatable(io.stdout).__index = nil", "io.output 'out'",
    "it = nil expect = nil describe = nil",
    "_G = nil", "for name in pairs(_G) do _G[name] = nil end",
    "_G.string = setmetatable({}, { __index = function() error 'no' end })",
)

SOUND = """it('is run as if nothing was', function()
  expect(('%d'):format(1)).equal '1'
  expect(table.concat { string.upper 'a', type(os.exit), type(error) }).equal 'Afunctionfunction'
  expect(getmetatable(_G)).equal(nil)
  expect(collectgarbage 'isrunning').truthy()
  expect(require 'septet.task').truthy()
  expect(pcall(function() return (nil)[1] end)).falsy()
  io.write 'written'
end)
"""


class Costs(Runner):
    """A hostile test costs that one alone."""

    def test_any_value_may_be_an_error(self):
        self.write("a_spec.lua", "".join("it('%d', function() error(%s, 0) end)\n" % item
                                         for item in enumerate(value for value, _ in RAISED)) +
                   "it('last', function() end)\n")
        result = self.run_tests()
        self.assertTrue(result.out.endswith("1 passed, %d failed\n" % len(RAISED)), result)
        texts = re.split(r"^\d+\. \d+\n.*\n", result.out, flags=re.M)[1:]
        for (value, part), text in zip(RAISED, texts):
            self.assertRegex(text, part, value)

    def test_nor_does_one_that_no_task_saw_end_the_file(self):
        self.write("a_spec.lua", "local task = require 'septet.task'\nit('a', function()\n"
                   "task.background(function() error(%s) end)\ntask.sleep(1)\nend)\n"
                   "it('b', function() end)\n" % RAISED[0][0])
        result = self.run_tests()
        self.assertIn("no task saw the failure of a_spec.lua:3", result.out)
        self.assertTrue(result.out.endswith("1 passed, 1 failed\n"), result)

    def test_what_a_test_ruins_is_whole_for_the_next(self):
        for end in "", "\nlocal x = nil + 1":
            self.write("a_spec.lua", "".join(
                "it('ruins', function()\n%s%s\nend)\n%s" % (ruin, end, SOUND) for ruin in RUINS))
            result = self.run_tests()
            verdicts = re.findall("^(ok|not ok|not run) is run as if", result.out, re.M)
            self.assertEqual(verdicts, ["ok"] * len(RUINS), result)

    def test_what_before_all_changes_stays(self):
        self.write("a_spec.lua", "before_all(function() string.shout = string.upper\n"
                   "os.time = function() return 7 end end)\n" + 2 *
                   "it('a', function() expect(os.time()).equal(7) expect(('a'):shout()).equal 'A'\n"
                   "os.time = nil end)\n")
        self.assertEqual(self.run_tests().out, "ok a\nok a\n2 passed, 0 failed\n")

    def test_an_object_that_is_no_result_of_a_test(self):
        self.write("a_spec.lua",
                   "it('a', function() return setmetatable({}, { __eq = error }) end)\n")
        self.assertEqual(self.run_tests().out, "ok a\n1 passed, 0 failed\n")


if __name__ == "__main__":
    unittest.main()
