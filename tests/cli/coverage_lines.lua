-- SPDX-License-Identifier: MIT
-- coverage_lines.lua ROOT: compares the lines that can run, as coverage finds them, with those that
-- Lua tells of functions that exist, and with those that the hook sees.
local ROOT = ...
local core = debug.getregistry()["septet.core"]
package.preload["septet.core"] = function() return core end
package.path = ROOT .. "/lua/?.lua;" .. package.path
local active_lines = require "septet.test.active_lines"
local parser = require "septet.check.parser"
local scopes = require "septet.check.scopes"

local function text_of(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function active(fn) return debug.getinfo(fn, "L").activelines end

-- Prints the lines of one set that another lacks.
local function compare(what, these, those)
  local list = {}
  for line in pairs(these) do
    if not those[line] then list[#list + 1] = line end
  end
  table.sort(list)
  if #list > 0 then print(what, table.concat(list, " ")) end
end

local function union(a, b)
  local both = {}
  for line in pairs(a) do both[line] = true end
  for line in pairs(b) do both[line] = true end
  return both
end

-- All that is in a file of which every function exists.
local path = ROOT .. "/tests/cli/coverage_corners.lua"
local lines, closing = active_lines.of_text(text_of(path))
local chunk = assert(loadfile(path))
core.coverage_start()
local functions = chunk()
local counts = core.coverage_stop()[path]
local lua, seen = active(chunk), {}
for _, fn in ipairs(functions) do lua = union(lua, active(fn)) end
for i = 1, #counts, 2 do seen[counts[i]] = true end
local ours = union(lines, closing)
compare("Lua alone", lua, ours)
compare("ours alone", ours, lua)
compare("seen alone", seen, ours)

-- The functions that files have once they were run: those of a module are in it.
local known, n = {}, 0
local function visit(value)
  if known[value] then return end
  if type(value) == "table" then
    known[value] = true
    for k, v in next, value do
      visit(k)
      visit(v)
    end
  elseif type(value) == "function" then
    known[value] = true
    for i = 1, 255 do
      local name, upvalue = debug.getupvalue(value, i)
      if not name then break end
      visit(upvalue)
    end
  end
end
for name in io.lines() do visit(require(name)) end
local of = {}
for fn in pairs(known) do
  local info = type(fn) == "function" and debug.getinfo(fn, "S")
  if info and info.source:find("@" .. ROOT .. "/lua/", 1, true) == 1 then
    local file = info.source:sub(2)
    of[file] = of[file] or union(active_lines.of_text(text_of(file)))
    compare(file .. ":" .. info.linedefined, active(fn), of[file])
    n = n + 1
  end
end
local in_file = scopes.resolve(parser.parse(text_of(path))).functions
print(n > 300, next(seen) ~= nil, #functions == #in_file - 1)
