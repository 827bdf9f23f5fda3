-- SPDX-License-Identifier: MIT
-- Planted: a variable without its `local`.
local function count(list)
  n = 0 -- 4:3 global-in-function
  for _ in ipairs(list) do n = n + 1 end
  return n
end
return count
