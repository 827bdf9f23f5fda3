-- SPDX-License-Identifier: MIT
-- Groups and pools without a function that are not `<close>`: they end with the block around them,
-- which cancels their tasks.
local rule = { name = "close-missing" }

local tree = require "septet.check.tree"
local types = require "septet.check.types"

-- The parameter of their function.
local OPENERS <const> = { ["task.group"] = 1, ["task.pool"] = 2 }

-- Returns the name of the function that opens a block until a variable is closed, or nil.
local function opener(node)
  local bare = tree.bare(node)
  local member = bare.tag == "Call" and types.called(bare)
  local parameter = member and OPENERS[member.name]
  return parameter and #bare.arguments < parameter and member.name or nil
end

--- Reports those that a variable without `<close>`, or none, holds.
function rule.check(file, report)
  tree.walk(file.tree, {
    Local = function(node)
      for i, value in ipairs(node.values) do
        local name = opener(value)
        local variable = node.names[i]
        if name and variable and variable.attribute ~= "close" then
          report(variable.at, "'%s' without a function: 'local %s <close>' is missing", name,
            variable.name)
        end
      end
    end,
    CallStatement = function(node)
      local name = opener(node.call)
      if name then report(node.at, "'%s' needs a function, or a <close> variable", name) end
    end,
  })
end

return rule
