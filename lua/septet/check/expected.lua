-- SPDX-License-Identifier: MIT
-- Functions that are there for their errors, as in `raises(function() task.sleep "x" end)`: what is
-- written out as an argument of a function, the name of which says so.
local expected = {}

local tree = require "septet.check.tree"

-- Returns true if a name is that of a function which expects an error, as those of test runners do:
-- raises, misuse, has_error, assert_error, to_throw. A function on_error() wants to be called.
local function expects_error(name)
  local plain = name:lower()
  return not plain:find "^on" and plain ~= "error"
    and (plain:find "raise" or plain:find "error" or plain:find "throw" or plain:find "misuse")
end

-- Returns the last name of what is called: `error` of assert.error().
local function called_name(node)
  if node.tag == "Invoke" then return node.name end
  local callee = tree.bare(node.callee)
  if callee.tag == "Index" then return callee.key.tag == "String" and callee.key.value end
  return callee.name
end

--- Returns the ranges of such functions in a tree: lists of the first and the last byte.
---@param root septet.check.Node
---@return { [1]: integer, [2]: integer }[]
function expected.ranges(root)
  local ranges = {}
  local function add(node)
    for _, argument in ipairs(node.arguments) do
      if argument.tag == "Function" then ranges[#ranges + 1] = { argument.at, argument.stop } end
    end
  end
  local function call(node)
    local name = called_name(node)
    if not name or not expects_error(name) then return end
    add(node)
    -- expect(function() … end).to_raise(): the function is an argument further left.
    local object = node.object or tree.bare(node.callee).object
    while object do
      object = tree.bare(object)
      if object.tag == "Call" then add(object) end
      object = object.object
    end
  end
  tree.walk(root, { Call = call, Invoke = call })
  return ranges
end

return expected
