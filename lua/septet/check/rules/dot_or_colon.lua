-- SPDX-License-Identifier: MIT
-- Methods that are called with a dot, and functions of modules with a colon.
local rule = { name = "dot-or-colon" }

local api = require "septet.check.api"
local tree = require "septet.check.tree"
local types = require "septet.check.types"

-- Returns a name as a script calls it.
local function shown(node)
  node = tree.bare(node)
  return node.tag == "Name" and node.name or "…"
end

-- Returns true if the first argument may be the object: it is the same, or nothing is known of it.
local function passes_object(node, class)
  local first = node.arguments[1]
  if not first then return false end
  local known = types.of(first)
  if known then return known.class == nil or known.class == class end
  return first.tag == "Name" or first.tag == "Index" or first.tag == "Call"
    or first.tag == "Invoke" or first.tag == "Vararg"
end

--- Reports both.
function rule.check(file, report)
  tree.walk(file.tree, {
    Call = function(node)
      local callee = tree.bare(node.callee)
      if callee.tag ~= "Index" or callee.key.tag ~= "String" then return end
      local owner, name = types.of(callee.object), callee.key.value
      local member = owner and owner.class and api.member(owner.class, name)
      if member and member.kind == "method" and not passes_object(node, owner.class) then
        report(callee.key.at, "'%s' is a method: call it with a colon, as %s:%s(…)", name,
          shown(callee.object), name)
      end
    end,
    Invoke = function(node)
      local owner = types.of(node.object)
      local member = owner and owner.module and api.member(owner.module, node.name)
      if member and member.kind == "function" then
        report(node.name_at, "'%s' is a function: call it with a dot, as %s.%s(…)", node.name,
          shown(node.object), node.name)
      end
    end,
  })
end

return rule
