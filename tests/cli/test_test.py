# SPDX-License-Identifier: MIT
"""septet test: how tests end, and what is reported of them."""

import os
import unittest

import harness

HEAD = "local task = require 'septet.task'\n"


class Runner(harness.Case):
    def spec(self, name, text):
        return self.write(name, HEAD + text)

    def tests(self, *words, env=None):
        return self.septet("test", *words, env=env)


class Ends(Runner):
    """Each way in which a test may end, its report and the status."""

    def test_all_pass(self):
        self.spec("a_spec.lua", "it('adds', function() expect(1 + 1).equal(2) end)\n")
        self.check(self.tests(), out="ok adds\n1 passed, 0 failed\n")

    def test_a_failing_one(self):
        self.spec("a_spec.lua", "describe('tables', function()\n"
                  "it('differ', function()\nprint 'hello'\n"
                  "expect({ a = { 1, 2 } }).equal { a = { 1, 3 } }\nend)\n"
                  "it('and the next one runs', function() end)\nend)\n")
        result = self.tests()
        self.assertEqual(result.status, 1)
        self.assertIn("not ok tables: differ\nok tables: and the next one runs\n", result.out)
        self.assertIn("1. tables: differ\n   a_spec.lua:3\n"
                      "   a_spec.lua:5: .a[2]: expected 3, got 2\n", result.out)
        self.assertIn("--- it printed:\n   hello\n", result.out)
        self.assertTrue(result.out.endswith("1 passed, 1 failed\n"), result)

    def test_a_hanging_one_shows_the_tasks(self):
        self.spec("a_spec.lua", "it('hangs', function()\n"
                  "local t = task.spawn(task.sleep, math.huge)\nt:await()\nend)\n"
                  "it('and the next one runs', function() end)\n")
        result = self.tests()
        self.assertEqual(result.status, 1)
        self.assertIn("too slow: it did not end within 5 s\n", result.out)
        self.assertRegex(result.out, r"#\d+ hangs +wait")
        self.assertIn("a_spec.lua:4", result.out)
        self.assertTrue(result.out.endswith("1 passed, 1 failed\n"), result)

    def test_a_leaking_one_names_what_it_left(self):
        self.spec("a_spec.lua", "it('leaks', function()\n"
                  "task.background(function() task.sleep(1000) end)\nend)\n")
        result = self.tests()
        self.assertEqual(result.status, 1)
        self.assertIn("the test left behind:\n     task a_spec.lua:3#", result.out)
        self.assertIn("which waits for sleep 1000 s", result.out)

    def test_an_erring_one(self):
        self.spec("a_spec.lua", "it('errs', function()\nlocal x\nx.y = 1\nend)\n")
        result = self.tests()
        self.assertEqual(result.status, 1)
        self.assertIn("a_spec.lua:4: attempt to index a nil value (local 'x')\n", result.out)
        self.assertNotIn("[septet", result.out)

    def test_a_failure_that_no_task_saw(self):
        self.spec("a_spec.lua", "it('is quiet', function()\n"
                  "task.background(function() error 'unseen' end)\ntask.sleep(1)\nend)\n")
        result = self.tests()
        self.assertEqual(result.status, 1)
        self.assertIn("no task saw the failure of a_spec.lua:3", result.out)

    def test_one_that_ends_the_process(self):
        self.spec("a_spec.lua", "it('exits', function() os.exit(0) end)\n")
        self.spec("b_spec.lua", "it('is fine', function() end)\n")
        result = self.tests("--jobs=1")
        self.assertEqual(result.status, 1)
        self.assertIn("the process of this file ended with status 0", result.out)
        self.assertTrue(result.out.endswith("1 passed, 1 failed\n"), result)

    def test_one_whose_process_is_killed(self):
        self.spec("a_spec.lua", "it('is killed', function()\n"
                  "local pid = io.open('/proc/self/stat'):read 'n'\n"
                  "os.execute('kill -9 ' .. pid)\nend)\n")
        result = self.tests()
        self.assertEqual(result.status, 1)
        self.assertIn("not ok is killed\n", result.out)
        self.assertIn("signal KILL ended the process of this file", result.out)

    def test_one_that_computes_for_ever_shows_where(self):
        self.spec("a_spec.lua", "it('spins', { timeout = 0.2 }, function()\n"
                  "while true do end\nend)\n")
        result = self.tests()
        self.assertEqual(result.status, 1)
        self.assertRegex(result.out, r"spins +run .*a_spec\.lua:3")

    def test_a_file_that_does_not_load(self):
        self.spec("a_spec.lua", "it('bad' function() end)\n")
        result = self.tests()
        self.assertEqual(result.status, 1)
        self.assertIn("a_spec.lua:2: ')' expected near 'function'", result.out)

    def test_no_tests(self):
        self.check(self.tests(), 2, out="", err="septet: there are no files *_spec.lua or"
                   " *_test.lua in this folder\n")
        self.spec("a_spec.lua", "")
        self.check(self.tests(), 2, out="", err="septet: the files declare no tests\n")
        self.spec("a_spec.lua", "it('a', function() end)\n")
        self.check(self.tests("--filter=b"), 2, out="",
                   err="septet: no test is chosen by these options\n")

    def test_a_path_that_is_not_there(self):
        result = self.tests("nowhere")
        self.assertEqual(result.status, 2)
        self.assertIn("'nowhere'", result.err)


class Clocks(Runner):
    def test_the_clock_is_virtual_unless_a_file_or_a_test_says_so(self):
        head = ("local function jumps()\n"
                "return (pcall(require 'septet.testing'.autojump, true))\nend\n")
        self.spec("a_spec.lua", head + "it('jumps', function() expect(jumps()).same(true) end)\n"
                  "it('flows', { real_time = true }, function() expect(jumps()).same(false) end)\n")
        self.write("b_test.lua", "-- test: real-time\n" + HEAD + head +
                   "it('flows, too', function() expect(jumps()).same(false) end)\n")
        result = self.tests("--jobs=1")
        self.check(result, out="ok jumps\nok flows\nok flows, too\n3 passed, 0 failed\n")


if __name__ == "__main__":
    unittest.main()
