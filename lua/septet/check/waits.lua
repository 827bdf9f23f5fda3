-- SPDX-License-Identifier: MIT
-- Which calls wait: those of the API that are marked so, and calls of functions that do.
local waits = {}

local api = require "septet.check.api"
local tree = require "septet.check.tree"
local types = require "septet.check.types"

-- Functions of Lua that call their first argument, and can be waited across.
local PASSES <const> = { pcall = true, xpcall = true }

-- Returns what the call of an expression waits for, as a message has it; nil if that is not known.
local function waiting_value(node)
  local known = types.of(node)
  if known and known.member then return known.member.async and known.member.name or nil end
  local fn = types.function_of(node)
  if not fn then return nil end
  local _, name = waits.first(fn)
  return name and node.tag == "Name" and node.name or name
end

-- Returns what a call waits for, or nil.
local function waiting_call(node)
  if node.tag == "Invoke" then
    local member = types.called(node)
    if member then return member.async and member.name or nil end
    -- Of an unknown object: a method that waits whatever it is called on.
    return node.name == "await" and api.always_waits "await" and "await" or nil
  end
  local lua = types.called_of_lua(node)
  if lua and PASSES[lua] then return node.arguments[1] and waiting_value(node.arguments[1]) end
  return waiting_value(node.callee)
end

--- Returns the first call in a function that waits, and what it waits for. Functions in it count
--- where they are called.
---@param fn septet.check.Node
---@return septet.check.Node|nil
---@return string|nil
function waits.first(fn)
  if fn.first_wait ~= nil then return fn.first_wait or nil, fn.waits_for end
  fn.first_wait = false -- for one that calls itself
  local function call(node)
    if fn.first_wait or node.owner ~= fn then return end
    local name = waiting_call(node)
    if name then fn.first_wait, fn.waits_for = node, name end
  end
  tree.walk(fn.body, { Call = call, Invoke = call })
  return fn.first_wait or nil, fn.waits_for
end

--- Returns what an expression, once it is called, waits for; nil if that is not known.
waits.of_value = waiting_value

return waits
