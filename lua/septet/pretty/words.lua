-- SPDX-License-Identifier: MIT
-- Texts that pretty.format() shows: strings, numbers, functions and other single values.
local words = {}

local core = require "septet.core"

local SHORT = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\",
  ["\a"] = "\\a", ["\b"] = "\\b", ["\f"] = "\\f", ["\v"] = "\\v" }

-- Sequences of UTF-8 that would move the cursor, end a line or reverse the text beside them.
local UNSAFE = { "\xC2[\x80-\x9F]", "\xE2\x80[\x8B-\x8F\xA8-\xAE]", "\xE2\x81[\xA0-\xAF]",
  "\xEF\xBB\xBF" }

local RESERVED = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch "%a+" do RESERVED[word] = true end

local function escape_byte(byte)
  return SHORT[byte] or ("\\x%02X"):format(byte:byte())
end

local function escape_unsafe(sequence)
  return ("\\u{%X}"):format(utf8.codepoint(sequence))
end

-- Escapes a piece that is UTF-8. `bytes` is the pattern of the bytes to escape.
local function escape_valid(text, bytes)
  text = text:gsub(bytes, escape_byte)
  if text:find "[\xC2\xE2\xEF]" then
    for _, pattern in ipairs(UNSAFE) do text = text:gsub(pattern, escape_unsafe) end
  end
  return text
end

local function escape(text, bytes)
  local pieces, from = {}, 1
  local length, bad = utf8.len(text)
  while not length do
    pieces[#pieces + 1] = escape_valid(text:sub(from, bad - 1), bytes)
    pieces[#pieces + 1] = escape_byte(text:sub(bad, bad))
    from = bad + 1
    length, bad = utf8.len(text, from)
  end
  pieces[#pieces + 1] = escape_valid(text:sub(from), bytes)
  return table.concat(pieces)
end

--- Returns a text that a terminal shows without obeying it: other control characters than line ends
--- are escaped, and so are bytes that are not UTF-8.
---@param text string
---@return string
function words.safe(text)
  if not text:find "[^ -~\n]" then return text end
  return (escape(text:gsub("\t", "    "), "[\0-\9\11-\31\127]"))
end

-- Returns the position of the last byte of the longest beginning of `text` with at most `most`
-- bytes that does not tear a character.
local function cut_at(text, most)
  local at = most
  while at > most - 4 and at > 0 do
    local byte = text:byte(at + 1)
    if not byte or byte < 0x80 or byte > 0xBF then return at end
    at = at - 1
  end
  return most
end

--- Returns the text as it is written in Lua, with double quotes. Cuts what is longer than `most`
--- bytes, and says how long it is.
---@param text string
---@param most integer
---@return string
function words.quote(text, most)
  local size = #text
  if size > most then text = text:sub(1, cut_at(text, most)) end
  if text:find '[^ !#-%[%]-~]' then text = escape(text, '[%c"\\\127]') end
  return size > most and ('"%s"… (%d bytes)'):format(text, size) or '"' .. text .. '"'
end

--- Returns true if a string can stand as a name in Lua.
---@param text string
function words.is_name(text)
  return text:find "^[%a_][%w_]*$" ~= nil and not RESERVED[text]
end

--- Returns a number as it is written in Lua: a float has a point or an exponent, and enough digits
--- to be the same number when it is read.
---@param value number
---@return string
function words.number(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value then return "nan" end
  if value == math.huge then return "math.huge" end
  if value == -math.huge then return "-math.huge" end
  local text
  for digits = 14, 17 do
    text = ("%." .. digits .. "g"):format(value)
    if tonumber(text) == value then break end
  end
  return text:find "[.e]" and text or text .. ".0"
end

local LIBRARIES = { "_G", "string", "table", "math", "io", "os", "coroutine", "utf8", "debug" }

local function name_in(module, fn)
  for key, value in next, type(module) == "table" and module or {} do
    if rawequal(value, fn) and type(key) == "string" and key ~= "_" then return key end
  end
end

-- Returns the name of a function of Lua's libraries or of a public module of ours, or nil.
local function known_name(fn)
  local loaded = package.loaded
  for _, library in ipairs(LIBRARIES) do
    local name = name_in(loaded[library], fn)
    if name then return library == "_G" and name or library .. "." .. name end
  end
  for module, fields in next, loaded do
    local short = type(module) == "string" and module:match "^septet%.(%a+)$"
    local name = short and short ~= "core" and name_in(fields, fn)
    if name then return short .. "." .. name end
  end
end

--- Returns a function with its name, if it is Lua's or ours, or else with its place.
---@param fn function
---@return string
function words.fn(fn)
  local info = debug.getinfo(fn, "S")
  local is_ours = info.source:sub(1, 9) == "=[septet."
  local name = (info.what == "C" or is_ours) and known_name(fn)
  if name then return "function: " .. name end
  if info.what == "C" then return ("function: built-in %p"):format(fn) end
  local place = info.source:sub(1, 1) == "@" and info.source:sub(2) or info.short_src
  if is_ours then place = place:match "^%[(.*)%]$" or place end
  return ("function: %s:%d"):format(words.safe(place:gsub("\n", "\\n")), info.linedefined)
end

--- Returns the text that a metatable's __tostring gives, or nil and a message if that fails or the
--- value has none.
---@param value any
---@param meta table|nil
---@return string|nil
---@return string|nil message
function words.of_tostring(value, meta)
  if not meta or rawget(meta, "__tostring") == nil then return nil end
  local ok, text = pcall(tostring, value)
  if ok then return words.safe(text) end
  local told, message = pcall(tostring, text)
  return nil, "__tostring failed: " .. words.safe(told and message or type(text))
end

--- Returns the name of a type that a metatable gives, or nil.
---@param meta table|nil
---@return string|nil
function words.type_name(meta)
  local name = meta and rawget(meta, "__name")
  return type(name) == "string" and words.safe(name:gsub("\n", "\\n")) or nil
end

--- Returns a number of things in words.
function words.count(n, what)
  return ("%d %s%s"):format(n, what, n == 1 and "" or "s")
end

--- Returns a size in bytes in words.
---@param bytes integer
---@return string
function words.size(bytes)
  if bytes < 10000 then return words.count(bytes, "byte") end
  local units, value = { "kB", "MB", "GB" }, bytes / 1000
  local unit = 1
  while value >= 1000 and unit < #units do value, unit = value / 1000, unit + 1 end
  return ("%.3g %s"):format(value, units[unit])
end

--- Returns a duration in seconds in words.
---@param seconds number
---@return string
function words.duration(seconds)
  if seconds < 1 then return ("%.3g ms"):format(seconds * 1000) end
  return ("%.3g s"):format(seconds)
end

words.public_url = core.http_public
return words
