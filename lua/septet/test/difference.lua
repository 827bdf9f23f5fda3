-- SPDX-License-Identifier: MIT
-- Says where two values differ: tables field by field, texts line by line.
local difference = {}

local pretty = require "septet.pretty"

local MOST <const> = 8 -- differences that a description names
local WIDTH <const> = 90 -- columns of a value
local CONTEXT <const> = 2 -- lines around those that differ

--- Returns a value in words.
---@return string
function difference.show(value) return pretty.format(value, { width = WIDTH }) end

local function step(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" then return "." .. key end
  return "[" .. difference.show(key) .. "]"
end

-- Returns true if two values that are no pair of tables differ. NaN is like NaN.
local function is_other(got, expected)
  return got ~= expected and (got == got or expected == expected)
end

-- Returns true if two values are compared field by field.
local function opens(got, expected)
  if type(got) ~= "table" or type(expected) ~= "table" or rawequal(got, expected) then
    return false
  end
  local meta = getmetatable(expected)
  return not (type(meta) == "table" and rawget(meta, "__eq"))
end

local function by_name(a, b)
  if type(a) == type(b) and (type(a) == "string" or type(a) == "number") then return a < b end
  return type(a) < type(b)
end

local function keys_of(a, b)
  local keys, seen = {}, {}
  for _, one in ipairs { a, b } do
    for key in next, one do
      if not seen[key] then keys[#keys + 1] = key end
      seen[key] = true
    end
  end
  table.sort(keys, by_name)
  return keys
end

-- Appends the fields that differ to `found`. `pairs_seen` holds the tables under comparison, which
-- may hold themselves.
local function search(got, expected, place, found, pairs_seen)
  if pairs_seen[expected] == got then return end
  pairs_seen[expected] = got
  for _, key in ipairs(keys_of(got, expected)) do
    if #found > MOST then break end
    local a, b = got[key], expected[key]
    if opens(a, b) then
      search(a, b, place .. step(key), found, pairs_seen)
    elseif is_other(a, b) then
      found[#found + 1] = { place = place .. step(key), got = a, expected = b }
    end
  end
  pairs_seen[expected] = nil
end

local function differences(got, expected)
  local found = {}
  if opens(got, expected) then
    search(got, expected, "", found, {})
  elseif is_other(got, expected) then
    found[1] = { place = "", got = got, expected = expected }
  end
  return found
end

--- Returns true if two values are equal, tables field by field.
---@return boolean
function difference.same(got, expected) return #differences(got, expected) == 0 end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
  return lines
end

-- Returns two texts as lines behind "-" for what was expected, "+" for what is there, and " " for
-- what both have.
local function by_lines(got, expected)
  local a, b = lines_of(expected), lines_of(got)
  local first, last = 1, 0
  while a[first] and a[first] == b[first] do first = first + 1 end
  while last < math.min(#a, #b) - first + 1 and a[#a - last] == b[#b - last] do last = last + 1 end
  local out = { "texts differ from line " .. first .. " on (- expected, + got):" }
  local function add(mark, lines, from, to)
    for i = math.max(1, from), math.min(#lines, to) do
      out[#out + 1] = "  " .. mark .. " " .. lines[i]
    end
  end
  add(" ", a, first - CONTEXT, first - 1)
  add("-", a, first, #a - last)
  add("+", b, first, #b - last)
  add(" ", a, #a - last + 1, #a - last + CONTEXT)
  return table.concat(out, "\n")
end

local function describe_one(one)
  if type(one.got) == "string" and type(one.expected) == "string"
    and (one.got:find "\n" or one.expected:find "\n") then
    return (one.place == "" and "" or one.place .. ": ") .. by_lines(one.got, one.expected)
  end
  return ("%sexpected %s, got %s"):format(one.place == "" and "" or one.place .. ": ",
    difference.show(one.expected), difference.show(one.got))
end

--- Returns nil if two values are equal. Otherwise returns what was expected and what is there: of
--- tables for each field that differs, with its place, and then the two as a whole.
---@return string|nil
function difference.describe(got, expected)
  local found, lines = differences(got, expected), {}
  if #found == 0 then return nil end
  for i = 1, math.min(#found, MOST) do lines[i] = describe_one(found[i]) end
  if #found > MOST then lines[#lines + 1] = "..." end
  if found[1].place ~= "" then
    lines[#lines + 1] = "expected " .. difference.show(expected)
    lines[#lines + 1] = "got      " .. difference.show(got)
  end
  return table.concat(lines, "\n")
end

return difference
