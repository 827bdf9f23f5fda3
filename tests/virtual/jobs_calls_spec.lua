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

  it("one that fails for good keeps no other job leased", function()
    local q, driver = queue_of("bad", "a", "b", "c")
    local _ <close> = q
    function driver:exchange(ends, ...)
      for _, ending in ipairs(ends) do
        if ending.key == "bad" then error("refused", 0) end
      end
      return getmetatable(self).__index.exchange(self, ends, ...)
    end
    equal(raises(nil, q.run, q, { workers = 4 }, function(job)
      if job.key ~= "bad" then helpers.never() end
    end), "refused")
    equal({ q:stats().leased, q:stats().pending }, { 1, 3 })
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

-- Runs jobs on an engine that is slow, fails once, or is cut short, as a seed says. Returns true if
-- the laws hold.
local function random_run(seed)
  math.randomseed(seed)
  local random = math.random
  local q <close> = jobs.open "memory:"
  local driver, workers, limit = driver_of(q), ({ 1, 2, 3, 8, 64 })[random(5)], random(3)
  local fails, after = random(3) == 1 and random(12), random(2) == 1
  local calls, slow, broken = 0, ({ 0, 0.001, 0.05 })[random(3)], false
  local at_work, done, laws = 0, {}, {}
  local function wrap(method)
    driver[method] = function(self, ...)
      calls = calls + 1
      local number = calls
      if slow > 0 then task.sleep(random() * slow) end
      broken = broken or number == fails
      if number == fails and not after then error "engine" end
      local answer = table.pack(at_once(self, method, ...))
      laws.leased = laws.leased or at_once(self, "stats").leased > workers
      if slow > 0 then task.sleep(random() * slow) end
      if number == fails and after then error "engine" end
      return table.unpack(answer, 1, answer.n)
    end
  end
  for _, method in ipairs { "exchange", "enter", "renew" } do wrap(method) end
  for name, value in next, q do
    if value == false then q[name] = random(2) == 1 end -- as if other processes shared it
  end
  for i = 1, random(0, 30) do
    q:put { key = i .. "", delay = random(8) == 1 and random() / 10 or 0 }
  end
  local function work(job)
    at_work = at_work + 1
    laws.at_work = laws.at_work or at_work > workers
    local _ <close> = setmetatable({}, { __close = function() at_work = at_work - 1 end })
    if random(3) > 1 then task.sleep(random() / 10) end
    if #job.key < 4 and random(6) == 1 then job:put { key = job.key .. "+" } end
    if random(10) == 1 then error "job" end
    done[job.key] = (done[job.key] or 0) + 1
  end
  local function one_of_three(job) return random(3) > 1 and "g" .. #job.key or nil end
  local options = { workers = workers, backoff = 0.01, lease = random(2) == 1 and 1 or 60,
    limit_per = one_of_three, limit_per_key = limit }
  local passed, cut = helpers.stopwatch(), false
  local ok, err = pcall(function()
    cut = not task.move_on_after(random(3) == 1 and random() / 5 or 100, q.run, q, options, work)
  end)
  laws.slow = passed() > 20
  laws.error = not ok and not (broken and tostring(err):find "engine") and err or nil
  laws.swallowed = broken and ok and not cut
  local left = at_once(driver, "stats")
  laws.held = left.leased > 0
  laws.open = ok and not cut and left.pending + left.waiting + left.delayed > 0
  for key, n in pairs(done) do laws.twice = laws.twice or n > 1 and not cut and ok and key end
  for law, is_broken in pairs(laws) do
    if is_broken then error(("seed %d: %s: %s"):format(seed, law, is_broken)) end
  end
end

describe("random calls", function()
  for first = 1, many(400), 10 do
    it("hold the laws, from seed " .. first, function()
      for seed = first, first + 9 do random_run(seed) end
    end)
  end
end)
