-- SPDX-License-Identifier: MIT
-- Compares two values field by field, and says where they differ.
local compare = {}

local MOST = 5 -- differences that a description names

--- Returns a value as a Lua script would write it. A table that has a metatable is not opened.
function compare.show(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" or getmetatable(value) then return tostring(value) end
  local words = {}
  for k, v in pairs(value) do
    words[#words + 1] = (math.type(k) == "integer" and "" or tostring(k) .. "=") .. compare.show(v)
  end
  return "{" .. table.concat(words, ", ") .. "}"
end

local function step(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" then return "." .. key end
  return "[" .. compare.show(key) .. "]"
end

local function is_other(got, expected)
  return got ~= expected and (got == got or expected == expected)
end

local function note(found, place, got, expected)
  found[#found + 1] = { place = place, got = got, expected = expected }
end

local function search(got, expected, place, found)
  for k, v in pairs(expected) do
    local other = got[k]
    if #found > MOST then return end
    if type(v) == "table" and type(other) == "table" then
      search(other, v, place .. step(k), found)
    elseif is_other(other, v) then
      note(found, place .. step(k), other, v)
    end
  end
  for k, v in pairs(got) do
    if expected[k] == nil then note(found, place .. step(k), v, nil) end
  end
end

local function differences(got, expected)
  local found = {}
  if type(got) == "table" and type(expected) == "table" then
    search(got, expected, "", found)
  elseif is_other(got, expected) then
    note(found, "", got, expected)
  end
  return found
end

--- Returns true if two values are the same, tables field by field.
function compare.same(got, expected)
  return #differences(got, expected) == 0
end

--- Returns nil if two values are the same. Otherwise returns what was expected and what is there:
--- of tables for each field that differs, with its place, and then the two as a whole.
function compare.difference(got, expected)
  local found, lines = differences(got, expected), {}
  if #found == 0 then return nil end
  for i = 1, math.min(#found, MOST) do
    local one = found[i]
    local place = one.place == "" and "" or one.place .. ": "
    lines[i] = ("%sexpected %s, got %s"):format(place,
      compare.show(one.expected), compare.show(one.got))
  end
  if #found > MOST then lines[#lines + 1] = "..." end
  if found[1].place ~= "" then
    lines[#lines + 1] = "expected " .. compare.show(expected)
    lines[#lines + 1] = "got      " .. compare.show(got)
  end
  return table.concat(lines, "\n")
end

return compare
