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
        return self.write("completions", result.out)

    def shell(self, *argv, text=None):
        env = harness.environment({"PATH": self.bin + ":" + os.environ["PATH"], "HOME": self.bin,
                                   "XDG_CONFIG_HOME": self.bin, "TERM": "dumb"})
        done = subprocess.run(argv, cwd=self.dir, env=env, input=text, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=harness.HANG)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout


COMMANDS = {row["name"] for row in json.loads(
    subprocess.run([harness.SEPTET, "help", "--json"], stdout=subprocess.PIPE, check=True,
                   env=harness.environment(None)).stdout)["commands"]}
OPTION = re.compile(r"-+[\w-]*")


def parts(out):
    """The lines before each line that is a full stop."""
    found = [[]]
    for line in out.splitlines():
        if line == ".":
            found.append([])
        else:
            found[-1].append(line)
    return found[:-1]


class Shell:
    """What every shell offers. A class for each says how it is asked."""

    def complete(self, *lines):
        """Returns the set of the offers for each line, a list of words of which the last is the one
        at the cursor. Options are without '=', folders without '/'."""
        raise NotImplementedError

    def test_what_follows_each_word(self):
        scripts, folder = {"one.lua", "two words.lua"}, {"folder"}
        files = {"notes.txt", "run.trc", "completions"} | scripts | folder
        rows = [
            ([""], COMMANDS | scripts | folder),
            (["--trace-li"], {"--trace-limit"}),
            (["--trace="], {"run.trc"} | folder),
            (["--summary=j"], {"json"}),
            (["-e", "x", ""], scripts | folder),
            (["--virtual-time", ""], scripts | folder),
            (["-e", ""], set()),
            (["-l", "septet.h"], {"septet.hash", "septet.html", "septet.http"}),
            (["doc", "task.gath"], {"task.gather"}),
            (["doc", "septet.Ti"], {"septet.Timeout", "septet.Timeouts"}),
            (["one.lua", ""], files),
            (["trace", ""], {"run.trc"} | folder),
            (["trace", "--to", "h"], {"har", "html"}),
            (["trace", "--to=ch"], {"chrome"}),
            (["test", "--coverage=no"], {"notes.txt"}),
            (["test", "--coverage", ""], scripts | folder),
            (["jobs", "q.db", "re"], {"results", "retry", "remove"}),
            (["help", ""], COMMANDS | {"options"}),
            (["init", ""], folder),
            (["completions", ""], {"bash", "zsh", "fish"}),
        ]
        found = self.complete(*[["septet"] + words for words, _ in rows])
        self.assertEqual(len(found), len(rows))
        for (words, expected), offers in zip(rows, found):
            self.assertEqual(offers, expected, words)

    def test_ps_completes_the_processes(self):
        self.write("wait.lua", "print 'up' require 'septet.task'.sleep(1000)")
        child = self.start("wait.lua")
        child.expect("up")
        found, = self.complete(["septet", "ps", ""])
        self.assertIn(str(child.process.pid), found)
        self.assertNotIn(str(os.getpid()), found)

    def test_every_option_of_the_program_and_the_commands_is_offered(self):
        table = json.loads(self.septet("help", "--json").out)
        places = [([], table["options"])] + [([c["name"]], c["options"]) for c in table["commands"]]
        for (place, options), offers in zip(places, self.complete(
                *[["septet", *words, "--"] for words, _ in places])):
            names = {OPTION.match(row["name"])[0] for row in options}
            self.assertLessEqual({n for n in names if len(n) > 2}, offers, place)
            if not place:
                self.assertEqual({n for n in names if len(n) > 2}, offers)


