# SPDX-License-Identifier: MIT
"""`septet watch`: what makes it run a script again, however a file is saved, and how it ends."""

import os
import signal
import unittest

import harness

WAITS = "require 'septet.task'.sleep(1000)"
EMPTY = "septet: 's.lua' ended; waiting for a change"


class Command(harness.Child):
    """A running `septet watch`, the lines of which are those of both outputs in their order."""

    def line(self):
        line = super().line()
        while harness.SLOW.fullmatch(line + "\n"):
            line = super().line()
        return line

    def expect(self, text):
        """Expects a line. A file that is written in place is empty for a moment, in which a busy
        machine may run it."""
        got = self.line()
        if got == EMPTY and text != EMPTY and self.line().endswith("running 's.lua' again"):
            got = self.line()
        if got != text:
            result = self.end()
            raise AssertionError("expected the line %r, got %r and then %r" % (text, got, result))


class Watch(harness.Case):
    def watch(self, *args, env=None):
        argv = ["sh", "-c", 'exec "$@" 2>&1', "sh", harness.SEPTET, "watch", *args]
        child = Command(argv, self.dir, env)
        self.addCleanup(child.close)
        return child

    def replace(self, name, text):
        """Saves as an editor that renames the new file over the old one."""
        os.rename(self.write(name + ".new", text), os.path.join(self.dir, name))

    def remove_and_write(self, name, text):
        os.unlink(os.path.join(self.dir, name))
        self.write(name, text)

    def again(self, child, what, script="s.lua"):
        child.expect("septet: %s: running '%s' again" % (what, script))

    def end(self, child, number=signal.SIGINT):
        """Ends the command, and returns what it still printed."""
        child.kill(number)
        result = child.end()
        self.assertEqual(result.status, -number)
        return harness.SLOW.sub("", result.out)

    def test_each_way_of_saving_the_script(self):
        self.write("s.lua", "print('run', 0, ...)" + WAITS)
        child = self.watch("s.lua", "a", "--help")
        child.expect("run\t0\ta\t--help")
        for i, save in enumerate((self.write, self.replace, self.remove_and_write), 1):
            save("s.lua", "print('run', %d)" % i + WAITS)
            self.again(child, "'s.lua' changed")
            child.expect("run\t%d" % i)
        self.assertNotIn("running", self.end(child))

    def test_each_way_of_saving_a_module_of_a_module(self):
        os.mkdir(os.path.join(self.dir, "lib"))
        self.write("s.lua", "print(require 'lib.outer' .. dofile 'lib/more.lua')" + WAITS)
        self.write("lib/outer.lua", "return require 'lib.inner' .. assert(loadfile 'lib/it.lua')()")
        for name in ("inner", "more", "it"):
            self.write("lib/%s.lua" % name, "return '0'")
        child = self.watch("s.lua")
        child.expect("000")
        for i, save in enumerate((self.write, self.replace, self.remove_and_write), 1):
            for j, name in enumerate(("inner", "it", "more"), 1):
                save("lib/%s.lua" % name, "return '%d'" % i)
                self.again(child, "'lib/%s.lua' changed" % name)
                child.expect(str(i) * j + str(i - 1) * (3 - j))
        self.end(child)

    def test_a_module_that_is_missing_may_come(self):
        self.write("s.lua", "local ok, m = pcall(require, 'sub.mod') print(ok and m or 'none')")
        child = self.watch("s.lua")
        child.expect("none")
        child.expect("septet: 's.lua' ended; waiting for a change")
        os.mkdir(os.path.join(self.dir, "sub"))
        self.write("sub/mod.lua", "return 'there'")
        self.again(child, "'sub/mod.lua' changed")
        child.expect("there")
        self.end(child)

    def test_a_script_that_fails_or_ends_waits_for_a_change(self):
        self.write("s.lua", "print print")
        child = self.watch("s.lua")
        self.assertRegex(child.line(), r"^septet: s\.lua:1: syntax error near 'print'")
        child.expect("septet: 's.lua' ended with status 1; waiting for a change")
        self.write("s.lua", "print 'mended' os.exit(7)")
        self.again(child, "'s.lua' changed")
        child.expect("mended")
        child.expect("septet: 's.lua' ended with status 7; waiting for a change")
        self.write("s.lua", "os.execute 'kill -KILL $PPID'")
        self.again(child, "'s.lua' changed")
        child.expect("septet: 's.lua' was ended by SIGKILL; waiting for a change")
        self.end(child)

    def test_a_change_is_told_at_once_and_the_script_is_cancelled_first(self):
        self.write("s.lua", """
            local _ <close> = setmetatable({}, { __close = function(_, err)
              print('closed', err.kind)
            end })
            print 'up'""" + WAITS)
        child = self.watch("s.lua")
        child.expect("up")
        self.write("s.lua", "print 'second'")
        self.again(child, "'s.lua' changed")
        child.expect("closed\tCancelled")
        child.expect("second")
        self.end(child)

    def test_a_script_that_does_not_end_is_killed_after_the_grace(self):
        # A process that has stopped itself gets no SIGTERM.
        self.write("s.lua", "print 'up' io.stdout:flush() os.execute 'kill -STOP $PPID'")
        child = self.watch("--grace=0.1", "s.lua")
        child.expect("up")
        self.write("s.lua", "print 'second'")
        self.again(child, "'s.lua' changed")
        child.expect("second")
        self.end(child)

    def test_a_script_that_is_removed_is_waited_for(self):
        path = self.write("s.lua", "print 'up'" + WAITS)
        child = self.watch("s.lua")
        child.expect("up")
        os.unlink(path)
        child.expect("septet: 's.lua' was removed")
        self.write("s.lua", "print 'back'")
        self.again(child, "'s.lua' changed")
        child.expect("back")
        self.end(child)

    def test_a_script_that_does_not_exist_may_come(self):
        child = self.watch("s.lua")
        self.assertRegex(child.line(), "^septet: cannot open s.lua")
        child.expect("septet: 's.lua' ended with status 1; waiting for a change")
        self.write("s.lua", "print 'here'")
        self.again(child, "'s.lua' changed")
        child.expect("here")
        self.end(child)

    def test_many_changes_at_once_are_one(self):
        names = ["m%d" % i for i in range(20)]
        self.write("s.lua", "for i = 0, 19 do require('m' .. i) end print(N or 0, m0)" + WAITS)
        for name in names:
            self.write(name + ".lua", "%s = 1" % name)
        child = self.watch("s.lua")
        child.expect("0\t1")
        child.process.send_signal(signal.SIGSTOP)  # so that they are one on a slow machine, too
        for name in names:
            self.replace(name + ".lua", "%s = 2" % name)
        child.process.send_signal(signal.SIGCONT)
        self.again(child, "'m0.lua' and 19 more changed")
        child.expect("0\t2")
        self.assertNotIn("running", self.end(child))

    def test_contents_that_stay_the_same_change_nothing(self):
        path = self.write("s.lua", "print 'up'" + WAITS)
        child = self.watch("s.lua")
        child.expect("up")
        os.utime(path)
        os.chmod(path, 0o600)
        self.replace("s.lua", "print 'up'" + WAITS)
        self.write("other.lua", "print 'other'")
        self.write("s.lua", "print 'changed'" + WAITS)
        self.again(child, "'s.lua' changed")
        child.expect("changed")
        self.end(child)

    def test_other_files(self):
        os.makedirs(os.path.join(self.dir, "pages/deep"))
        for name in ("pages/a.html", "pages/a.txt", "pages/deep/b.html", "one.csv"):
            self.write(name, "old")
        self.write("s.lua", "n = (n or 0) + 1 print 'up'" + WAITS)
        child = self.watch("--also=pages/*.html", "--also", "one.csv", "s.lua")
        self.assertRegex(child.line(), "^septet: '--also' needs a value: --also=PATH")
        self.assertEqual(child.end().status, 2)
        child = self.watch("--also=pages/*.html", "--also=one.csv", "s.lua")
        child.expect("up")
        self.write("pages/a.txt", "new")
        self.write("pages/deep/b.html", "new")
        for name in ("pages/a.html", "pages/new.html", "one.csv"):
            self.write(name, "new")
            self.again(child, "'%s' changed" % name)
            child.expect("up")
        self.end(child)
        child = self.watch("--also=pages", "s.lua")
        child.expect("up")
        self.write("pages/deep/b.html", "newer")
        self.again(child, "'pages/deep/b.html' changed")
        self.end(child)

    def test_a_script_behind_a_link(self):
        os.mkdir(os.path.join(self.dir, "real"))
        self.write("real/it.lua", "print 'one'")
        os.symlink("real/it.lua", os.path.join(self.dir, "s.lua"))
        child = self.watch("s.lua")
        child.expect("one")
        child.expect("septet: 's.lua' ended; waiting for a change")
        self.write("real/it.lua", "print 'two'")
        self.again(child, "'s.lua' changed")
        child.expect("two")
        self.end(child)

    def test_options_before_the_script_are_those_of_the_script(self):
        self.write("s.lua", WAITS + " print(arg[0], ..., os.getenv 'SEPTET_WATCH_LOG')")
        child = self.watch("--virtual-time", "-e", "print 'before'", "-W", "s.lua", "x")
        child.expect("before")
        child.expect("s.lua\tx\tnil")
        self.end(child)

    def test_the_ends_of_the_command(self):
        self.write("s.lua", """
            local _ <close> = setmetatable({}, { __close = function() print 'closed' end })
            print 'up'""" + WAITS)
        for number in (signal.SIGINT, signal.SIGTERM):
            child = self.watch("s.lua")
            child.expect("up")
            out = self.end(child, number)
            self.assertEqual(out, "closed\n")

    def test_ctrl_c_reaches_both(self):
        self.write("s.lua", """
            local _ <close> = setmetatable({}, { __close = function() print 'closed' end })
            print 'up'""" + WAITS)
        child = self.watch("s.lua")
        child.expect("up")
        os.killpg(child.process.pid, signal.SIGINT)
        result = child.end()
        self.assertEqual(result.status, -signal.SIGINT)
        self.assertRegex(result.out, r"^(septet: interrupted: task .* at s\.lua:3 .*\n)?closed\n$")

    def test_the_script_does_not_outlive_a_command_that_is_killed(self):
        self.write("s.lua", """
            local _ <close> = setmetatable({}, { __close = function() print 'closed' end })
            print 'up'""" + WAITS)
        child = self.watch("s.lua")
        child.expect("up")
        self.assertEqual(self.end(child, signal.SIGKILL), "closed\n")

    def test_nor_one_that_was_killed_before_the_script_could_ask_for_that(self):
        self.write("s.lua", "print('up', os.getenv 'SEPTET_WATCH_PID')")
        parent = {"SEPTET_WATCH_PID": str(os.getpid())}
        self.check(self.septet("s.lua", env=parent), out="up\tnil\n")
        for words in ["s.lua"], ["--workers=2", "s.lua"]:
            result = self.septet(*words, env={"SEPTET_WATCH_PID": "1"})
            self.assertEqual((result.status, result.out), (-signal.SIGTERM, ""), result)
        self.check(self.septet("--workers=2", "s.lua", env=parent), out="up\tnil\n" * 2)

    def test_no_file_is_left(self):
        self.write("s.lua", "print 'up'" + WAITS)
        folder = os.path.join(self.dir, "temp")
        os.mkdir(folder)
        child = self.watch("s.lua", env={"TMPDIR": folder})
        child.expect("up")
        self.end(child)
        self.assertEqual(os.listdir(folder), [])

    def test_usage(self):
        usage = "usage: septet watch [options] SCRIPT [args]\ntry 'septet watch --help'\n"
        for args, problem in (([], "the script is missing"),
                              (["-"], "a script from stdin cannot be watched"),
                              (["--grase=1", "s.lua"],
                               "unrecognized option '--grase=1', did you mean '--grace'?"),
                              (["--grace=x", "s.lua"],
                               "a number of seconds is expected in '--grace=x'")):
            self.check(self.septet("watch", *args), 2, err="septet: %s\n%s" % (problem, usage))


if __name__ == "__main__":
    unittest.main()
