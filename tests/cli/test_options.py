# SPDX-License-Identifier: MIT
"""The options: the effect of each, their order, and the messages for unknown ones."""

import json
import os
import pty
import re
import subprocess
import unittest

import harness

VERSIONS = r"Septet \d+\.\d+\.\d+, Lua 5\.4\.\d+, libuv \d+\.\d+\.\d+, libcurl \d+\.\d+\.\d+\S*\n"
USAGE = "usage: septet [options] [script [args]]\ntry 'septet --help'\n"
AWAIT = "require 'septet.task'.sleep(0) "


class Help(harness.Case):
    def test_help_fits_a_screen(self):
        result = self.septet("--help")
        self.assertEqual((result.status, result.err), (0, ""))
        lines = result.out.splitlines()
        self.assertEqual(lines[0], "usage: septet [options] [script [args]]")
        self.assertLessEqual(len(lines), 40)
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertEqual(self.septet("help").out, result.out)

    def test_help_names_the_options_that_most_need(self):
        out = self.septet("--help").out
        for option in "-e -l -W -E -v --trace --trace=FILE --version --help -".split():
            self.assertRegex(out, r"(?m)^  %s( |$)" % re.escape(option))

    def test_help_options_names_every_option(self):
        """The parser knows each option of the table, and no other is accepted."""
        table = json.loads(self.septet("help", "--json").out)
        result = self.septet("help", "options")
        self.assertLessEqual(max(map(len, result.out.splitlines())), 80)
        for row in table["options"]:
            self.assertRegex(result.out, r"(?m)^  %s( |$)" % re.escape(row["name"]))
            name = re.match(r"-+[\w-]*", row["name"])[0]
            value = {"-e": ["-e", ""], "-l": ["-l", "septet"], "--": ["--"]}.get(name, [name])
            if "=" in row["name"] and "[" not in row["name"] and len(name) > 2:
                value = [name + "=" + {"--trace": "t.trc"}.get(name, "1")]
            before = {"--trace-filter": ["--trace"], "--trace-limit": ["--trace"],
                      "--propagate": ["--otlp=console"], "--har-bodies": ["--trace=t.trc"]}
            ran = self.septet(*before.get(name, []), *value, stdin="")
            self.assertEqual((name, ran.status), (name, 0), ran)

    def test_the_help_of_a_command(self):
        table = json.loads(self.septet("help", "--json").out)
        names = [row["name"] for row in table["commands"]]
        self.assertEqual(names, sorted(names))
        for row in table["commands"]:
            result = self.septet("help", row["name"])
            self.assertEqual((result.status, result.err), (0, ""))
            lines = result.out.splitlines()
            self.assertRegex(lines[0], "^usage: septet " + row["name"])
            self.assertLessEqual(max(map(len, lines)), 80)
            for option in row["options"]:
                self.assertRegex(result.out, r"(?m)^  %s( |$)" % re.escape(option["name"]))
            self.assertEqual(self.septet(row["name"], "--help").out, result.out)
            wrong = self.septet(row["name"], "--frobnicate", "x")
            self.assertEqual((row["name"], wrong.status), (row["name"], 2))
            self.assertRegex(wrong.err, "unrecognized option '--frobnicate'")

    def test_the_help_of_what_is_no_command(self):
        result = self.septet("help", "jbos")
        self.check(result, 2, err="septet: unknown command 'jbos', did you mean 'jobs'?\n"
                   "usage: septet help [COMMAND]\ntry 'septet help --help'\n")

    def test_a_script_that_is_not_there_may_have_been_a_command(self):
        for word, end in (("jbos", ", did you mean 'septet jobs'?\n"),
                          ("fetch", ", and there is no such command (try 'septet --help')\n"),
                          ("frobnicate", ", and there is no such command (try 'septet --help')\n"),
                          ("jbos.lua", "\n"), ("./jbos", "\n")):
            result = self.septet(word)
            self.assertEqual(result.status, 1)
            self.assertRegex(result.err, "^septet: cannot open %s[^,]*%s$" %
                             (re.escape(word), re.escape(end)))

    def test_help_runs_nothing(self):
        result = self.septet("-e", "print 'ran'", "--help", "nofile.lua")
        self.assertEqual(result.status, 0)
        self.assertNotIn("ran", result.out)

    def test_version_runs_nothing(self):
        result = self.septet("-e", "print 'ran'", "--version", "nofile.lua",
                             env={"LUA_INIT": "print 'init'"})
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertRegex(result.out, "^" + VERSIONS + "$")

    def test_version_agrees_with_lua(self):
        result = self.septet("-v", "-e", "print(require 'septet'.versions())")
        first, second = result.out.splitlines()
        self.assertEqual(first, second)
        self.assertIn(", " + self.septet("-e", "io.write(_VERSION)").out + ".", first)

    def test_versions_twice_lists_the_quirks_that_count(self):
        for change, there in (("+poke,-timeout", True), ("-poke,-timeout", False)):
            line = self.septet("-v", "-v", env={"SEPTET_QUIRKS": change}).out.splitlines()[-1]
            self.assertRegex(line, "^libcurl: quirks with a cure: [a-z0-9_, ]+$")
            self.assertEqual(("poke" in line, "timeout" in line), (there, False))


