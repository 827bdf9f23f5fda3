# SPDX-License-Identifier: MIT
"""septet jobs: a queue by hand."""

import json
import os
import re
import sqlite3
import unittest

import harness

USAGE = ("usage: septet jobs URL [stats|results|dead|retry|remove|forget|clear|check]\n"
         "try 'septet jobs --help'\n")


class Words(harness.Case):
    def test_help_fits_a_screen(self):
        result = self.septet("jobs", "--help")
        self.check(result, out=None)
        lines = result.out.splitlines()
        self.assertRegex(lines[0], "^usage: septet jobs URL ")
        self.assertLessEqual(len(lines), 32)
        self.assertLessEqual(max(map(len, lines)), 100)

    def test_wrong_words_are_named(self):
        for words, problem in (
                ((), "the URL of the queue is missing"),
                (("q.db", "stat"), "unknown verb 'stat', did you mean 'stats'?"),
                (("q.db", "delete"), "unknown verb 'delete', did you mean 'remove'?"),
                (("q.db", "x\x1b[2J"), "unknown verb 'x\\x1b[2J'"),
                (("q.db", "--jsn"), "unrecognized option '--jsn', did you mean '--json'?"),
                (("q.db", "-j"), "unrecognized option '-j'"),
                (("q.db", "results", "--text"), "'results' takes no option '--text'"),
                (("q.db", "dead", "--text", "--json"), "'--json' and '--text' exclude each other"),
                (("q.db", "stats", "more"), "a word too many for 'stats': 'more'"),
                (("q.db", "retry"), "'retry' needs a key, or '--all'"),
                (("q.db", "retry", "a", "--all"), "'retry' takes keys or '--all', not both"),
                (("q.db", "remove"), "'remove' needs a key"),
                (("q.db", "forget"), "'forget' needs an age"),
                (("q.db", "forget", "soon"), "an age as 90s, 15m, 12h or 7d is expected,"
                                             " not 'soon'"),
                (("stats",), "the URL of the queue comes before 'stats'"),
                (("stats", "q.db"), "the URL of the queue comes before 'stats'")):
            with self.subTest(words):
                self.check(self.septet("jobs", *words), 2, err="septet: %s\n%s" % (problem, USAGE))
        self.assertEqual(os.listdir(self.dir), [])

    def test_a_password_is_not_shown(self):
        for words in (("stats", "redis://u:hush@h/0"), ("q.db", "redis://u:hush@h/0"),
                      ("q.db", "unix:///s?password=hush"), ("ftp://u:hush@h/x",),
                      ("redis://u:hush@h/0?colour=1",), ("redis://u:hush@h/words",),
                      ("unix:///s?password=hush&colour=1",), ("unix:///s?%70assword=hush&db=x",),
                      ("unix://host/s?password=hush",)):
            with self.subTest(words):
                result = self.septet("jobs", *words)
                self.assertIn(result.status, (1, 2))
                self.assertRegex(result.err, "^septet: ")
                self.assertNotIn("hush", result.err + result.out)

    def test_a_queue_that_does_not_exist_is_not_made(self):
        for verb in ("stats", "results", "dead", "check", "clear"):
            with self.subTest(verb):
                self.check(self.septet("jobs", "no.db", verb), 1,
                           err="septet: queue 'no.db': there is no such file\n")
        self.assertEqual(os.listdir(self.dir), [])

    def test_what_is_in_memory_is_its_process_s_own(self):
        self.check(self.septet("jobs", "memory:x"), 1,
                   err="septet: queue 'memory:x': only the process that has it sees what is in"
                       " memory\n")

    def test_a_script_of_that_name_is_run_by_its_path(self):
        self.write("jobs", "print 'ran'")
        self.check(self.septet("./jobs"), out="ran\n")


RUN = """
local jobs = require "septet.jobs"
local q <close> = jobs.open "q.db"
q:put_many { { key = "https://u:hush@a.test/?token=hush" }, { key = "bad" } }
q:run({ attempts = 2, backoff = 0.001 }, function(job)
  if job.key == "bad" then error "no luck" end
end)
"""


