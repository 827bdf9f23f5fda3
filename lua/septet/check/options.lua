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

--- Calls visit(field, known, what) for each named field of each table of options: its node, the
--- types of the known options by their names, and the name of the function that takes them.
---@param root septet.check.Node
---@param visit fun(field: septet.check.Node, known: table<string, string>, what: string)
function options.each(root, visit)
  local function call(node)
    local member = types.called(node)
    if not member or not member.signature then return end
    types.each_argument(node, member, function(argument, parameter)
      if argument.tag == "Table" then visit_table(argument, parameter.type, member.name, visit) end
    end)
  end
  tree.walk(root, { Call = call, Invoke = call })
end

return options
