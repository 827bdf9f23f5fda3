--- What the Lua that is linked gets right. Answers come from trying, not from version numbers: distributions
--- carry fixes.
local probe = {}

local closes_loops

--- Is the closing value of a generic `for` closed when the loop is left by `break` and its body made a closure? The
--- compiler of 5.4.4 gets that wrong; where it does, our iterators have no closing value, and what they hold is
--- given back when the scope around the loop ends.
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

--- Lines on it for people.
---@return string
function probe.words()
  if probe.closes_loops() then
    return "generic for: closed on break; loops over generators and as_completed are closed where they are left"
  end
  return "generic for: not closed on break (Lua before 5.4.6); loops over generators and as_completed are closed "
    .. "where the block around them ends"
end

return probe
