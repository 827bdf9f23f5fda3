# SPDX-License-Identifier: MIT
"""The modules of Septet use the standard functions as they were when the host was created, whatever
a script does to its globals."""

import os
import unittest

import harness

ORIGIN = harness.ORIGIN

FUNCTIONS = """
assert collectgarbage dofile error getmetatable ipairs load loadfile next pairs pcall print rawequal
rawget rawlen rawset require select setmetatable tonumber tostring type warn xpcall
""".split()
LIBRARIES = "coroutine debug io math os package string table utf8".split()
FIELDS = """
coroutine.create coroutine.wrap coroutine.yield coroutine.running coroutine.close debug.traceback
debug.getinfo debug.sethook io.open io.stderr io.type math.floor math.huge math.max math.min
math.random math.type math.tointeger os.time os.date os.getenv os.exit os.rename os.remove
package.loaded package.preload package.searchers package.path table.concat table.insert table.move
table.pack table.remove table.sort table.unpack utf8.char utf8.len
""".split()
VALUES = ("nil", "'person'", "function() error('ours was called') end", "setmetatable({}, {})")

# Uses of each module. Their own functions are locals, so that only Septet's code can break.
USES = {
    "task": """
local v = task.var "default"
eq(task.timeout(1, function() return 1 end), 1)
eq(task.move_on_after(0.001, task.sleep, 5), false)
eq(v:with("inside", function() return v:get() end), "inside")
eq(task.gather({ function() return 2 end })[1], 2)
eq(task.race { function() return 3 end, function() task.sleep(5) end }, 3)
eq(task.spawn(function() return 4 end):await(), 4)
local next_one = task.generator(function(yield) yield(5) end)
eq(next_one(), 5)
local ok, e = pcall(task.group, function() error "lost" end)
eq(ok, false) eq(find(tostring(e), "lost") ~= nil, true)
eq(task.map(function(x) return x + 1 end, { 5 })[1]:await(), 6)
ok, e = pcall(task.sleep, "x")
eq(task.is(e, "Usage"), true)
eq(task.shield(function() return 7 end), 7)
""",
    "sync": """
local ch = sync.channel(2)
ch:send(1) ch:close()
for x in ch:iter() do eq(x, 1) end
eq(sync.semaphore(1):with(function() return 2 end), 2)
eq(sync.lock():with(function() return 3 end), 3)
local ok, e = pcall(sync.channel, "x")
eq(task.is(e, "Usage"), true)
""",
    "json": """
eq(json.encode { a = { 1, 2.5, json.null } }, '{"a":[1,2.5,null]}')
eq(json.decode('{"a":[1]}').a[1], 1)
eq(pcall(json.decode, "{"), false)
""",
    "html": """
local doc = html.parse("<title>t</title><p class=x>a &amp; <a href=b>c</a>", { url = "http://h/" })
eq(doc.title, "t") eq(doc:first "p.x":text(), "a & c") eq(#doc:select "p, a", 2)
eq(doc:links()[1].url, "http://h/b") eq(doc:first "a".parent.tag, "p")
eq(doc:first "a":html(), '<a href="b">c</a>')
eq(html.unescape(html.escape "<é>"), "<é>")
eq(pcall(doc.select, doc, "::x"), false)
""",
    "url": """
local u = url.parse "http://u:p@h:81/a/../b?x=1&y=2#z"
eq(u.host, "h") eq(u.path, "/b") eq(u:params():get "y", "2")
u.query = { a = "1 2" }
eq(tostring(u), "http://u:p@h:81/b?a=1%202#z")
eq(url.resolve("http://a/b", "../c"), "http://a/c")
eq(url.normalize "http://a/%7e?b&a#c", "http://a/~?a&b")
eq(url.same_origin("http://a", "http://a:80/"), true)
eq(pcall(url.parse, "http://"), false)
eq(url.decode(url.encode "a b"), "a b")
""",
    "hash": """
eq(hash.sha256 "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
eq(hash.new("sha1"):update "a":update "b":hex(), hash.sha1 "ab")
eq(hash.unbase64(hash.base64 "abcd"), "abcd")
eq(hash.unhex(hash.hex "abcd"), "abcd")
eq(#hash.hmac("md5", "key", "text", "raw"), 16)
eq(#hash.random(9), 9) eq(hash.equal("a", "b"), false)
eq(pcall(hash.unhex, "x"), false)
eq(pcall(hash.file, dir .. "/none"), false)
""",
    "csv": """
local rows, names = csv.parse("a,b\\n1,2", { header = true })
eq(rows[1].b, "2") eq(names[2], "b")
for row in csv.reader "1,2" do eq(row[2], "2") end
eq(csv.format { { 1, "a,b" } }, '1,"a,b"\\r\\n')
eq(pcall(csv.parse, '"'), false)
local out
csv.writer(function(bytes) out = bytes end, { header = { "x" } }):row { x = 1 }
eq(out, "1\\r\\n")
""",
    "pretty": """
eq(find(pretty.format { 2, b = "c", a = 1.0, [true] = print }, "{ 2, a = 1.0, b =", 1, true), 1)
eq(pretty.format(sync.lock()), "lock (free)")
""",
    "http": """
local s <close> = http.session {
  base_url = origin, retries = 1, rate = "1000/s", limit = 4, deny = { "10.0.0.0/8" },
}
eq(s:get("/bytes/3", { params = { a = 1 } }).status, 200)
eq(s:post("/echo", { form = { a = "b" } }).status, 200)
eq(s:post("/echo", { multipart = { { name = "a", data = "b" } } }).status, 200)
eq(s:get("/redirect/1").status ~= nil, true)
local r <close> = s:stream("GET", "/bytes/3")
eq(#r:read(), 3)
local ok, e = pcall(s.get, s, "http://127.0.0.1:1/")
eq(task.is(e, "HttpError"), true)
ok, e = pcall(s.get, s, "/", { tiemout = 1 })
eq(task.is(e, "Usage"), true)
""",
    "io": """
local f = sio.create(dir .. "/out")
f:write "one\\ntwo\\n"
f:close()
local reader <close> = sio.open(dir .. "/out")
local n = 0
for _ in reader:lines() do n = n + 1 end
eq(n, 2)
eq(pcall(sio.open, dir .. "/none"), false)
""",
    "fs": """
local folder <close> = fs.temp_dir()
fs.write(folder.path .. "/f", "text")
fs.append(folder.path .. "/f", "s")
eq(fs.read(folder.path .. "/f"), "texts")
fs.copy(folder.path .. "/f", folder.path .. "/g")
for _, entry in fs.walk(folder.path, { stat = true, sort = true }) do eq(entry.size, 5) end
eq(#fs.list(folder.path), 2)
local from_start = { from = "start", follow = false }
for line in fs.tail(folder.path .. "/f", from_start) do eq(line, "texts") end
local next_event = fs.watch(folder.path, { recursive = true })
fs.mkdir(folder.path .. "/d")
eq(next_event().name, "d")
fs.remove(folder.path .. "/d", { recursive = true })
eq(fs.exists(folder.path .. "/d"), false)
eq(fs.stat(folder.path).type, "directory")
""",
    "trace": """
local lines = {}
local stop = trace.lines({ write = function(_, text) lines[1] = text end })
task.sleep(0)
""",
    "testing": """
eq(pcall(testing.advance, "x"), false)
""",
    "septet": """
eq(type(septet.versions(true)), "string")
eq(pcall(function() return septet.nothing end), false)
""",
}

