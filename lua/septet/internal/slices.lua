-- SPDX-License-Identifier: MIT
-- Computations on large texts in slices, between which other tasks run.
local core = require "septet.core"

local slices = {}

local SIZE <const> = 256 * 1024 -- bytes that each function below handles in a few milliseconds
local MANY <const> = 2000 -- items that are compared in as long

--- Calls fn(first, last) for each slice of a text. Pauses between them.
---@async
---@param text string
---@param fn fun(first: integer, last: integer)
---@param size integer|nil bytes of a slice; 256 KiB
function slices.each(text, fn, size)
  size = size or SIZE
  for first = 1, #text, size do
    if first > 1 then core.pause() end
    fn(first, math.min(first + size - 1, #text))
  end
end

--- Returns the results of fn(slice) for each slice of a text, joined. Pauses between them.
---@async
---@param text string
---@param fn fun(slice: string): string
---@param size integer|nil bytes of a slice; 256 KiB
---@return string
function slices.map(text, fn, size)
  if #text <= (size or SIZE) then return fn(text) end
  local out = {}
  slices.each(text, function(first, last) out[#out + 1] = fn(text:sub(first, last)) end, size)
  return core.join(out)
end

-- Merges the sorted runs of `from` that begin at `first` and `middle`, the second up to `last`.
local function merge(from, to, first, middle, last, is_less)
  local a, b = first, middle
  for i = first, last do
    if i % MANY == 0 then core.pause() end
    if b > last or a < middle and not is_less(from[b], from[a]) then
      to[i], a = from[a], a + 1
    else
      to[i], b = from[b], b + 1
    end
  end
end

--- Returns a list sorted: equal items keep their order. Pauses between slices.
---@async
---@generic T
---@param list T[]
---@param is_less fun(a: T, b: T): boolean
---@return T[]
function slices.sorted(list, is_less)
  local from, to, n, width = list, {}, #list, 1
  while width < n do
    for first = 1, n, 2 * width do
      local middle = math.min(first + width, n + 1)
      merge(from, to, first, middle, math.min(first + 2 * width - 1, n), is_less)
    end
    from, to, width = to, from == list and {} or from, 2 * width
  end
  return from
end

return slices
