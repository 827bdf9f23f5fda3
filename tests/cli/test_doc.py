# SPDX-License-Identifier: MIT
"""septet doc: the entries of the API on a terminal."""

import json
import unittest

import harness


class Doc(harness.Case):
    def doc(self, *words, columns="80", status=0):
        result = self.septet("doc", *words, env={"COLUMNS": columns})
        self.assertEqual((result.status, result.err), (status, ""), result.out)
        return result.out

    def test_an_entry_has_its_parts(self):
        """The signature, whether it waits, its text, what it raises, an example and its output."""
        out = self.doc("task.pool")
        self.assertTrue(out.startswith("task.pool(n: integer, fn?: fun(pool: septet.Group, ...)"))
        self.assertIn("\nwaits: other tasks run meanwhile\n", out)
        self.assertIn("Like `task.group`, but at most `n` of its tasks are alive at once", out)
        self.assertIn("\nExample:\n", out)
        self.assertTrue(out.endswith("\nIt prints:\n    64\n"), out)
        self.assertNotIn("waits: ", self.doc("task.now"))
        self.assertIn("\nErrors: ", self.doc("io.open"))

    def test_options_have_their_types_and_defaults(self):
        out = self.doc("http.session")
        self.assertIn("\n  limit: integer; default: 64\n", out)
        self.assertIn("\n  base_url: string", out)

    def test_names_are_found_in_many_forms(self):
        for word, first in (("gather", "task.gather("), ("s:get", "session:get("),
                            ("Session:get", "session:get("), ("session.get", "session:get("),
                            ("septet.http.session", "http.session("), ("http", "septet.http\n"),
                            ("response.status", "response.status: integer\n"),
                            ("SessionOptions", "septet.SessionOptions\n"),
                            ("HttpError", "septet.HttpError\n"),
                            ("timeout.connect", 'HttpError with the code "timeout"\n'),
                            ("HttpError.dns", 'HttpError with the code "dns"\n'),
                            ("expect", "expect(value: any): septet.Expectation\n"),
                            ("raises", "expect.raises("), ("expect.never", "expect.never: "),
                            ("it", "it(title: string, ")):
            with self.subTest(word):
                self.assertTrue(self.doc(word).startswith(first))

    def test_all_names_are_printed_for_programs(self):
        names = self.doc("--names").splitlines()
        self.assertEqual(names, json.loads(self.doc("--json")))
        self.assertLessEqual({"task.gather", "session:get", "septet.http"}, set(names))
        for more in ("--json", "task"):
            result = self.septet("doc", "--names", more)
            self.assertEqual((result.status, result.out), (2, ""))
            self.assertTrue(result.err.startswith("septet: '--names' stands alone\n"), result.err)

    def test_several_matches_are_listed(self):
        out = self.doc("close")
        self.assertRegex(out, r"^\d+ entries are called 'close':\n  channel:close ")
        self.assertIn("\n  session:close ", out)

    def test_a_module_lists_what_it_has(self):
        out = self.doc("task")
        self.assertIn("\nFunctions:\n  task.as_completed ", out)
        self.assertIn("\n  septet.http ", self.doc())

    def test_unknown_names_get_near_ones(self):
        self.check(self.septet("doc", "task.gahter"), status=1,
                   err="septet: no entry 'task.gahter', did you mean 'task.gather'?\n")
        for name, near in (("TASK.GATHER", "task.gather"), ("Task.Gather", "task.gather"),
                           ("GAHTER", "gather"), ("sesion", "session"), ("htpp", "http"),
                           ("task.create_task", "task.spawn"), ("sync.Queue", "sync.channel")):
            self.check(self.septet("doc", name), status=1,
                       err="septet: no entry '%s', did you mean '%s'?\n" % (name, near))
        for name in ("nope", "x", "abc", "zzzzzz", "--", ""):
            self.check(self.septet("doc", "--", name), status=1,
                       err="septet: no entry '%s'\n" % name)
        self.check(self.septet("doc", "x\x1b[2J"), status=1, err="septet: no entry 'x\\x1b[2J'\n")
        result = self.septet("doc", "one", "two")
        self.assertEqual((result.status, result.out), (2, ""))

    def test_it_fits_the_terminal(self):
        for columns in (20, 40, 80):
            for word in ("task.sleep", "http.session", "HttpError", "gather", "close"):
                out = self.doc(word, columns=str(columns)).partition("\nExample:")[0]
                for line in out.splitlines():
                    if " " in line.strip().removeprefix("- "):  # one word is not broken
                        self.assertLessEqual(len(line), columns, line)

    def test_json(self):
        entry = json.loads(self.doc("--json", "http.session"))
        self.assertEqual(entry["name"], "http.session")
        self.assertEqual(entry["options"], "septet.SessionOptions")
        self.assertIn({"name": "limit", "type": "integer", "default": "64", "optional": True},
                      [{k: v for k, v in f.items() if k != "text"} for f in entry["fields"]])
        self.assertGreater(len(json.loads(self.doc("--json", "close"))), 5)
        self.assertIn("task.gather", json.loads(self.doc("--json")))


if __name__ == "__main__":
    unittest.main()
