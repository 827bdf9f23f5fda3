# SPDX-License-Identifier: MIT
"""septet test: where tables differ is said, however large they are."""

import re
import unittest

import harness

HEAD = """local function list(n)
  local t = {}
  for i = 1, n do t[i] = i end
  return t
end
local function ring(x)
  local t = { x = x }
  t.ring = t
  return t
end
local function chain(n, last)
  local t = { last }
  for _ = 1, n do t = { next = t } end
  return t
end
"""

# A test, and what its report has.
DIFFERENT = (
    ("local a, b = { b = list(1e5) }, { b = list(1e5) } b.b[400] = 0 expect(a).equal(b)",
     ".b[400]: expected 0, got 400\naround .b[400] (- expected, + got):\n"
     "    [398] = 398\n    [399] = 399\n  - [400] = 0\n  + [400] = 400\n    [401] = 401\n"
     "    [402] = 402\n"),
    ("local b = list(500) b[400] = 0 expect(list(500)).same(b)",
     "expected the same table, got another one, which differs:\n[400]: expected 0, got 400\n"),
    ("expect(ring(1)).same(ring(1))", "expected the same table, got another one with equal fields: "
     "<1> { ring = <table 1>, x = 1 }\n"),
    ("expect(ring(1)).equal(ring(2))", ".x: expected 2, got 1\n"
     "expected <1> { ring = <table 1>, x = 2 }\ngot      <1> { ring = <table 1>, x = 1 }\n"),
    ("expect(ring(1)).equal({ x = 1, ring = { x = 1, ring = ring(2) } })",
     ".ring.ring.x: expected 2, got 1\n"),
    ("expect({ [true] = 1, [1.5] = 1, [-1] = 1, ['a b'] = 1, [print] = 1 }).equal("
     "{ [true] = 2, [1.5] = 2, [-1] = 2, ['a b'] = 2, [print] = 2 })",
     "[true]: expected 2, got 1\n[function: print]: expected 2, got 1\n[-1]: expected 2, got 1\n"
     "[1.5]: expected 2, got 1\n[\"a b\"]: expected 2, got 1\n"),
    ("local key = {} expect({ [key] = 1 }).equal({ [key] = 2 })", "[{}]: expected 2, got 1\n"),
    ("expect({ 1, [{}] = 1 }).equal({ 1 })", "[{}]: expected nil, got 1\n"),
    ("local a = list(300) a[301] = 5 expect(a).equal(list(300))",
     "[301]: expected nil, got 5\naround [301] (- expected, + got):\n    [299] = 299\n"
     "    [300] = 300\n  + [301] = 5\n"),
    ("expect(chain(1e5, 1)).equal(chain(1e5, 2))", ".next.next.next.next.next.next.next.next "
     "… 99985 steps … .next.next.next.next.next.next.next[1]: expected 2, got 1\n"),
    ("expect(setmetatable({ 1 }, { __tostring = error })).equal({ 2 })",
     "[1]: expected 2, got 1\n"),
    ("expect({ 1 }).never.equal { 1 }", "expected another value than { 1 }\n"),
    ("expect({ 1 }).same(1)", "expected the same as 1, got { 1 }\n"),
)

EQUAL = (
    "local a, b = { 1 }, { 1 } for _ = 1, 100 do a, b = { a, a }, { b, b } end expect(a).equal(b)",
    "local a = { x = 1 } a.ring = { x = 1, ring = a } expect(a).equal(ring(1))",
    "expect({ 0 / 0 }).equal { 0 / 0 }",
    "expect(chain(1e5, 1)).equal(chain(1e5, 1))",
    "expect({ ring(1), list(3) }).contains { 1, 2, 3 }",
)


class Difference(harness.Case):
    def test_the_first_difference_has_its_place(self):
        self.write("a_spec.lua", HEAD + "".join("it('%d', function() %s end)\n" % item for item in
                                                enumerate(body for body, _ in DIFFERENT)))
        result = self.septet("test", "--slowest=0")
        texts = re.split(r"^\d+\. \d+\n.*\n", result.out, flags=re.M)[1:]
        self.assertEqual(len(texts), len(DIFFERENT), result)
        for (body, report), text in zip(DIFFERENT, texts):
            told = re.sub("^   ", "", text, flags=re.M)
            told = re.sub(r"\Aa_spec\.lua:\d+: ", "", told)
            self.assertTrue(told.startswith(report), (body, told))

    def test_equal_ones(self):
        self.write("a_spec.lua", HEAD + "".join("it('%d', function() %s end)\n" % item for item in
                                                enumerate(EQUAL)))
        result = self.septet("test", "--slowest=0")
        self.assertEqual(result.status, 0, result)


if __name__ == "__main__":
    unittest.main()
