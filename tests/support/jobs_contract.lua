-- SPDX-License-Identifier: MIT
--- What a queue expects of each engine: `require "jobs_contract" (engine)` adds its specs.
local task = require "septet.task"
local engines = require "jobs_engines"

local LEASE = { lease = 60, attempts = 5 }
local STATES = { "pending", "waiting", "delayed", "leased", "done", "dead" }

local tokens = 0

local function token()
  tokens = tokens + 1
  return ("token-%d"):format(tokens)
end

local function keys_of(list)
  local keys = {}
  for i, row in ipairs(list) do keys[i] = row.key end
  return keys
end

-- Takes up to n jobs. Returns them, the token and what the driver says of the rest.
local function take(driver, n, options)
  local given = { token = token() }
  for name, value in pairs(LEASE) do given[name] = value end
  for name, value in pairs(options or {}) do given[name] = value end
  local list, info = driver:take(n, given)
  return list, given.token, info
end

local function taken(driver, n, options) return keys_of((take(driver, n, options))) end

-- Takes a job, which must be this one, and returns its token and the job.
local function take_one(driver, key, options)
  local list, its_token = take(driver, 1, options)
  equal(keys_of(list), { key })
  return its_token, list[1]
end

local function put(driver, ...)
  local list = {}
  for i, job in ipairs { ... } do list[i] = type(job) == "string" and { key = job } or job end
  return driver:put(list, true)
end

-- Ends a job, and returns the driver's answer.
local function finish(driver, key, its_token, how, more)
  local ending = { key = key, token = its_token, how = how }
  for name, value in pairs(more or {}) do ending[name] = value end
  return driver:finish({ ending })[1]
end

local function counts_of(driver)
  local stats, counts = driver:stats(), {}
  for _, state in ipairs(STATES) do
    if stats[state] ~= 0 then counts[state] = stats[state] end
  end
  return counts
end

