-- SPDX-License-Identifier: MIT
-- Completes what stands before the cursor: globals, fields, methods, modules in `require`. It looks
-- at values without running code of theirs.
local complete = {}

local modules = require "septet.repl.modules"

local metatable_of = debug.getmetatable -- ignores __metatable

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch "%a+" do KEYWORDS[#KEYWORDS + 1] = word end

local COMMANDS = { ":doc", ":help", ":quit", ":time", ":trace", ":tree" }

-- Returns the tables in which the fields of a value are looked up: itself, and what its metatable
-- leads to. Of a function they are its upvalues.
local function sources(value)
  local found, seen = {}, {}
  local function add(t)
    if type(t) ~= "table" or seen[t] or #found > 20 then return end
    seen[t] = true
    found[#found + 1] = t
    local meta = metatable_of(t)
    if meta then add(rawget(meta, "__index")) end
  end
  if type(value) == "table" then add(value) end
  local meta = metatable_of(value)
  local index = meta and rawget(meta, "__index")
  add(index)
  for i = 1, type(index) == "function" and 20 or 0 do
    local name, upvalue = debug.getupvalue(index, i)
    if not name then break end
    add(upvalue)
  end
  return found
end

local function field(value, name)
  for _, t in ipairs(sources(value)) do
    local found = rawget(t, name)
    if found ~= nil then return found end
  end
end

-- Returns the names that begin with `prefix`, sorted, each once.
local function begin_with(prefix, names)
  local found, seen = {}, {}
  for _, name in ipairs(names) do
    if name:sub(1, #prefix) == prefix and not seen[name] then
      seen[name] = true
      found[#found + 1] = name
    end
  end
  table.sort(found)
  return found, #prefix
end

local function fields_of(value, only_methods)
  local names = {}
  for _, t in ipairs(sources(value)) do
    for name, inner in next, t do
      local fits = type(name) == "string" and name:find "^[%a_][%w_]*$" and name:sub(1, 2) ~= "__"
      if fits and (not only_methods or type(inner) == "function") then
        names[#names + 1] = name
      end
    end
  end
  return names
end

local function globals_of(globals)
  local names = fields_of(globals)
  table.move(KEYWORDS, 1, #KEYWORDS, #names + 1, names)
  for _, name in ipairs(modules.names) do names[#names + 1] = name end
  return names
end

local function module_names()
  local names = { "septet" }
  for _, name in ipairs(modules.names) do names[#names + 1] = "septet." .. name end
  names[#names + 1] = "septet.io"
  for name in next, package.loaded do
    if not name:find "^septet%." and name ~= "_G" then names[#names + 1] = name end
  end
  return names
end

-- Returns the value of a chain of names, as `a.b:c`, and true if it is one.
local function value_of(globals, chain)
  local first, rest = chain:match "^([%a_][%w_]*)(.*)$"
  if not first then return nil end
  local value = rawget(globals, first)
  if value == nil then value = modules.get(first) end
  for name in rest:gmatch "[.:]([%a_][%w_]*)" do
    if value == nil then return nil end
    value = field(value, name)
  end
  return value
end

--- Returns the words that may stand at the end of the text, and how many bytes of it they replace.
---@param globals table
---@param text string
---@return string[]
---@return integer
function complete.words(globals, text)
  if text:find "^:%a*$" then return begin_with(text, COMMANDS) end
  local module = text:match "require%s*%(?%s*[\"']([%w_.]*)$"
  if module then return begin_with(module, module_names()) end
  if text:find "^:doc%s" then
    local ok, index = pcall(require, "septet.doc.index")
    if ok then return begin_with(text:match "%S*$", index.names()) end
  end
  local chain, mark, prefix = text:match "([%a_][%w_.:]*)([.:])([%w_]*)$"
  if chain then
    local value = value_of(globals, chain)
    if value == nil then return {}, 0 end
    return begin_with(prefix, fields_of(value, mark == ":"))
  end
  prefix = text:match "[%a_][%w_]*$"
  if not prefix then return {}, 0 end
  return begin_with(prefix, globals_of(globals))
end

return complete
