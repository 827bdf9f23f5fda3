-- SPDX-License-Identifier: MIT
--- What scripts expect of a queue on each engine: `require "jobs_queue" (engine)` adds its specs.
local json, task = require "septet.json", require "septet.task"
local engines = require "jobs_engines"

-- Runs what is pending, each job for once. Returns the keys in their order.
local function run(q, fn, options)
  local keys = {}
  options = options or {}
  options.workers = options.workers or 1
  options.backoff = options.backoff or 0
  q:run(options, function(job)
    keys[#keys + 1] = job.key
    return fn and fn(job)
  end)
  return keys
end

local function collect(iterator)
  local list = {}
  for a, b in iterator do list[#list + 1] = b == nil and a or { a, b } end
  return list
end

local specs = {}

function specs.put(open)
  it("law_1_put: true for a new key, false for one that was seen", function()
    local place <close> = open()
    local q <close> = place:queue()
    equal({ q:put { key = "a" }, q:put { key = "a" }, q:put { key = "b" } }, { true, false, true })
    run(q)
    equal({ q:put { key = "a" }, q:put { key = "a", again = true } }, { false, true })
    equal(q:put_many { { key = "b" }, { key = "c" }, { key = "c" }, { key = "d" } }, 2)
    equal(q:put_many {}, 0)
  end)

  it("data comes back as it was put, whatever JSON can say", function()
    local place <close> = open()
    local q <close> = place:queue()
    local values = { false, 0, -1.5, math.maxinteger, math.mininteger, "", "\0\1\u{FFFF}é",
      { 1, { a = { b = json.array {} } } }, json.null, ("x"):rep(100000) }
    for i, value in ipairs(values) do q:put { key = "k" .. i, data = value } end
    local n = 0
    run(q, function(job)
      n = n + 1
      equal(job.data, values[n])
      return job.data
    end)
    equal(n, #values)
    n = 0
    for key, result in q:results() do
      n = n + 1
      equal({ key, result }, { "k" .. n, values[n] })
    end
  end)

  it("refuses a key that is no string, that is empty and one of more than 8 KB", function()
    local place <close> = open()
    local q <close> = place:queue()
    for _, case in ipairs { { 42, "not a number" }, { true, "not a boolean" },
      { {}, "not a table" }, { "", "not 0" }, { ("k"):rep(8193), "not 8193" } } do
      local function put_two(_, job) return q:put_many { { key = "a" }, job } end
      for _, put in ipairs { q.put, put_two } do
        local err = raises_error({ kind = "JobsError", code = "key", queue = q.url }, put, q,
          { key = case[1] })
        equal(err.message:find(case[2], 1, true) ~= nil, true, err.message)
      end
    end
    raises_error({ kind = "JobsError", code = "key" }, q.put, q, {})
    raises_error({ kind = "JobsError", code = "key" }, q.put, q, { key = "a", group = "" })
    raises_error({ kind = "JobsError", code = "key" }, q.put, q, { key = "a", group = 7 })
    equal(q:put { key = ("k"):rep(8192), group = ("g"):rep(8192) }, true)
    equal(q:stats().pending, 1)
  end)

  it("refuses data that is no JSON, and says where", function()
    local place <close> = open()
    local q <close> = place:queue()
    local deep = {}
    for _ = 1, 200 do deep = { deep } end
    for _, data in ipairs { print, 0 / 0, math.huge, "\xff", { a = { 1, nil, 3 }, b = print },
      { [1] = 1, x = 2 }, deep, coroutine.create(print) } do
      local err = raises_error({ kind = "JobsError", code = "data", queue = q.url }, q.put, q,
        { key = "a", data = data })
      equal(type(err.reason), "string")
    end
    raises_error({ code = "data" }, q.put_many, q, { { key = "b" }, { key = "a", data = print } })
    equal(q:stats().pending, 0)
  end)

  it("refuses wrong options, at the line of the script", function()
    local place <close> = open()
    local q <close> = place:queue()
    misuse("bad argument #1 to 'put' %({ key = %.%.%. } expected, got string%)", function()
      q:put "a"
    end)
    misuse("bad argument #1 to 'put' %({ key = %.%.%. } expected, got nil%)", function()
      q:put()
    end)
    misuse("bad argument #1 to 'put_many' %(item 2: { key = %.%.%. } expected, got string%)",
      function()
        q:put_many { { key = "a" }, "b" }
      end)
    misuse("bad argument #1 to 'put_many' %(list expected", function()
      q:put_many { key = "a" }
    end)
    misuse("unknown option 'prio' to 'put'", function() q:put { key = "a", prio = 1 } end)
    misuse("bad option 'priority' to 'put' %(a whole number expected, got 1.5%)", function()
      q:put { key = "a", priority = 1.5 }
    end)
    misuse("bad option 'delay' to 'put'", function() q:put { key = "a", delay = -1 } end)
    misuse("bad option 'again' to 'put'", function() q:put { key = "a", again = 1 } end)
    misuse("'put' is a method", function() q.put { key = "a" } end)
    misuse("too many arguments to 'put'", function() q:put({ key = "a" }, 1) end)
    misuse("did you mean 'put_many'%?", function() q:put_meny {} end)
    misuse("bad argument #1 to 'remove'", function() q:remove(1) end)
    misuse("bad argument #1 to 'retry'", function() q:retry() end)
    misuse("bad argument #1 to 'forget'", function() q:forget "x" end)
    equal(q:stats().pending, 0)
  end)

  it("law_7_order: any whole number is a priority", function()
    local place <close> = open()
    local q <close> = place:queue()
    for i, priority in ipairs { 0, math.mininteger, math.maxinteger, -1, 1, 1 << 53, -(1 << 53) - 1,
      (1 << 53) + 1 } do
      q:put { key = "k" .. i, priority = priority }
    end
    equal(run(q), { "k3", "k8", "k6", "k5", "k1", "k4", "k7", "k2" })
  end)

  it("a delay without end is one", function()
    local place <close> = open()
    local q <close> = place:queue()
    q:put { key = "never", delay = math.huge }
    q:put { key = "late", delay = 1e12 }
    place.clock.wall = place.clock.wall + 1e9
    equal(q:stats().delayed, 2)
    equal({ q:remove "never", q:remove "late" }, { true, true })
  end)

  it("law_1_put: in a cancelled task a job is put or not, and the queue is usable", function()
    local place <close> = open()
    local q <close> = place:queue()
    for i = 1, 20 do
      local t = task.spawn(function() return q:put { key = "k" .. i } end)
      for _ = 1, i % 5 do task.checkpoint() end
      t:cancel()
      task.wait { t }
      local ok, err = t:result()
      equal(ok or err.kind, ok or "Cancelled")
    end
    local before = q:stats().pending
    local n = 0
    for i = 1, 20 do
      if q:put { key = "k" .. i } then n = n + 1 end
    end
    equal(before + n, 20)
    equal(#run(q), 20)
  end)

  it("law_1_put: a task that was cancelled before puts nothing", function()
    local place <close> = open()
    local q <close> = place:queue()
    local t
    t = task.spawn(function()
      t:cancel()
      pcall(q.put, q, { key = "a" })
      pcall(q.put_many, q, { { key = "b" } })
    end)
    task.wait { t }
    equal(q:stats().pending, 0)
  end)
end

function specs.look(open)
  it("law_8_bounded: results and dead jobs come a page at a time, in their order", function()
    local place <close> = open()
    local q <close> = place:queue()
    local list, keys = {}, {}
    for i = 1, 700 do
      keys[i] = "k" .. i
      list[i] = { key = keys[i], data = i }
    end
    q:put_many(list)
    run(q, function(job)
      if job.data % 2 == 0 then error { broken = job.data } end
      return job.data
    end, { attempts = 1, workers = 16 })
    local n = 0
    for key, result in q:results() do
      n = n + 1
      equal(key, "k" .. result)
    end
    equal(n, 350)
    n = 0
    for row in q:dead() do
      n = n + 1
      equal({ row.key, row.data % 2, row.attempts, #row.history, type(row.at) },
        { "k" .. row.data, 0, 1, 1, "number" })
      equal(json.decode(row.error), { broken = row.data })
    end
    equal(n, 350)
  end)

  it("law_8_bounded: large results come a few at a time", function()
    local place <close> = open()
    local q <close> = place:queue()
    local text = ("x"):rep(200000)
    for i = 1, 40 do q:put { key = "k" .. i } end
    run(q, function() return text end)
    collectgarbage()
    local before, most, n = collectgarbage "count", 0, 0
    for _, result in q:results() do
      n = n + 1
      equal(#result, #text)
      if n % 4 == 0 then
        collectgarbage()
        most = math.max(most, collectgarbage "count" - before)
      end
    end
    equal(n, 40)
    if place.engine ~= "memory" then equal(most < 6000, true, most .. " KB") end
  end)

  it("an iterator of two tasks is refused, and one that is left may be dropped", function()
    local place <close> = open()
    local q <close> = place:queue()
    for i = 1, 30 do q:put { key = "k" .. i } end
    run(q)
    for _ in q:results() do break end
    local next_one = q:results()
    local tasks = task.map(function() return next_one() end, { 1, 2 })
    local refused = 0
    task.wait(tasks)
    for _, t in ipairs(tasks) do
      local ok, err = t:result()
      if not ok then
        equal(err.kind, "Usage")
        refused = refused + 1
      end
    end
    equal(refused, 1)
    equal(#collect(next_one), 29)
  end)

  it("stats count, and check finds nothing", function()
    local place <close> = open()
    local q <close> = place:queue()
    local stats = q:stats()
    equal({ stats.pending, stats.waiting, stats.delayed, stats.leased, stats.done, stats.dead,
      stats.oldest }, { 0, 0, 0, 0, 0, 0, nil })
    q:put { key = "a" }
    q:put { key = "b", delay = 10 }
    place.clock.wall = place.clock.wall + 5
    stats = q:stats()
    equal({ stats.pending, stats.delayed, stats.oldest, q:check() }, { 1, 1, 5.0, {} })
  end)
end

function specs.hand(open)
  it("retry, remove, forget and clear change the queue by hand", function()
    local place <close> = open()
    local q <close> = place:queue()
    for _, key in ipairs { "a", "b", "c", "d" } do q:put { key = key } end
    local broken = true
    local function work(job)
      if broken and job.key ~= "d" then error "broken" end
      return job.key
    end
    run(q, work, { attempts = 1 })
    equal(#collect(q:dead()), 3)
    equal({ q:retry "none", q:retry "d", q:retry "b", q:retry "dead", q:retry "dead" },
      { 0, 0, 1, 2, 0 })
    equal({ q:remove "a", q:remove "a", q:remove "none" }, { true, false, false })
    broken = false
    equal(run(q, work), { "b", "c" })
    equal(collect(q:results()), { { "d", "d" }, { "b", "b" }, { "c", "c" } })
    equal({ q:remove "b", q:put { key = "b" } }, { true, true })
    place.clock.wall = place.clock.wall + 100
    equal({ q:forget(1000), q:forget(50), q:forget(0) }, { 0, 2, 0 })
    equal(collect(q:results()), {})
    q:put { key = "e", delay = 10 }
    q:clear()
    local stats = q:stats()
    equal({ stats.pending, stats.delayed, stats.done, stats.dead }, { 0, 0, 0, 0 })
    equal(q:put { key = "d" }, true)
  end)
end

function specs.close(open)
  it("two queues opened on one place share the jobs and the results", function()
    local place <close> = open()
    local one <close> = place:queue()
    local two <close> = place:queue()
    equal(one:put { key = "a" }, true)
    equal(two:put { key = "a" }, false)
    equal(two:put_many { { key = "b" }, { key = "c" } }, 2)
    equal(run(one), { "a", "b", "c" })
    equal(two:stats().done, 3)
    local seen = {}
    for key in two:results() do seen[#seen + 1] = key end
    equal(seen, { "a", "b", "c" })
    two:clear()
    equal(one:stats().done, 0)
  end)

  it("a queue that is closed refuses everything but to be closed again", function()
    local place <close> = open()
    local q = place:queue()
    q:put { key = "a" }
    run(q)
    q:put { key = "b" }
    local results, dead = q:results(), q:dead()
    q:close()
    q:close()
    local closed = { kind = "JobsError", code = "closed", queue = q.url }
    for name, value in pairs { put = { key = "a" }, put_many = { { key = "a" } }, retry = "a",
      remove = "a", forget = 0 } do
      raises_error(closed, q[name], q, value)
    end
    for _, name in ipairs { "stats", "check", "clear" } do raises_error(closed, q[name], q) end
    raises_error(closed, q.run, q, {}, print)
    raises_error(closed, results)
    raises_error(closed, dead)
    raises_error(closed, q:results())
    local again <close> = place:queue()
    equal({ again:stats().done, again:stats().pending }, { 1, 1 })
  end)

  it("a queue that its job closes has nothing leased, and the run fails", function()
    local place <close> = open()
    local keep <close> = place:queue()
    local q = place:queue()
    q:put_many { { key = "a" }, { key = "b" }, { key = "c" } }
    raises_error({ kind = "JobsError", code = "closed" }, q.run, q, {}, function()
      q:close()
      task.sleep(0.01)
    end)
    local stats = keep:stats()
    equal({ stats.pending, stats.leased }, { 3, 0 })
  end)

  it("a queue that is closed during a long put puts all or nothing", function()
    local list = {}
    for i = 1, 3000 do list[i] = { key = ("k%d"):format(i) } end
    for turns = 10, 24, 2 do
      local place <close> = open()
      local keep <close> = place:queue()
      local q = place:queue()
      local t = task.spawn(q.put_many, q, list)
      for _ = 1, turns do task.checkpoint() end
      q:close()
      local ok, err = pcall(t.await, t)
      if not ok and err.code ~= "closed" then error(err, 0) end
      equal(keep:stats().pending, ok and 3000 or 0)
    end
  end)

  it("a queue closes at the end of its variable, in a cancelled task, too", function()
    local place <close> = open()
    local keep <close> = place:queue()
    local t = task.spawn(function()
      local q <close> = place:queue()
      q:put { key = "a" }
      task.sleep(math.huge)
    end)
    while keep:stats().pending == 0 do task.sleep(0.001) end
    t:cancel()
    task.wait { t }
    equal(t:status(), "cancelled")
    equal(run(keep), { "a" })
  end)

  it("may have patience without end, or none", function()
    local place <close> = open()
    for _, patience in ipairs { 0, 1e300, math.huge } do
      local q <close> = require "septet.jobs".open(place.url, { patience = patience })
      q:put { key = "a" }
      equal(q:stats().pending, 1)
    end
  end)

  it("has a name for messages, and no other fields", function()
    local place <close> = open()
    local q <close> = place:queue()
    equal(type(q.url), "string")
    equal(tostring(q), ("queue '%s'"):format(q.url))
    equal(getmetatable(q), false)
    misuse("queue has no field 'urll', did you mean 'url'%?", function() return q.urll end)
  end)
end

return function(engine)
  local function open() return engines.place(engine) end
  for _, name in ipairs { "put", "look", "hand", "close" } do
    describe(("a queue (%s)"):format(engine), function() specs[name](open) end)
  end
end