class Statements(harness.Case):
    def test_e(self):
        self.check(self.septet("-e", "print(1 + 1)"), out="2\n")

    def test_e_in_one_word(self):
        self.check(self.septet("-eprint(3)"), out="3\n")

    def test_e_keeps_stdin_unread(self):
        self.check(self.septet("-e", "print 'e'", stdin="print 'stdin'"), out="e\n")

    def test_e_awaits(self):
        self.check(self.septet("-e", AWAIT + "print 'after'"), out="after\n")

    def test_several_in_their_order_before_the_script(self):
        self.write("s.lua", "print('script', n)")
        self.check(
            self.septet("-e", "n = 1 print 'a'", "-e", AWAIT + "n = n + 1 print 'b'", "s.lua"),
            out="a\nb\nscript\t2\n",
        )

    def test_the_first_that_fails_is_the_last(self):
        self.write("s.lua", "print 'script'")
        result = self.septet("-e", "error('no', 0)", "-e", "print 'second'", "s.lua")
        self.check(result, 1, err=re.compile(r"septet: no\nstack traceback:\n"))

    def test_e_that_does_not_compile(self):
        self.check(self.septet("-e", "x x"), 1,
                   err="septet: (command line):1: syntax error near 'x'\n")

    def test_e_without_statement(self):
        for args in (["-e"], ["-e", "-v"]):
            self.check(self.septet(*args), 2, err="septet: missing argument of '-e'\n" + USAGE)

    def test_e_has_no_arguments(self):
        self.write("s.lua", "")
        self.check(self.septet("-e", "print(#arg, arg[1], select('#', ...))", "s.lua", "x"),
                   out="1\tx\t0\n")


class Modules(harness.Case):
    def setUp(self):
        super().setUp()
        self.write("mod.lua", "print('loaded', ...) return {v = 7}")

    def test_l(self):
        self.check(
            self.septet("-l", "mod", "-e", "print(mod.v)"), out="loaded\tmod\t./mod.lua\n7\n"
        )

    def test_l_in_one_word(self):
        self.check(self.septet("-lmod", "-e", "print(mod.v)"), out="loaded\tmod\t./mod.lua\n7\n")

    def test_l_into_a_global_of_another_name(self):
        self.check(self.septet("-l", "m=mod", "-e", "print(m.v, mod)"),
                   out="loaded\tmod\t./mod.lua\n7\tnil\n")

    def test_l_of_a_module_of_septet(self):
        self.check(self.septet("-l", "task=septet.task", "-e", "task.sleep(0) print 'slept'"),
                   out="slept\n")

    def test_l_runs_in_the_order_of_options(self):
        self.check(self.septet("-e", "print 'e'", "-l", "mod", "-e", ""),
                   out="e\nloaded\tmod\t./mod.lua\n")

    def test_l_waits(self):
        """T-J: the top level of a module that -l loads may wait"""
        self.write("waits.lua", "require 'septet.task'.sleep(0.001) return { name = ... }")
        self.check(self.septet("-l", "waits", "-e", "print(waits.name)"), out="waits\n")
        self.check(self.septet("-l", "g=waits", "-e", "print(g.name)"), out="waits\n")

    def test_l_of_a_missing_module(self):
        result = self.septet("-l", "nope", "-e", "print 'ran'")
        self.check(result, 1, err=re.compile(
            r"septet: module 'nope' not found:\n\tno field package\.preload\['nope'\]\n"))
        self.assertIn("\nstack traceback:\n\t[C]: in ", result.err)

    def test_l_of_a_module_that_fails(self):
        self.write("bad.lua", "\nerror 'broken'")
        self.check(self.septet("-l", "bad"), 1, err=re.compile(
            r"septet: (error loading module.*\n)?.*\./bad\.lua:2: broken\nstack traceback:\n"))

    def test_l_without_module(self):
        self.check(self.septet("-l"), 2, err="septet: missing argument of '-l'\n" + USAGE)

    def test_l_alone_goes_on_with_stdin(self):
        self.check(self.septet("-l", "mod", stdin="print(mod.v)"),
                   out="loaded\tmod\t./mod.lua\n7\n")


