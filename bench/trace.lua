-- SPDX-License-Identifier: MIT
-- Does one kind of work with the trace off and at its levels, for trace.py, which counts on the
-- line that it prints for each mode: its name, and the CPU of a piece of work in nanoseconds, slice
-- by slice.
--
-- Run by bench_trace, with the globals below. The modes take turns in one process, each for a slice
-- of the work, so that a machine that gets slower favours none.
local http, task, trace = require "septet.http", require "septet.task", require "septet.trace"
-- luacheck: globals work n url slices modes level
local work, n, url, slices, level = work, tonumber(n), url, tonumber(slices), level

local function nothing() end

local session <close> = http.session { limit = 16, limit_per_host = 16 }

local works = {}

works["sleep(0)"] = function(count)
  task.group(function(g)
    for _ = 1, 2 do
      g:spawn(function() for _ = 1, count // 2 do task.sleep(0) end end)
    end
  end)
end

works["spawn+await"] = function(count)
  for _ = 1, count do task.spawn(nothing):await() end
end

works["GET"] = function(count)
  task.group(function(g)
    for _ = 1, 16 do
      g:spawn(function()
        for _ = 1, count // 16 do assert(session:get(url).status == 200) end
      end)
    end
  end)
end

-- Functions by mode: each begins it, and returns what ends it.
local begin = {}

local function at_level(number)
  return function()
    level(number)
    return nothing
  end
end

begin["off"], begin["1"], begin["2"] = at_level(0), at_level(1), at_level(2)

begin["file"] = function()
  local path = os.tmpname()
  local recording = trace.record(path)
  return function()
    recording:close()
    os.remove(path)
  end
end

begin["subscriber"] = function()
  return trace.subscribe(nothing, { level = 1 })
end

local spent = {}

local function run(mode)
  local stop = begin[mode]()
  local start = os.clock()
  works[work](n)
  stop()
  local list = spent[mode] or {}
  spent[mode] = list
  list[#list + 1] = ("%.2f"):format((os.clock() - start) / n * 1e9)
  collectgarbage()
end

local order = {}
for mode in modes:gmatch "[^,]+" do order[#order + 1] = mode end
works[work](n) -- the first one fills caches and pools
for slice = 1, slices do
  for i = 1, #order do
    run(order[slice % 2 == 0 and i or #order + 1 - i])
  end
end
for _, mode in ipairs(order) do
  print(mode, table.concat(spent[mode], " "))
end
