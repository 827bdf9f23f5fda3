-- SPDX-License-Identifier: MIT
-- Runs of a queue in memory: what a job may do, and how runs end. Laws are those of docs/jobs.md.
local jobs, task = require "septet.jobs", require "septet.task"
local testing = require "septet.testing"
local helpers = require "helpers"
local look = require "jobs_look"

local private = debug.getregistry()["septet.require"] -- of private modules
local driver_of = private "septet.jobs.queue".driver
local results_of, states_of = look.results_of, look.states_of

local number = 0

-- Returns a queue in memory with jobs of these keys.
local function queue_of(...)
  local q = jobs.open "memory:"
  for _, key in ipairs { ... } do q:put { key = key } end
  return q
end

-- Returns the URL of a queue that several opened ones share.
local function shared_url()
  number = number + 1
  return ("memory:run%d"):format(number)
end

-- Returns the dead jobs of a queue by key.
local function dead_of(q)
  local dead = {}
  for row in q:dead() do dead[row.key] = row end
  return dead
end

-- Returns counts of which all are 0 but the given ones.
local function counts(given)
  local all = { done = 0, failed = 0, dead = 0, dropped = 0, lost = 0, returned = 0 }
  for name, n in pairs(given) do all[name] = n end
  return all
end

describe("a run", function()
  it("calls the function for each job, with its key, its data and its attempt", function()
    local q <close> = jobs.open "memory:"
    q:put { key = "a", data = { list = { 1, 2 }, n = 1.5 }, priority = 3 }
    local seen = {}
    local got = q:run({ workers = 2 }, function(job)
      seen[#seen + 1] = { job.key, job.data, job.attempt, job.priority, job.group or false }
      equal(math.type(job.put_at), "float")
      return { got = job.data }
    end)
    equal(seen, { { "a", { list = { 1, 2 }, n = 1.5 }, 1, 3, false } })
    equal(got, counts { done = 1 })
    equal(results_of(q), { a = { got = { list = { 1, 2 }, n = 1.5 } } })
  end)

  it("returns at once if the queue is empty", function()
    local q <close> = jobs.open "memory:"
    equal(q:run({}, error), counts {})
    equal(q:run(nil, error), counts {})
  end)

  it("has as many jobs at work as it has workers, and more in no time", function()
    local q <close> = jobs.open "memory:"
    for i = 1, 20 do q:put { key = "k" .. i } end
    local now, most, passed = 0, 0, helpers.stopwatch()
    q:run({ workers = 4 }, function()
      now = now + 1
      most = math.max(most, now)
      task.sleep(1)
      now = now - 1
    end)
    equal({ now, most, passed() }, { 0, 4, 5 })
  end)

  it("jobs that a job puts are run, too, and dedupe by key", function()
    local q <close> = queue_of "0"
    local got = q:run({ workers = 8 }, function(job)
      if #job.key < 4 then
        for i = 0, 2 do job:put { key = job.key .. i, data = i } end
        job:put { key = "0" }
      end
      return job.data
    end)
    equal(got, counts { done = 40 })
    equal(select(2, results_of(q)), 40)
  end)

  it("a put in this process wakes it at once, though it does not poll", function()
    local q <close> = queue_of "long"
    local passed, at = helpers.stopwatch(), nil
    task.group(function(g)
      g:spawn(function()
        task.sleep(3)
        q:put { key = "late" }
      end)
      q:run({ workers = 2 }, function(job)
        if job.key == "late" then at = passed() else task.sleep(10) end
      end)
    end)
    equal({ at, passed() }, { 3, 10 })
  end)

  it("forever waits for more when none is left, until it is cancelled", function()
    local q <close> = queue_of "a"
    local seen = {}
    local done = task.move_on_after(55, function()
      task.spawn(function()
        for i = 1, 5 do
          task.sleep(10)
          q:put { key = "b" .. i }
        end
      end)
      q:run({ forever = true }, function(job) seen[#seen + 1] = job.key end)
    end)
    equal({ done, seen }, { false, { "a", "b1", "b2", "b3", "b4", "b5" } })
  end)

  it("two runs of one queue share its jobs, and both return when none is left", function()
    local url = shared_url()
    local one <close> = jobs.open(url)
    local two <close> = jobs.open(url)
    for i = 1, 12 do one:put { key = "k" .. i } end
    local passed = helpers.stopwatch()
    local function run_in(q)
      return function() return q:run({ workers = 3 }, function() task.sleep(1) end).done end
    end
    local same = task.gather { run_in(one), run_in(one) }
    equal({ same[1] + same[2], same[1] > 3, same[2] > 3, passed() }, { 12, true, true, 2 })
    for i = 1, 12 do one:put { key = "l" .. i } end
    local both = task.gather { run_in(one), run_in(two) }
    equal({ both[1] + both[2], both[1] > 3, both[2] > 3, passed() }, { 12, true, true, 4 })
  end)

  it("waits for what another run has at work, which may put more", function()
    local url = shared_url()
    local one <close> = jobs.open(url)
    local two <close> = jobs.open(url)
    one:put { key = "parent" }
    local by, passed = {}, helpers.stopwatch()
    local function run(q, name)
      q:run({ workers = 1 }, function(job)
        by[job.key] = name
        task.sleep(5)
        if job.key == "parent" then
          for i = 1, 2 do job:put { key = "child" .. i } end
        end
      end)
      return passed()
    end
    equal(task.gather { function() return run(one, 1) end, function() return run(two, 2) end },
      { 10, 10, n = 2 })
    equal(by.child1 ~= by.child2, true)
  end)

  it("may be called by a job of another queue", function()
    local outer <close> = queue_of("a", "b")
    local inner <close> = jobs.open "memory:"
    outer:run({}, function(job)
      for i = 1, 3 do inner:put { key = job.key .. i } end
      inner:run({}, function(nested) return nested.key end)
    end)
    equal(select(2, results_of(inner)), 6)
  end)

  it("a misuse raises Usage at the script's line", function()
    local q <close> = jobs.open "memory:"
    misuse("unknown option 'worker' to 'run', did you mean 'workers'", function()
      q:run({ worker = 3 }, error)
    end)
    misuse("bad option 'workers' to 'run'", function() q:run({ workers = 0 }, error) end)
    misuse("bad option 'lease' to 'run' %(more than 0", function() q:run({ lease = 0 }, error) end)
    misuse("bad argument #2 to 'run' %(function expected", function() q:run {} end)
    misuse("bad option 'limit_per' to 'run' %(function", function()
      q:run({ limit_per = 3, limit_per_key = 1 }, error)
    end)
    misuse("'limit_per' and 'limit_per_key' of 'run' belong together", function()
      q:run({ limit_per_key = 1 }, error)
    end)
    q:put { key = "a" }
    local kept
    q:run({}, function(job) kept = job end)
    misuse("'put' of a job that has ended", function() kept:put { key = "b" } end)
    misuse("job has no field 'dta', did you mean 'data'", function() return kept.dta end)
  end)
end)

describe("a job that fails", function()
  it("law_6_is_tried_again_with_full_jitter_and_is_dead_after_its_attempts", function()
    local q <close> = queue_of("bad", "good")
    local passed, began = helpers.stopwatch(), {}
    local got = q:run({ attempts = 4, backoff = 8, max_backoff = 20 }, function(job)
      if job.key == "good" then return 1 end
      began[job.attempt] = passed()
      error("broken " .. job.attempt)
    end)
    equal(got, counts { done = 1, failed = 3, dead = 1 })
    equal(#began, 4)
    for i, most in ipairs { 8, 16, 20 } do
      local delay = began[i + 1] - began[i]
      equal(delay >= 0 and delay <= most + 0.01, true, ("delay %d: %g"):format(i, delay))
    end
    local dead = dead_of(q).bad
    helpers.has(dead.error, "broken 4$")
    helpers.has(dead.traceback, "jobs_run_spec")
    equal({ dead.attempts, #dead.history }, { 4, 4 })
    helpers.has(dead.history[1].error, "broken 1$")
    equal(results_of(q), { good = 1 })
  end)

  it("law_6_never_blocks_others", function()
    local q <close> = jobs.open "memory:"
    q:put { key = "poison", priority = 9 }
    for i = 1, 10 do q:put { key = "k" .. i } end
    local got = q:run({ workers = 1, attempts = 3, backoff = 0 }, function(job)
      if job.key == "poison" then error "always" end
    end)
    equal(got, counts { done = 10, failed = 2, dead = 1 })
  end)

  it("retry makes dead ones pending, and they are run with attempt 1", function()
    local q <close> = queue_of("a", "b")
    q:run({ attempts = 1 }, function() error "no" end)
    equal(states_of(q), { dead = 2 })
    equal(q:retry "dead", 2)
    local attempts = {}
    q:run({}, function(job) attempts[job.key] = job.attempt end)
    equal(attempts, { a = 1, b = 1 })
  end)

  it("any value may be its error: nil, a table, an object, no text", function()
    local q <close> = jobs.open "memory:"
    local values = { none = nil, table = { code = 404 }, number = 12, no = false,
      text = "x", circle = {},
      object = setmetatable({}, { __tostring = function() return "mine" end }) }
    values.circle.circle = values.circle
    for _, key in ipairs { "none", "table", "number", "no", "text", "circle", "object" } do
      q:put { key = key }
    end
    q:run({ attempts = 1 }, function(job) error(values[job.key], 0) end)
    local dead = dead_of(q)
    equal({ dead.table.error, dead.number.error, dead.text.error, dead.object.error },
      { '{"code":404}', "12", "x", "mine" })
    for _, key in ipairs { "none", "no", "circle" } do
      equal(type(dead[key].error), "string", key)
    end
  end)

  it("what is no JSON is no result: the attempt has failed", function()
    local circle = {}
    circle[1] = circle
    local values = { fn = print, nan = 0 / 0, circle = circle, text = "\xff",
      task = task.current() }
    local q <close> = queue_of("fn", "nan", "circle", "text", "task")
    equal(q:run({ attempts = 1 }, function(job) return values[job.key] end), counts { dead = 5 })
    equal(results_of(q), {})
  end)

  it("of a failed attempt nothing is put; of the one that is done all is", function()
    local q <close> = queue_of "a"
    q:run({ backoff = 0 }, function(job)
      if job.key ~= "a" then return end
      job:put { key = "child of attempt " .. job.attempt }
      if job.attempt < 3 then error "again" end
    end)
    local results = results_of(q)
    equal({ results["child of attempt 1"], results["child of attempt 2"],
      results["child of attempt 3"] }, { nil, nil, false })
  end)

  it("a timeout ends an attempt, and its tasks with it", function()
    local q <close> = queue_of "a"
    local passed, ended = helpers.stopwatch(), 0
    local got = q:run({ timeout = 5, attempts = 2, backoff = 0 }, function()
      task.spawn(function()
        local _ <close> = helpers.closer(function() ended = ended + 1 end)
        helpers.never()
      end)
      helpers.never()
    end)
    equal({ got, ended, passed() }, { counts { failed = 1, dead = 1 }, 2, 10 })
    helpers.has(dead_of(q).a.error, "timed out after 5 s")
  end)

  it("its tasks have ended before its end is written", function()
    local q <close> = queue_of "a"
    local ended = false
    q:run({}, function()
      task.spawn(function()
        local _ <close> = helpers.closer(function()
          task.cleanup(5, function()
            task.sleep(2)
            equal(states_of(q), { leased = 1 })
          end)
          ended = true
        end)
        helpers.never()
      end)
      task.sleep(1)
    end)
    equal({ ended, states_of(q) }, { true, { done = 1 } })
  end)

  it("a job that cancels its own task has failed", function()
    local q <close> = queue_of "a"
    local got = q:run({ attempts = 1 }, function()
      task.current():cancel "enough"
      task.sleep(1)
    end)
    equal(got, counts { dead = 1 })
    helpers.has(dead_of(q).a.error, "enough")
  end)

  it("its cancelled put counts only if the attempt is done", function()
    local q <close> = queue_of "a"
    local got = q:run({}, function(job)
      if job.key == "b" then return "b" end
      task.group(function(g)
        local t = g:spawn(function()
          pcall(helpers.never)
          job:put { key = "b" }
        end)
        task.checkpoint()
        t:cancel()
      end)
      return "a"
    end)
    equal({ got, (results_of(q)) }, { counts { done = 2 }, { a = "a", b = "b" } })
  end)

  it("on_error is told of each failure; its own ends the run", function()
    local q <close> = queue_of "a"
    local told = {}
    q:run({ attempts = 2, backoff = 0, on_error = function(job, err, traceback)
      told[#told + 1] = { job.key, job.attempt, err, type(traceback) }
    end }, function() error({ "mine" }, 0) end)
    equal(told, { { "a", 1, { "mine" }, "string" }, { "a", 2, { "mine" }, "string" } })
    q:retry "dead"
    raises("broken hook", q.run, q, { on_error = function() error "broken hook" end },
      function() error "x" end)
  end)

  it("on_error that waits is cut short with the task of its job, and the run goes on", function()
    local q <close> = queue_of("a", "b")
    local told, ended = {}, false
    local got = q:run({ workers = 1, attempts = 1, on_error = function(job)
      told[#told + 1] = job.key
      task.sleep(1)
      ended = true
    end }, function(job)
      if job.key == "b" then return end
      task.current():cancel()
      task.checkpoint()
    end)
    equal({ told, ended, got }, { { "a" }, false, counts { dead = 1, done = 1 } })
  end)

  it("without a backoff it is tried again at once, however often it has failed", function()
    local q <close> = queue_of "a"
    local got = q:run({ attempts = 1100, backoff = 0 }, function(job)
      if job.attempt < 1100 then error "not yet" end
    end)
    equal(got, counts { done = 1, failed = 1099 })
  end)
end)

describe("a job", function()
  it("fail makes it dead, whatever attempts remain; drop ends it without a result", function()
    local q <close> = queue_of("gone", "raises", "useless", "last", "first")
    local got = q:run({}, function(job)
      if job.key == "gone" then job:fail "status 404" end
      if job.key == "raises" then
        job:fail()
        error "and more"
      end
      if job.key == "useless" then
        job:put { key = "child" }
        job:drop()
      end
      if job.key == "last" then
        job:fail "no"
        job:drop()
      end
      if job.key == "first" then
        job:drop()
        job:fail "yes"
      end
      return 1
    end)
    equal(got, counts { done = 1, dead = 3, dropped = 2 })
    local dead = dead_of(q)
    equal({ dead.gone.error, dead.raises.error, dead.first.error },
      { "status 404", "failed", "yes" })
    equal(results_of(q), { child = 1 })
  end)

  it("that puts itself is seen before, and with `again` runs once more", function()
    local q <close> = queue_of("plain", "again")
    local ran = {}
    q:run({}, function(job)
      ran[job.key] = (ran[job.key] or 0) + 1
      if ran[job.key] < 4 then job:put { key = job.key, again = job.key == "again" } end
      return ran[job.key]
    end)
    equal(ran, { plain = 1, again = 4 })
    equal(results_of(q), { plain = 1, again = 4 })
  end)

  it("may put very many", function()
    local q <close> = queue_of "a"
    local n = many(4000)
    local got = q:run({ workers = 100 }, function(job)
      if job.key == "a" then
        for i = 1, n do job:put { key = i .. "" } end
      end
    end)
    equal(got, counts { done = n + 1 })
  end)

  it("the group of what it puts is asked for once, at the put", function()
    local q <close> = queue_of "a"
    local asked = {}
    q:run({ limit_per_key = 1, limit_per = function(job)
      asked[#asked + 1] = job.key
      return job.data and job.data.host
    end }, function(job)
      if job.key == "a" then job:put { key = "b", data = { host = "x" } } end
      if job.key == "b" then equal(job.group, "x") end
    end)
    equal(asked, { "a", "b" })
  end)

  it("what `limit_per` raises, or returns by mistake, is a failure of that job alone", function()
    local q <close> = queue_of("raises", "table", "empty", "good")
    local got = q:run({ attempts = 2, backoff = 0, limit_per_key = 1, limit_per = function(job)
      if job.key == "raises" then error "no host" end
      if job.key == "table" then return {} end
      return job.key == "good" and "host" or ""
    end }, function() end)
    equal(got, counts { done = 1, failed = 3, dead = 3 })
    helpers.has(dead_of(q).raises.error, "no host")
  end)

  it("whose data is no JSON is dead, and its function is not called", function()
    local url = shared_url()
    local q <close> = jobs.open(url)
    driver_of(q):put { { key = "a", data = "{" }, { key = "b", data = "null" } }
    local got = q:run({}, function(job) return { job.key, job.data == nil } end)
    equal(got, counts { done = 1, dead = 1 })
  end)
end)

describe("a cancelled run", function()
  it("law_5_a_script's_own_cancel_gives_back_the_jobs_at_once_and_counts_no_attempt", function()
    local q <close> = queue_of("a", "b", "c")
    local passed, unwound = helpers.stopwatch(), 0
    local err = raises_error({ kind = "Timeout" }, task.timeout, 2, q.run, q, { workers = 2 },
      function()
        local _ <close> = helpers.closer(function() unwound = unwound + 1 end)
        helpers.never()
      end)
    equal({ err.seconds, passed(), unwound, states_of(q) }, { 2, 2, 2, { pending = 3 } })
    local order, attempts = {}, {}
    q:run({ workers = 1 }, function(job)
      order[#order + 1], attempts[#attempts + 1] = job.key, job.attempt
    end)
    equal({ #order, order[3], attempts }, { 3, "c", { 1, 1, 1 } }) -- what came back goes first
  end)

  it("law_5_the_ends_that_came_before_are_kept", function()
    local q <close> = queue_of("quick", "slow")
    local t = task.spawn(q.run, q, {}, function(job)
      if job.key == "slow" then helpers.never() end
      return "done"
    end)
    task.sleep(1)
    t:cancel "stop"
    raises_error({ kind = "TaskCancelled", reason = "stop" }, t.await, t)
    equal({ (results_of(q)), states_of(q) }, { { quick = "done" }, { pending = 1, done = 1 } })
  end)

  it("a job may clean up, and one that returns all the same has its result", function()
    local q <close> = queue_of("tidy", "stubborn", "other")
    local passed = helpers.stopwatch()
    local done = task.move_on_after(1, q.run, q, {}, function(job)
      local ok, err = pcall(helpers.never)
      equal({ ok, task.is_cancelled(err) }, { false, true })
      task.cleanup(9, task.sleep, 3)
      if job.key == "tidy" then error(err, 0) end
      if job.key == "other" then error "no time" end
      return "anyway"
    end)
    equal({ done, passed(), (results_of(q)), states_of(q) },
      { false, 4, { stubborn = "anyway" }, { pending = 2, done = 1 } })
  end)

  it("cancelled before it begins, it takes nothing", function()
    local q <close> = queue_of "a"
    local ran = false
    local t = task.spawn(function()
      pcall(task.sleep, 5)
      q:run({}, function() ran = true end)
    end)
    task.checkpoint()
    t:cancel()
    helpers.ended_cancelled(t)
    equal({ ran, states_of(q) }, { false, { pending = 1 } })
  end)

  it("its queue goes on: other runs, and a later one, have what it gave back", function()
    local url = shared_url()
    local one <close> = jobs.open(url)
    local two <close> = jobs.open(url)
    for i = 1, 6 do one:put { key = "k" .. i } end
    local passed = helpers.stopwatch()
    task.group(function(g)
      local first = g:spawn(one.run, one, { workers = 3 }, helpers.never)
      g:spawn(two.run, two, { workers = 3 }, function() task.sleep(4) end)
      task.sleep(6)
      first:cancel()
    end)
    equal({ states_of(one), passed() }, { { done = 6 }, 10 })
  end)

  it("an engine that fails ends it with that error", function()
    for method, nth in pairs { exchange = 3, renew = 2 } do
      local q <close> = queue_of("a", "b", "c", "d")
      local driver, calls = driver_of(q), 0
      driver[method] = function(self, ...)
        calls = calls + 1
        if calls == nth then error("the " .. method .. " broke", 0) end
        return getmetatable(self).__index[method](self, ...)
      end
      local err = raises(nil, q.run, q, { workers = 2, lease = 3 }, function(job)
        if job.key == "b" or method == "renew" then helpers.never() end
        return 1
      end)
      equal(err, "the " .. method .. " broke")
      driver[method] = nil
      equal({ method, states_of(q).leased }, { method, nil })
      equal(q:run({}, function() return 1 end).dead, 0)
      equal(states_of(q), { done = 4 })
    end
  end)

  it("a queue that is closed meanwhile ends it", function()
    local q <close> = queue_of "a"
    task.spawn(function()
      task.sleep(1)
      q:close()
    end)
    raises_error({ kind = "JobsError", code = "closed" }, q.run, q, {}, helpers.never)
  end)
end)

describe("a lease", function()
  -- Takes a job by another owner of the same queue, once its lease has ended. Does not wait.
  local function steal(q)
    local driver = driver_of(q)
    local options = { lease = 1000, attempts = 9, token = "thief" }
    return driver.at_once.take(driver, 1, options)[1]
  end

  it("law_4_is_renewed_at_a_third_of_its_length_while_the_task_lives", function()
    local url = shared_url()
    local q <close> = jobs.open(url)
    local other <close> = jobs.open(url)
    q:put { key = "a" }
    local driver, renewals, passed = driver_of(q), {}, helpers.stopwatch()
    function driver:renew(list, seconds)
      renewals[#renewals + 1] = { passed(), #list, seconds }
      return getmetatable(self).__index.renew(self, list, seconds)
    end
    task.group(function(g)
      g:spawn(q.run, q, { lease = 30 }, function() task.sleep(45) end)
      for _ = 1, 40 do
        task.sleep(1)
        equal(steal(other), nil)
      end
    end)
    equal(renewals, { { 10, 1, 30 }, { 20, 1, 30 }, { 30, 1, 30 }, { 40, 1, 30 } })
  end)

  it("law_3_a_late_worker's_end_is_refused", function()
    local url = shared_url()
    local q <close> = jobs.open(url)
    local other <close> = jobs.open(url)
    q:put { key = "a" }
    task.spawn(function() -- finishes what it has stolen
      task.sleep(15)
      driver_of(other):finish { { key = "a", token = "thief", how = "done", result = '"thief"' } }
    end)
    local got = q:run({ lease = 3 }, function(job)
      testing.busy(10) -- spins: nothing renews the lease
      equal(steal(other).key, "a")
      job:put { key = "child" }
      return "late"
    end)
    equal({ got, (results_of(q)) }, { counts { lost = 1 }, { a = "thief" } })
  end)

  it("law_3_a_renewal_is_refused_and_the_task_cancelled_with_reason_lease_lost", function()
    local url = shared_url()
    local q <close> = jobs.open(url)
    local other <close> = jobs.open(url)
    q:put { key = "a" }
    task.spawn(function()
      task.sleep(40)
      driver_of(other):finish { { key = "a", token = "thief", how = "done", result = '"thief"' } }
    end)
    local passed, reason, at = helpers.stopwatch(), nil, nil
    local got = q:run({ lease = 3 }, function()
      testing.busy(10)
      equal(steal(other).key, "a")
      local _, err = pcall(helpers.never)
      reason, at = err.reason, passed()
      return "late"
    end)
    equal({ reason, at <= 11, got, (results_of(q)) },
      { "lease lost", true, counts { lost = 1 }, { a = "thief" } })
  end)

  in_order("law_4_one_that_computes_for_longer_does_not_take_those_of_the_others", function()
    local q <close> = queue_of("waits", "computes", "next")
    local attempts = {}
    local got = q:run({ lease = 3, workers = 2 }, function(job)
      attempts[#attempts + 1] = job.attempt
      task.sleep(0.5) -- no take is in flight then
      if job.key == "waits" then task.sleep(20) end
      if job.key == "computes" then testing.busy(10) end
      return 1
    end)
    equal({ got, attempts }, { counts { done = 3 }, { 1, 1, 1 } })
  end)

  it("law_3_keep_alive_raises_once_the_lease_is_lost", function()
    local url = shared_url()
    local q <close> = jobs.open(url)
    local other <close> = jobs.open(url)
    q:put { key = "a" }
    local reason
    q:run({ lease = 3 }, function(job)
      job:keep_alive()
      testing.busy(2.5)
      job:keep_alive()
      testing.busy(2.5)
      equal(steal(other), nil)
      testing.busy(2.5)
      equal(steal(other).key, "a")
      local _, err = pcall(job.keep_alive, job)
      reason = err.reason
      local driver = driver_of(other)
      driver.at_once.finish(driver,
        { { key = "a", token = "thief", how = "done", result = "1" } })
    end)
    equal({ reason, (results_of(q)) }, { "lease lost", { a = 1 } })
  end)

  it("law_3_a_job_that_was_removed_is_lost", function()
    local q <close> = queue_of("a", "b")
    local got = q:run({ lease = 3 }, function(job)
      if job.key == "b" then return "b" end
      q:remove "a"
      helpers.never()
    end)
    equal({ got, (results_of(q)) }, { counts { done = 1, lost = 1 }, { b = "b" } })
  end)

  it("law_4_a_job_whose_worker_is_gone_is_run_when_its_lease_ends", function()
    local url = shared_url()
    local dead <close> = jobs.open(url)
    local q <close> = jobs.open(url)
    q:put { key = "a" }
    equal(#(driver_of(dead):take(1, { lease = 20, attempts = 5, token = "gone" })), 1)
    local passed, attempt = helpers.stopwatch(), nil
    q:run({}, function(job) attempt = job.attempt end)
    equal({ attempt, passed() // 1 }, { 2, 20 })
  end)
end)

describe("order", function()
  it("law_7_by_priority_then_first_in_first_out", function()
    local q <close> = jobs.open "memory:"
    for i, priority in ipairs { 0, 5, -3, 5, 0, 9 } do
      q:put { key = i .. "", priority = priority }
    end
    local order = {}
    q:run({ workers = 1 }, function(job) order[#order + 1] = job.key end)
    equal(table.concat(order), "624153")
  end)

  it("law_7_delayed_jobs_when_they_are_due", function()
    local q <close> = jobs.open "memory:"
    for i, delay in ipairs { 30, 0, 10, 20 } do q:put { key = i .. "", delay = delay } end
    local passed, order = helpers.stopwatch(), {}
    q:run({ workers = 4 }, function(job)
      order[#order + 1] = { job.key, (passed() + 0.01) // 1 }
    end)
    equal(order, { { "2", 0.0 }, { "3", 10.0 }, { "4", 20.0 }, { "1", 30.0 } })
  end)
end)

describe("a run at work", function()
  it("law_8_holds_no_more_jobs_than_it_has_workers", function()
    local q <close> = jobs.open "memory:"
    for i = 1, 100 do q:put { key = i .. "" } end
    local driver, busy, most_leased, most_ends = driver_of(q), 0, 0, 0
    function driver:exchange(ends, n, options)
      equal(n <= 4 - busy, true)
      most_ends = math.max(most_ends, #ends)
      if #ends > 0 then task.sleep(1) end -- a slow engine: meanwhile, jobs end
      return getmetatable(self).__index.exchange(self, ends, n, options)
    end
    local got = q:run({ workers = 4 }, function()
      busy = busy + 1
      most_leased = math.max(most_leased, q:stats().leased)
      task.sleep(0.1)
      busy = busy - 1
    end)
    equal({ got.done, most_leased, most_ends <= 4 }, { 100, 4, true })
  end)

  it("law_9_a_slow_engine_does_not_hold_up_the_jobs_at_work", function()
    local q <close> = jobs.open "memory:"
    q:put_many { { key = "short" }, { key = "long" }, { key = "next" } }
    local driver, passed, steps = driver_of(q), helpers.stopwatch(), {}
    function driver:exchange(ends, n, options)
      if #ends > 0 then task.sleep(10) end
      return getmetatable(self).__index.exchange(self, ends, n, options)
    end
    q:run({ workers = 2, lease = 300 }, function(job)
      if job.key == "next" then steps.next = passed() end
      if job.key ~= "long" then return end
      for i = 1, 3 do
        task.sleep(1)
        steps[i] = passed()
      end
    end)
    equal(steps, { 1, 2, 3, next = 10 })
  end)
end)

describe("groups", function()
  it("jobs of a group wait without holding a worker", function()
    local q <close> = jobs.open "memory:"
    for i = 1, 12 do q:put { key = ("%s%02d"):format(i <= 8 and "slow" or "fast", i) } end
    local now, most, passed, fast = {}, {}, helpers.stopwatch(), nil
    local function speed(job) return job.key:sub(1, 4) end
    q:run({ workers = 4, limit_per_key = 2, limit_per = speed }, function(job)
      local group = job.group
      now[group] = (now[group] or 0) + 1
      most[group] = math.max(most[group] or 0, now[group])
      task.sleep(10)
      now[group] = now[group] - 1
      if job.key == "fast12" then fast = passed() end
    end)
    equal({ most, fast, passed() }, { { slow = 2, fast = 2 }, 20, 40 })
  end)

  it("very many of one group, put without it, do not block the loop", function()
    local q <close> = jobs.open "memory:"
    local list = {}
    for i = 1, many(1000) do list[i] = { key = i .. "" } end
    q:put_many(list)
    local ticks, done = 0, 0
    task.group(function(g)
      local ticker = g:spawn(function()
        while true do
          task.sleep(0)
          ticks = ticks + 1
        end
      end)
      q:run({ workers = 4, limit_per_key = 1, limit_per = function() return "one" end }, function()
        done = done + 1
      end)
      ticker:cancel()
    end)
    equal({ done, ticks > #list // 4 }, { #list, true })
  end)
end)
