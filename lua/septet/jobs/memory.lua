-- SPDX-License-Identifier: MIT
-- Queues in the memory of the process, for tests. Nothing here waits.
local clock = require "septet.jobs.clock"
local states = require "septet.jobs.store"

local memory = {}

local named = {} -- stores by name

---@class septet.jobs.Memory
local Driver = {}
Driver.__index = Driver

local function put(store, at, given)
  local job = store.jobs[given.key]
  if job then
    if not given.again or job.state ~= "done" and job.state ~= "dead" then return false end
    if job.died then store.dead[job.died], job.died = nil, nil end
  else
    job = { key = given.key }
    store.jobs[given.key] = job
  end
  job.data, job.priority, job.group = given.data, given.priority or 0, given.group
  job.attempts, job.history, job.error, job.traceback = 0, nil, nil, nil
  job.put_at = at
  if (given.delay or 0) > 0 then
    states.delay(store, job, at + given.delay)
  else
    states.make_pending(store, job)
  end
  return true
end

--- Adds jobs. Returns the number of new ones, and a table with true for each.
function Driver:put(jobs)
  local at, n, new = self.clock.wall(), 0, {}
  for i, given in ipairs(jobs) do
    if put(self.store, at, given) then n, new[i] = n + 1, true end
  end
  return n, new
end

-- --- take ---

