-- SPDX-License-Identifier: MIT
-- A binary heap of { first, second, job }: the least `first` on top, and of these the least
-- `second`.
---@class septet.jobs.Heap
local Heap = {}
Heap.__index = Heap

local function before(a, b)
  if a[1] ~= b[1] then return a[1] < b[1] end
  return a[2] < b[2]
end

function Heap.new() return setmetatable({ n = 0 }, Heap) end

function Heap:push(entry)
  local i = self.n + 1
  self.n = i
  while i > 1 and before(entry, self[i // 2]) do
    self[i], i = self[i // 2], i // 2
  end
  self[i] = entry
end

--- Returns the entry on top, or nil.
function Heap:top() return self[1] end

function Heap:pop()
  local n, top, entry = self.n, self[1], self[self.n]
  if n == 0 then return nil end
  self[n], self.n = nil, n - 1
  n = n - 1
  if n == 0 then return top end
  local i = 1
  while 2 * i <= n do
    local child = 2 * i
    if child < n and before(self[child + 1], self[child]) then child = child + 1 end
    if not before(self[child], entry) then break end
    self[i], i = self[child], child
  end
  self[i] = entry
  return top
end

return Heap
