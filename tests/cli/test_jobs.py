# SPDX-License-Identifier: MIT
"""septet jobs: a queue by hand."""

import os
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
        self.assertLessEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 100)

    def test_wrong_words_are_named(self):
        for words, problem in (
                ((), "the URL of the queue is missing"),
                (("q.db", "stat"), "unknown verb 'stat', did you mean 'stats'?"),
                (("q.db", "delete"), "unknown verb 'delete', did you mean 'remove'?"),
                (("q.db", "x\x1b[2J"), "unknown verb 'x\\x1b[2J'"),
                (("q.db", "--jsn"), "unrecognized option '--jsn', did you mean '--json'?"),
                (("q.db", "-j"), "unrecognized option '-j'"),
                (("q.db", "results", "--json"), "'results' takes no option '--json'"),
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


if __name__ == "__main__":
    unittest.main()
