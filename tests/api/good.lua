-- SPDX-License-Identifier: MIT
-- A script with globals of its own that checks what it has, after evil.lua ran in the same host.
-- luacheck: globals mark
local task = require "septet.task"
assert(mark == nil and also == nil) -- luacheck: ignore
assert(tostring(1) == "1" and type(pairs) == "function" and getmetatable(_G) == nil)
for name, library in pairs { string = string, table = table, math = math, os = os, io = io,
  coroutine = coroutine, utf8 = utf8, debug = debug, package = package } do
  assert(getmetatable(library) == nil and rawget(library, "evil") == nil)
  assert(require(name) == library and package.loaded[name] == library)
end
assert(package.loaded._G == _G and require "_G" == _G and _G._G == _G)
assert(string.rep("x", 2) == "xx" and table.concat { 1, 2 } == "12" and math.max(1, 2) == 2)
assert(coroutine.wrap(function() coroutine.yield(3) end)() == 3 and os.time() > 0)
assert(string.dump == nil and os.exit == nil and debug.getinfo == nil and package.cpath == nil)
assert(type(task.sleep) == "function" and task.sleep(0) == nil)
assert(load "mark = 1 return mark" () == 1 and mark == 1)
mark = nil

local http = require "septet.http"
assert(http.default() == http.default() and rawget(http.default(), "evil") == nil)
assert(rawget(http.default(), "get") == nil)
http.default():close()
assert(not http.default().closed) -- check: ignore unknown-name

-- The default output is its own, and what it puts into package.loaded and package.preload.
package.loaded.mine = { mine = true }
package.preload.late = function(...) return { ... } end
assert(require("mine").mine and require("late")[1] == "late" and require("late")[2] == ":preload:")
assert(io.output() == io.stdout and io.input() == io.stdin)

-- The functions of a shared module run in the host's globals.
local shared = require "shared"
assert(shared.globals() ~= _G and shared.globals().string ~= string and shared.count() == 1)
shared.globals().string.rep("x", 1)
