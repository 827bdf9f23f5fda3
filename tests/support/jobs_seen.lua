-- SPDX-License-Identifier: MIT
--- The records of the trace that runs of a queue leave, on any engine.
local specs = {}

local engines = require "jobs_engines"
local task, trace = require "septet.task", require "septet.trace"

-- Calls fn(), and returns the numbers of its steps by name, and of new and of all jobs put.
local function count(fn)
  local counts = { put = 0, new = 0, calls = 0 }
  local stop = trace.subscribe(function(e)
    if e.kind ~= "job" then return end
    counts.calls = counts.calls + 1
    if e.step == "put" then
      counts.put, counts.new = counts.put + e.count, counts.new + e.new
    else
      counts[e.step] = (counts[e.step] or 0) + 1
      counts.longest = math.max(counts.longest or 0, e.seconds)
    end
  end, { level = 1 })
  fn()
  task.sleep(0.001)
  stop()
  return counts
end

local function all_of(engine)
  it("law_12: each step of a run is one record", function()
    local place <close> = engines.place(engine, true)
    local q <close> = place:queue()
    local counts = count(function()
      q:put { key = "a" }
      q:put_many { { key = "a" }, { key = "b" }, { key = "drop" }, { key = "fail" } }
      q:run({ attempts = 2, backoff = 0.001 }, function(job)
        if job.key == "fail" then error "no" end
        if job.key == "drop" then return job:drop() end
        if job.key == "a" then
          job:put { key = "b" }
          job:put { key = "c" }
          job:put { key = "d" }
        end
        task.sleep(0.01)
      end)
    end)
    equal({ counts.put, counts.new }, { 8, 6 })
    equal({ counts.taken, counts.done, counts.dropped, counts.retry, counts.dead },
      { 7, 4, 1, 1, 1 })
    equal({ counts.back, counts.lost }, { nil, nil })
    equal(counts.calls, 2 + 1 + 7 + 7)
    equal(counts.longest >= 0.01, true)
  end)

  it("law_12: a job that is given back, and one whose lease is lost, are records", function()
    local place <close> = engines.place(engine, true)
    local q <close> = place:queue()
    local counts = count(function()
      q:put { key = "lost" }
      q:run({}, function(job)
        q:remove(job.key)
        task.cleanup(5, pcall, job.keep_alive, job)
      end)
      q:put { key = "back" }
      local began = task.future()
      local run = task.spawn(q.run, q, {}, function()
        began:set()
        task.sleep(math.huge)
      end)
      began:await()
      run:cancel()
      task.wait { run }
    end)
    equal({ counts.put, counts.new, counts.taken, counts.lost }, { 2, 2, 2, 1 })
    equal(counts.back >= 1, true) -- a take that was in flight may get it, and give it back again
  end)

  it("law_12: jobs that were found without their worker, or buried, are records",
    { leaks = true }, function()
    local place <close> = engines.place(engine)
    local q <close> = place:queue()
    local counts = count(function()
      q:put_many { { key = "a" }, { key = "b" } }
      for attempt = 1, 2 do
        local gone = place:driver()
        equal(#gone:take(attempt, { lease = 60, attempts = 9, token = "gone" .. attempt }), attempt)
        place:crash(gone, true)
      end
      q:run({ attempts = 2 }, function() end)
    end)
    equal({ counts.recovered, counts.buried, counts.taken, counts.done }, { 1, 1, 1, 1 })
    equal({ counts.dead, counts.lost, counts.retry }, { nil, nil, nil })
  end)
end

--- Describes the records of an engine.
---@param engine string
function specs.on(engine)
  describe("jobs on " .. engine, function() all_of(engine) end)
end

return specs