PREPARE = """
local pcall, tostring, type, find = pcall, tostring, type, string.find
local error, print, require = error, print, require
local origin, dir = ...
local function eq(got, expected)
  if got ~= expected then
    error("got " .. tostring(got) .. ", expected " .. tostring(expected), 2)
  end
end
"""
REQUIRE = """
local septet = require "septet"
local task, sync, json = require "septet.task", require "septet.sync", require "septet.json"
local http, sio = require "septet.http", require "septet.io"
local csv, pretty = require "septet.csv", require "septet.pretty"
local url, hash = require "septet.url", require "septet.hash"
local html, fs = require "septet.html", require "septet.fs"
local trace, testing = require "septet.trace", require "septet.testing"
"""


class Overwritten(harness.Case):
    def survives(self, names, before):
        """Overwrites each name in a run of its own, with the modules loaded before or after."""
        path = os.path.join(self.dir, "s.lua")
        for number, name in enumerate(names):
            statement = "_G.%s = %s\n" % (name, VALUES[number % len(VALUES)])
            parts = [PREPARE, statement, REQUIRE] if before else [PREPARE, REQUIRE, statement]
            uses = ["do %s end\n" % use for use in USES.values()]
            self.write("s.lua", "".join(parts + uses) + "print 'done'\n")
            with self.subTest(statement=statement):
                self.check(self.septet(path, ORIGIN, self.dir), out="done\n")

    def test_as_it_is(self):
        """The checks that the other tests make succeed if no global is overwritten."""
        self.survives(["unused"], False)

    def test_functions_after_loading(self):
        """T-M: a global function may be overwritten after Septet's modules were loaded"""
        self.survives(FUNCTIONS, False)

    def test_functions_before_loading(self):
        """T-M: a global function may be overwritten before Septet's modules are loaded"""
        self.survives(FUNCTIONS, True)

    def test_libraries_after_loading(self):
        """T-M: a library may be overwritten after Septet's modules were loaded"""
        self.survives(LIBRARIES, False)

    def test_libraries_before_loading(self):
        """T-M: a library may be overwritten before Septet's modules are loaded"""
        self.survives(LIBRARIES, True)

    def test_fields_after_loading(self):
        """T-M: a library's function may be overwritten after Septet's modules were loaded"""
        self.survives(FIELDS, False)

    def test_all_at_once(self):
        """T-M: all globals may be removed, before or after the modules are loaded"""
        gone = "local G = _G for name in pairs(G) do G[name] = nil end\n"
        for parts in ([PREPARE, gone, REQUIRE], [PREPARE, REQUIRE, gone]):
            uses = ["do %s end\n" % use for use in USES.values()]
            path = self.write("s.lua", "".join(parts + uses) + "print 'done'\n")
            self.check(self.septet(path, ORIGIN, self.dir), out="done\n")


