-- SPDX-License-Identifier: MIT
-- JSON from strings and numbers of a trace, without the host. Names and URLs are hostile: control
-- characters are escaped, so that no terminal obeys them, and invalid UTF-8 is replaced.
local json_text = {}

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(char)
  return escapes[char] or ("\\u%04x"):format(utf8.codepoint(char))
end

--- Returns valid UTF-8: each byte that is not part of it is replaced by U+FFFD.
function json_text.utf8(s)
  local length, bad = utf8.len(s)
  if length then return s end
  local pieces, from = {}, 1
  while not length do
    pieces[#pieces + 1] = s:sub(from, bad - 1)
    pieces[#pieces + 1] = "\u{FFFD}"
    from = bad + 1
    length, bad = utf8.len(s, from)
  end
  pieces[#pieces + 1] = s:sub(from)
  return table.concat(pieces)
end

--- Returns a string as JSON, with its quotes.
function json_text.string(s)
  s = json_text.utf8(s):gsub('[%c"\\]', escape)
  return '"' .. s:gsub("\xC2[\x80-\x9F]", escape) .. '"'
end

--- Returns a number as JSON; null for those that JSON does not have.
function json_text.number(x)
  if math.type(x) == "integer" then return ("%d"):format(x) end
  if x ~= x or x == math.huge or x == -math.huge then return "null" end
  local whole = math.tointeger(x)
  if whole and whole > -2^53 and whole < 2^53 then return ("%d"):format(whole) end
  return (("%.14g"):format(x):gsub(",", ".")) -- whatever the locale
end

--- Returns a string, number or boolean as JSON; null for anything else.
function json_text.value(x)
  local kind = type(x)
  if kind == "string" then return json_text.string(x) end
  if kind == "number" then return json_text.number(x) end
  return kind == "boolean" and tostring(x) or "null"
end

--- Returns an object as JSON, from a list of names and values. A value that is nil has no member;
--- the list needs `n`.
function json_text.object(list)
  local members = {}
  for i = 1, list.n, 2 do
    if list[i + 1] ~= nil then
      members[#members + 1] = ('"%s":%s'):format(list[i], json_text.value(list[i + 1]))
    end
  end
  return "{" .. table.concat(members, ",") .. "}"
end

return json_text
