-- SPDX-License-Identifier: MIT
-- Reads the signatures of the API's index, such as `fs.read(path: string, options: table): string`,
-- and says which literals their types accept.
local signature = {}

---@class septet.check.Parameter
---@field name string
---@field type string
---@field is_optional boolean it may be left out

---@class septet.check.Signature
---@field parameters septet.check.Parameter[]
---@field is_vararg boolean
---@field returns string[] types

local CLOSE <const> = { ["("] = ")", ["{"] = "}", ["<"] = ">" }

-- Splits a text at a separator that stands in no brackets and quotes.
local function split(text, separator)
  local parts, depth, from, quoted = {}, 0, 1, false
  for at, char in text:gmatch('()([(){}<>"%' .. separator .. "])") do
    if char == '"' then
      quoted = not quoted
    elseif quoted then
      depth = depth + 0
    elseif char == separator and depth == 0 then
      parts[#parts + 1] = text:sub(from, at - 1)
      from = at + 1
    elseif CLOSE[char] then
      depth = depth + 1
    elseif char ~= separator then
      depth = depth - 1
    end
  end
  parts[#parts + 1] = text:sub(from)
  for i, part in ipairs(parts) do parts[i] = part:match "^%s*(.-)%s*$" end
  return parts
end

--- Returns the types of which a union is made, without nil; and true if nil is one of them.
---@param text string
---@return string[]
---@return boolean
function signature.alternatives(text)
  -- What a function returns may have bars of its own.
  if text:find "^fun%(" or text:find "^async fun%(" then return { text }, false end
  local found, is_optional = {}, false
  for _, part in ipairs(split(text, "|")) do
    if part == "nil" then is_optional = true else found[#found + 1] = part end
  end
  return found, is_optional
end

-- Reads "(…): …", behind the name of a function.
local function parse(text)
  local inside = text:match "^%b()"
  if not inside then return nil end
  local result = { parameters = {}, is_vararg = false, returns = {} }
  for _, part in ipairs(inside == "()" and {} or split(inside:sub(2, -2), ",")) do
    local name, mark, kind = part:match "^([%w_.]+)(%??):?%s*(.*)$"
    if name == "..." then
      result.is_vararg = true
    else
      local _, nilable = signature.alternatives(kind)
      table.insert(result.parameters, { name = name, type = kind == "" and "any" or kind,
        is_optional = mark == "?" or nilable })
    end
  end
  local returned = text:match("^:%s*(.*)$", #inside + 1)
  if returned then result.returns = split(returned, ",") end
  return result
end

--- Returns the signature of a function from a text that begins with its name, or from a type
--- `fun(…)`; nil if that is none.
---@param text string
---@return septet.check.Signature|nil
function signature.parse(text)
  return parse(text:match "^[%w_.:]*(%(.*)$" or text:match "^async fun(%(.*)$" or "")
end

--- Returns the fields of a table type such as "{depth: integer|nil, indent?: integer}".
---@return { name: string, type: string }[]
function signature.fields(text)
  local found = {}
  for _, part in ipairs(split(text:sub(2, -2), ",")) do
    local name, kind = part:match "^([%w_]+)%??:%s*(.*)$"
    if name then found[#found + 1] = { name = name, type = kind } end
  end
  return found
end

--- Returns a type as messages have it: functions without parameters, and tables without fields.
function signature.shown(text)
  local shown = {}
  for i, kind in ipairs((signature.alternatives(text))) do
    shown[i] = kind:find "^fun%(" and "function" or kind:find "^async fun%(" and "function"
      or kind:find "^%(?fun%(" and "function" or kind:find "^{" and "table" or kind
  end
  return table.concat(shown, "|")
end

local KINDS <const> = { String = "string", Number = "number", True = "boolean", False = "boolean",
  Table = "table", Function = "function" }

-- Returns true if a type of one word accepts a literal, and also if it is not known.
local function accepts(kind, literal, node, is_class)
  if kind == "any" then return true end
  if kind:find '^".*"$' then return literal == "string" and kind == ('"%s"'):format(node.value) end
  if kind:find "^fun%(" or kind:find "^async fun%(" or kind == "function" then
    return literal == "function"
  elseif kind == "integer" then
    return literal == "number" and math.tointeger(tonumber(node.value)) ~= nil
  elseif kind == "true" or kind == "false" then
    return literal == "boolean" and node.tag:lower() == kind
  elseif kind:find "%[%]$" or kind:find "^table" or kind:find "^{" then
    return literal == "table"
  elseif kind == "string" or kind == "number" or kind == "boolean" then
    return literal == kind
  elseif kind == "userdata" then
    return false
  end
  return not is_class(kind) or literal == "table"
end

--- Returns what was given if a type does not accept a literal; nil if it does, or if the node is
--- no literal.
---@param text string the type
---@param node septet.check.Node
---@param is_class fun(name: string): boolean
---@return string|nil
function signature.mismatch(text, node, is_class)
  local literal = KINDS[node.tag]
  if not literal then return nil end
  for _, kind in ipairs((signature.alternatives(text))) do
    kind = kind:gsub("^%((.*)%)$", "%1"):gsub("%?$", "")
    if accepts(kind, literal, node, is_class) then return nil end
  end
  if node.tag == "String" then return ("'%s'"):format(node.value) end
  return node.tag == "Number" and node.value or literal
end

return signature