class Runs(harness.Case):
    def test_law_12_a_summary_counts_the_jobs(self):
        result = self.lua(RUN, "--summary")
        self.check(result, err=None)
        self.assertRegex(result.err, r"(?m)^  queue +put +new +taken +done +failed +dead .*\n"
                                     r"  q\.db +2 +2 +3 +1 +2 +1 ")
        self.assertIn("  warning: 1 job is dead, of the queue q.db\n", result.err)
        self.assertEqual([line for line in result.err.splitlines() if len(line) > 80], [])

    def test_a_summary_has_the_lines_of_the_script_alone(self):
        result = self.lua(RUN, "--summary")
        rows = result.err.partition("slowest tasks by line")[2].partition("\n\n")[0].splitlines()
        rows = sorted(tuple(row.split()[:2]) for row in rows[1:])
        self.assertEqual([re.sub(r":\d+$", ":LINE", name) for name, _ in rows],
                         ["s.lua", "s.lua:LINE"])
        self.assertEqual([count for _, count in rows], ["1", "3"])

    def test_law_12_lines_say_what_became_of_each(self):
        result = self.lua(RUN, "--trace-filter=job")
        self.check(result, err=None)
        steps = [re.sub(r"^.{34}|\d+\.\d", "", line) for line in result.err.splitlines()]
        self.assertIn("put    q.db  2 new of 2", steps)
        self.assertIn("taken  q.db  bad  attempt 2, queued for  ms", steps)
        self.assertIn("retry  q.db  bad  attempt 1, ran for  ms", steps)
        self.assertIn("dead   q.db  bad  attempt 2, ran for  ms", steps)
        self.assertEqual(len(steps), 7)
        self.assertNotIn("hush", result.err)

    def test_a_recording_has_the_same_jobs(self):
        self.check(self.lua(RUN, "--trace=run.trc"), err=None)
        converted = self.septet("trace", "run.trc", "--to", "summary", "--json")
        row = json.loads(converted.out)["jobs"][0]
        self.assertEqual({name: row[name] for name in ("queue", "put", "new", "taken", "done",
                                                       "failed", "retried", "dead", "lost")},
                         {"queue": "q.db", "put": 2, "new": 2, "taken": 3, "done": 1, "failed": 2,
                          "retried": 1, "dead": 1, "lost": 0})


class Faults(harness.Case):
    """What the command is given is no queue, or none that it can read."""

    def refused(self, name, problem, *words):
        result = self.septet("jobs", name, *words)
        self.assertEqual((result.status, result.out), (1, ""), result)
        self.assertRegex(result.err, "^septet: queue '[^\n]*': %s[^\n]*\n$" % problem)

    def test_another_file_is_left_as_it_is(self):
        other = sqlite3.connect(os.path.join(self.dir, "other.db"))
        other.execute("CREATE TABLE x(y)")
        other.commit()
        other.close()
        self.write("text", "this is no database, but a text\n" * 100)
        self.write("empty", "")
        os.mkdir(os.path.join(self.dir, "folder"))
        for name, problem in (("other.db", "the file is no queue"), ("empty", "the file is empty"),
                              ("text", "the file is no database"),
                              ("folder", "the file cannot be opened")):
            path = os.path.join(self.dir, name)
            before = None
            if not os.path.isdir(path):
                with open(path, "rb") as file:
                    before = file.read()
            for verb in ("stats", "results", "clear"):
                with self.subTest(name=name, verb=verb):
                    self.refused(name, problem, verb)
            if before is not None:
                with open(path, "rb") as file:
                    self.assertEqual(file.read(), before)
        self.assertEqual(sorted(os.listdir(self.dir)), ["empty", "folder", "other.db", "text"])

    def test_a_queue_of_a_newer_version_is_left_alone(self):
        self.check(self.lua(RUN), err=None)
        file = sqlite3.connect(os.path.join(self.dir, "q.db"))
        file.execute("PRAGMA user_version = 99")
        file.close()
        self.refused("q.db", "the file has version 99")

    def test_check_finds_damage(self):
        self.check(self.lua(RUN), err=None)
        file = sqlite3.connect(os.path.join(self.dir, "q.db"))
        file.execute("DELETE FROM results")
        file.commit()
        file.close()
        result = self.septet("jobs", "q.db", "check")
        self.check(result, 1, out=None)
        self.assertRegex(result.out, r"\S")
        finding = json.loads(self.septet("jobs", "q.db", "check", "--json").out.splitlines()[0])
        self.assertIn(finding["finding"], result.out)

    def test_no_server_is_told_at_once(self):
        self.refused("redis://u:hush@127.0.0.1:1/0", "cannot connect")
        self.refused("unix://%s/none" % self.dir, "cannot connect")


if __name__ == "__main__":
    unittest.main()
