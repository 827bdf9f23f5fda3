-- SPDX-License-Identifier: MIT
-- Names that a script asks for before it uses them, as in `table.unpack or unpack`. It knows that
-- they may be missing.
local tested = {}

local tree = require "septet.check.tree"
local types = require "septet.check.types"

-- What a name is compared with to see whether it is set.
local PLAIN <const> = { Nil = true, True = true, False = true }

--- Returns the set of the globals of a tree, of their fields such as "package.loaders", and of
--- fields of modules such as "septet.sync.queue", that are conditions, operands of `and`, `or` and
--- `not`, compared with nil, true or false, or an argument of type().
---@param root septet.check.Node
---@return table<string, boolean>
function tested.names(root)
  local names = {}
  local function add(node)
    node = node and tree.bare(node)
    local known = node and (node.tag == "Name" or node.tag == "Index") and types.of(node)
    if known and known.lua then names[known.lua] = true end
    -- Of a module of Septet: the field is asked for in another version of it.
    local owner = node and node.tag == "Index" and types.of(node.object)
    if owner and owner.module and node.key.tag == "String" then
      names[owner.module .. "." .. node.key.value] = true
    end
  end
  local function condition(node) add(node.condition) end
  tree.walk(root, {
    Clause = condition, While = condition, Repeat = condition,
    Unary = function(node) if node.operator == "not" then add(node.operand) end end,
    Binary = function(node)
      local operator = node.operator
      local with_nil = (operator == "==" or operator == "~=")
        and (PLAIN[node.left.tag] or PLAIN[node.right.tag])
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
