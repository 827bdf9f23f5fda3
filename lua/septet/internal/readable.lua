-- SPDX-License-Identifier: MIT
-- Readers of any kind, as objects with a method `read`.
local readable = {}

--- Returns true if an object has a method `read`. The files of Lua's own `io` have one that blocks.
---@param value any
---@return boolean
function readable.check(value)
  if type(value) ~= "userdata" and type(value) ~= "table" or io.type(value) then return false end
  local ok, read = pcall(function() return value.read end)
  return ok and type(read) == "function"
end

return readable
