-- SPDX-License-Identifier: MIT
--- Detects what the linked Lua does right. It tries features rather than compare versions, because
--- distributions backport fixes.
local probe = {}

local closes_loops

--- Returns true if the closing value of a generic `for` is closed when `break` leaves a loop with a
--- closure in its body. The compiler of 5.4.4 gets that wrong. Our iterators then have no closing
--- value, and the scope around the loop releases what they hold.
---@return boolean
function probe.closes_loops()
  if closes_loops ~= nil then return closes_loops end
  local closed = false
  local guard = setmetatable({}, { __close = function() closed = true end })
  local ok, after = pcall(function()
    for k in next, { 1 }, nil, guard do
      local _ = function() return k end
      break
    end
    return closed
  end)
  closes_loops = ok and after
  return closes_loops
end

--- Returns these findings in words.
---@return string
function probe.words()
  if probe.closes_loops() then
    return "generic for: closed on break; loops over generators and as_completed are closed where "
      .. "they are left"
  end
  return "generic for: not closed on break (Lua before 5.4.6); loops over generators and "
    .. "as_completed are closed where the block around them ends"
end

return probe