class Warnings(harness.Case):
    def test_off_without_W(self):
        self.check(self.septet("-e", "warn('a', 'b')"))

    def test_on_with_W(self):
        self.check(self.septet("-W", "-e", "warn('a', 'b')"), err="septet: warning: ab\n")

    def test_W_counts_from_its_place_on(self):
        self.check(self.septet("-e", "warn 'before'", "-W", "-e", "warn 'after'"),
                   err="septet: warning: after\n")

    def test_a_script_turns_them_off_again(self):
        self.check(self.septet("-W", "-e", "warn '1' warn '@off' warn '2' warn '@on' warn '3'"),
                   err="septet: warning: 1\nseptet: warning: 3\n")


class Environment(harness.Case):
    def test_init(self):
        self.check(self.septet("-e", "print(n)", env={"LUA_INIT": AWAIT + "n = 1 print 'init'"}),
                   out="init\n1\n")

    def test_init_of_the_version_comes_first(self):
        self.check(self.septet("-e", "", env={"LUA_INIT": "print 'any'",
                                              "LUA_INIT_5_4": "print 'versioned'"}),
                   out="versioned\n")

    def test_init_from_a_file(self):
        self.write("init.lua", AWAIT + "print('from file', select('#', ...))")
        self.check(self.septet("-e", "print 'e'", env={"LUA_INIT": "@init.lua"}),
                   out="from file\t0\ne\n")

    def test_init_that_fails(self):
        self.check(self.septet("-e", "print 'e'", env={"LUA_INIT": "error('no', 0)"}), 1,
                   err=re.compile(r"septet: no\nstack traceback:\n"))

    def test_init_that_does_not_compile(self):
        self.check(self.septet("-e", "print 'e'", env={"LUA_INIT": "x x"}), 1,
                   err="septet: LUA_INIT:1: syntax error near 'x'\n")
        self.check(self.septet("-e", "print 'e'", env={"LUA_INIT_5_4": "x x"}), 1,
                   err="septet: LUA_INIT_5_4:1: syntax error near 'x'\n")

    def test_init_from_a_file_that_is_missing(self):
        self.check(self.septet("-e", "print 'e'", env={"LUA_INIT": "@nofile.lua"}), 1,
                   err=re.compile(r"septet: cannot open nofile\.lua"))

    def test_path(self):
        os.mkdir(os.path.join(self.dir, "lib"))
        self.write("lib/deep.lua", "return 'deep'")
        for name in ("LUA_PATH", "LUA_PATH_5_4"):
            self.check(self.septet("-e", "print((require 'deep'))", env={name: "lib/?.lua;;"}),
                       out="deep\n")

    def test_path_with_the_default_inside(self):
        plain = self.septet("-e", "print(package.path)").out
        self.check(self.septet("-e", "print(package.path)", env={"LUA_PATH": "x/?;;"}),
                   out="x/?;" + plain)

    def test_cpath(self):
        self.check(self.septet("-e", "print(package.cpath)", env={"LUA_CPATH": "x/?.so"}),
                   out="x/?.so\n")

    def test_E_ignores_it_all(self):
        plain = self.septet("-e", "print(package.path, package.cpath)").out
        noise = {"LUA_INIT": "print 'init'", "LUA_INIT_5_4": "print 'init'", "LUA_PATH": "x",
                 "LUA_CPATH": "y"}
        self.check(self.septet("-E", "-e", "print(package.path, package.cpath)", env=noise),
                   out=plain)
        self.check(self.septet("-e", "", "-E", env=noise))


