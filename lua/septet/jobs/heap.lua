-- SPDX-License-Identifier: MIT
-- A binary heap of { first, second, job }: the least `first` on top, and of these the least
-- `second`. An entry that its job has left is dropped later.
---@class septet.jobs.Heap
local Heap = {}
Heap.__index = Heap

local SPARE <const> = 64 -- stale entries that are not worth a sweep

local function before(a, b)
  if a[1] ~= b[1] then return a[1] < b[1] end
  return a[2] < b[2]
end

--- Returns an empty heap.
---@param is_current fun(entry: table): boolean whether the entry's job is still in its place
---@return septet.jobs.Heap
function Heap.new(is_current)
  return setmetatable({ n = 0, is_current = is_current }, Heap)
end

local function sink(self, i, entry)
  local n = self.n
  while 2 * i <= n do
    local child = 2 * i
    if child < n and before(self[child + 1], self[child]) then child = child + 1 end
    if not before(self[child], entry) then break end
    self[i], i = self[child], child
  end
  self[i] = entry
end

-- Drops the entries that their jobs have left.
local function sweep(self)
  local n, is_current = 0, self.is_current
  for i = 1, self.n do
    local entry = self[i]
    if is_current(entry) then
      n = n + 1
      self[n] = entry
    end
  end
  for i = n + 1, self.n do self[i] = nil end
  self.n = n
  for i = n // 2, 1, -1 do sink(self, i, self[i]) end
end

--- Adds an entry. `most` is the number of jobs that may have one.
---@param entry table
---@param most integer
function Heap:push(entry, most)
  if self.n > 2 * most + SPARE then sweep(self) end
  local i = self.n + 1
  self.n = i
  while i > 1 and before(entry, self[i // 2]) do
    self[i], i = self[i // 2], i // 2
  end
  self[i] = entry
end

--- Removes the entry on top.
function Heap:pop()
  local n = self.n
  local last = self[n]
  self[n], self.n = nil, n - 1
  if n > 1 then sink(self, 1, last) end
end

--- Returns the first job that is still in its place, and what it is ordered by; nil if there is
--- none.
---@return table|nil job
---@return number|nil first
function Heap:first()
  local entry = self[1]
  while entry and not self.is_current(entry) do
    self:pop()
    entry = self[1]
  end
  if entry then return entry[3], entry[1] end
end

return Heap
