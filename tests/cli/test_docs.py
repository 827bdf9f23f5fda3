# SPDX-License-Identifier: MIT
"""The documents: what they link to is there.

What their blocks of code do is in test_docs_blocks.py."""

import os
import re
import unittest

import documents
import harness
from documents import read

ROOT = harness.ROOT
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def blocks(page, language):
    """The texts of a page's blocks in that language."""
    return [b.text for b in documents.blocks(page)[0] if b.language == language and not b.hidden]


def anchors(path):
    """The anchors of a document's headings, as they are made on the web."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", read(path), flags=re.M | re.S), re.M
    )
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


class Documents(harness.Case):
    def test_every_link_leads_somewhere(self):
        for path in documents.pages():
            for link in LINK.findall(read(path)):
                target, _, anchor = link.partition("#")
                if re.match(r"\w+:", target):
                    continue
                with self.subTest("%s: %s" % (path, link)):
                    there = (
                        os.path.normpath(os.path.join(os.path.dirname(path), target))
                        if target
                        else path
                    )
                    self.assertTrue(os.path.exists(os.path.join(ROOT, there)))
                    if anchor:
                        self.assertIn(anchor, anchors(there))

    def test_every_document_is_in_the_index(self):
        index = read("docs/README.md")
        for path in documents.pages():
            if path.startswith("docs" + os.sep) and path != os.path.join("docs", "README.md"):
                self.assertIn("(%s)" % os.path.relpath(path, "docs"), index)


class Readme(harness.Case):
    def test_the_seven_models_run(self):
        rows = re.findall(r"^\| [^|]+ \| `[^|]+` \| `(.+)` \|$", read("README.md"), re.M)
        self.assertEqual(len(rows), 7)
        ticks = [text for text in blocks("README.md", "lua") if "function ticks" in text]
        self.assertEqual(len(ticks), 1)
        script = [
            "local task = require 'septet.task'", ticks[0],
            "local delays, print, n = {0.02, 0.01}, function() end, 0",
            "local function work(t) task.sleep(t) n = n + 1 end",
        ]
        for row in rows:
            code = row.replace("`<br>`", "\n")
            script.append("do local tasks = %s\n%s\nend" %
                          ("task.map(work, delays)" if "tasks" in code else "nil", code))
        script.append("assert(n == 2 * 6)")
        self.check(self.septet(self.write("models.lua", "\n".join(script))))

    def test_what_it_says_of_costs_is_measured(self):
        def rows(path):
            text = read(path).partition("| Septet's, by that of |")[2].partition("\n\n")[0]
            return [line.split("|")[1:6] for line in text.split("\n")[2:]]

        shown, measured = rows("README.md"), rows("docs/performance.md")
        self.assertEqual(len(shown), 5)
        at = 0
        for row in shown:  # "the same" is of the row above it
            self.assertIn(row, measured[at:])
            at = measured.index(row, at)

    def test_it_comes_to_the_point(self):
        self.assertLess(read("README.md").split("\n## Build\n")[0].count("\n"), 100)

    def test_the_embedding_is_the_examples(self):
        shown = blocks("README.md", "c")
        self.assertEqual(len(shown), 1)
        self.assertIn(shown[0], read("examples/embed_minimal.c"))

    def test_the_reading_order(self):
        order = re.findall(r"^\d\. \[([^\]]+)\]", read("README.md"), re.M)
        self.assertEqual(
            order,
            [
                "include/septet/op.h", "src/op/sleep.c", "src/core/pass.c", "src/loop/loop.c",
                "src/op/http/request.c", "lua/septet/task/combinators.lua",
            ],
        )

    def test_the_folders_are_all_there(self):
        text = read("README.md").split("The folders, lowest layer first:")[1]
        folders = re.findall(r"^((?:[\w./]+ )+) +\w", text, re.M)
        for name in " ".join(folders).split():
            self.assertTrue(os.path.exists(os.path.join(ROOT, name)), name)
        self.assertGreater(len(folders), 10)


class Newcomers(harness.Case):
    """The pages that a newcomer reads first are short, and say only names that are there."""

    OBJECTS = {"t": "task", "g": "group", "ch": "channel", "q": "queue", "r": "response",
               "sio": "io"}
    # A name with its module or object, in code: the names of other languages have other columns.
    NAMED = re.compile(r"\b(task|http|sync|fs|sio|process|net|jobs|csv|json|url|html|hash|robots|"
                       r"stats|progress|pretty|cli|testing|trace|t|g|ch|q|job|session|pool|element|"
                       r"document)([.:])(\w+)(?=[({\s`]|$)")

    def test_the_quick_start_is_one_screen(self):
        shown = [line for line in read("docs/start.md").split("\n") if not line.startswith("<!--")]
        self.assertLessEqual(len(shown), 45)

    def test_the_guide_is_no_reference(self):
        self.assertLessEqual(read("docs/guide.md").count("\n"), 700)

    def named(self, page):
        """Returns the names of the API in the second column of the tables of two columns."""
        cells = re.findall(r"^\| [^|]+ \| ([^|]+) \|$", read(page), re.M)
        code = re.findall(r"`([^`]+)`", "\n".join(cells))
        return {self.OBJECTS.get(m[1], m[1]) + m[2] + m[3]
                for text in code for m in self.NAMED.finditer(text)}

    def test_each_piece_of_code_in_a_table_for_other_users_is_lua(self):
        code = []
        for name in os.listdir(os.path.join(ROOT, "docs", "from")):
            for cell in re.findall(r"^\| [^|]+ \| ([^|]+) \|$", read("docs/from/" + name), re.M):
                code += [c for c in re.findall(r"`([^`]+)`", cell)
                         if (self.NAMED.search(c) or re.match(r"(for|local) ", c))
                         and not re.fullmatch(r"\w+:\w+", c)]
        self.assertGreater(len(code), 150)
        script = ["local function tried(code) return load(code) or load('return ' .. code)",
                  "  or load(code .. ' end') end"]
        for c in code:
            text = re.sub(r"(<close>|=) …", r"\1 nil", c)
            text = text.replace("…]", "nil]").replace("(…", "(nil")
            text = re.sub(r", …(?=[)}])|…", "", text)
            script.append("if not tried [==[%s]==] then print [==[%s]==] end" % (text, c))
        self.check(self.septet(self.write("cells.lua", "\n".join(script))), out="")

    def test_each_name_of_the_api_in_a_table_for_other_users_is_one(self):
        known = set(self.septet("doc", "--names").out.split())
        found = set()
        for name in os.listdir(os.path.join(ROOT, "docs", "from")):
            named = self.named("docs/from/" + name)
            self.assertEqual(sorted(named - known), [], name)
            found |= named
        self.assertGreater(len(found), 60)


class Cookbook(harness.Case):
    def test_each_example_is_shown_and_run(self):
        page = read("docs/cookbook.md")
        shown = re.findall(r"^\[(\w+\.lua)\]\(\.\./examples/lua/\1\)$", page, re.M)
        self.assertCountEqual(shown, os.listdir(os.path.join(ROOT, "examples", "lua")))
        for name in shown:
            self.assertRegex(page, r"septet (--virtual-time )?examples/lua/%s" % re.escape(name))


class Troubleshooting(harness.Case):
    """What the sources raise has its entry, and there are no others."""

    PAGE = "docs/troubleshooting.md"
    KIND = (r'"(Usage|Timeout|Cancelled|'
            r'[A-Z]\w+(?:Error|Exceeded|Hog|Closed|Cancelled|Group|Memory))"')
    # What raises the codes of each kind: files or folders, and patterns that find them there.
    CODES = {
        "HttpError": (
            ("src/http", "src/op/http", "lua/septet/http"),
            (r'words\("(\w+)"', r'\{CURLE_\w+, \{"(\w+)"', r'fail\w*\(\w+,\s*"(\w+)"',
             r'(?<!\.abort)(?:\.|"HttpError", )code = "(\w+)"', r'failure\.new\(\w+, "(\w+)"')),
        "IoError": (
            ("src/op", "src/net", "src/lua", "lua/septet/fs", "lua/septet/trace.lua"),
            (r'(?:spt_reader_raise|raise_code|spt_io_error_raise_code|spt_io_error_raise_at)'
             r'\([^;{]*?"([a-z_]+)"(?:, \w+, "[\w ]+")?\);',
             r'spt_dial_failure\)?\s*\{\s*\.code = "(\w+)"', r'\bcode = "([a-z_]+)";',
             r'"IoError", code = "([a-z_]+)"')),
        "ProcessError": (
            ("src/op/process", "lua/septet/process.lua"),
            (r'\bfail\("(\w+)"', r'why == "(\w+)" then\n +fail',
             r'spt_process_raise\([^;]*"(\w+)"\)')),
        "HtmlError": (
            ("src/op/html", "lua/septet/html/failure.lua"),
            (r'^  (\w+) = "[a-z]', r'"HtmlError", code = "(\w+)"', r'\[SPT_HTML_\w+\] = "(\w+)"')),
        "CsvError": (
            ("src/lua/csv.c", "lua/septet/csv"),
            (r'\[SPT_CSV_\w+\] = \{"(\w+)"', r'"CsvError", code = "(\w+)"',
             r'raise_at\(L, &place, .*, "(\w+)"')),
        "HashError": (("lua/septet/hash.lua",),
                      (r'"HashError", code = "(\w+)"', r'decoder\("\w+", "(\w+)"')),
        "UrlError": (("lua/septet/url.lua",), (r'(?<=[ ,])(\w+) = \(?"(?:it|more|no|a|longer)\b',)),
        "RequestError": (
            ("lua/septet/testing", "src/http/head.c", "src/http/request_head.c",
             "src/op/http/request_head.c"),
            (r'refuse\("(\w+)"', r'fault\(head, [^;"]*"(\w+)"', r'\? "length" : "(\w+)"',
             r'fault = "(\w+)";', r'return [^;"]*"(\w+)";')),
        "ThreadError": (("lua/septet/task/thread.lua",), (r'failure\("(\w+)"',)),
        "JobsError": (
            ("lua/septet/jobs",),
            (r'failure\.raise\("(\w+)"', r'= \{ "(\w+)", "[a-z ]+" \},',
             r'\b[A-Z]{3,} = "([a-z_]+)"', r'\b(tls) = "tls"')),
        "TaskHog": (("src/core", "src/lua", "src/host"), (r'"(instructions|time)"',)),
        "LimitExceeded": (("src",), (r'(?:limit|exceeded)\w*\([^;]*?"(tasks|requests|memory)"',)),
    }

    # A response alone can have it.
    OTHERS = {"upgrade"}

    def found(self, places, patterns):
        paths = []
        for place in places:
            path = os.path.join(ROOT, place)
            paths += [path] if os.path.isfile(path) else [
                os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
        text = "\n".join(read(path) for path in paths if path.endswith((".c", ".lua")))
        return {name for pattern in patterns for name in re.findall(pattern, text, re.M)}

    def rows(self, kind):
        """The rows of the table of a kind: lists of cells."""
        section = read(self.PAGE).partition("\n## %s\n" % kind)[2].partition("\n## ")[0]
        return [[cell.strip() for cell in line.strip("|").split(" |")]
                for line in re.findall(r"^\| `.*\|$", section, re.M)]

    def test_each_kind_has_its_section(self):
        kinds = self.found(["src/core", "src/lua", "src/op", "src/host", "lua"], [self.KIND])
        self.assertGreater(len(kinds), 20)
        titles = set(re.findall(r"^## (\w+)$", read(self.PAGE), re.M)) - {"Deadlock"}
        self.assertEqual(titles, kinds)

    def test_each_code_has_its_row_and_each_row_its_code(self):
        for kind, (places, patterns) in self.CODES.items():
            with self.subTest(kind):
                listed = re.findall(r"`(\w+)`", " ".join(row[0] for row in self.rows(kind)))
                words = {code for code in listed if not code.startswith("E")}
                self.assertEqual(len(listed), len(set(listed)))
                self.assertEqual(words, self.found(places, patterns) - self.OTHERS)

    def test_each_row_says_what_it_means_and_what_to_do(self):
        for kind in self.CODES:
            for row in self.rows(kind):
                with self.subTest("%s: %s" % (kind, row[0])):
                    self.assertEqual(len(row), 3)
                    self.assertTrue(all(row))

    def test_each_code_that_the_api_names_has_its_row(self):
        api = read("docs/api.md")
        errors = api.partition("\n## Errors\n")[2]
        for kind in self.CODES:
            row = re.search(r"^\| `%s` \|.*" % kind, errors, re.M).group(0)
            table = errors.partition("\nThe codes of `%s`" % kind)[2].partition("\n\n| ")[2]
            named = " ".join(line.split("|")[1 if line.startswith("|") else 0]
                             for line in table.partition("\n\n")[0].split("\n"))
            listed = set(re.findall(r"`(\w+)`", " ".join(row[0] for row in self.rows(kind))))
            with self.subTest(kind):
                self.assertEqual({code for code in listed if not code.startswith("E")}
                                 - set(re.findall(r"\w+", row + named)), set())
                self.assertEqual(set(re.findall(r"`(\w+)`", named)) - listed, set())
        system = set(re.findall(r'[`"](E[A-Z]{3,})[`"]', api))
        rows = " ".join(row[0] for row in self.rows("IoError"))
        listed = set(re.findall(r"`(E[A-Z]{3,})`", rows))
        self.assertGreater(len(system), 8)
        self.assertEqual(system - listed, set())


class Conformance(harness.Case):
    def test_each_row_has_its_test_and_each_test_its_row(self):
        rows = re.findall(
            r"^\| `([\w.]+)` \|.*\| `(\w+\.lua)` \|$", read("docs/conformance.md"), re.M
        )
        folder, tests = os.path.join("tests", "conformance"), []
        for name in os.listdir(os.path.join(ROOT, folder)):
            if name.endswith("_spec.lua"):
                spec = read(os.path.join(folder, name))
                for title in re.findall(r"""^ *(?:it|in_order|apart)\b *\(?["'](.*)""", spec, re.M):
                    self.assertRegex(title, r"^[\w.]+: \w.* ", "no id, colon and sentence")
                    tests.append((title.partition(":")[0], name))
        self.assertGreater(len(rows), 100)
        self.assertCountEqual(rows, tests)

    def test_each_fault_has_tests(self):
        rows = re.findall(r"^\| `((?:fault|http)\.\w+)` \|", read("docs/faults.md"), re.M)
        titles = {
            "lua": r"""^ *(?:it|describe|in_order|apart) *\(?["'](.*)""",
            "py": r'''^ *"""(.*)''',
            "c": r"^static void test_(\w+)\(",
        }
        tested = set()
        paths = [os.path.join("tests", folder, name) for folder in ("faults", "api")
                 for name in os.listdir(os.path.join(ROOT, "tests", folder))]
        for path in paths:
            ending = path.rpartition(".")[2]
            if ending not in titles:
                continue
            for title in re.findall(titles[ending], read(path), re.M):
                tested.update(re.findall(r"(?:fault|http)\.\w+", title))
                tested.update("%s.%s" % found for found in re.findall(r"(fault|http)_(\d+)", title))
        self.assertEqual(len(rows), 61 + 48 + 3)
        self.assertEqual(sorted(set(rows) - tested), [])
        self.assertEqual(sorted(tested - set(rows)), [])

    def test_each_case_has_tests(self):
        rows = re.findall(r"^\| `([THX]-\w+)` \|", read("docs/faults.md"), re.M)
        titles = {
            "lua": r"""^ *(?:it|describe|in_order|apart) *\(?["'](.*)""",
            "py": r'''^ *"""(.*)''',
            "c": r"^static void test_(\w+)\(",
        }
        tested = set()
        for folder in "faults", "lua", "cli", "api", "core", "op":
            for name in os.listdir(os.path.join(ROOT, "tests", folder)):
                ending = name.rpartition(".")[2]
                text = read(os.path.join("tests", folder, name)) if ending in titles else ""
                for title in re.findall(titles.get(ending, "$^"), text, re.M):
                    tested.update(re.findall(r"\b(?:T-[A-Z]|[HX]-\d+)\b", title))
                    tested.update("%s-%s" % (kind.upper(), n.upper())
                                  for kind, n in re.findall(r"(?:^|_)(t|h|x)_([a-z]|\d+)_", title))
        self.assertCountEqual(rows, set(rows), "a row stands twice")
        self.assertEqual(sorted(set(rows) - tested), [])
        self.assertEqual(sorted(tested - set(rows)), [])

    def test_the_rows_that_other_pages_name_are_there(self):
        rows = set(re.findall(r"^\| `([\w.]+)` \|", read("docs/conformance.md"), re.M))
        areas = "|".join(sorted({row.split(".")[0] for row in rows}))
        named = re.findall(r"`((?:%s)\.\w+)`(?= *(?:`|\|))" % areas, read("docs/from/asyncio.md"))
        self.assertGreater(len(named), 50)
        for name in named:
            self.assertIn(name, rows)


if __name__ == "__main__":
    unittest.main()
