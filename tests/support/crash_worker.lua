-- SPDX-License-Identifier: MIT
-- crash_worker.lua URL LOG N WORKERS: puts the first of each four of N jobs, which puts the other
-- three, and works until none is left. Each run of a job is a line of the log.
local jobs, task = require "septet.jobs", require "septet.task"

local url, path, n, workers = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4])
local log <close> = assert(io.open(path, "a"))
log:setvbuf "line"

-- At open, a server that refuses is an error: it may be one that begins again just now.
local function open()
  for _ = 1, 100 do
    local ok, q = pcall(jobs.open, url)
    if ok then return q end
    task.sleep(0.1)
  end
  return jobs.open(url)
end

local q <close> = open()
local roots = {}
for i = 1, n, 4 do
  roots[#roots + 1] = { key = "job " .. i, data = { number = i } }
  if #roots == 100 or i + 4 > n then
    q:put_many(roots)
    roots = {}
  end
end

q:run({ workers = workers, attempts = 100, backoff = 0 }, function(job)
  log:write(job.key, "\n")
  task.sleep(math.random() * 0.02)
  local number = job.data.number
  if number % 4 == 1 then
    for i = number + 1, math.min(number + 3, n) do
      job:put { key = "job " .. i, data = { number = i } }
    end
  end
  return { key = job.key }
end)
