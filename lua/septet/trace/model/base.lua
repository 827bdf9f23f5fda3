-- SPDX-License-Identifier: MIT
-- What the parts of the model share: numbers that no event can make invalid, and lists.
local base = {}

local floor, max, min = math.floor, math.max, math.min

base.LATEST = 9e9 -- seconds; nanoseconds fit into an integer

-- The value of each list that has no element. Readers cannot tell it from a list of their own.
local NONE = setmetatable({}, { __newindex = function() error "this list is shared" end })
base.NONE = NONE

-- Returns a number of seconds in the range of the model.
function base.seconds(value, default)
  if type(value) ~= "number" or value ~= value then return default or 0 end
  return max(0, min(value, base.LATEST))
end

-- Returns whole nanoseconds.
function base.ns(value)
  return floor(value * 1e9 + 0.5)
end

-- Appends to a list of `owner`.
function base.append(owner, field, item)
  local list = owner[field]
  if list == NONE then
    list = {}
    owner[field] = list
  end
  list[#list + 1] = item
end

-- Sorts by start, and keeps the order of those that start together.
function base.sort_by_start(list)
  local sorted, before = true, nil
  local order = {}
  for i, item in ipairs(list) do
    order[item] = i
    if before and before.start > item.start then sorted = false end
    before = item
  end
  if sorted then return end
  table.sort(list, function(a, b)
    if a.start ~= b.start then return a.start < b.start end
    return order[a] < order[b]
  end)
end

return base
