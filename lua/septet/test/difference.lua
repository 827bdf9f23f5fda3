-- SPDX-License-Identifier: MIT
-- Says where two values differ: tables field by field, texts line by line.
local difference = {}

local pretty = require "septet.pretty"

local MOST <const> = 8 -- differences that a description names
local WIDTH <const> = 90 -- columns of a value
local CONTEXT <const> = 2 -- lines or fields around those that differ
local STEPS <const> = 8 -- of a long place that are shown at its beginning and at its end
local MOST_LINES <const> = 12 -- of a value that is shown as a whole

--- Returns a value in words.
---@return string
function difference.show(value) return pretty.format(value, { width = WIDTH }) end

-- Returns a key or a value in few words.
local function brief(value)
  return pretty.format(value, { width = WIDTH, depth = 2, items = 8, text = 80 })
end

local function step(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" then return "." .. key end
  return "[" .. brief(key) .. "]"
end

-- Returns the place of a pair, in the middle of which steps are left out if there are many.
local function place_of(node)
  local steps = {}
  while node.parent do
    steps[#steps + 1] = node.key
    node = node.parent
  end
  local words, n = {}, #steps
  for i = n, 1, -1 do
    if n <= 2 * STEPS or i > n - STEPS or i <= STEPS then
      words[#words + 1] = step(steps[i])
    elseif i == STEPS + 1 then
      words[#words + 1] = (" … %d steps … "):format(n - 2 * STEPS)
    end
  end
  return table.concat(words)
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

-- A pair of values that are compared, as a table with the fields
--   parent, key     where it stands in the values as a whole; the first one stands nowhere
--   got, expected   the two values

-- Returns the pairs of fields that may differ, the last one first.
local function pairs_of(node)
  local list, seen = {}, {}
  for _, one in ipairs { node.got, node.expected } do
    for key in next, one do
      if not seen[key] then
        local got, expected = node.got[key], node.expected[key]
        if opens(got, expected) or is_other(got, expected) then
          list[#list + 1] = { parent = node, key = key, got = got, expected = expected }
        end
        seen[key] = true
      end
    end
  end
  table.sort(list, function(a, b) return by_name(b.key, a.key) end)
  return list
end

-- Returns the pairs that differ, at most one more than a description names.
local function differences(got, expected)
  local found, compared, left = {}, {}, { { got = got, expected = expected } }
  while #left > 0 and #found <= MOST do
    local node = table.remove(left)
    if not opens(node.got, node.expected) then
      if is_other(node.got, node.expected) then found[#found + 1] = node end
    else
      local with = compared[node.got] or {}
      if not with[node.expected] then -- else they hold themselves, or are in several places
        local list = pairs_of(node)
        table.move(list, 1, #list, #left + 1, left)
      end
      with[node.expected], compared[node.got] = true, with
    end
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

local function describe_one(node)
  local place = place_of(node)
  if place ~= "" then place = place .. ": " end
  if type(node.got) == "string" and type(node.expected) == "string"
    and (node.got:find "\n" or node.expected:find "\n") then
    return place .. by_lines(node.got, node.expected)
  end
  return ("%sexpected %s, got %s"):format(place, difference.show(node.expected),
    difference.show(node.got))
end

-- Returns the fields beside one that differs, as lines behind "-", "+" and " ".
local function around(node)
  local keys, seen, at = {}, {}, nil
  for _, one in ipairs { node.parent.got, node.parent.expected } do
    for key in next, one do
      if not seen[key] then keys[#keys + 1] = key end
      seen[key] = true
    end
  end
  table.sort(keys, by_name)
  for i, key in ipairs(keys) do at = rawequal(key, node.key) and i or at end
  local lines = { ("around %s (- expected, + got):"):format(place_of(node)) }
  local function add(mark, key, value)
    if value == nil then return end
    local text = step(key):gsub("^%.", "") .. " = " .. brief(value)
    lines[#lines + 1] = "  " .. mark .. " " .. text:gsub("\n", "\n    ")
  end
  for i = math.max(at - CONTEXT, 1), math.min(at + CONTEXT, #keys) do
    local key = keys[i]
    local got, expected = node.parent.got[key], node.parent.expected[key]
    if difference.same(got, expected) then
      add(" ", key, got)
    else
      add("-", key, expected)
      add("+", key, got)
    end
  end
  return table.concat(lines, "\n")
end

-- Returns both values as a whole; nil if they are too large, or were cut.
local function whole(got, expected)
  local texts = { difference.show(expected), difference.show(got) }
  for i, text in ipairs(texts) do
    local _, breaks = text:gsub("\n", "")
    if breaks >= MOST_LINES or text:find("…", 1, true) then return nil end
    texts[i] = text
  end
  return "expected " .. texts[1] .. "\ngot      " .. texts[2]
end

--- Returns nil if two values are equal. Otherwise returns what was expected and what is there: of
--- tables for each field that differs, with its place, and then the two as a whole. If they are
--- large, returns the fields beside the first that differs in their place.
---@return string|nil
function difference.describe(got, expected)
  local found, lines = differences(got, expected), {}
  if #found == 0 then return nil end
  for i = 1, math.min(#found, MOST) do lines[i] = describe_one(found[i]) end
  if #found > MOST then lines[#lines + 1] = "..." end
  if found[1].parent then
    lines[#lines + 1] = whole(got, expected) or around(found[1])
  end
  return table.concat(lines, "\n")
end

--- Returns what two values have and have not in common of which one was to be the other.
---@return string
function difference.describe_objects(got, expected)
  if type(got) ~= "table" or type(expected) ~= "table" then
    return ("expected the same as %s, got %s"):format(difference.show(expected),
      difference.show(got))
  end
  local text = difference.describe(got, expected)
  if text then return "expected the same table, got another one, which differs:\n" .. text end
  return "expected the same table, got another one with equal fields: " .. difference.show(got)
end

return difference
