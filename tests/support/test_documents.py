# SPDX-License-Identifier: MIT
"""Tests of documents.py and document_runs.py: pages whose blocks do not do what they say."""

import unittest

import document_runs
import documents
import harness

FENCE = "```"


class Blocks(harness.Case):
    """Each page here is a text in which ''' stands for a fence."""

    def failures(self, text):
        read = documents.read
        documents.read = lambda page: text.replace("'''", FENCE) if page == "x.md" else read(page)
        self.addCleanup(setattr, documents, "read", read)
        return document_runs.run("x.md", self.dir).failures

    def holds(self, text):
        self.assertEqual(self.failures(text), [])

    def fails(self, text, *words):
        failures = "\n".join(self.failures(text))
        for word in words:
            self.assertIn(word, failures)
        self.assertTrue(failures)

    def test_what_a_block_of_lua_prints(self):
        self.holds("'''lua\nprint(1, 2)\n'''\n\n'''text\n1\t2\n'''\n")
        self.fails("'''lua\nprint(1)\n'''\n\n'''text\n2\n'''\n", "x.md:2: prints\n1\n", "\n2\n")
        self.fails("'''lua\nprint(1)\n'''\nWords.\n", "prints\n1\n")
        self.fails("'''lua\nprint(1)\n'''\nWords.\n\n'''text\n1\n'''\n", "that no block prints")
        self.holds("'''lua\nprint(1) --> 1\nprint 'x' --> x\n'''\n")
        self.fails("'''lua\nprint(1) --> 2\n'''\n", "prints\n1\n")
        self.holds("'''lua\n'''\n")

    def test_how_a_block_ends(self):
        self.fails("'''lua\nos.exit(3)\n'''\n", "ends with 3, not 0")
        self.holds("<!-- status: 3 -->\n'''lua\nos.exit(3)\n'''\n")
        self.fails("    false\n", "ends with 1, not 0")
        self.holds("'''lua\nerror 'no'\n'''\n".replace("'''lua", "<!-- status: 1 -->\n'''lua")
                   + "'''text\nseptet: block.lua:1: no\n...\n'''\n")

    def test_what_may_vary(self):
        self.holds("'''lua\nprint 'a 7 b' print 'c'\n'''\n'''text\na ... b\n...\n'''\n")
        self.fails("'''lua\nprint 'a 7 c'\n'''\n'''text\na ... b\n'''\n", "prints")
        self.holds("'''lua\nprint '1.5 s'\n'''\n<!-- numbers vary -->\n'''text\n23 s\n'''\n")
        self.holds("'''lua\nprint 'b\\na'\n'''\n<!-- any order -->\n'''text\na\nb\n'''\n")

    def test_blocks_that_belong_together(self):
        first = "'''lua\nlocal x = 1\nprint 'one'\n'''\n'''text\none\n'''\n"
        self.fails(first + "'''lua\nassert(x)\n'''\n", "assertion failed")
        self.holds(first + "<!-- continues -->\n'''lua\nprint(x)\n'''\n'''text\n1\n'''\n")
        self.holds("<!-- frame:\nlocal x <close> = nil\n...\nx()\n-->\n".replace(
            "local x <close> = nil", "local x") + "'''lua\nfunction x() end\n'''\n")
        self.holds("<!-- hidden: lua\nlocal x = 2\n-->\n<!-- continues -->\n"
                   "'''lua\nprint(x) --> 2\n'''\n")

    def test_a_shell(self):
        self.holds("'''sh\nX=1; cd /\n'''\nWords.\n\n    echo $X; pwd\n\n'''text\n1\n/\n'''\n")
        self.holds("'''console\n$ echo a\na\n$ true\n$ echo b \\\n>   c\nb c\n'''\n")
        self.fails("'''console\n$ echo a\nb\n'''\n", "'echo a' prints")
        self.fails("'''console\necho a\n'''\n", "no line begins with")
        self.fails("    sudo true\n", "not for a test")
        self.fails("    septet x.lua https://example.com/\n", "'example.com' is not on this")

    def test_files(self):
        page = "<!-- file: x.lua -->\n'''lua\nprint(...)\n'''\n"
        self.fails(page, "no block runs 'x.lua'")
        self.holds(page + "'''console\n$ septet x.lua 1\n1\n'''\n")

    def test_what_stands_for_a_host(self):
        page = "'''console\n$ echo http://a.example/\nhttp://a.example/\n'''\n"
        self.holds("<!-- instead: http://a.example = $SEPTET_ORIGIN -->\n" + page)
        self.fails("<!-- instead:\nhttp://a.example = $SITE\nb = c\n-->\n" + page,
                   "no 'b' to be replaced")

    def test_c(self):
        self.holds("'''c\nconst char *septet_version(void);\n'''\n")
        self.fails("'''c\nconst char *septet_vision(void)\n'''\n", "x.md:2", "error: ")
        main = "#include <septet/septet.h>\n#include <stdio.h>\nint main(void)\n{\n%s\n}\n"
        self.holds("'''c\n" + main % 'puts(septet_strerror(0));' + "'''\n'''text\nok\n'''\n")
        self.holds("<!-- frame:\n" + main % "..." + "-->\n'''c\n    septet_version();\n'''\n")

    def test_marks(self):
        self.fails("'''\nx\n'''\n", "does not say its language")
        self.fails("'''c++\nx\n'''\n", "no test knows the language 'c++'")
        self.holds("<!-- not run: of others -->\n'''c++\nx\n'''\n")
        self.fails("'''text figure\n'''\nWords.\n'''text\nx\n'''\n",
                   "no block prints, and no 'text figure'")
        self.fails("<!-- not run -->\n    x\n", "no reason")
        self.holds("<!-- not run: it takes a day -->\n    x\n")
        self.fails("<!-- not run: it takes a day -->\nWords.\n", "stands before no block")
        self.fails("'''lua\nx\n", "has no end")
        self.fails("'''json\n{\n'''\n", "x.md:2")

    def test_lists_have_no_indented_blocks(self):
        self.holds("- one\n\n    false\n\n1. one\n   '''lua\n   print(1) --> 1\n   '''\n")


if __name__ == "__main__":
    unittest.main()
