-- SPDX-License-Identifier: MIT
-- A script with globals of its own that tries to change what other scripts see, for test_profile.c.
-- luacheck: globals mark, ignore 121 122 131
local function evil() return "evil" end
local task = require "septet.task"

-- Its own libraries are its own to change.
for _, library in ipairs { string, table, math, os, io, coroutine, utf8, debug, package } do
  for name in pairs(library) do library[name] = evil end
  setmetatable(library, { __index = evil })
end

-- So are its globals.
mark, _G.also = "evil", "evil"
assert(_G._G == _G and load "return _G" () == _G and load "mark2 = 1 return mark2" () == 1)
setmetatable(_G, { __index = function() return evil end, __newindex = evil })
print, tostring, type, pairs = evil, evil, evil, evil

-- Names that would lead to what all scripts share.
local function refused(fn, ...) assert(not pcall(fn, ...)) end
package.loaded = nil
local own = require "package"
assert(own == package)
for _, name in ipairs { "_G", "string", "debug", "package", "io", "os", "math", "coroutine" } do
  refused(task.require, name)
  local library = require(name)
  if name == "_G" then assert(library == _G) end
  rawset(library, "evil", evil)
end
refused(rawset, task, "sleep", evil)
refused(function() task.sleep = evil end)
refused(function() task.on_unhandled = evil end)
refused(setmetatable, task, {})
assert(getmetatable("") == false)
refused(setmetatable, "", { __index = evil })
assert(("x"):rep(2) == "xx")

-- Its default session is its own.
local http = require "septet.http"
http.default().evil, http.default().limit = evil, 0
rawset(http.default(), "get", evil)

-- What it puts into its own package.loaded and package.preload counts for itself.
local shared = require "shared"
assert(shared.globals() ~= _G and shared.globals().mark == nil)
assert(shared.globals() == require("shared").globals())
