-- SPDX-License-Identifier: MIT
-- Queues in a file, by SQLite. Each method is one request to the thread of the database, which runs
-- it in one transaction.
local core = require "septet.core"
local clock = require "septet.jobs.clock"
local hand = require "septet.jobs.sqlite.hand"
local opening = require "septet.jobs.sqlite.opening"

local sqlite = {}

local RELAXED, OPTIONAL = 1, 2 -- flags of a request
local SLICE = 1000             -- jobs that are put without a pause
local LOST_MOST = 10000        -- leases that one take ends
local MOVED_MOST = 4096        -- jobs in sequence that a take moves into their groups
local VIEW = 8                 -- columns of a leased job
local LOST = 6                 -- columns of one of which the worker was lost
local CHECK_EVERY = 1          -- seconds between two looks at the owners

---@class septet.jobs.Sqlite
local Driver = {}
Driver.__index = Driver
for name, method in pairs(hand) do Driver[name] = method end

-- Runs the first n values of a list as statements. Returns the numbers of changed rows, and a list
-- of values for each statement with rows.
local function run(self, list, n, flags, program)
  if self.closing then opening.raise(self.shown, "closed") end
  local changed, a, b, c, d = self.db:run(list, n, flags or 0, program)
  if not changed then opening.raise(self.shown, a, b) end
  return changed, a, b, c, d
end

-- Like run(), but returns them in a table.
local function run_packed(self, list, n, flags)
  local found = table.pack(self.db:run(list, n, flags or 0))
  if not found[1] then opening.raise(self.shown, found[2], found[3]) end
  return found
end

-- --- put ---

local function add_put(ids, list, n, job, wall, place)
  local delay = job.delay or 0
  list[n + 1], list[n + 2], list[n + 3] = ids.put, job.key, job.data or false
  list[n + 4], list[n + 5], list[n + 6] = job.priority or 0, job.group or false, wall
  list[n + 7], list[n + 8] = delay > 0 and 2 or 0, delay > 0 and wall + delay
  list[n + 9], list[n + 10] = place, job.again or false
  return n + 10
end

--- Adds jobs. Returns the number of new ones, and a table with true for each.
function Driver:put(jobs)
  local ids, wall, total = self.ids, self.clock.wall(), #jobs
  local list, n, program = { ids.take_turns, total }, 2, nil
  for i = 1, total do
    n = add_put(ids, list, n, jobs[i], wall, total - i)
    if i % SLICE == 0 then
      program = program or self.db:program()
      self.db:add(list, n, 0, program)
      n = 0
      core.pause()
    end
  end
  local changed = run(self, list, n, 0, program)
  local count, new = 0, {}
  for i = 1, total do
    if changed[i + 1] == 1 then count, new[i] = count + 1, true end
  end
  return count, new
end

-- --- take ---

-- Appends the tables of leased jobs to a list.
local function add_views(jobs, rows)
  for i = 1, #rows, VIEW do
    jobs[#jobs + 1] = { group = rows[i + 1] or nil, key = rows[i + 2], data = rows[i + 3] or nil,
      attempt = rows[i + 4], priority = rows[i + 5], put_at = rows[i + 6], history_n = rows[i + 7] }
  end
end

