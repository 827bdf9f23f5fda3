-- SPDX-License-Identifier: MIT
-- The tables of options that a file writes out for calls of the API, and what is known of them.
local options = {}

local api = require "septet.check.api"
local signature = require "septet.check.signature"
local tree = require "septet.check.tree"
local types = require "septet.check.types"

-- Returns the known options of a type by name: their types. Returns nil if other tables are
-- accepted as well, as in the place of an object.
local function known_of(text)
  local found
  for _, kind in ipairs((signature.alternatives(text))) do
    local fields = api.fields(kind)
    if fields and not api.has_methods(kind) then
      found = found or {}
      for _, field in ipairs(fields) do found[field.name] = field.type end
    elseif kind:find "^{%s*[%a_]" then
      found = found or {}
      for _, field in ipairs(signature.fields(kind)) do found[field.name] = field.type end
    elseif kind == "any" or kind:find "^table" or kind:find "^{" or kind:find "%[%]$"
      or kind:find "^septet%." then
      return nil
    end
  end
  return found
end

-- Visits the fields of a table, and those of the tables in it.
local function visit_table(node, text, what, visit)
  local known = known_of(text)
  if not known then return end
  for _, field in ipairs(node.fields) do
    local key = field.key
    if key and key.tag == "String" then
      visit(field, known, what)
      local value = tree.bare(field.value)
      if known[key.value] and value.tag == "Table" then
        visit_table(value, known[key.value], what, visit)
      end
    end
  end
end

-- Returns the table that an argument is: one that is written out, or the value of a variable that
-- nothing can change. It is read as an option or by a field only.
local function table_of(argument, harmless)
  if argument.tag == "Table" then return argument end
  local variable = argument.tag == "Name" and argument.variable
  local value = variable and variable.value and not variable.result and tree.bare(variable.value)
  if not value or value.tag ~= "Table" or variable.writes > 0 then return nil end
  return harmless[variable] == variable.reads and value or nil
end

-- Calls visit(member, argument, parameter) for each argument of each call of the API, also of those
-- that another function makes.
local function each_argument(root, visit)
  local function call(node)
    for _, made in ipairs { node, types.passed_call(node) } do
      local member = types.called(made)
      if member and member.signature then
        types.each_argument(made, member, function(argument, parameter)
          visit(member, argument, parameter)
        end)
      end
    end
  end
  tree.walk(root, { Call = call, Invoke = call })
end

-- Returns for each variable how often it is read without being changed.
local function count_harmless(root)
  local harmless = {}
  local function count(node)
    if node.tag == "Name" and node.variable then
      harmless[node.variable] = (harmless[node.variable] or 0) + 1
    end
  end
  each_argument(root, function(_, argument) count(argument) end)
  local targets = {}
  tree.walk(root, {
    Assign = function(node)
      for _, target in ipairs(node.targets) do targets[target] = true end
    end,
    Index = function(node)
      if not targets[node] then count(tree.bare(node.object)) end
    end,
  })
  return harmless
end

--- Calls visit(field, known, what) for each named field of each table of options: its node, the
--- types of the known options by their names, and the name of the function that takes them.
---@param root septet.check.Node
---@param visit fun(field: septet.check.Node, known: table<string, string>, what: string)
function options.each(root, visit)
  local harmless, seen = count_harmless(root), {}
  each_argument(root, function(member, argument, parameter)
    local given = table_of(argument, harmless)
    if not given or seen[given] then return end
    seen[given] = true
    visit_table(given, parameter.type, member.name, visit)
  end)
end

return options
