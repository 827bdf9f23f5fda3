-- SPDX-License-Identifier: MIT
-- Statements that drop the only thing that a call is for: an iterator, an object that has to be
-- closed, a value that was asked for, the failures that were not to be raised.
local rule = { name = "dropped-result" }

local api = require "septet.check.api"
local signature = require "septet.check.signature"
local tree = require "septet.check.tree"
local types = require "septet.check.types"

-- Returns true if a table of options has `name = true`.
local function is_set(node, name)
  for _, field in ipairs(node and node.tag == "Table" and node.fields or {}) do
    if field.key and field.key.value == name and field.value.tag == "True" then return true end
  end
end

-- Returns why the result of a call should not be dropped, or nil.
local function reason(node, member)
  local returns = member.signature.returns[1]
  if member.name == "task.gather" and is_set(node.arguments[2], "settled") then
    return "with 'settled', the errors are in its result, which is dropped"
  elseif member.name == "task.try" then
    return "the error and its traceback are dropped"
  end
  local kind = returns and signature.alternatives(returns)[1]
  if not kind then return nil end
  if kind:find "^fun%(.*%):" or kind == "septet.Generator" then
    return "it returns an iterator, which is dropped: nothing happens without a loop"
  elseif api.is_class(kind) and api.member(kind, "close") and member.kind == "function" then
    return "what it opens is dropped, and cannot be closed"
  elseif kind == "septet.StreamedResponse" then
    return "the response is dropped, and its connection waits for a reader"
  elseif #node.arguments == 0 and #member.signature.parameters == 0 and not member.async
    and (kind == "number" or kind == "string") and api.text(member):find "^Returns" then
    return "its result is dropped, and it does nothing else"
  end
end

-- Returns the set of the statements that are all of a function which is passed to another one: such
-- a function, as in `raises(function() … end)`, is there for its error.
local function lone_statements(root)
  local lone = {}
  local function call(node)
    for _, argument in ipairs(node.arguments) do
      local statements = argument.tag == "Function" and argument.body.statements
      if statements and #statements == 1 then lone[statements[1]] = true end
    end
  end
  tree.walk(root, { Call = call, Invoke = call })
  return lone
end

--- Reports dropped results.
function rule.check(file, report)
  local lone = lone_statements(file.tree)
  tree.walk(file.tree, { CallStatement = function(node)
    local member = not lone[node] and types.called(node.call)
    if not member or not member.signature or member.kind == "field" then return end
    local why = reason(node.call, member)
    if why then report(node.call.at, "'%s': %s", member.name, why) end
  end })
end

return rule
