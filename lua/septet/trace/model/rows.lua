-- SPDX-License-Identifier: MIT
-- Rows of a picture: the lowest that is free, found by heaps.
local rows = {}

local function heap_push(heap, key, value)
  local i = #heap + 1
  while i > 1 do
    local above = i // 2
    if heap[above].key <= key then break end
    heap[i] = heap[above]
    i = above
  end
  heap[i] = { key = key, value = value }
end

local function heap_pop(heap)
  local top, last = heap[1], heap[#heap]
  heap[#heap] = nil
  local n, i = #heap, 1
  if n == 0 then return top end
  while 2 * i <= n do
    local below = 2 * i
    if below < n and heap[below + 1].key < heap[below].key then below = below + 1 end
    if heap[below].key >= last.key then break end
    heap[i] = heap[below]
    i = below
  end
  heap[i] = last
  return top
end

-- Returns a set of rows from `first`, all free.
function rows.new(first)
  return { free = {}, next = first }
end

-- Returns the lowest free row, and takes it.
function rows.take(set)
  local free = heap_pop(set.free)
  if free then return free.key end
  set.next = set.next + 1
  return set.next - 1
end

function rows.give_back(set, row)
  heap_push(set.free, row, true)
end

-- Gives each item, by start, the lowest row from `first` that is free. Returns the next row.
function rows.assign(items, first)
  local set, taken = rows.new(first), {}
  for _, item in ipairs(items) do
    while taken[1] and taken[1].key <= item.start do
      rows.give_back(set, heap_pop(taken).value)
    end
    item.lane = rows.take(set)
    heap_push(taken, item.finish, item.lane)
  end
  return set.next
end

return rows
