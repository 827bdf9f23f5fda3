-- SPDX-License-Identifier: MIT
-- Queues in the memory of the process, for tests. They obey the laws of the other engines but that
-- nothing survives the process.
local clock = require "septet.jobs.clock"
local core = require "septet.core"
local failure = require "septet.jobs.failure"
local states = require "septet.jobs.store"

local memory = {}

local RATE <const>, SAMPLE <const> = 60, 1000 -- seconds and results that the rate is reckoned from

local named = {} -- stores by name

---@class septet.jobs.Memory
local Driver = {}

local function put(store, at, jobs)
  local n, new = 0, {}
  for i, given in ipairs(jobs) do
    if states.put(store, at, given) then n, new[i] = n + 1, true end
  end
  return n, new
end

--- Adds jobs. Returns the number of new ones, and a table with true for each.
function Driver:put(jobs) return put(self.store, self.clock.wall(), jobs) end

-- --- take ---

-- Returns the leased jobs of which the lease or the owner has ended, in the order of their turns.
local function lost_ones(self)
  local store, steady, over, dead = self.store, self.clock.steady(), {}, {}
  for owner in pairs(store.owners) do
    if not self.alive(owner) then dead[owner] = true end
  end
  if next(dead) then
    for _, list in pairs(store.tokens) do
      for _, job in ipairs(list) do
        if dead[job.owner] then over[#over + 1] = job end
      end
    end
  end
  local job, ends = store.leases:first()
  while job and ends <= steady do
    store.leases:pop()
    if not dead[job.owner] then over[#over + 1] = job end
    job, ends = store.leases:first()
  end
  table.sort(over, function(a, b) return a.turn < b.turn end)
  return over
end

-- Brings back the jobs that are due, and those that were lost. Returns what take() says of these.
local function bring_back(self, attempts)
  local store, wall = self.store, self.clock.wall()
  local job, due = store.delayed:first()
  while job and due <= wall do
    states.make_pending(store, job)
    job, due = store.delayed:first()
  end
  local lost = lost_ones(self)
  for i, gone in ipairs(lost) do
    states.lose(store, gone, wall, attempts)
    lost[i] = { key = gone.key, attempt = gone.attempts, died = gone.state == "dead" }
  end
  return #lost > 0 and lost or nil
end

local function view(job)
  return { key = job.key, data = job.data, attempt = job.attempts + 1, priority = job.priority,
    put_at = job.put_at, group = job.group, history_n = job.history and #job.history or 0 }
end

-- Leases pending jobs until there are n in the list.
local function pick(self, list, n, options)
  local store, limit = self.store, options.limit
  local lease_end = self.clock.steady() + options.lease
  while #list < n do
    local job = store.pending:first()
    if not job then return end
    store.pending:pop()
    if limit and job.group and states.is_full(store, job.group, limit) then
      states.make_waiting(store, job)
    else
      states.lease(store, job, self.owner, options.token, lease_end)
      list[#list + 1] = view(job)
    end
  end
end

-- Wakes up to n jobs of groups that have free places, the groups in the order of their names.
local function repair(store, n, limit)
  local names = {}
  for name in pairs(store.groups) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local free = limit and limit - store.groups[name].leased or n
    while n > 0 and free > 0 and states.wake(store, name) do n, free = n - 1, free - 1 end
  end
end

-- Returns the seconds until a job may come by itself, or nil.
local function due_in(self)
  local store = self.store
  local _, due = store.delayed:first()
  local _, ends = store.leases:first()
  local least = math.min(due and due - self.clock.wall() or math.huge,
    ends and ends - self.clock.steady() or math.huge)
  return least < math.huge and math.max(least, 0) or nil
end

-- Leases up to n jobs. Returns them and what is left: { open, due, lost }.
local function take(self, n, options)
  local store, list, lost = self.store, {}, nil
  if store.tokens[options.token] then
    for i, job in ipairs(store.tokens[options.token]) do list[i] = view(job) end
  else
    lost = bring_back(self, options.attempts)
    pick(self, list, n, options)
    if #list < n and store.counts.waiting > 0 then
      repair(store, n - #list, options.limit)
      pick(self, list, n, options)
    end
  end
  local counts = store.counts
  local open = counts.pending + counts.waiting + counts.delayed + counts.leased > 0
  return list, { open = open, due = due_in(self), lost = lost }
end

--- Puts leased jobs into their groups. One waits there if the group is full.
function Driver:enter(list, limit)
  local store, answers = self.store, {}
  for i, asked in ipairs(list) do
    local job = store.jobs[asked.key]
    if not job or job.token ~= asked.token then
      answers[i] = "lost"
    elseif job.group then
      answers[i] = true
    elseif states.is_full(store, asked.group, limit) then
      states.unlease(store, job)
      job.group, answers[i] = asked.group, false
      states.make_waiting(store, job)
    else
      states.enter(store, job, asked.group)
      answers[i] = true
    end
  end
  return answers
end

-- --- the end of a job ---

local function end_job(store, job, ending, wall)
  local how = ending.how
  job.ended_token = job.token
  states.unlease(store, job)
  if how ~= "back" then job.attempts = job.attempts + 1 end
  if how == "retry" then states.note_failure(job, wall, ending.error) end
  if how == "dead" then
    states.bury(store, job, wall, ending.error, ending.traceback)
  elseif how == "retry" and (ending.delay or 0) > 0 then
    states.delay(store, job, wall + ending.delay)
  elseif how == "retry" or how == "back" then
    states.make_pending(store, job, true)
  else
    states.complete(store, job, wall, ending.result, how == "dropped")
  end
  states.leave(store, job)
end

-- Ends jobs. Returns for each if its lease held, or if its token has ended it before; and how many
-- of the jobs that it put were new.
local function finish(self, ends)
  local store, wall, answers, new = self.store, self.clock.wall(), {}, {}
  for i, ending in ipairs(ends) do
    local job = store.jobs[ending.key]
    if job and job.token == ending.token then
      end_job(store, job, ending, wall)
      new[i] = ending.puts and (put(store, wall, ending.puts)) or 0
      answers[i] = true
    else
      answers[i] = job ~= nil and job.ended_token == ending.token
    end
  end
  return answers, new
end

--- Ends jobs, then leases up to n others.
---@param ends table[] { key, token, how, result, puts, delay, error, traceback }
---@param n integer
---@param options table|nil { lease, attempts, limit, token }; nil: none are wanted
---@return boolean[] # for each end, if its lease held, or if its token has ended it before
---@return table<integer, integer> # how many of the jobs that it put were new
---@return table[]|nil # the jobs, or those that were leased under the token before
---@return table|nil # what is left: { open, due, lost }
function Driver:exchange(ends, n, options)
  local answers, new = finish(self, ends)
  if not options then return answers, new end
  return answers, new, take(self, n, options)
end

--- Ends jobs, as exchange() does.
function Driver:finish(ends) return Driver.exchange(self, ends, 0) end

--- Leases up to n jobs, as exchange() does.
function Driver:take(n, options) return select(3, Driver.exchange(self, {}, n, options)) end

--- Renews leases. Returns for each if it held.
function Driver:renew(list, seconds)
  local store, answers = self.store, {}
  for i, asked in ipairs(list) do
    local job = store.jobs[asked.key]
    answers[i] = job ~= nil and job.token == asked.token
    if answers[i] then states.set_lease_end(store, job, self.clock.steady() + seconds) end
  end
  return answers
end

-- --- what is there ---

-- Returns how many results a second there were lately. A few count as those of a second at least.
local function rate_of(store, wall)
  local results, n, since = store.results, 0, wall
  for i = results.last, math.max(results.first, results.last - SAMPLE + 1), -1 do
    local job = results[i]
    if job and job.result_at < wall - RATE then break end
    if job then n, since = n + 1, math.min(since, job.result_at) end
  end
  return n / math.max(n < SAMPLE and 1 or 0.001, wall - since)
end

---@return table
function Driver:stats()
  local store, wall = self.store, self.clock.wall()
  local stats, oldest = { rate = rate_of(store, wall) }, states.oldest(store)
  for name, n in pairs(store.counts) do stats[name] = n end
  stats.oldest = oldest and math.max(0, wall - oldest.put_at)
  return stats
end

---@param after integer|nil
---@param n integer
---@return table[]
---@return integer|nil cursor
function Driver:results(after, n)
  local list, cursor = states.page(self.store.results, after, n)
  for i, job in ipairs(list) do
    list[i] = { key = job.key, result = job.result, at = job.result_at }
  end
  return list, cursor
end

---@param after integer|nil
---@param n integer
---@return table[]
---@return integer|nil cursor
function Driver:dead(after, n)
  local list, cursor = states.page(self.store.dead, after, n)
  for i, job in ipairs(list) do
    list[i] = { key = job.key, data = job.data, error = job.error, traceback = job.traceback,
      attempts = job.attempts, at = job.ended_at,
      history = table.move(job.history, 1, #job.history, 1, {}) }
  end
  return list, cursor
end

-- --- the hand ---

--- Makes a dead job pending, or all. Returns their number.
function Driver:retry(key)
  local store = self.store
  local list = key and { store.jobs[key] } or states.page(store.dead, nil, math.huge)
  local n = 0
  for _, job in ipairs(list) do
    if job.state == "dead" then
      states.revive(store, job)
      n = n + 1
    end
  end
  return n
end

--- Removes a job in any state. Returns true if there was one.
function Driver:remove(key)
  local job = self.store.jobs[key]
  if job then states.remove(self.store, job) end
  return job ~= nil
end

function Driver:clear() states.clear(self.store) end

--- Removes the jobs that were done so many seconds ago. Returns their number.
---@param seconds number
---@return integer
function Driver:forget(seconds)
  local store, before, n = self.store, self.clock.wall() - seconds, 0
  local job, at = store.done:first()
  while job and at <= before do
    states.remove(store, job)
    n = n + 1
    job, at = store.done:first()
  end
  return n
end

function Driver:check() return {} end

-- A call waits, as one of any engine does, so that a script which runs here runs there, too. A
-- cancelled task changes nothing.
local Waiting = { at_once = Driver } -- which tests call in a turn
for name, method in pairs(Driver) do
  Waiting[name] = function(...)
    core.checkpoint()
    if (...).closed then failure.raise("closed", (...).shown, "it is closed") end
    return method(...)
  end
end

--- Gives back what this driver has leased.
function Waiting:close()
  local ends = {}
  self.closed = true
  for _, list in pairs(self.store.tokens) do
    for _, job in ipairs(list) do
      if job.owner == self.owner then
        ends[#ends + 1] = { key = job.key, token = job.token, how = "back", turn = job.turn }
      end
    end
  end
  table.sort(ends, function(a, b) return a.turn < b.turn end)
  Driver.finish(self, ends)
end

local meta = { __index = Waiting }

--- Returns the driver of a queue in memory. `options.alive` tells whether an owner still is.
function memory.open(target, options)
  local store = target.name and named[target.name] or states.new()
  if target.name then named[target.name] = store end
  return setmetatable({ store = store, shown = target.shown, owner = options.owner,
    clock = options.clock or clock, alive = options.alive or function() return true end }, meta)
end

return memory