-- Returns all rows of a method with pages, read n at a time.
local function all(driver, method, n)
  local rows, cursor = {}, nil
  repeat
    local page
    page, cursor = driver[method](driver, cursor, n or 100)
    equal(#page <= (n or 100), true)
    table.move(page, 1, #page, #rows + 1, rows)
  until not cursor
  return rows
end

local function results_of(driver)
  local list = {}
  for i, row in ipairs(all(driver, "results")) do list[i] = { row.key, row.result } end
  return list
end

-- Brings a new job into a state. Returns its token if it is leased.
local reach = {}

function reach.pending(driver, key) put(driver, key) end

function reach.delayed(driver, key) put(driver, { key = key, delay = 1000 }) end

function reach.leased(driver, key)
  put(driver, { key = key, priority = 100 })
  return take_one(driver, key)
end

function reach.waiting(driver, key)
  local first, group = key .. "-first", "group of " .. key
  local its_token = reach.leased(driver, first)
  equal(driver:enter({ { key = first, token = its_token, group = group } }, 1), { true })
  its_token = reach.leased(driver, key)
  equal(driver:enter({ { key = key, token = its_token, group = group } }, 1), { false })
end

function reach.done(driver, key)
  finish(driver, key, reach.leased(driver, key), "done", { result = '"result"' })
end

function reach.dead(driver, key)
  finish(driver, key, reach.leased(driver, key), "dead",
    { error = "broken", traceback = "at x.lua:1" })
end

local specs = {}

function specs.put(open)
  it("law_1_put: returns how many are new, and which", function()
    local place <close> = open()
    local d = place:driver()
    local n, new = put(d, "a", "b")
    equal({ n, new }, { 2, { true, true } })
    n, new = put(d, "b", "c", "c", "a", "d")
    equal({ n, new }, { 2, { [2] = true, [5] = true } })
    n, new = d:put({}, true)
    equal({ n, new }, { 0, {} })
    equal(counts_of(d), { pending = 4 })
  end)

  it("law_1_put: a key is known in whatever state its job is", function()
    for _, state in ipairs(STATES) do
      local place <close> = open()
      local d = place:driver()
      reach[state](d, "k")
      local before = counts_of(d)
      equal(before[state], 1, state)
      equal((put(d, "k")), 0, state)
      equal((put(d, { key = "k", data = "1", priority = 7, delay = 5, group = "h" })), 0, state)
      equal(counts_of(d), before, state)
    end
  end)

  it("law_1_put: `again` puts what is done or dead anew, and nothing else", function()
    for _, state in ipairs(STATES) do
      local place <close> = open()
      local d = place:driver()
      reach[state](d, "k")
      local ended = state == "done" or state == "dead"
      local before = counts_of(d)
      equal((put(d, { key = "k", again = true, data = '"new"', priority = 5 })), ended and 1 or 0,
        state)
      if ended then
        equal(counts_of(d), { pending = 1 })
        local _, job = take_one(d, "k")
        equal({ job.data, job.attempt, job.priority, job.history_n }, { '"new"', 1, 5, 0 })
        equal(#all(d, "dead"), 0)
      else
        equal(counts_of(d), before, state)
      end
    end
  end)

  it("law_2_again: the old result stays until there is a new one", function()
    local place <close> = open()
    local d = place:driver()
    reach.done(d, "k")
    reach.done(d, "l")
    put(d, { key = "k", again = true })
    equal(results_of(d), { { "k", '"result"' }, { "l", '"result"' } })
    finish(d, "k", take_one(d, "k"), "done", { result = '"new"' })
    equal(results_of(d), { { "l", '"result"' }, { "k", '"new"' } })
    put(d, { key = "k", again = true })
    finish(d, "k", take_one(d, "k"), "dropped")
    equal(results_of(d), { { "l", '"result"' }, { "k", '"new"' } })
    put(d, { key = "k", again = true })
    finish(d, "k", take_one(d, "k"), "dead", { error = "broken" })
    equal(results_of(d), { { "l", '"result"' }, { "k", '"new"' } })
  end)

  it("law_2_again: a result keeps its instant when its job dies later", function()
    local place <close> = open()
    local d = place:driver()
    local at = place.clock.wall
    reach.done(d, "k")
    place.clock.wall = at + 100
    put(d, { key = "k", again = true })
    finish(d, "k", take_one(d, "k"), "dead", { error = "broken" })
    equal(all(d, "results")[1].at, at)
    equal(all(d, "dead")[1].at, at + 100)
  end)

  it("keeps any bytes of a key, of a group and of data, up to the limits", function()
    local place <close> = open()
    local d = place:driver()
    local bytes = {}
    for i = 0, 255 do bytes[i + 1] = string.char(i) end
    local all_bytes = table.concat(bytes)
    local keys = { "\0", all_bytes, ("k"):rep(8192), "{a}:b", "'\"\\", "\xff\xfe", "a\n" }
    local list = {}
    for i, key in ipairs(keys) do list[i] = { key = key, group = "group " .. key, data = "[]" } end
    list[2].data = '"' .. ("x"):rep(1000000) .. '"'
    equal((d:put(list)), #keys)
    local got, its_token = take(d, 100)
    equal(keys_of(got), keys)
    equal(got[2].data == list[2].data, true)
    local ends = {}
    for i, job in ipairs(got) do
      equal(job.group, list[i].group)
      ends[i] = { key = job.key, token = its_token, how = "done", result = job.data }
    end
    d:finish(ends)
    equal(keys_of(all(d, "results", 2)), keys)
  end)

  it("takes a job without data, and results that are nil", function()
    local place <close> = open()
    local d = place:driver()
    put(d, "k")
    local its_token, job = take_one(d, "k")
    equal(job.data, nil)
    finish(d, "k", its_token, "done")
    equal(results_of(d), { { "k" } })
  end)
end

function specs.order(open)
  it("law_7_order: by priority, then first in first out", function()
    local place <close> = open()
    local d = place:driver()
    put(d, "a", { key = "b", priority = 5 }, "c", { key = "d", priority = -5 },
      { key = "e", priority = 5 })
    put(d, { key = "f", priority = 1 << 40 }, { key = "g", priority = -(1 << 40) }, "h")
    put(d, { key = "most", priority = math.maxinteger },
      { key = "least", priority = math.mininteger },
      { key = "more", priority = (1 << 53) + 1 }, { key = "much", priority = 1 << 53 })
    equal(taken(d, 6), { "most", "more", "much", "f", "b", "e" })
    equal(taken(d, 100), { "a", "c", "h", "d", "g", "least" })
  end)

  it("law_7_order: what comes back goes before what is new, in the order of coming", function()
    local place <close> = open()
    local d = place:driver()
    put(d, "a", "b", "c", "d", "e")
    local first = take_one(d, "a")
    local second = take_one(d, "b")
    finish(d, "b", second, "back")
    finish(d, "a", first, "retry", { error = "x", delay = 0 })
    equal(taken(d, 100), { "b", "a", "c", "d", "e" })
  end)

  it("law_7_delay: a delayed job is due by the wall clock, in order of due, then key", function()
    local place <close> = open()
    local d = place:driver()
    put(d, { key = "late", delay = 20 }, { key = "c", delay = 10 }, { key = "a", delay = 10 },
      { key = "b", delay = 10 }, { key = "early", delay = 5 })
    local list, _, info = take(d, 100)
    equal({ #list, info.open, info.due }, { 0, true, 5.0 })
    place.clock.wall = place.clock.wall + 4.75
    equal(taken(d, 100), {})
    place.clock.wall = place.clock.wall + 10
    equal(taken(d, 100), { "early", "a", "b", "c" })
    put(d, "new")
    place.clock.wall = place.clock.wall + 10
    equal(taken(d, 100), { "new", "late" })
  end)

  it("law_7_clock: the wall clock set back and forth an hour moves delays, but no lease", function()
    local place <close> = open()
    local d = place:driver()
    local clock = place.clock
    put(d, "leased", { key = "delayed", delay = 60 })
    local its_token = take_one(d, "leased")
    clock.wall = clock.wall + 3600
    equal(taken(d, 100), { "delayed" })
    clock.wall = clock.wall - 7200
    equal(taken(d, 100), {})
    put(d, { key = "second", delay = 60 })
    clock.wall = clock.wall + 59
    equal(taken(d, 100), {})
    clock.wall = clock.wall + 1
    equal(taken(d, 100), { "second" })
    equal(finish(d, "leased", its_token, "done"), true)
  end)

  it("law_7_retry: a dead job that is tried again is new", function()
    local place <close> = open()
    local d = place:driver()
    reach.dead(d, "k")
    put(d, "a", { key = "b", priority = 100 })
    equal(d:retry "k", 1)
    equal(taken(d, 100), { "b", "k", "a" })
  end)
end

function specs.take(open)
  it("returns at most n, each with what was put", function()
    local place <close> = open()
    local d = place:driver()
    put(d, { key = "a", data = "[1]", priority = 3, group = "g" }, "b", "c")
    local list, _, info = take(d, 2)
    equal(keys_of(list), { "a", "b" })
    local a, b = list[1], list[2]
    equal({ a.data, a.priority, a.attempt, a.group, a.put_at, a.history_n },
      { "[1]", 3, 1, "g", place.clock.wall, 0 })
    equal({ b.data, b.priority, b.attempt, b.group }, { nil, 0, 1, nil })
    equal(info.open, true)
    equal(counts_of(d), { pending = 1, leased = 2 })
  end)

  it("says when nothing is left, and when something may come by itself", function()
    local place <close> = open()
    local d = place:driver()
    local list, _, info = take(d, 10)
    equal({ list, info.open, info.due }, { {}, false, nil })
    put(d, "a", { key = "b", delay = 100 })
    local its_token
    list, its_token = take(d, 10)
    equal(#list, 1)
    list, _, info = take(d, 10)
    equal({ #list, info.open, info.due }, { 0, true, 60.0 })
    place.clock.steady = place.clock.steady + 30
    place.clock.wall = place.clock.wall + 80
    list, _, info = take(d, 10)
    equal({ #list, info.open, info.due }, { 0, true, 20.0 })
    finish(d, "a", its_token, "dead", { error = "x" })
    d:remove "b"
    list, _, info = take(d, 10)
    equal({ #list, info.open, info.due }, { 0, false, nil })
  end)

  it("law_10_asked_again: a take with the same token returns the same jobs", function()
    local place <close> = open()
    local d, other = place:driver(), place:driver()
    put(d, "a", "b", "c", "d")
    local list, its_token = take(d, 2)
    equal(keys_of(list), { "a", "b" })
    equal(taken(other, 1), { "c" })
    for _ = 1, 2 do
      local again = take(d, 2, { token = its_token })
      equal(again, list)
    end
    equal(counts_of(d), { pending = 1, leased = 3 })
    finish(d, "a", its_token, "done")
    equal(taken(d, 2, { token = its_token }), { "b" })
  end)

  it("two drivers on one place share the jobs", function()
    local place <close> = open()
    local one, two = place:driver(), place:driver()
    put(one, "a", "b", "c")
    equal((put(two, "a", "d")), 1)
    equal(taken(two, 1), { "a" })
    equal(taken(one, 1), { "b" })
    equal(taken(two, 10), { "c", "d" })
    equal(counts_of(one), { leased = 4 })
    equal(counts_of(two), { leased = 4 })
  end)
end

function specs.lease(open)
  it("law_3_fencing: the end, the puts and the renewal of a late worker are refused", function()
    local place <close> = open()
    local d, other = place:driver(), place:driver()
    put(d, "k")
    local late = take_one(d, "k")
    place.clock.steady = place.clock.steady + 60
    local holds = take_one(other, "k")
    for _, how in ipairs { "done", "dropped", "retry", "dead", "back" } do
      equal(finish(d, "k", late, how, { result = "1", error = "x", puts = { { key = "child" } } }),
        false, how)
    end
    equal(d:renew({ { key = "k", token = late } }, 60), { false })
    equal(d:enter({ { key = "k", token = late, group = "g" } }, 1), { "lost" })
    equal(counts_of(d), { leased = 1 })
    equal(finish(other, "k", holds, "done", { result = "2" }), true)
    equal(finish(d, "k", late, "done", { result = "1" }), false)
    equal(results_of(d), { { "k", "2" } })
  end)

  it("law_3_fencing: a token that was never given, and a key that is none, are refused", function()
    local place <close> = open()
    local d = place:driver()
    local its_token = reach.leased(d, "k")
    equal(finish(d, "k", "another", "done"), false)
    equal(finish(d, "none", its_token, "done"), false)
    equal(d:renew({ { key = "k", token = "another" }, { key = "none", token = its_token },
      { key = "k", token = its_token } }, 60), { false, false, true })
    equal(counts_of(d), { leased = 1 })
  end)

  it("law_3_fencing: a lease that has ended holds until another worker takes the job", function()
    local place <close> = open()
    local d = place:driver()
    put(d, "a", "b")
    local _, its_token = take(d, 2)
    place.clock.steady = place.clock.steady + 100
    equal(d:renew({ { key = "a", token = its_token } }, 60), { true })
    equal(finish(d, "b", its_token, "done"), true)
    equal(taken(d, 2), {})
  end)

  it("law_4_expired: a lease that ended brings the job back, and counts an attempt", function()
    local place <close> = open()
    local d, other = place:driver(), place:driver()
    put(d, "a", "b", "c")
    local _, first = take(d, 2)
    d:renew({ { key = "b", token = first } }, 90)
    place.clock.steady = place.clock.steady + 59.75
    equal(taken(other, 1), { "c" })
    place.clock.steady = place.clock.steady + 0.25
    local list = take(other, 10)
    equal(keys_of(list), { "a" })
    equal({ list[1].attempt, list[1].history_n }, { 2, 1 })
    place.clock.steady = place.clock.steady + 30
    equal(taken(d, 10), { "b" })
  end)

  it("law_4_renewed: a lease that is renewed lasts", function()
    local place <close> = open()
    local d, other = place:driver(), place:driver()
    local its_token = reach.leased(d, "k")
    for _ = 1, 10 do
      place.clock.steady = place.clock.steady + 20
      equal(d:renew({ { key = "k", token = its_token } }, 60), { true })
      equal(taken(other, 1), {})
    end
    equal(finish(d, "k", its_token, "done"), true)
  end)

  it("law_4_death: the jobs of an owner that is seen dead come back at once, in order",
    { leaks = true }, function()
    local place <close> = open()
    local d, other = place:driver(), place:driver()
    put(d, "a", "b", { key = "c", priority = 1 }, "d")
    equal(taken(d, 3), { "c", "a", "b" })
    place:crash(d, true)
    local list = take(other, 10)
    equal(keys_of(list), { "c", "a", "b", "d" })
    equal({ list[1].attempt, list[2].attempt, list[4].attempt }, { 2, 2, 1 })
  end)

  it("law_12_seen: a take tells which jobs it brings back and which it buries",
    { leaks = true }, function()
    local place <close> = open()
    local d, other = place:driver(), place:driver()
    put(d, "a", "b", "c", "d")
    local list, _, info = take(d, 3)
    equal({ #list, info.lost }, { 3, nil })
    place.clock.steady = place.clock.steady + 60
    list, _, info = take(other, 10, { attempts = 2 })
    equal({ #list, info.lost }, { 4, { { key = "a", attempt = 1, died = false },
      { key = "b", attempt = 1, died = false }, { key = "c", attempt = 1, died = false } } })
    place:crash(other, true)
    list, _, info = take(d, 2, { attempts = 2 })
    equal({ keys_of(list), info.lost }, { { "d" }, { { key = "a", attempt = 2, died = true },
      { key = "b", attempt = 2, died = true }, { key = "c", attempt = 2, died = true },
      { key = "d", attempt = 1, died = false } } })
    list, _, info = take(d, 2)
    equal({ list, info.lost }, { {}, nil })
  end)

  it("law_4_death: a driver that is closed gives its jobs back, and counts nothing", function()
    local place <close> = open()
    local d, other = place:driver(), place:driver()
    put(d, "a", "b", "c")
    equal(taken(d, 2), { "a", "b" })
    d:close()
    place.drivers[d] = nil
    local list = take(other, 10)
    equal(keys_of(list), { "a", "b", "c" })
    equal({ list[1].attempt, list[1].history_n }, { 1, 0 })
  end)

  it("law_6_poison: the last lost worker makes a job dead, and the others go on", function()
    local place <close> = open()
    local d = place:driver()
    put(d, "poison", "a")
    for attempt = 1, 3 do
      local _, job = take_one(d, "poison", { attempts = 3 })
      equal(job.attempt, attempt)
      place.clock.steady = place.clock.steady + 60
    end
    equal(taken(d, 10, { attempts = 3 }), { "a" })
    local row = all(d, "dead")[1]
    equal({ row.key, row.attempts, #row.history }, { "poison", 3, 3 })
    equal(row.error:find "worker" ~= nil, true)
    equal(row.history[3].error, row.error)
    equal(counts_of(d), { leased = 1, dead = 1 })
  end)
end

function specs.finish(open)
  it("law_2_one_commit: a job ends as it says, with what it put", function()
    local children = { { key = "child" }, { key = "second", priority = 5, data = "[2]" },
      { key = "k" }, { key = "later", delay = 10, group = "g" } }
    local cases = { done = { done = 1, pending = 2, delayed = 1 },
      dropped = { done = 1, pending = 2, delayed = 1 } }
    for how, expected in pairs(cases) do
      local place <close> = open()
      local d = place:driver()
      local its_token = reach.leased(d, "k")
      equal(finish(d, "k", its_token, how, { result = "[1]", puts = children }), true, how)
      equal(counts_of(d), expected, how)
      equal(results_of(d), how == "done" and { { "k", "[1]" } } or {}, how)
      local list = take(d, 10)
      equal(keys_of(list), { "second", "child" })
      equal({ list[1].data, list[1].priority, list[1].attempt }, { "[2]", 5, 1 })
    end
  end)

  it("law_2_one_commit: a job that puts itself with `again` runs after its end", function()
    local place <close> = open()
    local d = place:driver()
    local its_token = reach.leased(d, "k")
    finish(d, "k", its_token, "done",
      { result = "1", puts = { { key = "k", again = true, data = "2" } } })
    equal(results_of(d), { { "k", "1" } })
    local _, job = take_one(d, "k")
    equal({ job.data, job.attempt }, { "2", 1 })
  end)

  it("a failure is tried again: at once before what is new, or when its delay is over", function()
    local place <close> = open()
    local d = place:driver()
    put(d, "a", "b")
    local first = take_one(d, "a")
    equal(finish(d, "a", first, "retry", { error = "one", traceback = "t", delay = 30 }), true)
    equal(counts_of(d), { pending = 1, delayed = 1 })
    equal(taken(d, 10), { "b" })
    place.clock.wall = place.clock.wall + 30
    local second, job = take_one(d, "a")
    equal({ job.attempt, job.history_n }, { 2, 1 })
    put(d, "c")
    finish(d, "a", second, "retry", { error = "two", delay = 0 })
    local third
    third, job = take_one(d, "a")
    equal({ job.attempt, job.history_n }, { 3, 2 })
    finish(d, "a", third, "dead", { error = "three", traceback = "at x.lua:1" })
    local row = all(d, "dead")[1]
    local errors = {}
    for i, entry in ipairs(row.history) do errors[i] = entry.error end
    equal({ row.error, row.traceback, row.attempts, errors },
      { "three", "at x.lua:1", 3, { "one", "two", "three" } })
  end)

  it("law_5_given_back: what is given back counts no attempt, and goes first", function()
    local place <close> = open()
    local d = place:driver()
    put(d, "a", "b")
    for _ = 1, 10 do
      local its_token, job = take_one(d, "a")
      equal({ job.attempt, job.history_n }, { 1, 0 })
      equal(finish(d, "a", its_token, "back"), true)
    end
    equal(counts_of(d), { pending = 2 })
  end)

  it("law_6_poison: of many failures the last ten are kept", function()
    local place <close> = open()
    local d = place:driver()
    put(d, "k")
    for i = 1, 15 do
      local its_token = take_one(d, "k", { attempts = 100 })
      finish(d, "k", its_token, i < 15 and "retry" or "dead", { error = "e" .. i, delay = 0 })
    end
    local row = all(d, "dead")[1]
    equal({ row.attempts, #row.history, row.history[1].error, row.history[10].error },
      { 15, 10, "e6", "e15" })
  end)

  it("law_2_one_commit: an exchange takes what its ends have brought back or put", function()
    local place <close> = open()
    local d = place:driver()
    put(d, { key = "a", group = "g" }, { key = "waits", group = "g" }, "b", "c", "later")
    local got, its_token = take(d, 4, { limit = 1 })
    equal(keys_of(got), { "a", "b", "c", "later" })
    local ends = { { key = "a", token = its_token, how = "done", result = "1" },
      { key = "b", token = its_token, how = "dropped",
        puts = { { key = "child", priority = 1 }, { key = "c" } } },
      { key = "c", token = its_token, how = "back" },
      { key = "no such", token = its_token, how = "done" } }
    local options = { lease = 60, attempts = 5, limit = 1, token = token() }
    local answers, new, list, state = d:exchange(ends, 3, options)
    equal({ answers, new[2], keys_of(list), state.open },
      { { true, true, true, false }, 1, { "child", "waits", "c" }, true })
    equal(counts_of(d), { leased = 4, done = 2 })
    local again, _, same = d:exchange(ends, 3, options)
    equal({ again, keys_of(same) }, { { true, true, true, false }, { "child", "waits", "c" } })
  end)

  it("an exchange asked for no job takes none, but those that its token took before", function()
    local place <close> = open()
    local d = place:driver()
    put(d, "a", "b")
    local list, its_token = take(d, 1)
    local options = { lease = 60, attempts = 5, token = its_token }
    local answers, new, same, state = d:exchange({}, 0, options)
    equal({ answers, new, keys_of(same), state.open }, { {}, {}, keys_of(list), true })
    options.token = token()
    local _, _, none = d:exchange({}, 0, options)
    equal({ none, counts_of(d) }, { {}, { pending = 1, leased = 1 } })
    equal({ select(3, d:exchange({ { key = "a", token = its_token, how = "done" } }, 0)) }, {})
    equal(counts_of(d), { pending = 1, done = 1 })
  end)

  it("law_10_asked_again: an end whose answer was lost is not done twice", function()
    for _, how in ipairs { "done", "dropped", "retry", "dead", "back" } do
      local place <close> = open()
      local d = place:driver()
      local its_token = reach.leased(d, "k")
      local more = { result = "1", error = "x", delay = 0, puts = { { key = "c", delay = 50 } } }
      if how ~= "done" and how ~= "dropped" then more.puts = nil end
      equal(finish(d, "k", its_token, how, more), true, how)
      local before = counts_of(d)
      for _ = 1, 2 do equal(finish(d, "k", its_token, how, more), true, how) end
      equal(counts_of(d), before, how)
      if how == "retry" or how == "back" then
        local second = take_one(d, "k")
        equal(finish(d, "k", its_token, how, more), true, how)
        equal(finish(d, "k", second, "done", { result = "2" }), true, how)
        equal(results_of(d), { { "k", "2" } })
      end
    end
  end)

  it("several ends of one call are each whole, in their order", function()
    local place <close> = open()
    local d = place:driver()
    put(d, "a", "b", "c", "d")
    local _, its_token = take(d, 4)
    local puts = { { key = "e" }, { key = "a" }, { key = "e" }, { key = "f", delay = 1 } }
    local answers, new = d:finish { { key = "b", token = its_token, how = "done", result = "1" },
      { key = "x", token = its_token, how = "done", result = "2" },
      { key = "a", token = its_token, how = "done", result = "3", puts = puts },
      { key = "c", token = "wrong", how = "done", result = "4", puts = { { key = "no" } } },
      { key = "d", token = its_token, how = "dead", error = "x" } }
    equal({ answers, new[3] }, { { true, false, true, false, true }, 2 })
    equal(results_of(d), { { "b", "1" }, { "a", "3" } })
    equal(counts_of(d), { pending = 1, delayed = 1, leased = 1, done = 2, dead = 1 })
  end)
end

function specs.group(open)
  local function grouped(...)
    local list = {}
    for i, key in ipairs { ... } do list[i] = { key = key, group = key:sub(1, 1) } end
    return table.unpack(list)
  end

  it("a job of a full group waits, and the others go on", function()
    local place <close> = open()
    local d = place:driver()
    put(d, grouped("a1", "a2", "a3", "b1", "a4", "b2"))
    equal(taken(d, 10, { limit = 1 }), { "a1", "b1" })
    equal(counts_of(d), { leased = 2, waiting = 4 })
    local _, _, info = take(d, 10, { limit = 1 })
    equal({ info.open, info.due }, { true, 60.0 })
  end)

  it("a job behind thousands of a full group is taken", function()
    local place <close> = open()
    local d, list = place:driver(), {}
    for i = 1, 4200 do list[i] = { key = "a" .. i, group = "a" } end
    list[#list + 1] = { key = "b", group = "b" }
    d:put(list)
    equal(taken(d, 1, { limit = 1 }), { "a1" })
    equal(taken(d, 1, { limit = 1 }), { "b" })
    equal(counts_of(d), { leased = 2, waiting = 4199 })
  end)

  it("by whatever way a job leaves, the first that waits comes", function()
    for _, how in ipairs { "done", "dropped", "retry", "dead", "back", "expired", "removed" } do
      local place <close> = open()
      local d = place:driver()
      put(d, grouped("a1", "a2"))
      put(d, { key = "a3", group = "a", priority = 5, delay = 1 })
      local _, its_token = take(d, 1, { limit = 1 })
      place.clock.wall = place.clock.wall + 1
      equal(taken(d, 10, { limit = 1 }), {}, how)
      equal(counts_of(d), { leased = 1, waiting = 2 }, how)
      if how == "expired" then
        place.clock.steady = place.clock.steady + 60
      elseif how == "removed" then
        equal(d:remove "a1", true)
      else
        equal(finish(d, "a1", its_token, how, { error = "x", delay = 1000 }), true, how)
      end
      local comes_back = how == "back" or how == "expired"
      equal(taken(d, 10, { limit = 1 }), { "a3" }, how)
      equal(counts_of(d).waiting, comes_back and 2 or 1, how)
    end
  end)

  it("more places than one are all used", function()
    local place <close> = open()
    local d = place:driver()
    put(d, grouped("a1", "a2", "a3", "a4", "a5"))
    local _, its_token = take(d, 10, { limit = 3 })
    equal(counts_of(d), { leased = 3, waiting = 2 })
    d:finish { { key = "a1", token = its_token, how = "done" },
      { key = "a3", token = its_token, how = "done" } }
    equal(taken(d, 10, { limit = 3 }), { "a4", "a5" })
  end)

  it("a limit that was raised, or is gone, lets those that wait go on", function()
    for _, limit in ipairs { 3, false } do
      local place <close> = open()
      local d = place:driver()
      put(d, grouped("a1", "a2", "a3", "b1", "b2", "a4"))
      equal(taken(d, 10, { limit = 1 }), { "a1", "b1" })
      equal(taken(d, 10, { limit = limit or nil }),
        limit and { "a2", "a3", "b2" } or { "a2", "a3", "a4", "b2" })
    end
  end)

  it("the place of a job that was removed while pending is not lost", function()
    local place <close> = open()
    local d = place:driver()
    put(d, grouped("a1", "a2", "a3"))
    local _, its_token = take(d, 10, { limit = 1 })
    finish(d, "a1", its_token, "done")
    equal(d:remove "a2", true)
    equal(taken(d, 10, { limit = 1 }), { "a3" })
  end)

  it("a job whose group the function names enters it, or waits in it", function()
    local place <close> = open()
    local d = place:driver()
    put(d, "a", "b", "c")
    local _, its_token = take(d, 3)
    equal(d:enter({ { key = "a", token = its_token, group = "g" },
      { key = "b", token = its_token, group = "g" },
      { key = "c", token = its_token, group = "h" } }, 1), { true, false, true })
    equal(counts_of(d), { leased = 2, waiting = 1 })
    equal(finish(d, "b", its_token, "done"), false)
    equal(d:enter({ { key = "a", token = its_token, group = "g" } }, 1), { true })
    equal(finish(d, "a", its_token, "done"), true)
    local list = take(d, 10, { limit = 1 })
    equal(keys_of(list), { "b" })
    equal({ list[1].group, list[1].attempt }, { "g", 1 })
  end)

  it("law_10_asked_again: a job that has entered counts once, however often it asks", function()
    local place <close> = open()
    local d = place:driver()
    put(d, "a", "b", "c")
    local _, its_token = take(d, 3)
    for _ = 1, 3 do
      equal(d:enter({ { key = "a", token = its_token, group = "g" } }, 2), { true })
    end
    equal(d:enter({ { key = "b", token = its_token, group = "g" } }, 2), { true })
    equal(d:enter({ { key = "c", token = its_token, group = "g" } }, 2), { false })
  end)
end

function specs.look(open)
  it("stats count the states, and tell the age of the oldest pending job", function()
    local place <close> = open()
    local d = place:driver()
    local stats = d:stats()
    for _, state in ipairs(STATES) do equal(stats[state], 0) end
    equal({ stats.oldest, stats.rate }, { nil, 0.0 })
    put(d, "a")
    place.clock.wall = place.clock.wall + 10
    put(d, "b", { key = "c", delay = 100 })
    place.clock.wall = place.clock.wall + 5
    equal(d:stats().oldest, 15.0)
    equal(taken(d, 1), { "a" })
    equal(d:stats().oldest, 5.0)
    place.clock.wall = place.clock.wall - 3600
    equal(d:stats().oldest, 0.0)
    equal(taken(d, 1), { "b" })
    equal(d:stats().oldest, nil)
  end)

  it("stats tell how many were done a second lately", function()
    local place <close> = open()
    local d = place:driver()
    for i = 1, 20 do
      reach.done(d, "k" .. i)
      place.clock.wall = place.clock.wall + 0.5
    end
    local rate = d:stats().rate
    equal(rate > 1 and rate < 4, true, "rate " .. rate)
    place.clock.wall = place.clock.wall + 3600
    equal(d:stats().rate < 0.1, true)
  end)

  it("law_8_bounded: results come a page at a time, in the order of their ends", function()
    local place <close> = open()
    local d = place:driver()
    local keys = {}
    for i = 1, 25 do
      keys[i] = ("k%02d"):format(26 - i)
      reach.done(d, keys[i])
    end
    for _, n in ipairs { 1, 7, 25, 100 } do equal(keys_of(all(d, "results", n)), keys) end
    local page, cursor = d:results(nil, 10)
    equal(#page, 10)
    equal({ page[1].result, page[1].at }, { '"result"', place.clock.wall })
    reach.done(d, "meanwhile")
    d:remove "k15"
    local rest = d:results(cursor, 100)
    equal({ #rest, rest[1].key, rest[15].key }, { 15, "k14", "meanwhile" })
  end)

  it("law_8_bounded: dead jobs come a page at a time, in the order of their deaths", function()
    local place <close> = open()
    local d = place:driver()
    local keys = {}
    for i = 1, 12 do
      keys[i] = ("k%02d"):format(13 - i)
      reach.dead(d, keys[i])
    end
    for _, n in ipairs { 1, 5, 12, 100 } do equal(keys_of(all(d, "dead", n)), keys) end
    local row = d:dead(nil, 1)[1]
    equal({ row.key, row.error, row.traceback, row.attempts, row.at, #row.history },
      { "k12", "broken", "at x.lua:1", 1, place.clock.wall, 1 })
    equal({ row.history[1].error, row.history[1].at }, { "broken", place.clock.wall })
  end)

  it("errors come back byte by byte, whatever they are", function()
    local place <close> = open()
    local d = place:driver()
    local errors = { "x\xFF\0y\u{E9}", ("\u{20AC}"):rep(9):sub(1, -2), "\xC2\x80\xC3", "\u{FFFF}" }
    for _, err in ipairs(errors) do
      d:clear()
      put(d, "k")
      for _, how in ipairs { "retry", "dead" } do
        finish(d, "k", take_one(d, "k"), how, { error = err })
      end
      local job = d:dead(nil, 1)[1]
      equal({ job.error, job.history[1].error, job.history[2].error }, { err, err, err })
    end
  end)

  it("check finds nothing", function()
    local place <close> = open()
    local d = place:driver()
    for _, state in ipairs(STATES) do reach[state](d, state) end
    equal(d:check(), {})
  end)
end

function specs.hand(open)
  it("retry makes a dead job pending, or all, and keeps their history", function()
    local place <close> = open()
    local d = place:driver()
    for _, key in ipairs { "c", "a", "b" } do reach.dead(d, key) end
    equal({ d:retry "none", d:retry "a", d:retry "a" }, { 0, 1, 0 })
    equal(keys_of(all(d, "dead")), { "c", "b" })
    equal(d:retry(), 2)
    equal(d:retry(), 0)
    local list = take(d, 10)
    equal(keys_of(list), { "a", "c", "b" })
    equal({ list[1].attempt, list[1].history_n }, { 1, 1 })
    for _, state in ipairs { "pending", "delayed", "leased", "waiting", "done" } do
      reach[state](d, "k-" .. state)
      equal(d:retry("k-" .. state), 0, state)
    end
  end)

  it("remove takes a job out of any state, and its result", function()
    for _, state in ipairs(STATES) do
      local place <close> = open()
      local d = place:driver()
      local its_token = reach[state](d, "k")
      local others = state == "waiting" and { leased = 1 } or {}
      equal({ d:remove "k", d:remove "k" }, { true, false }, state)
      equal(counts_of(d), others, state)
      equal(all(d, "results"), {}, state)
      equal(all(d, "dead"), {}, state)
      if its_token then
        equal(finish(d, "k", its_token, "done", { result = "1" }), false)
        equal(d:renew({ { key = "k", token = its_token } }, 60), { false })
      end
      equal((put(d, "k")), 1, state)
      place.clock.wall = place.clock.wall + 2000
      equal(taken(d, 1), { "k" }, state)
    end
  end)

  it("clear removes everything, and what is leased is lost", function()
    local place <close> = open()
    local d, other = place:driver(), place:driver()
    for _, state in ipairs(STATES) do reach[state](d, state) end
    put(d, { key = "k", priority = 1000 })
    local its_token = take_one(d, "k")
    other:clear()
    equal(counts_of(d), {})
    equal({ all(d, "results"), all(d, "dead") }, { {}, {} })
    equal(finish(d, "k", its_token, "done"), false)
    local list, _, info = take(d, 1)
    equal({ list, info.open, info.due }, { {}, false, nil })
    equal((put(d, "k", "pending", "done", "dead")), 4)
    equal(taken(other, 10), { "k", "pending", "done", "dead" })
  end)

  it("a cursor from before a clear lies before all that comes", function()
    local place <close> = open()
    local d = place:driver()
    local function fill(name)
      for i = 1, 4 do
        local key, how = name .. i, i % 2 == 0 and "done" or "dead"
        put(d, key)
        finish(d, key, take_one(d, key), how, { error = "x" })
      end
    end
    fill "old"
    local _, ended = d:results(nil, 1)
    local _, died = d:dead(nil, 1)
    d:clear()
    fill "new"
    equal(keys_of(d:results(ended, 10)), { "new2", "new4" })
    equal(keys_of(d:dead(died, 10)), { "new1", "new3" })
  end)

  it("forget removes what was done so long ago, and its key may be put again", function()
    local place <close> = open()
    local d = place:driver()
    for i = 1, 4 do
      reach.done(d, "k" .. i)
      place.clock.wall = place.clock.wall + 10
    end
    for _, state in ipairs { "pending", "delayed", "waiting", "leased", "dead" } do
      reach[state](d, state)
    end
    finish(d, "x", reach.leased(d, "x"), "dropped")
    put(d, { key = "k2", again = true, delay = 1000 })
    equal(d:forget(30), 1)
    equal(d:forget(30), 0)
    equal(keys_of(all(d, "results")), { "k2", "k3", "k4" })
    place.clock.wall = place.clock.wall + 1000
    equal(d:forget(0), 3)
    equal(keys_of(all(d, "results")), { "k2" })
    local counts = counts_of(d)
    equal({ counts.done, counts.dead }, { nil, 1 })
    equal((put(d, "k1", "k2", "k3")), 2)
  end)
end

function specs.together(open)
  it("law_1_put: of tasks that put a key at the same time, one finds it new", function()
    local place <close> = open()
    local drivers, sum = { place:driver(), place:driver() }, 0
    task.group(function(g)
      for i = 1, 20 do
        g:spawn(function()
          local list = {}
          for k = 1, 30 do list[k] = { key = "k" .. (k + i) % 30 } end
          local new = drivers[i % 2 + 1]:put(list, true)
          sum = sum + new
        end)
      end
    end)
    equal({ sum, counts_of(drivers[1]) }, { 30, { pending = 30 } })
  end)

  it("law_3_fencing: tasks that take at the same time never get the same job", function()
    local place <close> = open()
    local drivers, seen, n = { place:driver(), place:driver() }, {}, 0
    local list = {}
    for i = 1, 150 do list[i] = { key = "k" .. i, group = "g" .. i % 3 } end
    drivers[1]:put(list)
    task.group(function(g)
      for i = 1, 12 do
        g:spawn(function()
          local d = drivers[i % 2 + 1]
          while true do
            local got, its_token = take(d, 3, { limit = 100 })
            if #got == 0 then return end
            local ends = {}
            for k, job in ipairs(got) do
              equal(seen[job.key], nil, job.key)
              seen[job.key], n = true, n + 1
              ends[k] = { key = job.key, token = its_token, how = "done", result = "1" }
            end
            local answers = task.gather { function() return d:finish(ends) end,
              function() return d:finish(ends) end }
            for k in ipairs(got) do equal({ answers[1][k], answers[2][k] }, { true, true }) end
          end
        end)
      end
    end)
    equal({ n, #all(drivers[2], "results", 40), counts_of(drivers[1]) },
      { 150, 150, { done = 150 } })
  end)

  it("law_10_asked_again: what a cancelled task took, or ended, is asked for again", function()
    local place <close> = open()
    local d = place:driver()
    for i = 1, many(40) do
      local a, b = "a" .. i, "b" .. i
      put(d, a, b)
      local its_token = token()
      local options = { lease = 60, attempts = 5, token = its_token }
      local ends = { { key = a, token = its_token, how = "done", result = "1" },
        { key = b, token = its_token, how = "dead", error = "x" } }
      local function cut_short(fn, ...)
        local t = task.spawn(fn, ...)
        for _ = 1, i % 6 do task.checkpoint() end
        if i % 7 == 0 then task.sleep(0.001) end
        t:cancel()
        task.wait { t }
      end
      cut_short(d.take, d, 2, options)
      equal(keys_of((d:take(2, options))), { a, b })
      cut_short(d.finish, d, ends)
      equal(d:finish(ends), { true, true })
    end
    equal(counts_of(d), { done = many(40), dead = many(40) })
    equal(#all(d, "results"), many(40))
  end)
end

return function(engine)
  local function open() return engines.place(engine) end
  for _, name in ipairs { "put", "order", "take", "lease", "finish", "group", "look", "hand",
    "together" } do
    describe(("an engine (%s)"):format(engine), function() specs[name](open) end)
  end
end
