# SPDX-License-Identifier: MIT
"""What coverage counts, and of which lines: of functions, coroutines and files of each kind."""

import os
import re
import subprocess
import unittest

import harness

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = """
local task = require "septet.task"
local core = debug.getregistry()["septet.core"]
local function show(...)
  for name, list in pairs(core.coverage_stop()) do
    if name:find "^counted" then
      local words = {}
      for i = 1, #list, 2 do words[#words + 1] = list[i] .. ":" .. list[i + 1] end
      print(table.concat(words, " "), ...)
    end
  end
end
local f, vararg, short = load("return function(x)\\n local a = 1\\n return a\\nend,\\n"
  .. "function(...)\\n local a = 1\\n return a\\nend,\\nfunction() return 1 end", "@counted")()
"""


class Counts(harness.Case):
    def counts(self, code, *options):
        script = self.write("script.lua", HEAD + code)
        return self.septet(*options, script)

    def test_each_kind_of_coroutine(self):
        """Also beside a limit on slices, and where a script has a hook of its own."""
        for code in ("f() vararg() short()",
                     "coroutine.wrap(function() f() vararg() short() end)()",
                     "task.spawn(f):await() task.spawn(vararg):await() task.spawn(short):await()",
                     "for _, g in ipairs { f, vararg, short } do coroutine.wrap(g)() end",
                     "task.spawn(function() coroutine.wrap(f)() vararg() short() end):await()",
                     "debug.sethook(tostring, 'r') debug.sethook() f() vararg() short()",
                     "debug.sethook(function() end, 'l') f() vararg() short() debug.sethook()"):
            for options in ((), ("--max-slice=5",)):
                with self.subTest(code=code, options=options):
                    self.check(self.counts("core.coverage_start() %s show()" % code, *options),
                               out="2:1 3:1 6:1 7:1 9:1\n")

    def test_a_coroutine_that_was_made_before(self):
        """It is counted once it is resumed, and no longer when the count has ended."""
        code = """
            local made = coroutine.create(function() f() coroutine.yield() f() end)
            local begun = coroutine.create(function() f() coroutine.yield() f() end)
            task.spawn(coroutine.resume, begun):await()
            core.coverage_start()
            coroutine.resume(made)
            %s(coroutine.resume, begun)
            task.sleep(0)
            show()
            coroutine.resume(made)
            show()
            core.coverage_start()
            show()"""
        for call in "pcall", "task.spawn":
            for options in ((), ("--max-slice=5",)):
                with self.subTest(call=call, options=options):
                    self.check(self.counts(code % call, *options), out="2:2 3:2\n")

    def test_a_limit_on_slices_holds_while_lines_are_counted(self):
        spin = "local function spin() while true do pcall(error) end end\n"
        for call in ("task.spawn(spin)", "task.spawn(function() coroutine.wrap(spin)() end)",
                     "task.spawn(coroutine.resume, coroutine.create(spin))",
                     "task.spawn(coroutine.resume, made)"):
            code = (spin + "local made = coroutine.create(spin) core.coverage_start()\n"
                    "print(pcall(function() return %s:await() end))" % call)
            with self.subTest(call):
                result = self.counts(code, "--max-slice=0.1")
                self.assertIn("ran for more than 0.1 s", result.out)

    def test_a_name_with_a_nul(self):
        """A binary chunk may have one: the whole name counts, and no byte behind it is read."""
        code = """
            local name = "@counted" .. ("s"):rep(30)
            local dump = string.dump(assert(load("local a = 1\\nreturn a", name)))
            for _, byte in ipairs { "\\0", "\\1" } do
              local changed = dump:gsub(("s"):rep(30), "sss" .. byte .. ("s"):rep(26))
              local g, h = load(changed, "x", "b"), load(changed, "x", "b")
              core.coverage_start()
              g() h() g()
              local found = core.coverage_stop()["counted" .. "sss" .. byte .. ("s"):rep(26)]
              print(table.concat(found, " "))
            end"""
        self.check(self.counts(code), out="1 3 2 3\n" * 2)

    def test_thousands_of_files(self):
        """More than there are slots, so that they share them."""
        code = """
            local functions = {}
            for i = 1, 3000 do
              functions[i] = load("local n = ...\\nfor _ = 1, n do\\nn = 0\\nend", "@file " .. i)
            end
            core.coverage_start()
            for _ = 1, 2 do
              for i, g in ipairs(functions) do g(i) end
            end
            local found, wrong = core.coverage_stop(), 0
            for i = 1, 3000 do
              local list = found["file " .. i]
              wrong = wrong + (list[2] == 2 and list[5] == 3 and list[6] == 2 * i and 0 or 1)
            end
            print(wrong)"""
        self.check(self.counts(code), out="0\n")


class Lines(harness.Case):
    def test_they_are_those_of_lua(self):
        """Each line of the hook, and each of the functions that exist, is one that can run."""
        names = subprocess.run(["find", "check", "test", "doc", "-name", "*.lua"],
                               cwd=os.path.join(harness.ROOT, "lua/septet"), capture_output=True,
                               text=True, check=True).stdout.split()
        modules = ["septet." + re.sub(r"\.lua$", "", name).replace("/", ".") for name in names]
        self.check(self.septet(os.path.join(HERE, "coverage_lines.lua"), harness.ROOT,
                               stdin="\n".join(modules)), out="true\ttrue\ttrue\n")

    def test_what_can_run(self):
        for text, lines in (("", ""), ("-- nothing\n", ""), ("local x\nlocal y = 1", "1 2"),
                            ("f(\n1,\nx\n)", "1 2"), ("t = {\n1,\n2\n}", "1 2"),
                            ("local s = [[\na\n]]\nreturn s", "3 4"),
                            ("while x do\n  y()\nend", "1 2"), ("goto e\nx()\n::e::", "1 2 3"),
                            ("#!shell\nx()\r\ny()\rz()\n\rw()", "2 3 4 5"),
                            ("return function()\n\n  x()\nend", "3"),
                            ("if x\nthen\n  y()\nelse\n  z()\nend", "2 3 5"),
                            ("local D <const> = false\nlocal function f()\n  if D then\n    x()\n"
                             "  end\n  return {\n}\nend\nf()", "3 4 6 9")):
            code = ("package.path = %r\npackage.preload['septet.core'] = function() end\n"
                    "local lines = require 'septet.test.active_lines'.of_text(io.read 'a')\n"
                    "local list = {} for line in pairs(lines) do list[#list + 1] = line end\n"
                    "table.sort(list) io.write(table.concat(list, ' '))"
                    % (harness.ROOT + "/lua/?.lua"))
            with self.subTest(text):
                self.check(self.septet("-e", code, stdin=text), out=lines)


class Reports(harness.Case):
    def test_a_file_of_tests_that_crashes_is_named(self):
        self.write("mod.lua", "return {}\n")
        self.write("a_spec.lua", "require 'mod' it('passes', function() end)")
        for body, status in (("os.execute('kill -KILL $PPID')", 1), ("", 0)):
            self.write("b_spec.lua", "require 'mod' it('ends', function() %s end)" % body)
            result = self.septet("test", "--coverage", env={"LUA_PATH": "./?.lua"})
            self.assertEqual(result.status, status, result)
            self.assertIn("mod.lua      1  100.0%", result.out)
            note = "without the lines that ran in b_spec.lua, which did not end its tests\n"
            self.assertEqual(note in result.out, status == 1, result)


if __name__ == "__main__":
    unittest.main()
