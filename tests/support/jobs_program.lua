-- SPDX-License-Identifier: MIT
--- Programs for queues, drawn by lot: each runs on an engine and on the model, whose answers must
--- be the same. One that fails is made short before it is shown.
local program = {}

local Model = require "jobs_model"
local engines = require "jobs_engines"

local KEYS = { "a", "b", "c", "d", "e", "f", "g", "h" }
local SLOTS <const> = 2    -- open drivers
local LENGTH <const> = 50  -- steps
local CHUNK <const> = 250  -- programs of a spec
local PLACE <const> = 10   -- programs that run in a place
local SHRINKS <const> = 600 -- runs that may be spent on a short program
local EXACT <const> = 1e-3 -- seconds by which two instants may differ

-- --- drawing ---

-- Returns a function that draws whole numbers from 1 to n: draw(n), or one of a list: draw(list).
local function drawer(seed)
  local state = seed * 2654435769 + 12345
  return function(n)
    state = state ~ (state << 13)
    state = state ~ (state >> 7)
    state = state ~ (state << 17)
    local list = type(n) == "table" and n
    local i = (state >> 11) % (list and #list or n) + 1
    if list then return list[i] end
    return i
  end
end

-- A key is always of the same group, as a host is of a URL, but it may not be told with the job.
local function group_of(key) return "group " .. key:byte() % 3 end

local function draw_put(draw)
  local key = draw(KEYS)
  local job = { key = key, data = draw { false, "1", '"x"' } or nil,
    priority = draw { 0, 0, 0, 1, -1 }, delay = draw { 0, 0, 0, 0.5, 10, 3600 },
    again = draw(4) == 1 }
  if draw(2) == 1 then job.group = group_of(key) end
  return job
end

local function several(draw, most, fn)
  local list = {}
  for i = 1, draw(most) do list[i] = fn(draw, i) end
  return list
end

local function draw_end(draw)
  local how = draw { "done", "done", "done", "dropped", "retry", "retry", "dead", "back" }
  local ending = { lease = draw(1000), how = how }
  if how == "done" then ending.result = draw { false, "1", '{"a":[]}' } or nil end
  if how == "retry" or how == "dead" then ending.error = "error " .. draw(9) end
  if how == "retry" then ending.delay = draw { 0, 0, 0.5, 30 } end
  if how == "dead" then ending.traceback = draw { false, "at line 1" } or nil end
  if (how == "done" or how == "dropped") and draw(2) == 1 then
    ending.puts = several(draw, 3, draw_put)
  end
  return ending
end

local function draw_lease(draw) return { lease = draw(1000) } end

local function draw_take(draw, env)
  return { n = draw(4), lease = draw { 30, 60 }, attempts = env.attempts,
    limit = draw(10) == 1 and draw { 1, 2, false } or env.limit }
end

-- How often each step is drawn, and how.
local STEPS = {
  { 8, "put", function(draw) return { jobs = several(draw, 4, draw_put) } end },
  { 8, "take", draw_take },
  { 1, "take_again", function(draw) return { which = draw(1000) } end },
  { 3, "enter", function(draw, env)
      return { list = several(draw, 3, draw_lease), limit = env.limit or 2 }
    end },
  { 8, "finish", function(draw) return { ends = several(draw, 3, draw_end) } end },
  { 1, "finish_again", function(draw) return { which = draw(1000) } end },
  { 6, "exchange", function(draw, env)
      local step = draw_take(draw, env)
      step.n, step.ends = draw { 0, 1, 2, 3 }, several(draw, 3, draw_end)
      return step
    end },
  { 1, "exchange_again", function(draw) return { which = draw(1000) } end },
  { 2, "renew", function(draw)
      return { list = several(draw, 3, draw_lease), seconds = draw { 30, 60, 90 } }
    end },
  { 1, "crash", function(draw) return { seen = draw(2) == 1 } end },
  { 1, "close", function() return {} end },
  { 6, "tick", function(draw) return { seconds = draw { 0.25, 0.5, 1, 10, 30, 60 } } end },
  { 2, "step", function(draw) return { seconds = draw { 3600, -3600, 10, -0.5 } } end },
  { 2, "stats", function() return {} end },
  { 1, "results", function(draw) return { n = draw(3) } end },
  { 1, "dead", function(draw) return { n = draw(3) } end },
  { 2, "retry", function(draw) return { key = draw(3) > 1 and draw(KEYS) or nil } end },
  { 2, "remove", function(draw) return { key = draw(KEYS) } end },
  { 2, "forget", function(draw) return { seconds = draw { 0, 10, 60 } } end },
}

local TOTAL = 0
for _, step in ipairs(STEPS) do TOTAL = TOTAL + step[1] end

local function draw_step(draw, env, id)
  if draw(200) == 1 then return { id = id, slot = 1, what = "clear" } end
  local at = draw(TOTAL)
  for _, step in ipairs(STEPS) do
    at = at - step[1]
    if at <= 0 then
      local drawn = step[3](draw, env)
      drawn.id, drawn.slot, drawn.what = id, draw(SLOTS), step[2]
      return drawn
    end
  end
end

--- Returns the program of a seed. Its end looks at everything, and runs what is left.
function program.draw(seed)
  local draw = drawer(seed)
  local env = { attempts = draw(3), limit = draw { false, 1, 2 } }
  local list = {}
  for i = 1, LENGTH do list[i] = draw_step(draw, env, i) end
  local function add(what, more)
    more = more or {}
    more.id, more.slot, more.what = #list + 1, 1, what
    list[#list + 1] = more
  end
  local function take() add("take", { n = 5, lease = 60, attempts = 9, limit = env.limit }) end
  for _, what in ipairs { "stats", "results", "dead" } do add(what, { n = 2 }) end
  take()
  add("tick", { seconds = 4000 })
  for _ = 1, 2 do take() end
  for _, what in ipairs { "stats", "dead", "check" } do add(what, { n = 3 }) end
  return list
end

-- --- running ---

-- A side is an engine or the model: { drivers, given, takes, finishes, exchanges, reopen }. All but
-- the last are lists by slot: a lease is ended, and a call asked for again, by the driver that took
-- it.

-- Returns one of a list, of which the last ones are drawn most often.
local function recent(list, drawn)
  local n = #list
  if n == 0 then return nil end
  local span = drawn % 4 == 0 and n or math.min(n, 4)
  return list[n - drawn % span]
end

local function leases_of(side, slot, list)
  local leases = {}
  for _, entry in ipairs(list) do
    local lease = recent(side.given[slot], entry.lease)
    if lease then
      local made = { key = lease.key, token = lease.token, group = group_of(lease.key) }
      -- what an engine has noted in the job that it gave: an end may come without it
      if entry.lease % 4 > 0 then
        for name, value in pairs(lease.own) do made[name] = value end
      end
      for name, value in pairs(entry) do
        if name ~= "lease" then made[name] = value end
      end
      leases[#leases + 1] = made
    end
  end
  return leases
end

-- Returns all rows of a method, read n at a time.
local function rows_of(driver, method, n)
  local rows, cursor = {}, nil
  repeat
    local list
    list, cursor = driver[method](driver, cursor, n)
    table.move(list, 1, #list, #rows + 1, rows)
  until not cursor
  return rows
end

-- Puts a driver into a slot. It knows nothing of what the one before has done.
local function fill(side, slot, driver)
  side.drivers[slot], side.given[slot] = driver, {}
  side.takes[slot], side.finishes[slot], side.exchanges[slot] = {}, {}, {}
end

local run = {}

function run.put(driver, step) return driver:put(step.jobs, true) end

local function options_of(step)
  return { lease = step.lease, attempts = step.attempts, limit = step.limit or nil,
    token = "token-" .. step.id }
end

local function give(side, step, list)
  for _, job in ipairs(list) do
    local own = {}
    for name, value in pairs(job) do
      if type(name) == "table" then own[name] = value end
    end
    for name in pairs(own) do job[name] = nil end
    table.insert(side.given[step.slot], { key = job.key, token = "token-" .. step.id, own = own })
  end
end

function run.take(driver, step, side)
  table.insert(side.takes[step.slot], step)
  local list, info = driver:take(step.n, options_of(step))
  give(side, step, list)
  return list, info
end

-- The answer was lost on the way, so the same driver asks again.
function run.take_again(driver, step, side)
  local before = recent(side.takes[step.slot], step.which)
  if before then return run.take(driver, before, side) end
end

function run.enter(driver, step, side)
  return driver:enter(leases_of(side, step.slot, step.list), step.limit)
end

function run.finish(driver, step, side)
  local ends = leases_of(side, step.slot, step.ends)
  table.insert(side.finishes[step.slot], ends)
  return (driver:finish(ends))
end

function run.finish_again(driver, step, side)
  local before = recent(side.finishes[step.slot], step.which)
  if before then return (driver:finish(before)) end
end

local function exchange(driver, step, side, ends)
  local answers, _, list, info = driver:exchange(ends, step.n, options_of(step))
  give(side, step, list)
  return answers, list, info
end

function run.exchange(driver, step, side)
  local ends = leases_of(side, step.slot, step.ends)
  table.insert(side.exchanges[step.slot], { step, ends })
  return exchange(driver, step, side, ends)
end

function run.exchange_again(driver, step, side)
  local before = recent(side.exchanges[step.slot], step.which)
  if before then return exchange(driver, before[1], side, before[2]) end
end

function run.renew(driver, step, side)
  return driver:renew(leases_of(side, step.slot, step.list), step.seconds)
end

function run.crash(driver, step, side)
  fill(side, step.slot, side.reopen(driver, true, step.seen))
end

function run.close(driver, step, side)
  driver:close()
  fill(side, step.slot, side.reopen(driver, false))
end

function run.tick() end
function run.step() end

function run.stats(driver)
  local stats = driver:stats()
  stats.rate = nil -- each engine has its own way to reckon it
  return stats
end

function run.results(driver, step) return rows_of(driver, "results", step.n) end

function run.dead(driver, step) return rows_of(driver, "dead", step.n) end

function run.retry(driver, step) return driver:retry(step.key) end

function run.remove(driver, step) return driver:remove(step.key) end

function run.clear(driver)
  driver:clear() -- luacheck: ignore
end

function run.forget(driver, step) return driver:forget(step.seconds) end

function run.check(driver) return driver:check() end

local function shown(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local names, words = {}, {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for i, name in ipairs(names) do
    words[i] = (type(name) == "string" and name .. " = " or "") .. shown(value[name])
  end
  return "{ " .. table.concat(words, ", ") .. " }"
end

-- Returns where two answers differ, or nil. Instants are compared to the millisecond.
local function difference(got, expected, place)
  if expected == Model.EITHER and type(got) == "boolean" then return nil end
  if type(expected) == "table" and type(got) == "table" then
    for name, value in pairs(expected) do
      local found = difference(got[name], value, ("%s.%s"):format(place, name))
      if found then return found end
    end
    for name, value in pairs(got) do
      if expected[name] == nil then
        return ("%s.%s is %s, the model has none"):format(place, name, shown(value))
      end
    end
    return nil
  end
  if got == expected then return nil end
  if math.type(expected) == "float" and type(got) == "number"
    and math.abs(got - expected) < EXACT then return nil end
  return ("%s is %s, the model has %s"):format(place, shown(got), shown(expected))
end

local function answer_of(side, step)
  return table.pack(pcall(run[step.what], side.drivers[step.slot], step, side))
end

-- Runs a program. Returns nil, or the number of the step at which the engine's answer is another
-- one than the model's, and in words what differs.
local function compare(list, place)
  local clock = place.clock
  local model = Model.new(clock, place.dead)
  local engine_side = { drivers = {}, given = {}, takes = {}, finishes = {}, exchanges = {} }
  local model_side = { drivers = {}, given = {}, takes = {}, finishes = {}, exchanges = {} }
  function engine_side.reopen(driver, crashes, seen)
    if crashes then place:crash(driver, seen) else place.drivers[driver] = nil end
    return place:driver()
  end
  local driver_of_model
  function model_side.reopen() return driver_of_model end
  for slot = 1, SLOTS do
    local driver = place.idle and table.remove(place.idle) or place:driver()
    fill(engine_side, slot, driver)
    fill(model_side, slot, model:driver(place.drivers[driver]))
  end
  engine_side.drivers[1]:clear()
  local at, words
  for i, step in ipairs(list) do
    if step.what == "tick" then clock.steady = clock.steady + step.seconds end
    if step.what == "tick" or step.what == "step" then clock.wall = clock.wall + step.seconds end
    local got = answer_of(engine_side, step)
    driver_of_model = model:driver(place.drivers[engine_side.drivers[step.slot]])
    words = difference(got, answer_of(model_side, step), "the answer")
    if words then
      at = i
      break
    end
  end
  place.idle = engine_side.drivers
  return at, words
end

-- --- what failed ---

-- Returns a copy of a list without the items from one to another.
local function without(list, from, to)
  return table.move(list, to + 1, #list, from, table.move(list, 1, from - 1, 1, {}))
end

-- Takes steps away as long as the program fails: first half of them at a time, at last each one.
local function drop_steps(list, fails)
  local width = #list // 2
  while width >= 1 do
    local from, dropped = 1, false
    while from <= #list do
      local shorter = fails(without(list, from, math.min(from + width - 1, #list)))
      if shorter then
        list, dropped = shorter, true
      else
        from = from + width
      end
    end
    if not dropped or width > 1 then width = width // 2 end
  end
  return list
end

-- Takes items of the lists inside of the steps away as long as the program fails.
local function drop_items(list, fails)
  for i, step in ipairs(list) do
    for _, name in ipairs { "jobs", "list", "ends" } do
      local at = step[name] and #step[name] or 0
      while at >= 1 do
        local smaller = {}
        for field, value in pairs(list[i]) do smaller[field] = value end
        smaller[name] = without(smaller[name], at, at)
        local candidate = table.move(list, 1, #list, 1, {})
        candidate[i] = smaller
        local shorter = fails(candidate)
        if shorter and #shorter == #list then list = shorter end
        at = at - 1
      end
    end
  end
  return list
end

-- Returns a shorter program that fails, too.
local function shrink(list, at, place)
  local runs = 0
  local function fails(candidate)
    runs = runs + 1
    local failed = runs <= SHRINKS and compare(candidate, place)
    return failed and table.move(candidate, 1, failed, 1, {})
  end
  local short = drop_steps(table.move(list, 1, at, 1, {}), fails)
  return drop_steps(drop_items(short, fails), fails)
end

--- Returns a program as text, a step a line.
function program.show(list)
  local lines = {}
  for i, step in ipairs(list) do
    local rest = {}
    for name, value in pairs(step) do
      if name ~= "what" then rest[name] = value end
    end
    lines[i] = ("  %s %s"):format(step.what, shown(rest))
  end
  return table.concat(lines, "\n")
end

--- Runs the programs of the seeds from `first` to `last` on a place, on a clock of its own. Raises
--- an error that shows a short program for the first seed that fails.
function program.check(place, first, last)
  for seed = first, last do
    local list = program.draw(seed)
    local at, words = compare(list, place)
    if at then
      local short = shrink(list, at, place)
      local _, again = compare(short, place)
      error(("seed %d on %s: %s\nafter\n%s"):format(seed, place.engine,
        again or words .. ", but not if it is repeated", program.show(short)), 0)
    end
  end
end

--- Adds specs that run the programs of all seeds on an engine: 2 000 in the build that ships. The
--- others are many times slower, and a few hundred are enough to find what only they can see.
---@param engine string
function program.specs(engine)
  local seeds = many(tonumber(os.getenv "SPEC_SEEDS" or "200"))
  for first = 1, seeds, CHUNK do
    local last = math.min(first + CHUNK - 1, seeds)
    it(("answers as the model does to programs %d to %d"):format(first, last),
      { leaks = true }, function()
      for from = first, last, PLACE do -- a place keeps the owners that have crashed in it
        local place <close> = engines.place(engine)
        program.check(place, from, math.min(from + PLACE - 1, last))
      end
    end)
  end
end

return program