-- Brings back the jobs that are due, and those of which the lease or the owner has ended.
local function bring_back(self, attempts)
  local store, wall, steady = self.store, self.clock.wall(), self.clock.steady()
  local job = states.first_of(store.delayed, "delayed", "due")
  while job and job.due <= wall do
    store.delayed:pop()
    states.make_pending(store, job)
    job = states.first_of(store.delayed, "delayed", "due")
  end
  local over = {}
  for _, leased in pairs(store.leased) do
    if leased.lease_end <= steady or not self.alive(leased.owner) then over[#over + 1] = leased end
  end
  table.sort(over, function(a, b) return a.turn < b.turn end)
  for _, lost in ipairs(over) do
    states.unlease(store, lost)
    lost.attempts = lost.attempts + 1
    if lost.attempts >= attempts then
      states.bury(store, lost, wall, "the worker was lost")
    else
      states.note_failure(lost, wall, "the worker was lost")
      states.make_pending(store, lost, true)
    end
    states.leave(store, lost)
  end
end

local function lease(self, job, options)
  local store = self.store
  states.set_state(store, job, "leased")
  job.token, job.owner = options.token, self.owner
  job.lease_end = self.clock.steady() + options.lease
  store.leased[job.key] = job
  if job.group then
    local group = states.group_of(store, job.group)
    group.leased = group.leased + 1
  end
end

local function view(job)
  return { key = job.key, data = job.data, attempt = job.attempts + 1, priority = job.priority,
    put_at = job.put_at, group = job.group, history_n = job.history and #job.history or 0 }
end

-- Leases pending jobs until there are n in the list.
local function pick(self, list, n, options)
  local store, limit = self.store, options.limit
  while #list < n do
    local job = states.first_of(store.ready, "pending", "turn")
    if not job then return end
    store.ready:pop()
    if limit and job.group and states.group_of(store, job.group).leased >= limit then
      states.make_waiting(store, job)
    else
      lease(self, job, options)
      list[#list + 1] = view(job)
    end
  end
end

-- Wakes up to n jobs of groups that have free places.
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
  local store, least = self.store, nil
  local job = states.first_of(store.delayed, "delayed", "due")
  if job then least = job.due - self.clock.wall() end
  for _, leased in pairs(store.leased) do
    local left = leased.lease_end - self.clock.steady()
    if not least or left < least then least = left end
  end
  return least and math.max(least, 0)
end

--- Leases up to n jobs.
function Driver:take(n, options)
  local store, list = self.store, {}
  for _, job in pairs(store.leased) do
    if job.token == options.token then list[#list + 1] = job end
  end
  if #list > 0 then
    table.sort(list, function(a, b) return a.taken < b.taken end)
    for i, job in ipairs(list) do list[i] = view(job) end
  else
    bring_back(self, options.attempts)
    pick(self, list, n, options)
    if #list < n and store.counts.waiting > 0 then
      repair(store, n - #list, options.limit)
      pick(self, list, n, options)
    end
    for i, taken in ipairs(list) do store.jobs[taken.key].taken = i end
  end
  local counts = store.counts
  local open = counts.pending + counts.waiting + counts.delayed + counts.leased > 0
  return list, { open = open, due = due_in(self) }
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
    elseif states.group_of(store, asked.group).leased < limit then
      job.group = asked.group
      local group = states.group_of(store, job.group)
      group.leased = group.leased + 1
      answers[i] = true
    else
      job.group = asked.group
      states.unlease(store, job)
      states.make_waiting(store, job)
      answers[i] = false
    end
  end
  return answers
end

-- --- the end of a job ---

local function keep_result(store, job, result, at)
  if job.ended then store.results[job.ended] = nil end
  store.last_result = store.last_result + 1
  job.ended, job.result, job.result_at = store.last_result, result, at
  store.results[job.ended] = job
end

local function apply(store, job, ending, wall)
  local how = ending.how
  job.ended_token = job.token
  states.unlease(store, job)
  if how == "back" then
    states.make_pending(store, job, true)
  else
    job.attempts = job.attempts + 1
    if how == "retry" then
      states.note_failure(job, wall, ending.error)
      if (ending.delay or 0) > 0 then
        states.delay(store, job, wall + ending.delay)
      else
        states.make_pending(store, job, true)
      end
    elseif how == "dead" then
      states.bury(store, job, wall, ending.error, ending.traceback)
    else
      if how == "done" then keep_result(store, job, ending.result, wall) end
      job.data, job.history, job.ended_at = nil, nil, wall
      states.set_state(store, job, "done")
    end
  end
  states.leave(store, job)
end

--- Ends jobs. Returns for each if its lease held.
function Driver:finish(ends)
  local store, wall, answers = self.store, self.clock.wall(), {}
  for i, ending in ipairs(ends) do
    local job = store.jobs[ending.key]
    if job and job.token == ending.token then
      apply(store, job, ending, wall)
      for _, child in ipairs(ending.puts or {}) do put(store, wall, child) end
      answers[i] = true
    else
      answers[i] = job ~= nil and job.ended_token == ending.token
    end
  end
  return answers
end

--- Renews leases. Returns for each if it held.
function Driver:renew(list, seconds)
  local answers = {}
  for i, asked in ipairs(list) do
    local job = self.store.jobs[asked.key]
    answers[i] = job ~= nil and job.token == asked.token
    if answers[i] then job.lease_end = self.clock.steady() + seconds end
  end
  return answers
end

-- --- what is there ---

local function rate_of(store, wall)
  local n, oldest = 0, wall
  for i = store.last_result, math.max(1, store.last_result - 1000), -1 do
    local job = store.results[i]
    if job then
      if job.result_at < wall - 60 then break end
      n, oldest = n + 1, job.result_at
    end
  end
  return n / math.max(1, wall - oldest)
end

function Driver:stats()
  local store, wall = self.store, self.clock.wall()
  local stats = { rate = rate_of(store, wall) }
  for name, n in pairs(store.counts) do stats[name] = n end
  for _, job in pairs(store.jobs) do
    if job.state == "pending" then stats.oldest = math.max(stats.oldest or 0, wall - job.put_at) end
  end
  return stats
end

-- Returns up to n values of a sequence with gaps, behind a number, and the number of the last one.
local function page(sequence, last, after, n, make)
  local list, i = {}, after
  while i < last and #list < n do
    i = i + 1
    if sequence[i] then list[#list + 1] = make(sequence[i]) end
  end
  return list, i < last and i or nil
end

function Driver:results(after, n)
  return page(self.store.results, self.store.last_result, after or 0, n, function(job)
    return { key = job.key, result = job.result, at = job.result_at }
  end)
end

function Driver:dead(after, n)
  return page(self.store.dead, self.store.last_dead, after or 0, n, function(job)
    return { key = job.key, data = job.data, error = job.error, traceback = job.traceback,
      attempts = job.attempts, history = job.history, at = job.ended_at }
  end)
end

-- --- the hand ---

--- Makes a dead job pending, or all. Returns their number.
function Driver:retry(key)
  local store = self.store
  if key then
    local job = store.jobs[key]
    if not job or job.state ~= "dead" then return 0 end
    states.revive(store, job)
    return 1
  end
  local n = 0
  for i = 1, store.last_dead do
    if store.dead[i] then
      states.revive(store, store.dead[i])
      n = n + 1
    end
  end
  return n
end

--- Removes a job in any state. Returns whether there was one.
function Driver:remove(key)
  local job = self.store.jobs[key]
  if not job then return false end
  states.remove(self.store, job)
  return true
end

function Driver:clear()
  for name in pairs(self.store) do self.store[name] = nil end
  for name, value in pairs(states.new()) do self.store[name] = value end
end

--- Removes the jobs that were done so many seconds ago. Returns their number.
function Driver:forget(seconds)
  local store, before, old = self.store, self.clock.wall() - seconds, {}
  for _, job in pairs(store.jobs) do
    if job.state == "done" and job.ended_at <= before then old[#old + 1] = job end
  end
  for _, job in ipairs(old) do states.remove(store, job) end
  return #old
end

function Driver:check() return {} end

--- Gives back what this driver has leased.
function Driver:close()
  local ends = {}
  for _, job in pairs(self.store.leased) do
    if job.owner == self.owner then
      ends[#ends + 1] = { key = job.key, token = job.token, how = "back", turn = job.turn }
    end
  end
  table.sort(ends, function(a, b) return a.turn < b.turn end)
  self:finish(ends)
end

--- Returns the driver of a queue in memory. `options.alive` tells whether an owner still is.
function memory.open(target, options)
  local store = target.name and named[target.name] or states.new()
  if target.name then named[target.name] = store end
  return setmetatable({ store = store, owner = options.owner, clock = options.clock or clock,
    alive = options.alive or function() return true end }, Driver)
end

return memory
