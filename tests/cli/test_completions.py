# SPDX-License-Identifier: MIT
"""The completions, asked for in a real bash, zsh and fish."""

import json
import os
import re
import shlex
import subprocess
import unittest

import harness


class Completions(harness.Case):
    def setUp(self):
        super().setUp()
        for name in ("one.lua", "two words.lua", "run.trc", "notes.txt"):
            self.write(name, "")
        os.mkdir(os.path.join(self.dir, "folder"))
        self.bin = os.path.join(self.dir, "folder", "bin")
        os.mkdir(self.bin)
        os.symlink(harness.SEPTET, os.path.join(self.bin, "septet"))

    def script(self, shell):
        result = self.septet("completions", shell)
        self.assertEqual((result.status, result.err), (0, ""))
        return self.write("completions." + shell, result.out)

    def shell(self, *argv, text=None):
        env = harness.environment({"PATH": self.bin + ":" + os.environ["PATH"], "HOME": self.dir,
                                   "XDG_CONFIG_HOME": self.dir, "TERM": "dumb"})
        done = subprocess.run(argv, cwd=self.dir, env=env, input=text, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=harness.HANG)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout


COMMANDS = {row["name"] for row in json.loads(
    subprocess.run([harness.SEPTET, "help", "--json"], stdout=subprocess.PIPE, check=True,
                   env=harness.environment(None)).stdout)["commands"]}
FILES = {"completions.bash", "folder", "notes.txt", "one.lua", "run.trc", "two words.lua"}


class Bash(Completions):
    def complete(self, *lines):
        """The replies to each line, whose last word is the one at the cursor. As in readline, '='
        is a word of its own."""
        source = ["set -u", "source " + shlex.quote(self.script("bash"))]
        for line in lines:
            words = [w for word in line for w in re.split("(=)", word) if w or word == ""]
            if line[-1].endswith("="):
                words.append("")
            source += [
                "COMP_WORDS=(%s)" % " ".join(map(shlex.quote, words)),
                "COMP_CWORD=%d" % (len(words) - 1 if words[-1] or words[-2] != "="
                                   else len(words) - 2),
                "COMPREPLY=()", "_septet",
                '((${#COMPREPLY[@]})) && printf "%s\\n" "${COMPREPLY[@]}"', "echo --",
            ]
        out = self.shell("bash", "--norc", "-c", "\n".join(source))
        return [set(part.split("\n")[:-1]) for part in out.split("--\n")[:-1]]

    def test_what_follows_each_word(self):
        with_folder = {"folder"}
        first, long, trace, script, after, to, value, verbs, shells, none = self.complete(
            ["septet", ""], ["septet", "--trace-l"], ["septet", "--trace="],
            ["septet", "one.lua", ""], ["septet", "-e", "x", ""], ["septet", "trace", "--to", "h"],
            ["septet", "--summary=j"], ["septet", "jobs", "q.db", "re"],
            ["septet", "completions", ""], ["septet", "-e", ""])
        self.assertEqual(first, COMMANDS | {"one.lua", "two words.lua"} | with_folder)
        self.assertEqual(long, {"--trace-limit="})
        self.assertEqual(trace, {"run.trc"} | with_folder)
        self.assertEqual(script, FILES)
        self.assertEqual(after, {"one.lua", "two words.lua"} | with_folder)
        self.assertEqual(to, {"har", "html"})
        self.assertEqual(value, {"json"})
        self.assertEqual(verbs, {"results", "retry", "remove"})
        self.assertEqual(shells, {"bash", "zsh", "fish"})
        self.assertEqual(none, set())

    def test_ps_completes_the_processes(self):
        self.write("wait.lua", "print 'up' require 'septet.task'.sleep(1000)")
        child = self.start("wait.lua")
        child.expect("up")
        found, = self.complete(["septet", "ps", ""])
        self.assertIn(str(child.process.pid), found)
        self.assertNotIn(str(os.getpid()), found)

    def test_every_option_and_command_is_offered(self):
        table = json.loads(self.septet("help", "--json").out)
        itself, = self.complete(["septet", "-"])
        self.assertEqual({name.rstrip("=") for name in itself},
                         {re.match(r"-+[\w-]*", row["name"])[0] for row in table["options"]}
                         - {"-", "--"})
        for row in table["commands"]:
            offered, = self.complete(["septet", row["name"], "-"])
            named = {re.match(r"-+[\w-]*", option["name"])[0] for option in row["options"]}
            self.assertLessEqual(named - {"--"}, {name.rstrip("=") for name in offered})

    def test_it_is_registered(self):
        out = self.shell("bash", "--norc", "-c", "source %s; complete -p septet" %
                         shlex.quote(self.script("bash")))
        self.assertEqual(out, "complete -F _septet septet\n")


class Usage(harness.Case):
    def test_a_shell_is_named(self):
        usage = "usage: septet completions bash|zsh|fish\ntry 'septet completions --help'\n"
        self.check(self.septet("completions"), 2, err="septet: the shell is missing\n" + usage)
        self.check(self.septet("completions", "tcsh"), 2, err=(
            "septet: one of bash, zsh and fish is expected, not 'tcsh'\n" + usage))


if __name__ == "__main__":
    unittest.main()