class Strings(harness.Case):
    def test_methods_of_strings_are_shared(self):
        """T-M: an overwritten function of `string` takes effect where it is called as a method, and
        only there"""
        self.check(self.septet("-e", """
local task, called = require 'septet.task', 0
local format = string.format
string.format = function(...) called = called + 1 return format(...) end
local ok, err = pcall(task.gather, 1)
print(ok, task.is(err, 'Usage'), called > 0)
string.format = nil
print(select(2, pcall(task.gather, 1)):find("nil value (method 'format')", 1, true) ~= nil)
string = nil
print(task.gather({}).n)
"""), out="false\ttrue\ttrue\ntrue\n0\n")


class Reached(harness.Case):
    def test_a_script_cannot_reach_it(self):
        """T-M: no function of the modules gives a script their environment"""
        self.check(self.septet("-e", """
local task = require 'septet.task'
local ours = {}
function ipairs(...) ours[#ours + 1] = ... return next, ... end
leaked = 1
task.gather { function() end }
print(#ours, load('return leaked')(),
  pcall(debug.getregistry()['septet.core'].hook, load 'return leaked'))
"""), out="0\t1\ttrue\n")

    def test_load_and_preload_are_the_scripts(self):
        """T-M: what a script puts into package.preload and package.loaded still counts"""
        self.check(self.septet("-e", """
package.preload['septet.sync'] = function() error('replaced', 0) end
print(pcall(require, 'septet.testing'))
"""), out="false\treplaced\n")


if __name__ == "__main__":
    unittest.main()
