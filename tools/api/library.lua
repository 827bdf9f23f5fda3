-- SPDX-License-Identifier: MIT
-- Writes the public classes and functions as definitions for editors that use lua-language-server:
-- a file for each module.
local model = require "model"
local names = require "names"

local library = {}

local TESTS <const> = "septet.tests" -- no module: what septet test gives to files

-- Returns the module that a class or an alias belongs to: that of the file which describes it.
local function home(api, found)
  if names.is_module(found.name or "") then return found.name end
  local below = found.path:sub(#api.root + 1):match "^/%a+/septet/([%w_]+)[/.]"
  local module = "septet." .. below
  if module == TESTS then return module end
  for _, known in ipairs(api.modules) do if known == module then return module end end
  return "septet.errors"
end

local function add(out, format, ...) out[#out + 1] = format:format(...) end

local function add_text(out, text)
  if text == "" then return end
  for line in (text .. "\n"):gmatch "(.-)\n" do
    add(out, "---%s", line ~= "" and " " .. line or "")
  end
end

-- Returns what stands behind a type: a comment, marked so that none of it is a name.
local function comment(text) return text ~= "" and " # " .. text:gsub("%s*\n%s*", " ") or "" end

local function add_function(out, variable, member, mark)
  add_text(out, member.text)
  if member.type then
    add(out, "---@type %s", member.type)
    add(out, "%s.%s = nil\n", variable, member.name)
    return
  end
  for _, generic in ipairs(member.generics or {}) do add(out, "---@generic %s", generic) end
  if member.async then out[#out + 1] = "---@async" end
  local parameters = {}
  for i, param in ipairs(member.params) do
    parameters[i] = param.name
    add(out, "---@param %s%s %s%s", param.name, param.optional and "?" or "", param.type,
      comment(param.text))
  end
  for _, value in ipairs(member.returns) do
    local name = value.text:match "^[%a_][%w_]*$" or value.text:match "^%.%.%."
    local rest = name and value.text:sub(#name + 1):gsub("^%s+", "") or value.text
    add(out, "---@return %s%s%s", value.type, name and " " .. name or "", comment(rest))
  end
  add(out, "function %s%s%s(%s) end\n", variable, mark, member.name,
    table.concat(parameters, ", "))
end

local function add_globals(out, class)
  for _, member in ipairs(class.members) do add_function(out, "", member, "") end
end

local function add_class(out, class, variable)
  add_text(out, class.text)
  add(out, "---@class %s%s", class.name,
    #class.parents > 0 and ": " .. table.concat(class.parents, ", ") or "")
  for _, field in ipairs(class.fields) do
    if model.is_public(field) then
      add(out, "---@field %s%s %s%s", field.name, field.optional and "?" or "", field.type,
        comment(field.text))
    end
  end
  for _, operator in ipairs(class.operators) do add(out, "---@operator %s", operator) end
  if variable then add(out, "local %s = {}\n", variable) else out[#out + 1] = "" end
  local mark = names.mark(class.name)
  for _, member in ipairs(class.members) do
    if model.is_public(member) then add_function(out, variable, member, mark) end
  end
end

-- Returns the text of the definitions of a module.
local function definitions(api, module)
  local out = { "-- SPDX-License-Identifier: MIT", "-- Made by tools/api of the annotations.",
    "---@meta " .. (api.classes[module] and module or "_") .. "\n" }
  local variable = module:match "[%w_]+$"
  for _, name in ipairs(api.alias_order) do
    local alias = api.aliases[name]
    if alias.public and home(api, alias) == module then
      add_text(out, alias.text)
      add(out, "---@alias %s %s\n", name, alias.type)
    end
  end
  if api.classes[module] then add_class(out, api.classes[module], variable) end
  for _, name in ipairs(api.order) do
    local class = api.classes[name]
    if name == names.GLOBALS and module == TESTS then
      add_globals(out, class)
    elseif class.public and name ~= module and home(api, class) == module then
      add_class(out, class, #class.members > 0 and name:match "[%w_]+$" or nil)
    end
  end
  if api.classes[module] then add(out, "return %s", variable) end
  return table.concat(out, "\n") .. "\n"
end

--- Returns the names of the files, and their texts by them.
function library.files(api)
  local list, texts = {}, {}
  local function put(module)
    local name = module:gsub("^septet%.", "septet/") .. ".lua"
    list[#list + 1], texts[name] = name, definitions(api, module)
  end
  for _, module in ipairs(api.modules) do put(module) end
  put "septet.errors"
  put(TESTS)
  return list, texts
end

--- Writes the files below a folder.
function library.write(folder, api)
  local list, texts = library.files(api)
  for _, name in ipairs(list) do
    local out = assert(io.open(folder .. "/" .. name, "w"))
    out:write(texts[name])
    assert(out:close())
  end
end

return library