class Versions(harness.Case):
    def test_v_then_the_script(self):
        self.write("s.lua", "print 'script'")
        result = self.septet("-v", "s.lua")
        self.assertRegex(result.out, "^" + VERSIONS + "script\n$")
        self.assertEqual((result.status, result.err), (0, ""))

    def test_v_alone_leaves_stdin(self):
        result = self.septet("-v", stdin="print 'stdin'")
        self.assertRegex(result.out, "^" + VERSIONS + "$")

    def test_v_comes_before_init(self):
        result = self.septet("-v", env={"LUA_INIT": "print 'init'"})
        self.assertRegex(result.out, "^" + VERSIONS + "init\n$")


class Usage(harness.Case):
    def refused(self, args, first):
        self.check(
            self.septet(*args, stdin="print 'ran'"), 2, err="septet: " + first + "\n" + USAGE
        )

    def test_unknown_letter(self):
        self.refused(["-z"], "unrecognized option '-z'")

    def test_letters_do_not_cluster(self):
        self.refused(["-vE"], "unrecognized option '-vE'")

    def test_unknown_word(self):
        self.refused(["--frobnicate"], "unrecognized option '--frobnicate'")

    def test_nearest_word_is_suggested(self):
        for wrong, right in (("--tarce", "trace"), ("--traces", "trace"), ("--trcae=x", "trace"),
                             ("-trace", "trace"), ("--hlep", "help"), ("-help", "help"),
                             ("--versions", "version"), ("--verson", "version")):
            self.refused([wrong], "unrecognized option '%s', did you mean '--%s'?" % (wrong, right))

    def test_values_of_the_options_of_the_trace(self):
        for option, expected in (
                ("--trace=", "a file .html, .json, .har or .trc"),
                ("--trace=run.txt", "a file .html, .json, .har or .trc"),
                ("--trace=a.json/run", "a file .html, .json, .har or .trc"),
                ("--trace-filter", "a task, URL or kind"),
                ("--trace-filter=", "a task, URL or kind"),
                ("--trace-limit", "a whole number from 0"),
                ("--trace-limit=1.5", "a whole number from 0"),
                ("--trace-limit=99999999999999999", "a whole number from 0"),
                ("--har-bodies=0", "a number of bytes from 1"),
                ("--otlp=", "a URL or 'console'"), ("--propagate", "a list of hosts"),
                ("--summary=x", "'json' or 'none'")):
            self.refused([option], "%s is expected in '%s'" % (expected, option))
        self.refused(["--trace=a.json", "--trace-limit=3"],
                     "--trace is missing for '--trace-limit=3'")
        self.refused(["--har-bodies"], "--trace=FILE is missing for '--har-bodies'")
        self.refused(["--propagate=x"], "--otlp is missing for '--propagate=x'")

    def test_interactive_mode_takes_no_value(self):
        self.refused(["-ix"], "unrecognized option '-ix'")

    def test_a_wrong_option_stops_all_before_it(self):
        self.refused(["-e", "print 'e'", "-z"], "unrecognized option '-z'")

    def test_options_after_the_script_are_its_own(self):
        self.write("s.lua", "print(...)")
        self.check(self.septet("s.lua", "-z", "--help"), out="-z\t--help\n")

    def test_no_script_on_a_terminal(self):
        for args in ([], ["-W"], ["-E"], ["--"], ["--trace"]):
            master, slave = pty.openpty()
            try:
                process = subprocess.run(
                    [harness.SEPTET, *args], stdin=slave, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, text=True, timeout=harness.HANG,
                    env=harness.environment({"LUA_INIT": "print 'ran'"}))
            finally:
                os.close(master)
                os.close(slave)
            self.assertEqual((process.returncode, process.stdout, process.stderr), (2, "", USAGE))


if __name__ == "__main__":
    unittest.main()
