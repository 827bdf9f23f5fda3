# SPDX-License-Identifier: MIT
"""`septet test --watch`: which files a change runs again, and how it ends."""

import os
import signal
import unittest

import harness

WAITING = "septet: waiting for a change"


class TestWatch(harness.Case):
    def setUp(self):
        super().setUp()
        os.mkdir(os.path.join(self.dir, "tests"))

    def spec(self, name, statement=""):
        self.write("tests/" + name, "it('%s', function() %s end)" % (name[0], statement))

    def watch(self, *args):
        argv = ["sh", "-c", 'exec "$@" 2>&1', "sh", harness.SEPTET, "test", "--jobs=1", "--watch",
                *args]
        child = harness.Child(argv, self.dir, None)
        self.addCleanup(child.close)
        return child

    def run_of(self, child, *lines):
        """Reads the output of a run, of which these are among the lines, to the end."""
        found = []
        for line in child.process.stdout:
            found.append(line.rstrip("\n"))
            if found[-1] == WAITING:
                break
        else:
            self.fail("it ended after %r" % found)
        for line in lines:
            self.assertIn(line, found)
        return found

    def end(self, child, status):
        child.kill(signal.SIGINT)
        self.check(child.end(), status)

    def again(self, child, what, which):
        child.expect("septet: %s: running %s again" % (what, which))

    def test_a_file_that_changes_is_run_again_and_no_other(self):
        self.spec("a_spec.lua")
        self.spec("b_test.lua")
        child = self.watch()
        self.assertEqual(self.run_of(child), ["ok a", "ok b", "2 passed, 0 failed", WAITING])
        self.write("tests/b_test.lua", "it('new', function() end)")
        self.again(child, "'tests/b_test.lua' changed", "'tests/b_test.lua'")
        self.assertEqual(self.run_of(child), ["ok new", "1 passed, 0 failed", WAITING])
        self.end(child, 0)

    def test_a_module_that_changes_runs_the_files_that_loaded_it(self):
        self.write("outer.lua", "return require 'inner'")
        self.write("inner.lua", "return 1")
        self.spec("a_spec.lua", "expect(require 'outer').equal(1)")
        self.spec("b_spec.lua")
        self.spec("c_spec.lua", "dofile 'inner.lua'")
        child = self.watch()
        self.run_of(child, "3 passed, 0 failed")
        self.write("inner.lua", "return 2")
        self.again(child, "'inner.lua' changed", "2 files")
        self.run_of(child, "not ok a", "ok c", "1 passed, 1 failed")
        self.write("outer.lua", "return require 'inner' - 1")
        self.again(child, "'outer.lua' changed", "'tests/a_spec.lua'")
        self.run_of(child, "1 passed, 0 failed")
        self.end(child, 0)

    def test_a_file_that_failed_is_run_until_it_passes(self):
        self.write("m.lua", "return 1")
        self.spec("a_spec.lua", "expect(io.open 'there').truthy():close()")
        self.spec("b_spec.lua", "expect(require 'm').equal(1)")
        child = self.watch()
        self.run_of(child, "1 passed, 1 failed")
        self.write("m.lua", "return 1 + 0")
        self.again(child, "'m.lua' changed", "2 files")
        self.run_of(child, "not ok a", "1 passed, 1 failed")
        self.write("there", "")
        self.write("m.lua", "return 2 - 1")
        self.again(child, "'m.lua' changed", "2 files")
        self.run_of(child, "2 passed, 0 failed")
        self.write("m.lua", "return 1")
        self.again(child, "'m.lua' changed", "'tests/b_spec.lua'")
        self.run_of(child, "1 passed, 0 failed")
        self.end(child, 0)

    def test_files_may_come_and_go(self):
        child = self.watch()
        self.assertEqual(self.run_of(child), [
            "septet: there are no files *_spec.lua or *_test.lua in this folder", WAITING])
        os.mkdir(os.path.join(self.dir, "tests/deep"))
        self.spec("deep/x_spec.lua")
        self.again(child, "'tests/deep/x_spec.lua' changed", "'tests/deep/x_spec.lua'")
        self.run_of(child, "1 passed, 0 failed")
        self.write("tests/deep/.hidden_spec.lua", "print 'never run'")
        self.write("tests/other.lua", "print 'never run'")
        os.unlink(os.path.join(self.dir, "tests/deep/x_spec.lua"))
        child.expect("septet: 'tests/deep/x_spec.lua' was removed")
        self.spec("b_spec.lua")
        self.again(child, "'tests/b_spec.lua' changed", "'tests/b_spec.lua'")
        self.assertEqual(self.run_of(child), ["ok b", "1 passed, 0 failed", WAITING])
        self.end(child, 0)

    def test_a_syntax_error_is_mended(self):
        self.write("tests/a_spec.lua", "it('a', function(")
        self.write("m.lua", "return return")
        self.spec("b_spec.lua", "require 'm'")
        child = self.watch("tests/a_spec.lua", "tests")
        self.run_of(child, "not ok the file as a whole", "not ok b", "0 passed, 2 failed")
        self.spec("a_spec.lua")
        self.again(child, "'tests/a_spec.lua' changed", "2 files")
        self.run_of(child, "ok a", "1 passed, 1 failed")
        self.write("m.lua", "return 1")
        self.again(child, "'m.lua' changed", "'tests/b_spec.lua'")
        self.run_of(child, "ok b", "1 passed, 0 failed")
        self.end(child, 0)

    def test_a_helper_concerns_every_file(self):
        self.spec("a_spec.lua", "expect(N).equal(1)")
        self.spec("b_spec.lua")
        self.write("helper.lua", "N = 1")
        child = self.watch("--helper=./helper.lua", "tests/")
        self.run_of(child, "2 passed, 0 failed")
        self.write("helper.lua", "N = 2")
        self.again(child, "'helper.lua' changed", "2 files")
        self.run_of(child, "1 passed, 1 failed")
        self.end(child, 1)

    def test_ctrl_c_during_a_run_gives_the_status_of_the_one_before(self):
        self.spec("a_spec.lua", "expect(1).equal(2)")
        child = self.watch()
        self.run_of(child, "0 passed, 1 failed")
        os.mkfifo(os.path.join(self.dir, "fifo"))
        self.spec("a_spec.lua", "io.open('fifo', 'w'):close() while true do end")
        with open(os.path.join(self.dir, "fifo")):
            pass  # the test runs
        child.kill(signal.SIGINT)
        self.assertEqual(child.end().status, 1)

    def test_ctrl_c_before_a_run_has_ended_is_the_end_by_a_signal(self):
        os.mkfifo(os.path.join(self.dir, "fifo"))
        self.spec("a_spec.lua", "io.open('fifo', 'w'):close() while true do end")
        child = self.watch()
        with open(os.path.join(self.dir, "fifo")):
            pass
        child.kill(signal.SIGINT)
        self.assertEqual(child.end().status, -signal.SIGINT)

    def test_what_it_does_not_go_with(self):
        for option in ("--list", "--in-process"):
            result = self.septet("test", "--watch", option)
            self.assertEqual((result.status, result.out), (2, ""))
            self.assertIn("septet: '--watch' does not go with '%s'\n" % option, result.err)
        result = self.septet("test", "--watch", "none")
        self.assertEqual((result.status, result.out), (2, ""))


if __name__ == "__main__":
    unittest.main()