class Bash(Shell, Completions):
    def complete(self, *lines):
        source = ["set -u", "source " + shlex.quote(self.script("bash"))]
        for line in lines:
            # As in readline, '=' and ':' are words of their own. The cursor may be right behind.
            words = [w for word in line for w in re.split("([=:])", word) if w or word == ""]
            source += ["COMP_WORDS=(%s)" % " ".join(map(shlex.quote, words)),
                       "COMP_CWORD=%d" % (len(words) - 1), "COMPREPLY=()", "_septet",
                       '((${#COMPREPLY[@]})) && printf "%s\n" "${COMPREPLY[@]}"', "echo ."]
        out = self.shell("bash", "--norc", "-c", "\n".join(source))
        return [{offer.rstrip("=") for offer in part} for part in parts(out)]

    def test_what_follows_a_colon_is_offered(self):
        found = self.complete(["septet", "doc", "session:g"], ["septet", "doc", "session:"],
                              ["septet", "doc", "sessio"])
        self.assertEqual(found[0], {"get"})
        self.assertLessEqual({"get", "post", "close"}, found[1])
        self.assertIn("session:get", found[2])

    def test_it_is_registered(self):
        out = self.shell("bash", "--norc", "-c", "source %s; complete -p septet" %
                         shlex.quote(self.script("bash")))
        self.assertEqual(out, "complete -F _septet septet\n")


# Types each line into a zsh in a pseudo-terminal, with Tab. What its compadd gets goes to a file.
ZSH = r"""
zmodload zsh/zpty zsh/zselect
mkfifo folder/bin/offers
zpty -b shell zsh -f -i
zpty -w shell "PROMPT= LISTMAX=9999; setopt no_auto_menu; cd ${(q)PWD}; exec 9<>folder/bin/offers"
zpty -w shell 'autoload -U compinit; compinit -u -D; source ./completions'
zpty -w shell 'compadd() {
  local -a taken
  if (( ! $@[(I)(-O|-A|-D)] )); then
    builtin compadd -O taken "$@"
    (( $#taken )) && print -rlu9 -- ${(Q)taken}
  fi
  builtin compadd "$@"
}
end_of_offers() { print -u9 . }
zle -N end_of_offers; bindkey "^T" end_of_offers; bindkey "^I" complete-word'
for line in "$@"; do
  zpty -n -w shell "$line"$'\t\x14'
  while IFS= read -r offer; do
    print -r -- "$offer"
    [[ $offer == . ]] && break
  done <>folder/bin/offers
  zpty -n -w shell $'\x15'
done
zpty -d shell
"""


class Zsh(Shell, Completions):
    def complete(self, *lines):
        self.script("zsh")
        out = self.shell("zsh", "-f", "-c", ZSH, "zsh", *map(" ".join, lines))
        return [set(part) - {""} for part in parts(out)]

    def test_it_loads_from_a_folder_of_functions(self):
        os.rename(self.script("zsh"), os.path.join(self.bin, "_septet"))
        out = self.shell("zsh", "-f", "-c", "fpath=(%s $fpath); autoload -U compinit;"
                         " compinit -u -D; print $_comps[septet]; autoload +X _septet;"
                         " functions _septet" % shlex.quote(self.bin))
        self.assertRegex(out, "^_septet\n")


class Fish(Shell, Completions):
    def complete(self, *lines):
        source = ["source " + shlex.quote(self.script("fish"))]
        for line in lines:
            source += ["complete -C " + shlex.quote(" ".join(line)), "echo ."]
        out = self.shell("fish", "--no-config", "-c", "\n".join(source))
        return [{re.sub("^--[^=]*=(.)", r"\1", offer.split("\t")[0]).rstrip("=/")
                 for offer in part} for part in parts(out)]


class Usage(harness.Case):
    def test_a_shell_is_named(self):
        usage = "usage: septet completions bash|zsh|fish\ntry 'septet completions --help'\n"
        self.check(self.septet("completions"), 2, err="septet: the shell is missing\n" + usage)
        self.check(self.septet("completions", "tcsh"), 2, err=(
            "septet: one of bash, zsh and fish is expected, not 'tcsh'\n" + usage))


if __name__ == "__main__":
    unittest.main()