-- Returns the jobs of which the workers were lost, or nil.
local function lost_of(rows)
  local lost
  for i = 1, #rows, LOST do
    lost = lost or {}
    lost[#lost + 1] = { key = rows[i + 4], attempt = rows[i + 5], died = rows[i + 2] == 1 }
  end
  return lost
end

-- Sorts jobs by priority, and leaves those of one priority in their order.
local function sort_stably(jobs)
  for i = 2, #jobs do
    local job, at = jobs[i], i
    while at > 1 and jobs[at - 1].priority < job.priority do
      jobs[at], at = jobs[at - 1], at - 1
    end
    jobs[at] = job
  end
end

local function view_of(self, row, lost)
  local due = row[2] and row[2] - self.clock.wall()
  local lease = row[3] and row[3] - self.clock.steady()
  local least = due and lease and math.min(due, lease) or due or lease
  return { open = row[1] == 1, due = least and math.max(least, 0) or nil, lost = lost }
end

-- Appends the steps that end the leases of owners that have died.
local function add_dead_owners(self, list, n, now)
  local ids = self.ids
  if self.alive then
    local _, rows = run(self, { ids.owners }, 1)
    for i = 1, #rows, 2 do
      if not self.alive(rows[i + 1]) then
        list[n + 1], list[n + 2] = ids.end_owner, rows[i]
        n = n + 2
      end
    end
    return n
  end
  if now - self.checked_at < CHECK_EVERY then return n end
  self.checked_at = now
  list[n + 1], list[n + 2] = ids.end_dead, ids.forget_dead
  return n + 2
end

-- Returns what was leased under a token before.
local function taken_before(self, token)
  local ids = self.ids
  local _, rows, row = run(self, { ids.leased_by, token, ids.outlook }, 3)
  local jobs = {}
  add_views(jobs, rows)
  return jobs, view_of(self, row)
end

--- Leases up to n jobs.
function Driver:take(n, options)
  local ids, token = self.ids, options.token
  local now, wall = self.clock.steady(), self.clock.wall()
  local lease, limit = now + options.lease, options.limit or false
  local list = { ids.is_unknown, token, ids.bring_due, wall, ids.count_due }
  local length = add_dead_owners(self, list, 5, now)
  for _, value in ipairs {
    ids.lost, LOST_MOST, now, options.attempts, ids.lose, wall, ids.count_lost_died,
    ids.count_lost_back, ids.wake_each, ids.count_woken_each,
    ids.pending, n, ids.lease, self.id, token, lease, limit, ids.wait,
    ids.waiting, 0, limit, ids.lease_waiting, self.id, token, lease, ids.count_back_each,
    ids.outlook } do
    length = length + 1
    list[length] = value
  end
  local changed, lost, pending, waiting, row = run(self, list, length, RELAXED + OPTIONAL)
  if changed[1] == -1 then return taken_before(self, token) end
  local jobs, woken = {}, {}
  add_views(jobs, pending)
  add_views(woken, waiting)
  if #jobs + #woken + #lost == 0 and changed[#changed - 4] >= MOVED_MOST then
    return self:take(n, options) -- there may be others behind them
  end
  sort_stably(woken)
  table.move(woken, 1, #woken, #jobs + 1, jobs)
  return jobs, view_of(self, row, lost_of(lost))
end

--- Puts leased jobs into their groups. One waits there if the group is full.
function Driver:enter(asked, limit)
  local ids, list, n, answers = self.ids, {}, 0, {}
  for _, job in ipairs(asked) do
    list[n + 1], list[n + 2], list[n + 3] = ids.held, job.key, job.token
    list[n + 4], list[n + 5], list[n + 6] = ids.enter, job.group, limit
    list[n + 7], list[n + 8] = ids.wait_in, job.group
    n = n + 8
  end
  local changed = run(self, list, n, RELAXED)
  for i = 1, #asked do
    local step = 3 * i - 2
    if changed[step] == -1 then answers[i] = "lost" else answers[i] = changed[step + 1] == 1 end
  end
  return answers
end

-- --- the end of a job ---

local COUNTS = { back = "count_back", retry = "count_back", dead = "count_died" }

-- Appends the statements that end a job. Returns the list's new length, and their number.
local function add_ending(ids, list, n, ending, wall, place)
  local how, steps = ending.how, 4
  if how == "retry" and (ending.delay or 0) > 0 then how = "retry_later" end
  list[n + 1], list[n + 2], list[n + 3] = ids.held, ending.key, ending.token
  list[n + 4], list[n + 5], list[n + 6] = ids[how], ending.token, wall
  n = n + (how == "back" and 5 or 6)
  if how == "done" then
    list[n + 1], list[n + 2], list[n + 3], list[n + 4] = place, ids.result, place, wall
    list[n + 5], list[n + 6] = ending.result or false, ids.replace
    n, steps = n + 6, steps + 2
  elseif how ~= "back" and how ~= "dropped" then
    list[n + 1] = ending.error or false
    n = n + 1
    if how == "dead" then
      list[n + 1], n = ending.traceback or false, n + 1
    elseif how == "retry_later" then
      list[n + 1], n = wall + ending.delay, n + 1
    end
  end
  if COUNTS[how] then
    list[n + 1], n, steps = ids[COUNTS[how]], n + 1, steps + 1
  end
  list[n + 1], list[n + 2] = ids.wake, ids.count_woken
  return n + 2, steps
end

-- Returns the numbers of results and of puts, and the keys that occur more than once.
local function count_ends(ends)
  local results, puts, seen, twice = 0, 0, {}, nil
  for _, ending in ipairs(ends) do
    if ending.how == "done" then results = results + 1 end
    puts = puts + (ending.puts and #ending.puts or 0)
    if seen[ending.key] then
      twice = twice or {}
      twice[ending.key] = true
    end
    seen[ending.key] = true
  end
  return results, puts, twice or {}
end

-- Returns a list of statements that end jobs, its length, the number of the step that begins each
-- end, the ends that are asked for before they are tried, as another end of their job follows, and
-- the number of the step that begins the puts of each.
local function endings(self, ends)
  local ids, wall = self.ids, self.clock.wall()
  local results, puts, twice = count_ends(ends)
  local list, n, steps, step = { ids.take_results, results, ids.take_turns, puts }, 4, {}, 2
  local asked, put_steps = {}, {}
  for i, ending in ipairs(ends) do
    if ending.how == "done" then results = results - 1 end
    if twice[ending.key] then
      list[n + 1], list[n + 2], list[n + 3] = ids.has_ended, ending.key, ending.token
      n, step = n + 3, step + 1
      asked[#asked + 1] = i
    end
    local count
    n, count = add_ending(ids, list, n, ending, wall, results)
    steps[i] = step + 1
    step = step + count
    put_steps[i] = step + 1
    for _, job in ipairs(ending.puts or {}) do
      puts = puts - 1
      n = add_put(ids, list, n, job, wall, puts)
      step = step + 1
    end
  end
  return list, n, steps, asked, put_steps
end

-- Sets the answers of the ends that were refused: true if their tokens have ended the jobs before.
local function look_again(self, ends, answers)
  local list, n, which = {}, 0, {}
  for i, ending in ipairs(ends) do
    if not answers[i] then
      list[n + 1], list[n + 2], list[n + 3] = self.ids.has_ended, ending.key, ending.token
      n = n + 3
      which[#which + 1] = i
    end
  end
  if n == 0 then return end
  local found = run_packed(self, list, n)
  for k, i in ipairs(which) do answers[i] = found[k + 1][1] == 1 end
end

-- Returns how many of the jobs that an end has put were new. Their steps begin at `first`.
local function count_new(changed, first, ending)
  local n = 0
  for i = first, first + #ending.puts - 1 do n = n + changed[i] end
  return n
end

--- Ends jobs. Returns for each if its lease held, and how many of the jobs that it put were new.
function Driver:finish(ends)
  local answers, new, list, n, steps, asked, put_steps = {}, {}, endings(self, ends)
  local found = run_packed(self, list, n)
  for i, ending in ipairs(ends) do
    answers[i] = found[1][steps[i]] == 1
    if ending.puts then new[i] = count_new(found[1], put_steps[i], ending) end
  end
  for k, i in ipairs(asked) do answers[i] = answers[i] or found[k + 1][1] == 1 end
  look_again(self, ends, answers)
  return answers, new
end

--- Ends jobs, then leases up to n others.
---@async
function Driver:exchange(ends, n, options)
  local answers, new = {}, {}
  if #ends > 0 then answers, new = self:finish(ends) end
  if not options then return answers, new end
  return answers, new, self:take(n, options)
end

--- Renews leases. Returns for each if it held.
function Driver:renew(asked, seconds)
  local list, n, lease = {}, 0, self.clock.steady() + seconds
  for _, job in ipairs(asked) do
    list[n + 1], list[n + 2], list[n + 3], list[n + 4] = self.ids.renew, job.key, job.token, lease
    n = n + 4
  end
  local changed, answers = run(self, list, n, RELAXED), {}
  for i = 1, #asked do answers[i] = changed[i] == 1 end
  return answers
end

--- Opens the queue of a file. Raises JobsError. For tests, `options.alive` tells whether an owner
--- still is, and `options.schema` replaces the schema.
---@async
function sqlite.open(place, options)
  local db, ids = opening.open(place.path, place.shown, options, options.schema)
  local id = opening.add_owner(db, place.shown, ids, options.owner)
  local clocks = options.clock or clock
  return setmetatable({ db = db, ids = ids, id = id, shown = place.shown, clock = clocks,
    alive = options.alive, checked_at = clocks.steady() }, Driver)
end

return sqlite
