-- SPDX-License-Identifier: MIT
-- How much of the bodies of requests the trace records: as much as anything asks for.
local core = require "septet.core"

local bodies = {}

local asked = {} -- set of { max = bytes }

local function apply()
  local max = 0
  for one in pairs(asked) do max = math.max(max, one.max) end
  core.trace_bodies(max)
end

--- Asks for up to `max` bytes of each body of later requests, at level 3. Returns a function that
--- ends it.
---@param max integer
---@return fun()
function bodies.ask(max)
  local one = { max = max }
  asked[one] = true
  apply()
  return function()
    asked[one] = nil
    apply()
  end
end

return bodies
