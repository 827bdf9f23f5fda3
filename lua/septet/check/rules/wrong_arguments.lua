-- SPDX-License-Identifier: MIT
-- Calls of the API with too many or too few arguments, with a literal of a wrong type, or with a
-- task twice in a list.
local rule = { name = "wrong-arguments" }

local api = require "septet.check.api"
local signature = require "septet.check.signature"
local tree = require "septet.check.tree"
local types = require "septet.check.types"

local OPEN <const> = { Call = true, Invoke = true, Vararg = true }

-- Returns the number of arguments that a call needs.
local function least(parameters)
  for i = #parameters, 1, -1 do
    local parameter = parameters[i]
    if not parameter.is_optional and parameter.type ~= "any" then return i end
  end
  return 0
end

local function check_count(report, node, member)
  local known, given = member.signature, #node.arguments
  local last = node.arguments[given]
  local is_open = last and OPEN[last.tag]
  local most, needed = #known.parameters, least(known.parameters)
  if not known.is_vararg and given > most then
    local surplus = node.arguments[most + 1]
    if surplus.tag == "Nil" or given == most + 1 and is_open then return end
    report(surplus.at, "too many arguments for '%s', which takes %d", member.name, most)
  elseif given < needed and not is_open then
    report(node.at, "'%s' needs '%s'", member.name, known.parameters[given + 1].name)
  end
end

local function check_types(report, node, member)
  types.each_argument(node, member, function(argument, parameter)
    local given = signature.mismatch(parameter.type, argument, api.is_class)
    -- Lua turns numbers into strings, and some functions let it.
    if not given or argument.tag == "Number" and parameter.type:find "string" then return end
    report(argument.at, "bad '%s' for '%s': %s expected, got %s", parameter.name, member.name,
      signature.shown(parameter.type), given)
  end)
end

local LISTS <const> = { ["task.gather"] = true, ["task.race"] = true, ["task.wait"] = true,
  ["task.as_completed"] = true }

-- Reports a task that a list has twice, as if it would run once more.
local function check_list(report, node, member)
  local list = LISTS[member.name] and node.arguments[1] and tree.bare(node.arguments[1])
  local seen = {}
  for _, field in ipairs(list and list.tag == "Table" and list.fields or {}) do
    local value = tree.bare(field.value)
    local known = value.tag == "Name" and value.variable and types.of(value)
    if known and known.class == "septet.Task" then
      if seen[value.variable] then
        report(value.at, "the task '%s' is in the list twice, and runs once", value.name)
      end
      seen[value.variable] = true
    end
  end
end

--- Reports these.
function rule.check(file, report)
  local function call(node)
    local member = types.called(node)
    if not member or not member.signature or member.kind == "field" then return end
    -- Of a wrong mark, another rule speaks.
    local is_dotted = node.tag == "Call" and member.kind == "method"
    local is_module = node.tag == "Invoke" and member.kind == "function"
    if is_dotted or is_module then return end
    check_count(report, node, member)
    check_types(report, node, member)
    check_list(report, node, member)
  end
  tree.walk(file.tree, { Call = call, Invoke = call })
end

return rule
