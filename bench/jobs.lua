-- SPDX-License-Identifier: MIT
-- Measures what jobs cost: the Septet side of jobs.py.
--
--     septet bench/jobs.lua noop URL N WORKERS         puts N jobs and runs them, which do nothing
--     septet bench/jobs.lua fetch URL N WORKERS PAGE   each of which GETs PAGE
--     septet bench/jobs.lua fill URL N                 puts N jobs
--     septet bench/jobs.lua open URL N WORKERS         opens the queue, and runs N of its jobs
--
-- Prints a line of figures.
local http, jobs, task = require "septet.http", require "septet.jobs", require "septet.task"

local BATCH, PRODUCERS = 1000, 4

local how, url, n, workers, page = arg[1], arg[2], math.tointeger(arg[3] or ""),
  math.tointeger(arg[4] or "1"), arg[5]
if not (how and url and n and workers) then
  error("usage: jobs.lua noop|fetch|fill|open URL N [WORKERS [PAGE]]", 0)
end

-- Puts the jobs, as many batches at a time as there are producers.
local function put(q)
  local next_one = 1
  local function produce()
    while next_one <= n do
      local list, last = {}, math.min(next_one + BATCH - 1, n)
      for i = next_one, last do list[#list + 1] = { key = "job " .. i, data = { number = i } } end
      next_one = last + 1
      q:put_many(list)
    end
  end
  task.group(function(g) for _ = 1, PRODUCERS do g:spawn(produce) end end)
end

-- Prints the seconds, on the wall and of the processor, since `t0` and `cpu0`.
local function report(what, count, t0, cpu0)
  print(("%s %d jobs %.6f s %.6f s of CPU"):format(what, count, task.now() - t0,
    os.clock() - cpu0))
end

local function resident()
  local file <close> = assert(io.open "/proc/self/statm")
  return tonumber(file:read "a":match "^%d+ (%d+)") * 4096
end

local ways = {}

function ways.noop(q)
  local t0, cpu0 = task.now(), os.clock()
  put(q)
  report("put", n, t0, cpu0)
  local t1, cpu1 = task.now(), os.clock()
  local counts = q:run({ workers = workers }, function() end)
  report("run", counts.done, t1, cpu1)
  report("all", counts.done, t0, cpu0)
end

function ways.fetch(q)
  local session <close> = http.session { limit = workers, limit_per_host = workers }
  local t0, cpu0 = task.now(), os.clock()
  put(q)
  report("put", n, t0, cpu0)
  local t1, cpu1 = task.now(), os.clock()
  local counts = q:run({ workers = workers }, function()
    local response = session:get(page)
    return { status = response.status, bytes = #response.body }
  end)
  report("run", counts.done, t1, cpu1)
  report("all", counts.done, t0, cpu0)
end

function ways.fill(q)
  local t0, cpu0 = task.now(), os.clock()
  put(q)
  report("put", n, t0, cpu0)
end

-- Its own memory first, so that what the queue adds is seen.
function ways.open()
  collectgarbage()
  local before = resident()
  local t0 = task.now()
  local q <close> = jobs.open(url)
  local opened = task.now() - t0
  local done, enough = 0, task.future()
  local runner = task.spawn(function()
    q:run({ workers = workers }, function()
      done = done + 1
      if done == n then enough:set() end
    end)
  end)
  enough:await()
  print(("open %.6f s %d bytes"):format(opened, resident() - before))
  runner:cancel()
  task.wait { runner }
end

if how == "open" then
  ways.open()
else
  local q <close> = jobs.open(url)
  ways[how](q)
end
