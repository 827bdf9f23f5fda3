-- SPDX-License-Identifier: MIT
-- The types in annotations, as lua-language-server reads them.
--
--   type    = single { "|" single }
--   single  = primary { "[]" } [ "?" ]
--   primary = NAME [ "<" type { "," type } ">" ] | STRING | NUMBER
--           | [ "async" ] "fun" "(" … ")" [ ":" … ]
--           | "{" key ":" type { "," key ":" type } "}" | "(" type ")" | "`" NAME "`"
local types = {}

local Parser = {}
Parser.__index = Parser

function Parser:space() self.at = self.text:find("%S", self.at) or #self.text + 1 end

-- Takes what a pattern matches, behind blanks. Takes nothing, not even these, if it does not match.
function Parser:take(pattern)
  local from, to, found = self.text:find("^%s*(" .. pattern .. ")", self.at)
  if not from then return nil end
  self.at = to + 1
  return found
end

function Parser:fail(what)
  error(("%s expected at '%s'"):format(what, self.text:sub(self.at)), 0)
end

function Parser:expect(pattern, what) return self:take(pattern) or self:fail(what) end

function Parser:list(close, item)
  local items = {}
  if self:take(close) then return items end
  repeat items[#items + 1] = item(self) until not self:take "[,;]"
  self:expect(close, "'" .. close:gsub("%%", "") .. "'")
  return items
end

local function parameter(self)
  local name = self:take "%.%.%." or self:expect("[%a_][%w_]*", "name of a parameter")
  local optional = self:take "%?" ~= nil
  return { name = name, optional = optional, type = self:take ":" and self:type() or nil }
end

local function member(self)
  local key = self:take "%[[%a%d_.\"]+%]" or self:expect("[%a_][%w_]*", "name of a field")
  local optional = self:take "%?" ~= nil
  self:expect(":", "':'")
  return { name = key, optional = optional, type = self:type() }
end

-- What a function returns: types, each perhaps with a name before it.
local function returned(self)
  if self.text:find("^%s*%.%.%.%s*[:|,)]", self.at) and self:take "%.%.%." then
    return self:take ":" and self:type() or { kind = "name", name = "any" }
  end
  local before = self.at
  if self:take "[%a_][%w_]*" and self:take ":" then return self:type() end
  self.at = before
  return self:type()
end

local function fun(self)
  local node = { kind = "fun", parameters = self:list("%)", parameter), returns = {} }
  if self:take ":" then
    repeat node.returns[#node.returns + 1] = returned(self) until not self:take ","
  end
  return node
end

local function primary(self)
  if self:take "%(" then
    local inner = self:type()
    self:expect("%)", "')'")
    return { kind = "group", inner }
  end
  if self:take "{" then return { kind = "table", fields = self:list("}", member) } end
  local literal = self:take '"[^"]*"' or self:take "'[^']*'" or self:take "%-?%d[%w.]*"
  if literal then return { kind = "literal", name = literal } end
  local generic = self:take "`[%a_][%w_]*`"
  if generic then return { kind = "literal", name = generic } end
  if self:take "async%s+fun%s*%(" or self:take "fun%s*%(" then return fun(self) end
  local node = { kind = "name", name = self:expect("[%a_][%w_.]*%*?", "type") }
  if self:take "<" then
    node.arguments = self:list(">", function(p) return p:type() end)
  end
  return node
end

-- Returns the type at this place, with its text.
function Parser:type()
  self:space()
  local from, parts = self.at, {}
  repeat
    local node = primary(self)
    while self.text:find("^%[%]", self.at) do
      self.at = self.at + 2
      node = { kind = "array", node }
    end
    if self.text:find("^%?", self.at) then
      self.at = self.at + 1
      node = { kind = "optional", node }
    end
    parts[#parts + 1] = node
  until not self:take "|"
  local node = #parts == 1 and parts[1] or { kind = "union", table.unpack(parts) }
  node.text = self.text:sub(from, self.at - 1)
  return node
end

--- Parses the type at the beginning of a text. Returns it, its text, and the text behind it.
--- Raises an error in words.
function types.parse(text)
  local self = setmetatable({ text = text, at = 1 }, Parser)
  local node = self:type()
  return node, text:sub(1, self.at - 1):match "^%s*(.-)%s*$", text:sub(self.at):match "^%s*(.-)%s*$"
end

--- Calls fn(name) for each name of a type, also of those within it.
function types.each_name(node, fn)
  if node.kind == "name" then fn(node.name) end
  for _, part in ipairs(node) do types.each_name(part, fn) end
  for _, part in ipairs(node.arguments or {}) do types.each_name(part, fn) end
  for _, part in ipairs(node.fields or {}) do types.each_name(part.type, fn) end
  for _, part in ipairs(node.parameters or {}) do
    if part.type then types.each_name(part.type, fn) end
  end
  for _, part in ipairs(node.returns or {}) do types.each_name(part, fn) end
end

--- Returns the text of a type without its `|nil`, and true if it had one.
function types.without_nil(text)
  local node = types.parse(text)
  if node.kind == "optional" then return text:sub(1, -2), true end
  local less, found = text:gsub("|nil$", "")
  return less, found > 0
end

return types
