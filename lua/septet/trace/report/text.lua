-- SPDX-License-Identifier: MIT
-- Turns values into text that is inert in a page: JSON, HTML, base64. It calls no function of the
-- host.
local text = {}

local concat, floor = table.concat, math.floor

--- Returns a time in whole microseconds.
function text.microseconds(seconds)
  return floor(seconds * 1e6 + 0.5)
end

-- Characters that could change how what stands around them is read: control characters, and those
-- that turn the direction of a line.
local function visible(c)
  local code = utf8.codepoint(c)
  if code == 127 then return "\u{2421}" end
  return code < 32 and utf8.char(0x2400 + code) or "\u{FFFD}"
end

--- Returns a text from outside as it can be shown: valid UTF-8, control characters as pictures.
function text.plain(s)
  if s:find "^[ -~]*$" then return s end
  local valid, at = {}, 1
  while at <= #s do
    local _, bad = utf8.len(s, at)
    valid[#valid + 1] = s:sub(at, (bad or #s + 1) - 1)
    if not bad then break end
    valid[#valid + 1] = "\u{FFFD}"
    at = bad + 1
  end
  local result = concat(valid):gsub("[\0-\31\127]", visible)
  result = result:gsub("\xC2[\x80-\x9F]", visible):gsub("\xE2\x80[\xA8-\xAE]", visible)
  return (result:gsub("\xE2\x81[\xA6-\xA9]", visible))
end

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

--- Returns a text from outside as HTML.
function text.html(s)
  return (text.plain(s):gsub('[&<>"]', entities))
end

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["<"] = "\\u003c", [">"] = "\\u003e",
  ["&"] = "\\u0026" }

local function string_json(s)
  return '"' .. text.plain(s):gsub('["\\<>&]', escapes) .. '"'
end

local function number_json(n)
  if math.type(n) == "integer" then return tostring(n) end
  if n ~= n or n - n ~= 0 then return "null" end
  return ("%.6g"):format(n)
end

local PIECE = 4096 -- numbers of a list that are written together

local function write_numbers(list, write)
  for first = 1, #list, PIECE do
    local last = math.min(first + PIECE - 1, #list)
    write(concat(list, ",", first, last))
    if last < #list then write "," end
  end
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

--- Writes a value as JSON. A table without [1] is an object, unless it is empty. A list that begins
--- with an integer has nothing but integers.
function text.json(value, write)
  local kind = type(value)
  if kind == "string" then return write(string_json(value)) end
  if kind == "number" then return write(number_json(value)) end
  if kind ~= "table" then return write(tostring(value)) end
  if next(value) == nil then return write "[]" end
  if math.type(value[1]) == "integer" then
    write "["
    write_numbers(value, write)
    return write "]"
  end
  local is_list = value[1] ~= nil
  write(is_list and "[" or "{")
  local keys = is_list and value or sorted_keys(value)
  for i, key in ipairs(keys) do
    if i > 1 then write "," end
    if is_list then
      text.json(key, write)
    else
      write(string_json(key) .. ":")
      text.json(value[key], write)
    end
  end
  write(is_list and "]" or "}")
end

return text
