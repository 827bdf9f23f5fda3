-- SPDX-License-Identifier: MIT
-- Calls that wait, in functions that C calls and that Lua cannot suspend.
local rule = { name = "cannot-wait" }

local signature = require "septet.check.signature"
local tree = require "septet.check.tree"
local types = require "septet.check.types"
local waits = require "septet.check.waits"

-- The arguments of Lua's functions that cannot wait, and what they are.
local CALLED <const> = {
  ["table.sort"] = { 2, "the comparison of table.sort" },
  ["string.gsub"] = { 3, "the replacement of string.gsub" },
  load = { 1, "the reader of load" },
  xpcall = { 2, "the message handler of xpcall" },
  ["debug.sethook"] = { 1, "a hook" },
}

-- Metamethods that C calls in each case. Lua itself calls the others, and can be suspended there.
local METAMETHODS <const> = { __gc = "a finalizer", __tostring = "'__tostring'" }

-- Parameters of the API, the functions of which run outside of tasks.
local OUTSIDE <const> = { ["trace.subscribe"] = "a subscriber of the trace" }

local HOOKS <const> = { ["septet.TraceHooks"] = true, ["septet.HostHooks"] = true }

-- Reports the first call that waits in a function, or the function itself if it is not of the file.
local function check(report, value, place)
  local fn = types.function_of(value)
  local call, name
  if fn then call, name = waits.first(fn) else name = waits.of_value(value) end
  if not name then return end
  -- A function that is written elsewhere is reported where it is passed.
  local at = call and tree.bare(value).tag == "Function" and call.at or value.at
  report(at, "cannot wait in %s: '%s' waits", place, name)
end

-- Checks each function in a table of hooks.
local function check_hooks(report, node)
  for _, field in ipairs(node.fields) do check(report, field.value, "a hook") end
end

local function check_call_of_api(report, node, member)
  types.each_argument(node, member, function(argument, parameter)
    if OUTSIDE[member.name] and argument.tag ~= "Table" then
      check(report, argument, OUTSIDE[member.name])
    elseif argument.tag == "Table" then
      if HOOKS[signature.alternatives(parameter.type)[1]] then check_hooks(report, argument) end
      for _, field in ipairs(argument.fields) do
        local value = tree.bare(field.value)
        local is_trace = field.key and field.key.tag == "String" and field.key.value == "trace"
        if is_trace and value.tag == "Table" then check_hooks(report, value) end
      end
    end
  end)
end

local function check_metamethod(report, key, value)
  local place = key and key.tag == "String" and METAMETHODS[key.value]
  if place then check(report, value, place) end
end

--- Reports calls that would raise "cannot wait here".
function rule.check(file, report)
  local function call(node)
    local member = types.called(node)
    if member then
      return member.signature and check_call_of_api(report, node, member)
    end
    local called = CALLED[types.called_of_lua(node)]
    -- A method has its first argument before the colon.
    local at = called and called[1] - (node.tag == "Invoke" and 1 or 0)
    if called and node.arguments[at] then check(report, node.arguments[at], called[2]) end
  end
  tree.walk(file.tree, {
    Call = call,
    Invoke = call,
    Field = function(node) check_metamethod(report, node.key, node.value) end,
    Assign = function(node)
      for i, target in ipairs(node.targets) do
        local value = node.values[i]
        local known = value and target.tag == "Index" and types.of(target)
        if known and known.member and known.member.name == "task.on_unhandled" then
          check(report, value, "task.on_unhandled")
        elseif value and target.tag == "Index" then
          check_metamethod(report, target.key, value)
        end
      end
    end,
  })
end

return rule
