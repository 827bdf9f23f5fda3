-- SPDX-License-Identifier: MIT
-- Names that a module or an object does not have, such as task.spwan.
local rule = { name = "unknown-name" }

local api = require "septet.check.api"
local args = require "septet.internal.args"
local others = require "septet.internal.names"
local tree = require "septet.check.tree"
local types = require "septet.check.types"

-- Returns a hint at the member that was meant, perhaps by its name in another library; or "".
local function hint(class, name, known)
  local object = class:match "[%w_]+$":lower()
  local other = others.fields[class] or others.fields[object]
  if other and other[name] then return (", did you mean '%s'?"):format(other[name]) end
  return args.hint(name, known)
end

-- Returns true if a module that is there has a field, as some are made in a loop.
local function is_there(module, name)
  local ok, value = pcall(require, module)
  return ok and type(value) == "table" and rawget(value, name) ~= nil
end

-- Reports a member that a module or class does not have.
local function check_member(report, owner, name, at, added)
  local class = owner.module or owner.class
  if name:sub(1, 1) == "_" or api.member(class, name) or added[class .. "." .. name] then return end
  if class == "septet" and api.is_module("septet." .. name) then return end
  local known = api.member_names(class)
  if not next(known) or owner.module and is_there(class, name) then return end
  for _, field in ipairs(owner.class and api.fields(class) or {}) do
    if field.name == name then return end
    known[field.name] = true
  end
  local near = hint(class, name, known)
  -- An object may have fields that are nil, and which its class does not list.
  if owner.class and near == "" then return end
  report(at, "%s has no '%s'%s", class, name, near)
end

-- Reports a field that a library of Lua does not have, if another one is near. Other libraries may
-- add fields.
local function check_lua(report, library, name, at, added)
  local values = load "return _G"()[library]
  if type(values) ~= "table" or library == "_G" or values[name] ~= nil then return end
  local near = args.hint(name, values)
  if near == "" or name:sub(1, 1) == "_" or added[library .. "." .. name] then return end
  report(at, "Lua's '%s' has no '%s'%s", library, name, near)
end

-- Reports a module of Septet that is not there.
local function check_require(report, node)
  local argument = types.called_of_lua(node) == "require" and #node.arguments == 1
    and tree.bare(node.arguments[1])
  local name = argument and argument.tag == "String" and argument.value
  -- Those with two dots are private, or a script's own.
  local last = name and name:match "^septet%.([%w_]+)$"
  if not last or api.is_module(name) then return end
  local near = args.hint(last, api.modules()):gsub("'(.*)'", "'septet.%1'")
  if near ~= "" then report(argument.at, "there is no module '%s'%s", name, near) end
end

--- Reports names that what they are read from does not have.
function rule.check(file, report)
  local added = {} -- fields that the file itself gives to libraries, or asks for
  for name in pairs(file.tested) do added[name] = true end
  tree.walk(file.tree, { Assign = function(node)
    for _, target in ipairs(node.targets) do
      local known = target.tag == "Index" and types.of(target)
      if known and known.lua then added[known.lua] = true end
      local owner = target.tag == "Index" and target.key.tag == "String" and types.of(target.object)
      if owner and owner.module then added[owner.module .. "." .. target.key.value] = true end
      target.is_target = true
    end
  end })
  tree.walk(file.tree, {
    Index = function(node)
      if node.key.tag ~= "String" then return end
      local owner = types.of(node.object)
      if not owner then return end
      if owner.lua and node.object.tag == "Name" then
        check_lua(report, owner.lua, node.key.value, node.key.at, added)
      elseif owner.module or owner.class and not node.is_target then
        check_member(report, owner, node.key.value, node.key.at, added)
      end
    end,
    Call = function(node) check_require(report, node) end,
    Invoke = function(node)
      local owner = types.of(node.object)
      if owner and owner.class then
        check_member(report, owner, node.name, node.name_at, added)
      end
    end,
  })
end

return rule
