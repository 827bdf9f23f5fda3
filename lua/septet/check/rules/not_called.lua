-- SPDX-License-Identifier: MIT
-- Functions of the API that are used as values where their results were meant: t.status == "done".
-- Calls in the place of the functions that they call: task.spawn(work()).
local rule = { name = "not-called" }

local api = require "septet.check.api"
local tree = require "septet.check.tree"
local types = require "septet.check.types"

local ARITHMETIC <const> = { ["+"] = true, ["-"] = true, ["*"] = true, ["/"] = true, ["//"] = true,
  ["%"] = true, ["^"] = true, [".."] = true, ["<"] = true, [">"] = true, ["<="] = true,
  [">="] = true }

local LITERALS <const> = { String = true, Number = true }

-- Returns the function or method that an expression is, without being called.
local function uncalled(node)
  node = tree.bare(node)
  if node.tag ~= "Index" then return nil end
  local known = types.of(node)
  local member = known and known.member
  if not member or member.kind == "field" then return nil end
  return member.signature and node or nil, member
end

local function report_uncalled(report, node)
  local found, member = uncalled(node)
  if not found then return end
  -- What returns nothing and does not wait may be a value that the index takes for a function.
  if not member.async and member.kind ~= "method" and #member.signature.returns == 0 then return end
  report(found.key.at, "'%s' is a function, and is not called here", member.name)
end

-- Reports a method as a condition, which is always true.
local function check_condition(report, node)
  node = tree.bare(node)
  if node.tag == "Unary" and node.operator == "not" then
    return check_condition(report, node.operand)
  end
  local found, member = uncalled(node)
  if found and member.kind == "method" then report_uncalled(report, node) end
end

-- Returns true if the results of a function are never a function: it returns nothing.
local function returns_nothing(node)
  if node.tag ~= "Call" then return false end
  local fn = types.function_of(node.callee)
  if not fn then
    local member = types.called(node)
    return member ~= nil and member.signature ~= nil and #member.signature.returns == 0
      and not api.is_class(member.name)
  end
  for _, node_of_return in ipairs(fn.returns) do
    if #node_of_return.values > 0 then return false end
  end
  return true
end

--- Reports both.
function rule.check(file, report)
  local function call(node)
    local member = types.called(node)
    if not member or not member.signature then return end
    types.each_argument(node, member, function(argument, parameter)
      local wants = parameter.type == "function" or parameter.type:find "^fun%("
        or parameter.type:find "^async fun%("
      if wants and not parameter.is_optional and returns_nothing(argument) then
        report(argument.at, "'%s' of '%s' is called here, before '%s': pass the function and its "
          .. "arguments", parameter.name, member.name, member.name)
      end
    end)
  end
  local function condition(node) check_condition(report, node.condition) end
  tree.walk(file.tree, {
    Call = call, Invoke = call, Clause = condition, While = condition, Repeat = condition,
    Binary = function(node)
      local equals = node.operator == "==" or node.operator == "~="
      for _, side in ipairs { { node.left, node.right }, { node.right, node.left } } do
        if ARITHMETIC[node.operator] or equals and LITERALS[tree.bare(side[2]).tag] then
          report_uncalled(report, side[1])
        end
      end
    end,
  })
end

return rule
