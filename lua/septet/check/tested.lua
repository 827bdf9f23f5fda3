-- SPDX-License-Identifier: MIT
-- Names that a script asks for before it uses them, as in `table.unpack or unpack`. It knows that
-- they may be missing.
local tested = {}

local tree = require "septet.check.tree"
local types = require "septet.check.types"

--- Returns the set of the globals of a tree, and of their fields such as "package.loaders", that
--- are conditions, operands of `and`, `or` and `not`, compared with nil, or an argument of type().
---@param root septet.check.Node
---@return table<string, boolean>
function tested.names(root)
  local names = {}
  local function add(node)
    node = node and tree.bare(node)
    local known = node and (node.tag == "Name" or node.tag == "Index") and types.of(node)
    if known and known.lua then names[known.lua] = true end
  end
  local function condition(node) add(node.condition) end
  tree.walk(root, {
    Clause = condition, While = condition, Repeat = condition,
    Unary = function(node) if node.operator == "not" then add(node.operand) end end,
    Binary = function(node)
      local operator = node.operator
      local with_nil = (operator == "==" or operator == "~=")
        and (node.left.tag == "Nil" or node.right.tag == "Nil")
      if with_nil or operator == "and" or operator == "or" then
        add(node.left)
        add(node.right)
      end
    end,
    Call = function(node)
      if types.called_of_lua(node) == "type" then add(node.arguments[1]) end
    end,
  })
  return names
end

return tested
