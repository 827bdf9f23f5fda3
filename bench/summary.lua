-- SPDX-License-Identifier: MIT
-- What do a histogram and the summary of a run cost, per value and per record?
--
--     septet bench/summary.lua
local private = debug.getregistry()["septet.require"] -- of private modules
local summary = private "septet.trace.summary"
local task, trace = require "septet.task", require "septet.trace"

-- Returns the processor's seconds that fn takes.
local function seconds(fn, ...)
  local from = os.clock()
  fn(...)
  return os.clock() - from
end

local function least(fn, ...)
  local best = math.huge
  for _ = 1, 5 do best = math.min(best, seconds(fn, ...)) end
  return best
end

local function fill(h, values, times)
  for _ = 1, times do
    for i = 1, #values do h:record(values[i]) end
    task.sleep(0)
  end
end

local function turns(n)
  task.group(function(g)
    for _ = 1, 16 do
      g:spawn(function() for _ = 1, n do task.sleep(0) end end)
    end
  end)
  task.sleep(0.001) -- the records of the last turns are read
end

local values = {}
math.randomseed(7)
for i = 1, 1000 do values[i] = math.exp(math.random() * 10 - 8) end
local h = trace.histogram()
local filling = least(fill, h, values, 100)
print(("histogram:record       %8.0f ns"):format(filling / (100 * #values) * 1e9))
print(("histogram:percentile   %8.0f ns"):format(seconds(function()
  for _ = 1, 100 do h:percentile(99) end
end) / 100 * 1e9))

local without = least(turns, 2000)
local collector = summary.start()
local with = least(turns, 2000)
local records = collector.collected.totals.records / 5
print(("collecting a record    %8.0f ns"):format((with - without) / records * 1e9))
