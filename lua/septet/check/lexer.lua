-- SPDX-License-Identifier: MIT
-- Splits the source of a Lua 5.4 chunk into tokens, one at a time. Knows no grammar.
local lexer = {}

local byte, find, sub = string.byte, string.find, string.sub

---@class septet.check.Lexer
---@field text string
---@field kind string "name", "number", "string", "end of file", or a keyword or symbol itself
---@field value string|nil of a name or a string
---@field at integer where the token begins, counted in bytes from 1
---@field stop integer its last byte
---@field last integer the last byte of the token before it
---@field comments { at: integer, text: string }[] those that begin with "check:"
local Lexer = {}
Lexer.__index = Lexer

lexer.keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch "%a+" do
  lexer.keywords[word] = true
end

-- Symbols by their first byte, the longest first.
local symbols = {}
for symbol in ("... .. . == = ~= ~ <= << < >= >> > // / :: : + - * % ^ # & | ( ) { } ] ; ,")
  :gmatch "%S+" do
  local first = byte(symbol)
  symbols[first] = symbols[first] or {}
  table.insert(symbols[first], symbol)
end

local escapes = { a = "\a", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", v = "\v",
  ["\\"] = "\\", ['"'] = '"', ["'"] = "'" }

--- Raises what is wrong with the source, and where.
function Lexer:fail(message, at)
  error({ message = message, at = at or self.at }, 0)
end

-- Returns the text of the long bracket at a position, and its last byte; nil if there is none.
function Lexer:long_bracket(at)
  local _, open, level = find(self.text, "^%[(=*)%[", at)
  if not open then return nil end
  local first, last = find(self.text, "]" .. level .. "]", open + 1, true)
  if not first then self:fail("unfinished long string or comment", at) end
  return sub(self.text, open + 1, first - 1), last
end

-- Returns the position behind the comment that begins at `at`.
function Lexer:skip_comment(at)
  local text, last = self:long_bracket(at + 2)
  if not text then
    last = (find(self.text, "[\r\n]", at) or #self.text + 1) - 1
    text = sub(self.text, at + 2, last)
  end
  if find(text, "^%s*check:") then table.insert(self.comments, { at = at, text = text }) end
  return last + 1
end

-- Returns what an escape that is not one letter stands for, and its last byte.
function Lexer:escape(at)
  local text = self.text
  local _, last, digits = find(text, "^\\x(%x%x)", at)
  if last then return string.char(tonumber(digits, 16)), last end
  _, last = find(text, "^\\z%s*", at)
  if last then return "", last end
  _, last, digits = find(text, "^\\(%d%d?%d?)", at)
  if last and tonumber(digits) <= 255 then return string.char(tonumber(digits)), last end
  _, last, digits = find(text, "^\\u{(%x+)}", at)
  local code = last and #digits:gsub("^0+", "") <= 8 and tonumber(digits, 16)
  if code and code <= 0x7FFFFFFF then return utf8.char(code), last end
  _, last = find(text, "^\\\r\n", at)
  if not last then _, last = find(text, "^\\\n\r", at) end
  if not last then _, last = find(text, "^\\[\r\n]", at) end
  if last then return "\n", last end
  self:fail("invalid escape sequence", at)
end

-- Reads a string in quotes that begins at `at`.
function Lexer:read_string(at, quote)
  local text, parts, from = self.text, nil, at + 1
  local stops = quote == '"' and '["\\\r\n]' or "['\\\r\n]"
  while true do
    local stop = find(text, stops, from)
    local char = stop and sub(text, stop, stop)
    if char == quote then
      local value = sub(text, from, stop - 1)
      self.kind, self.stop = "string", stop
      self.value = parts and table.concat(parts) .. value or value
      return
    elseif char ~= "\\" then
      self:fail("unfinished string", at)
    end
    parts = parts or {}
    parts[#parts + 1] = sub(text, from, stop - 1)
    local simple = escapes[sub(text, stop + 1, stop + 1)]
    local meaning, last = simple, stop + 1
    if not simple then meaning, last = self:escape(stop) end
    parts[#parts + 1] = meaning
    from = last + 1
  end
end

-- Reads a number as Lua does: the longest piece that could be one, which then must be one.
function Lexer:read_number(at)
  local text = self.text
  local exponent = find(text, "^0[xX]", at) and "^[pP][+-]?" or "^[eE][+-]?"
  local stop = at
  if exponent == "^[pP][+-]?" then stop = at + 2 end
  while true do
    local _, last = find(text, exponent, stop)
    if not last then _, last = find(text, "^[%x.]+", stop) end
    if not last then break end
    -- A run of digits ends where an exponent may begin.
    if exponent == "^[eE][+-]?" then
      local e = find(text, "[eE]", stop)
      if e and e > stop and e <= last then last = e - 1 end
    end
    stop = last + 1
  end
  if find(text, "^[A-Za-z_]", stop) then stop = stop + 1 end
  self.kind, self.stop, self.value = "number", stop - 1, sub(text, at, stop - 1)
  if not tonumber(self.value) then self:fail "malformed number" end
end

-- Reads what begins neither a name nor a blank.
function Lexer:read_other(at, first)
  local char = string.char(first)
  if char == '"' or char == "'" then return self:read_string(at, char) end
  if find(self.text, "^%.?[0-9]", at) then return self:read_number(at) end
  if char == "[" then
    local value, stop = self:long_bracket(at)
    if value then
      self.kind, self.value, self.stop = "string", value:gsub("^\r?\n?", ""), stop
      return
    elseif find(self.text, "^%[=", at) then
      self:fail "invalid long string delimiter"
    end
    self.kind, self.stop = "[", at
    return
  end
  for _, symbol in ipairs(symbols[first] or {}) do
    if sub(self.text, at, at + #symbol - 1) == symbol then
      self.kind, self.stop = symbol, at + #symbol - 1
      return
    end
  end
  self:fail "unexpected symbol"
end

--- Moves to the next token.
function Lexer:next()
  local text = self.text
  self.last, self.value = self.stop, nil
  local at = find(text, "%S", self.stop + 1)
  while at and find(text, "^%-%-", at) do
    at = find(text, "%S", self:skip_comment(at))
  end
  self.at = at or #text + 1
  if not at then
    self.kind, self.stop = "end of file", #text
    return
  end
  local _, stop = find(text, "^[A-Za-z_][A-Za-z0-9_]*", at)
  if not stop then return self:read_other(at, byte(text, at)) end
  local word = sub(text, at, stop)
  self.stop = stop
  if lexer.keywords[word] then
    self.kind = word
  else
    self.kind, self.value = "name", word
  end
end

--- Returns true if the token after a name is "=", and not "==".
function Lexer:is_before_equals()
  local at = self.stop + 1
  while true do
    at = find(self.text, "%S", at)
    if not at or not find(self.text, "^%-%-", at) then break end
    local _, last = self:long_bracket(at + 2)
    at = (last or (find(self.text, "[\r\n]", at) or #self.text + 1) - 1) + 1
  end
  return at and find(self.text, "^=[^=]", at) ~= nil
end

--- Returns a lexer of a text, at its first token.
---@param text string
---@return septet.check.Lexer
function lexer.new(text)
  local self = setmetatable({ text = text, stop = 0, comments = {} }, Lexer)
  self:next()
  return self
end

return lexer
