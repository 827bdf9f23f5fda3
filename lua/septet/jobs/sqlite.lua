-- SPDX-License-Identifier: MIT
-- Queues in a file, by SQLite. Each method is one request to the thread of the database, which runs
-- it in one transaction.
local clock = require "septet.jobs.clock"
local ends = require "septet.jobs.sqlite.ends"
local hand = require "septet.jobs.sqlite.hand"
local opening = require "septet.jobs.sqlite.opening"
local put = require "septet.jobs.sqlite.put"
local request = require "septet.jobs.sqlite.request"

local sqlite = {}

local run, ROW = request.run, ends.ROW

local RELAXED, OPTIONAL = 1, 2 -- flags of a request
local LOST_MOST = 10000        -- leases that one take ends
local DUE_MOST = 10000         -- jobs that one take brings back
local MOVED_MOST = 4096        -- jobs in sequence that a take moves into their groups
local VIEW = 9                 -- columns of a leased job
local LOST = 6                 -- columns of one of which the worker was lost
local CHECK_EVERY = 1          -- seconds between two looks at the owners

---@class septet.jobs.Sqlite
local Driver = {}
Driver.__index = Driver
for name, method in pairs(hand) do Driver[name] = method end
Driver.put = put.put

-- --- take ---

-- Appends the tables of leased jobs to a list.
local function add_views(jobs, rows)
  for i = 1, #rows, VIEW do
    local is_alone = not rows[i + 1] and not rows[i + 2]
    jobs[#jobs + 1] = { group = rows[i + 1] or nil, key = rows[i + 3], data = rows[i + 4] or nil,
      attempt = rows[i + 5], priority = rows[i + 6], put_at = rows[i + 7], history_n = rows[i + 8],
      [ROW] = is_alone and rows[i] or nil }
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

-- Appends the steps that lease up to n jobs. Returns the list's new length.
local function add_take(self, list, n, wanted, options)
  local ids, now, wall = self.ids, self.clock.steady(), self.clock.wall()
  local token, lease, limit = options.token, now + options.lease, options.limit
  for _, value in ipairs { ids.is_unknown, token, ids.is_due, wall, ids.due, DUE_MOST, wall,
    ids.bring, ids.count_turn } do
    n = n + 1
    list[n] = value
  end
  n = add_dead_owners(self, list, n, now)
  for _, value in ipairs { ids.lost, LOST_MOST, now, options.attempts, ids.lose, wall,
    ids.release_each, ids.count_lost_died, ids.count_lost_back, ids.wake_each,
    ids.count_woken_each, ids.pending, wanted } do
    n = n + 1
    list[n] = value
  end
  local leases = limit and { ids.room, limit, ids.lease_then, self.id, token, lease, ids.wait }
    or { ids.lease, self.id, token, lease }
  n = #table.move(leases, 1, #leases, n + 1, list)
  for _, value in ipairs { ids.waiting, 0, limit or false, ids.rise, ids.lease_waiting, self.id,
    token, lease, ids.count_back_each, ids.outlook } do
    n = n + 1
    list[n] = value
  end
  return n
end

-- Returns what a take has leased, and what is left. The last lists of `found` are its own.
local function taken(self, found, wanted, options)
  local changed, jobs, woken = found[1], {}, {}
  local lost, pending, waiting, row = table.unpack(found, found.n - 3)
  add_views(jobs, pending)
  add_views(woken, waiting)
  if #jobs + #woken + #lost == 0 and options.limit and changed[#changed - 5] >= MOVED_MOST then
    return self:take(wanted, options) -- there may be others behind them
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
    list[n + 7], list[n + 8], list[n + 9] = ids.name_group, job.group, ids.wait_in
    list[n + 10], list[n + 11] = job.group, ids.release_waiting
    n = n + 11
    job[ROW] = nil -- its end may wake another one
  end
  local changed = run(self, list, n, RELAXED)
  for i = 1, #asked do
    local step = 5 * i - 4
    if changed[step] == -1 then answers[i] = "lost" else answers[i] = changed[step + 1] == 1 end
  end
  return answers
end

--- Ends jobs, then leases up to n others, in one transaction. Returns for each end if its lease
--- held, and how many of the jobs that it put were new; and with options the leased jobs, and what
--- is left.
function Driver:exchange(ended, n, options)
  local has_ends = #ended > 0
  local list, length, steps, places = {}, 0, 0, nil
  if has_ends then list, length, steps, places = ends.add(self, ended) end
  if options then length = add_take(self, list, length, n, options) end
  local found = request.packed(self, list, length, has_ends and 0 or RELAXED + OPTIONAL)
  local answers, new = {}, {}
  if has_ends then answers, new = ends.answers(self, ended, found, places) end
  if not options then return answers, new end
  if found[1][steps + 1] == -1 then return answers, new, taken_before(self, options.token) end
  return answers, new, taken(self, found, n, options)
end

--- Ends jobs, as exchange() does.
function Driver:finish(ended) return self:exchange(ended, 0) end

--- Leases up to n jobs, as exchange() does.
function Driver:take(n, options) return select(3, self:exchange({}, n, options)) end

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
