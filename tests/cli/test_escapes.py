# SPDX-License-Identifier: MIT
"""No string of a script can put lines or commands of its own into Septet's output to the
terminal."""

import unittest

import harness

# Contents of a script's strings, escaped for Lua.
EVIL = (
    "evil\\n    +0.0 #1 main forged line", "\\27[2J a\\rb\\127\\t\\7", "\\u{9b}2J\\x9b", "\\0end",
)
FINE = ("plain", "gr\u00fc\u00dfe", "\u65e5\u672c\u8a9e", "\U0001f600", "back\\\\slash")

# Places where Septet writes a script's string, %s.
PLACES = {
    "tostring": (
        "local t = task.spawn(task.sleep, 0) t.name = \"%s\" io.stderr:write(tostring(t), '\\n')"
        " t:await()"
    ),
    "an unhandled error": "task.spawn(error, 'x').name = \"%s\" task.sleep(0.01)",
    "a deadlock": (
        "local t = task.spawn(function() sync.event():wait() end) t.name = \"%s\" t:await()"
    ),
    "a circle": (
        "local a, b a = task.spawn(function() b:await() end) b = task.spawn(function() a:await()"
        " end) a.name, b.name = \"%s\", 'b' a:await()"
    ),
    "a lock's holder": (
        "local l = sync.lock() local t = task.spawn(function() l:acquire() sync.event():wait() end)"
        " t.name = \"%s\" task.sleep(0) l:acquire()"
    ),
    "a lock that is left": (
        "local l = sync.lock() local t = task.spawn(l.acquire, l) t.name = \"%s\" t:await()"
    ),
    "a task that never ran": (
        "task.timeout(1, function() task.spawn(task.sleep, 1).name = \"%s\" end)"
    ),
    "TaskCancelled": "local t = task.spawn(task.sleep, 9) t.name = \"%s\" t:cancel() t:await()",
    "a reason": (
        "local t = task.spawn(task.sleep, 9) task.sleep(0) t:cancel \"%s\""
        " io.stderr:write(tostring(select(2, pcall(t.await, t))), '\\n') task.current():cancel"
        " \"%s\" task.sleep(1)"
    ),
    "a traceback's tasks": "local t = task.spawn(error, 'x') t.name = \"%s\" t:await()",
    "the tasks of a group": "task.group(function(g) g:spawn(error, 'x').name = \"%s\" end)",
    "a live traceback": (
        "local t = task.spawn(function() sync.event():wait() end) t.name = \"%s\" local u ="
        " task.spawn(t.await, t) task.sleep(0) io.stderr:write(u:traceback(), '\\n') t:cancel()"
    ),
    "a chunk's name": "load('error(\"x\", 0)', \"=%s\")()",
    "the chunk of a task": "task.spawn(load('error(\"x\", 0)', \"=%s\")) task.sleep(0.01)",
    "the chunk of a Usage": "load('require \"septet.task\".sleep(-1)', \"=%s\")()",
    "the chunk that spawns": "load('require \"septet.task\".spawn(error, 1):await()', \"=%s\")()",
    "the chunk of a deadlock": "load('require \"septet.sync\".event():wait()', \"=%s\")()",
    "a function's name": "local o = { [\"%s\"] = function() error 'x' end } o[\"%s\"]() return nil",
    "an option": "require 'septet.http'.session { [\"%s\"] = 1 }",
    "a file": "require 'septet.io'.open(\"%s/none\")",
    "a late start": (
        "task.group(function(g) g:start(function() task.current().name = \"%s\" end) end)"
    ),
}


class Escapes(harness.Case):
    def shown(self, source, *options):
        self.write(
            "s.lua",
            "local task, sync = require 'septet.task', require 'septet.sync'\n" + source + "\n",
        )
        result = self.septet(*options, "s.lua")
        return result.err

    def lines_of(self, place, text, *options):
        source = PLACES[place].replace("%s", text)
        return self.shown(source, *options)

    def test_control_bytes(self):
        """T-O: control bytes of a script's strings are escaped in every line of Septet's own"""
        for place in PLACES:
            for options in ((), ("--trace",)):
                for evil in EVIL:
                    with self.subTest(place=place, evil=evil, options=options):
                        err = self.lines_of(place, evil, *options)
                        for line in err.split("\n"):
                            bad = [
                                c
                                for c in line.lstrip(" \t").replace("...\t(", "")
                                if ord(c) < 32 or 127 <= ord(c) < 160
                            ]
                            self.assertEqual(bad, [], err)
                            self.assertFalse(line.startswith("    +0.0 #1 main forged"), err)

    def test_utf8_is_shown_as_it_is(self):
        """T-O: all other characters of a script's strings are shown as they are"""
        for place in PLACES:
            for fine in FINE:
                with self.subTest(place=place, fine=fine):
                    err = self.lines_of(place, fine)
                    self.assertIn(fine.replace("\\\\", "\\"), err)

    def test_the_name_itself(self):
        """T-O: the name, the reason and the events that a script reads are what they were set to"""
        self.check(self.septet("-e", r"""
local task, trace = require 'septet.task', require 'septet.trace'
local evil, seen = "a\n\27[2J\0b", nil
trace.subscribe(function(e) if e.kind == 'name' then seen = e.name end end)
local t = task.spawn(task.sleep, 9)
t.name = evil
task.sleep(0)
assert(t.name == evil)
t:cancel "x\ny"
local _, err = pcall(t.await, t)
assert(err.reason == "x\ny")
task.sleep(0)
assert(seen:find("a\n\27[2J", 1, true))
local long = evil:rep(1000)
t = task.spawn(task.sleep, 9)
t.name = long
assert(task.tree()[1].children[1].name == long)
t:cancel()
"""), 0)

    def test_own_words(self):
        """T-O: the message of a script's own error is not escaped"""
        err = self.shown("error('two\\nlines\\27[1m', 0)")
        self.assertIn("septet: two\nlines\x1b[1m\n", err)


if __name__ == "__main__":
    unittest.main()
