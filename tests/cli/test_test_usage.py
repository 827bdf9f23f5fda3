# SPDX-License-Identifier: MIT
"""septet test: words that are wrong are told before anything runs."""

import os
import unittest

import harness

PATTERNS = (  # a pattern, and what is wrong with it
    ("%", "it ends with '%'"), ("a%%%", "it ends with '%'"), ("(", "a '(' has no ')'"),
    ("a(b", "a '(' has no ')'"), ("a)", "a ')' has no '('"), ("())", "a ')' has no '('"),
    ("[a", "a '[' has no ']'"), ("[", "a '[' has no ']'"), ("[]", "a '[' has no ']'"),
    ("[^]", "a '[' has no ']'"), ("[%]", "a '[' has no ']'"), ("%b", "'%b' needs two characters"),
    ("%b(", "'%b' needs two characters"), ("%fa", "'%f' needs a set in '[...]'"),
    ("%f[a", "a '[' has no ']'"), ("%1", "there is no capture '%1'"),
    ("(%1)", "there is no capture '%1'"), ("(a)%2", "there is no capture '%2'"),
    ("%0", "there is no capture '%0'"), ("()" * 33, "it has too many captures"),
)
GOOD = ("", "^", "$", "^$", "a$b", "%%", "%(", "[]]", "[^]]", "[%]]", "[a-]", "(())", "()a()",
        "(a)%1", "%b()", "%f[%w]a", "((a)b)%2", "-", "*", "]", "()" * 32, "[[]")


class Usage(harness.Case):
    def setUp(self):
        super().setUp()
        self.write("a_spec.lua", "io.open('loaded', 'w'):close()\nit('a #slow', function() end)\n")

    def check_refused(self, message, *words):
        result = self.septet("test", *words)
        self.assertEqual((result.status, result.out), (2, ""), result)
        self.assertTrue(result.err.startswith("septet: " + message + "\n"), result)
        self.assertNotIn("traceback", result.err)
        self.assertEqual(sorted(os.listdir(self.dir)), ["a_spec.lua"], words)

    def test_a_pattern_that_is_none(self):
        for pattern, problem in PATTERNS:
            self.check_refused("'--filter=%s' is no pattern of Lua: %s" % (pattern, problem),
                               "--filter=" + pattern)
        for words in (["--exclude=("], ["--filter=a", "--exclude=("], ["--list", "--exclude=("],
                      ["--in-process", "--exclude=(", "a_spec.lua"], ["--watch", "--exclude=("]):
            self.check_refused("'--exclude=(' is no pattern of Lua: a '(' has no ')'", *words)

    def test_patterns_that_lua_takes(self):
        self.write("p.lua", "for _, p in ipairs(arg) do string.find('aab()[]', p) end\n")
        self.check(self.septet("p.lua", *GOOD))
        words = ["--filter=" + pattern for pattern in GOOD if pattern]
        self.assertEqual(self.septet("test", "--list", *words).status, 0)

    def test_numbers_of_nothing(self):
        for word in "--repeat=0", "--jobs=0":
            self.check_refused("a whole number from 1 is expected in '%s'" % word, word)

    def test_options_that_do_not_go_together(self):
        for word in "--tap", "--junit=x", "--coverage", "--repeat=2":
            name = word.split("=")[0]
            self.check_refused("'--list' does not go with '%s'" % name, "--list", word)

    def test_files_that_cannot_be_written(self):
        for word in "--junit", "--coverage":
            self.check_refused("cannot write the file of '%s': nowhere/x: No such file or directory"
                               % word, word + "=nowhere/x")
            self.check_refused("cannot write the file of '%s': .: it is a folder" % word,
                               word + "=.")

    def test_a_file_that_is_written_later_is_left_as_it_is(self):
        self.write("old.xml", "old")
        self.assertEqual(self.septet("test", "--junit=old.xml", "--filter=none").status, 2)
        self.assertEqual(self.septet("test", "--junit=new.xml", "--filter=none").status, 2)
        with open(os.path.join(self.dir, "old.xml")) as file:
            self.assertEqual(file.read(), "old")
        self.assertFalse(os.path.exists(os.path.join(self.dir, "new.xml")))

    def test_in_process_is_for_one_file(self):
        self.check_refused("'--in-process' runs a file, and '.' is a folder", "--in-process", ".")
        self.check_refused("'--in-process' runs one file, not 0", "--in-process")
        result = self.septet("test", "--in-process", "nowhere.lua")
        self.assertEqual(result.status, 2)
        self.assertIn("'nowhere.lua'", result.err)


class List(harness.Case):
    def test_none_is_left(self):
        self.write("a_spec.lua", "it('a #slow', function() end)\n")
        for words in ["--list"], [], ["--in-process", "a_spec.lua"]:
            self.check(self.septet("test", "--tags=-slow", *words), 2,
                       err="septet: no test is chosen by these options\n")

    def test_a_file_that_cannot_be_listed(self):
        self.write("a_spec.lua", "it('a', function() end)\n")
        self.write("b_spec.lua", "it('b' function() end)\n")
        self.write("c_spec.lua", "error(setmetatable({}, { __tostring = error }))\n")
        result = self.septet("test", "--list")
        self.assertEqual((result.status, result.out), (1, "a\n"))
        self.assertRegex(result.err, r"\Aseptet: b_spec\.lua:1: '\)' expected near 'function'\n"
                         r"septet: c_spec\.lua: \(__tostring failed: .*\n\Z")


if __name__ == "__main__":
    unittest.main()
