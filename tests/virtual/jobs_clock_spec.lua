-- SPDX-License-Identifier: MIT
-- Runs of a queue while the wall clock is set forth and back by an hour.
local jobs, task, testing = require "septet.jobs", require "septet.task", require "septet.testing"

local HOUR <const> = 3600

-- Runs a queue, and returns for each key the seconds after which its function was called.
local function began(q, fn, options)
  local start, at = task.now(), {}
  q:run(options or {}, function(job)
    at[job.key] = math.floor(task.now() - start + 0.5)
    return fn and fn(job)
  end)
  return at
end

local function after(seconds, fn, ...)
  return task.background(function(...)
    task.sleep(seconds)
    fn(...)
  end, ...)
end

describe("when the wall clock is set", function()
  it("law_7_clock: a delayed job is due by it, forth and back", function()
    local q <close> = jobs.open "memory:"
    q:put { key = "soon", delay = 10 }
    q:put { key = "hour", delay = HOUR }
    q:put { key = "more", delay = HOUR + 10 }
    after(5, testing.step_wall_clock, HOUR - 5) -- "more" is not due yet
    local at = began(q)
    equal({ at.soon <= 6, at.hour <= 6, at.more >= 15 and at.more <= 16 }, { true, true, true })

    q:put { key = "later", delay = 10 }
    after(5, testing.step_wall_clock, -HOUR)
    after(20, testing.step_wall_clock, HOUR - 2)
    at = began(q) -- 10 s on the wall are over after 12
    equal(at.later >= 20 and at.later <= 21, true, tostring(at.later))
    testing.step_wall_clock(2 - HOUR)
  end)

  it("law_7_clock: no lease ends, and none lasts longer", function()
    for _, step in ipairs { HOUR, -HOUR } do
      local url = "memory:clock" .. step
      local q <close> = jobs.open(url)
      local other <close> = jobs.open(url)
      q:put { key = "a" }
      local runs = 0
      local function work()
        runs = runs + 1
        testing.step_wall_clock(step)
        task.sleep(8)
        testing.step_wall_clock(-step)
        task.sleep(8)
        return runs
      end
      local counts
      task.group(function(g)
        g:spawn(function() counts = q:run({ lease = 3 }, work) end)
        g:spawn(function() other:run({ lease = 3 }, work) end)
      end)
      equal({ runs, counts.lost }, { 1, 0 })
    end
  end)

  it("law_7_clock: a failure is tried again, and instants are those of the wall", function()
    local q <close> = jobs.open "memory:"
    testing.step_wall_clock(HOUR)
    q:put { key = "a" }
    local first
    q:run({ attempts = 2, backoff = 1 }, function(job)
      first = first or job.put_at
      equal(job.put_at, first)
      testing.step_wall_clock(-HOUR)
      error("broken", 0)
    end)
    local dead = q:dead()()
    equal({ dead.attempts, dead.at < first - HOUR, dead.history[1].at < first }, { 2, true, true })
    equal(q:stats().rate, 0.0)
    testing.step_wall_clock(HOUR)
  end)

  it("the rate is that of the last thousand results, however quick they were", function()
    local q <close> = jobs.open "memory:"
    local function work(n)
      local list = {}
      for i = 1, n do list[i] = { key = ("%d of %d"):format(i, n) } end
      q:put_many(list)
      q:run({ workers = 100 }, function() task.sleep(0.01) end)
      return q:stats().rate
    end
    equal(work(10), 10.0)
    equal(work(2000) > 5000, true)
  end)

  it("law_7_clock: results are forgotten by it, and no job is younger than new", function()
    local q <close> = jobs.open "memory:"
    q:put { key = "a" }
    began(q)
    equal(q:forget(HOUR), 0)
    testing.step_wall_clock(HOUR)
    equal(q:forget(HOUR), 1)
    q:put { key = "b" }
    testing.step_wall_clock(-HOUR)
    equal(q:stats().oldest, 0)
    testing.step_wall_clock(2 * HOUR)
    equal(q:stats().oldest, 1.0 * HOUR)
    testing.step_wall_clock(-HOUR)
  end)
end)
