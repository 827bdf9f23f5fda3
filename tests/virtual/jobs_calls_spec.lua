-- SPDX-License-Identifier: MIT
-- The calls of a run: two may be under way at once, and an engine may be slow, answer them in
-- another order, or fail. Laws are those of docs/jobs.md.
local jobs, task = require "septet.jobs", require "septet.task"
local helpers = require "helpers"
local look = require "jobs_look"

local private = debug.getregistry()["septet.require"] -- of private modules
local driver_of = private "septet.jobs.queue".driver

-- Returns what a driver does without the waiting.
local function at_once(driver, method, ...) return driver.at_once[method](driver, ...) end

-- Puts jobs of these keys into a new queue. Returns it and its driver.
local function queue_of(...)
  local q = jobs.open "memory:"
  for _, key in ipairs { ... } do q:put { key = key } end
  return q, driver_of(q)
end

describe("the calls of a run", function()
  it("answers that cross do not end it early", function()
    local q, driver = queue_of()
    local number, _ <close> = 0, q
    function driver:exchange(...)
      number = number + 1
      local nth = number
      if nth == 2 then task.sleep(1) end
      local answer = table.pack(at_once(self, "exchange", ...))
      task.sleep(nth == 1 and 3 or 0) -- the first one says that nothing is left
      return table.unpack(answer, 1, answer.n)
    end
    local ran = {}
    task.group(function(g)
      g:spawn(function()
        task.sleep(0.5)
        q:put_many { { key = "a" }, { key = "later", delay = 15 } }
      end)
      q:run({ workers = 2 }, function(job) ran[#ran + 1] = job.key end)
    end)
    equal(ran, { "a", "later" })
  end)

  in_order("are two at once, each of half of the workers", function()
    local q, driver = queue_of("a", "b", "c", "d", "e", "f", "g", "h")
    local passed, _ <close> = helpers.stopwatch(), q
    function driver:exchange(ends, n, options)
      equal({ #ends <= 2, n <= 2 }, { true, true })
      task.sleep(1)
      return at_once(self, "exchange", ends, n, options)
    end
    q:run({ workers = 4 }, function() task.sleep(1) end)
    equal(passed(), 5) -- a call, a job, a call, a job, a call
  end)

  it("may be over before the second loop has begun", function()
    local q, driver = queue_of("a")
    local _ <close> = q
    function driver:exchange(...) return at_once(self, "exchange", ...) end
    equal(q:run({}, function() end).done, 1)
    equal(q:run({}, error).done, 0)
  end)

  it("cut while it asks for places in groups, it gives back each job once", function()
    local q, driver = queue_of("a", "b", "c")
    local _ <close> = q
    function driver:enter(...)
      local answers = at_once(self, "enter", ...)
      task.sleep(2)
      return answers
    end
    local function one_group() return "all" end
    local cut = task.move_on_after(1, q.run, q, { limit_per = one_group, limit_per_key = 1 }, error)
    equal({ cut, look.states_of(q) }, { false, { pending = 2, waiting = 1 } })
  end)

  it("cut while it asks for the group of a job, it gives it back once", function()
    local q <close> = queue_of("a", "b", "c")
    local function broken()
      task.sleep(2)
      error "no group"
    end
    local cut = task.move_on_after(1, q.run, q, { limit_per = broken, limit_per_key = 1 }, error)
    equal({ cut, look.states_of(q) }, { false, { pending = 3 } })
  end)

  it("a renewal that crosses the end of a job does not cut its on_error short", function()
    local q, driver = queue_of("a")
    local told, _ <close> = nil, q
    function driver:exchange(ends, ...)
      if #ends > 0 then task.sleep(2) end
      return at_once(self, "exchange", ends, ...)
    end
    function driver:renew(...) -- of a job that is in a call, and ended by that before
      task.sleep(2)
      return at_once(self, "renew", ...)
    end
    q:run({ lease = 30, attempts = 1, on_error = function()
      task.sleep(10)
      told = true
    end }, function()
      task.sleep(9)
      error "fails"
    end)
    equal(told, true)
  end)
end)
