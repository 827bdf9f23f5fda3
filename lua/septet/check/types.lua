-- SPDX-License-Identifier: MIT
-- What an expression is, as far as that is certain: a module or an object of the API, one of its
-- functions, or a function of Lua. A variable counts if nothing is assigned to it later.
local types = {}

local api = require "septet.check.api"
local signature = require "septet.check.signature"
local tree = require "septet.check.tree"

---@class septet.check.Type
---@field module string|nil "septet.task"
---@field class string|nil "septet.Session"
---@field member septet.check.Member|nil a function, method or field of a module or an object
---@field owner septet.check.Type|nil whose member it is
---@field lua string|nil "table.sort": a global, or a field of one
---@field text string|nil any other type

local DEPTH <const> = 40 -- of variables that are made of others

local of

-- Returns the type that an annotation means. An iterator that has methods is of both its types.
local function type_of_text(text)
  if not text then return nil end
  local found, known = signature.alternatives(text), {}
  for _, one in ipairs(found) do
    local key = api.is_class(one) and "class" or "text"
    if known[key] or #found > 1 and key == "text" and not one:find "^fun%(" then return nil end
    known[key] = one
  end
  return next(known) and known
end

-- Returns the type of the items of a list, or nil.
local function item_of(list)
  return list and list.text and type_of_text(list.text:match "^%(?(.-)%)?%[%]$")
end

-- Returns the type of a field of something.
local function field_of(owner, name)
  if owner.lua then return { lua = owner.lua .. "." .. name } end
  local class = owner.module or owner.class
  if class == "septet" and api.is_module("septet." .. name) then
    return { module = "septet." .. name }
  end
  local member = class and api.member(class, name)
  if not member then return nil end
  local known = member.kind == "field" and type_of_text(member.type) or {}
  known.member, known.owner = member, owner
  return known
end

-- Returns the module that a call loads, or nil.
local function required(callee, arguments)
  local is_require = callee.lua == "require"
    or callee.member and callee.member.name == "task.require"
  local name = is_require and #arguments == 1 and tree.bare(arguments[1])
  if name and name.tag == "String" and (api.is_module(name.value) or name.value == "septet") then
    return { module = name.value }
  end
end

-- Returns the type of a call's result.
local function result_of(node, result, depth)
  if node.tag == "Call" then
    local callee = of(node.callee, depth)
    if not callee then return nil end
    local module = required(callee, node.arguments)
    if module then return module end
    if callee.lua == "assert" and result == 1 and node.arguments[1] then
      return of(node.arguments[1], depth)
    end
  end
  local member = types.called(node, depth)
  return member and member.signature and type_of_text(member.signature.returns[result])
end

function of(node, depth)
  depth = (depth or 0) + 1
  if depth > DEPTH then return nil end
  node = tree.bare(node)
  if node.tag == "Name" then
    local variable = node.variable
    if not variable then return not node.environment and { lua = node.name } or nil end
    if variable.type then return type_of_text(variable.type) end
    if variable.writes > 0 or not variable.value then return nil end
    local value = tree.bare(variable.value)
    if value.tag == "Call" or value.tag == "Invoke" then
      return result_of(value, variable.result or 1, depth)
    end
    return not variable.result and of(value, depth) or nil
  elseif node.tag == "Index" and node.key.tag == "String" then
    local owner = of(node.object, depth)
    return owner and field_of(owner, node.key.value)
  elseif node.tag == "Index" and node.key.tag == "Number" then
    return item_of(of(node.object, depth))
  elseif node.tag == "Call" or node.tag == "Invoke" then
    return result_of(node, 1, depth)
  end
end

--- Returns what is known of an expression, or nil.
---@param node septet.check.Node
---@return septet.check.Type|nil
function types.of(node) return of(node) end

--- Returns the function or method of the API that a call calls, or nil.
---@param node septet.check.Node
---@return septet.check.Member|nil
function types.called(node, depth)
  if node.tag == "Call" then
    local callee = of(node.callee, depth)
    return callee and callee.member
  end
  local owner = of(node.object, depth)
  local class = owner and (owner.class or owner.module)
  return class and api.member(class, node.name)
