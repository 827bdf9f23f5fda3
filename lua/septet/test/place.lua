-- SPDX-License-Identifier: MIT
-- The line of a script from which something of ours was called.
local place = {}

--- Returns "file:line" of the innermost function on the stack that is not ours, or "?".
---@return string
function place.of_script()
  local level = 2
  local where = debug.getinfo(level, "Sl")
  while where and (where.currentline <= 0 or where.source:sub(1, 9) == "=[septet.") do
    level = level + 1
    where = debug.getinfo(level, "Sl")
  end
  return where and ("%s:%d"):format(where.short_src, where.currentline) or "?"
end

return place