end

--- Returns the name of the function of Lua that a call calls, such as "table.sort", or nil. What is
--- called as a method of something unknown counts if strings alone have it.
---@return string|nil
function types.called_of_lua(node)
  if node.tag == "Call" then
    local callee = of(node.callee)
    return callee and callee.lua
  end
  return node.name == "gsub" and not of(node.object) and "string.gsub" or nil
end

--- Returns the function that an expression is, if it is written in the file.
---@return septet.check.Node|nil
function types.function_of(node)
  for _ = 1, DEPTH do
    node = tree.bare(node)
    if node.tag == "Function" then return node end
    local variable = node.tag == "Name" and node.variable
    if not variable or variable.writes > 0 or variable.result or not variable.value then
      return nil
    end
    node = variable.value
  end
end

--- Returns the index of the parameter that the first argument of a call is.
local function first_parameter(node, member)
  return node.tag == "Call" and member.kind == "method" and 0 or 1
end

-- Lua's functions that call one of their arguments with those behind others.
local CALLS <const> = { pcall = { 1, 2 }, xpcall = { 1, 3 } }

-- Returns the index of the function that a call passes on with arguments of its own, and that of
-- the first of these; or nil.
local function passed_at(node)
  local own = node.tag == "Call" and CALLS[types.called_of_lua(node)]
  if own then return own[1], own[2] end
  local member = types.called(node)
  local known = member and member.signature
  local last = known and known.is_vararg and #known.parameters or 0
  local kind = last > 0 and known.parameters[last].type or ""
  if kind ~= "function" and not kind:find "^fun%(" and not kind:find "^async fun%(" then return end
  local at = last - first_parameter(node, member) + 1
  return at, at + 1
end

--- Returns the call that a call makes, as http.get(url) in pcall(http.get, url); or nil.
---@param node septet.check.Node
---@return septet.check.Node|nil
function types.passed_call(node)
  local at, from = passed_at(node)
  local callee = at and node.arguments[at]
  if not callee then return nil end
  return { tag = "Call", at = callee.at, callee = callee,
    arguments = table.move(node.arguments, from, #node.arguments, 1, {}) }
end

--- Calls visit(argument, parameter) for each argument of a call of the API.
function types.each_argument(node, member, visit)
  local first = first_parameter(node, member)
  for i, argument in ipairs(node.arguments) do
    local parameter = member.signature.parameters[first + i - 1]
    if parameter then visit(tree.bare(argument), parameter) end
  end
end

-- Gives the parameters of a function the types that its caller calls it with.
local function type_parameters(argument, parameter)
  if argument.tag ~= "Function" then return end
  for _, kind in ipairs((signature.alternatives(parameter.type))) do
    local called = signature.parse(kind)
    for i, given in ipairs(called and called.parameters or {}) do
      local own = argument.parameters[i]
      if own and own.variable.writes == 0 then own.variable.type = given.type end
    end
  end
end

-- Returns the list that a loop goes through by ipairs, or nil.
local function listed(value)
  local callee = value.tag == "Call" and of(value.callee)
  return callee and callee.lua == "ipairs" and #value.arguments == 1 and of(value.arguments[1])
end

-- Gives the variables of a loop the types that its iterator returns.
local function type_loop(node)
  local value = #node.values == 1 and tree.bare(node.values[1])
  local list = value and node.names[2] and listed(value)
  if list and list.text and node.names[2].variable.writes == 0 then
    node.names[2].variable.type = list.text:match "^%(?(.-)%)?%[%]$"
  end
  local iterator = value and of(value)
  local called = iterator and iterator.text and signature.parse(iterator.text)
  for i, name in ipairs(called and node.names or {}) do
    if name.variable.writes == 0 then name.variable.type = called.returns[i] end
  end
end

--- Notes the types of parameters and loop variables of a tree.
---@param root septet.check.Node
function types.prepare(root)
  local function call(node)
    local member = types.called(node)
    if member and member.signature then
      types.each_argument(node, member, type_parameters)
    end
  end
  tree.walk(root, { Call = call, Invoke = call, ForIn = type_loop })
end

return types
