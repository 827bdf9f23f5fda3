-- SPDX-License-Identifier: MIT
--- A queue of jobs as simple as it can be: a table of jobs, each step a walk over all of them. It
--- is written from the contract, for the engines to be compared with.
local Model = {}
Model.__index = Model

Model.EITHER = {} -- an answer that may be true or false

local NEW <const> = 1e9 -- what is new stands behind all that comes back
local HISTORY <const> = 10
local LOST <const> = "the worker was lost"

--- Returns an empty queue, on a clock { wall =, steady = } and with a set of dead owners.
function Model.new(clock, dead)
  return setmetatable({ clock = clock, dead_owners = dead, jobs = {}, n = 0 }, Model)
end

--- Returns the queue as the driver of an owner.
function Model:driver(owner)
  return setmetatable({ owner = owner }, { __index = function(_, name)
    return function(_, ...) return self[name](self, owner, ...) end
  end })
end

-- Returns the jobs that a test holds for, by some of their fields. One with a minus falls.
function Model:list(test, ...)
  local list, fields = {}, { ... }
  for _, j in pairs(self.jobs) do
    if test == j.state or type(test) == "function" and test(j) then list[#list + 1] = j end
  end
  table.sort(list, function(a, b)
    for _, field in ipairs(fields) do
      local name = field:match "%a+"
      if a[name] ~= b[name] then
        if field == name then return a[name] < b[name] end
        return a[name] > b[name]
      end
    end
    return false
  end)
  return list
end

function Model:number()
  self.n = self.n + 1
  return self.n
end

function Model:become_pending(j, is_new)
  j.state, j.turn = "pending", self:number() + (is_new and NEW or 0)
end

function Model:leased_in(group)
  return #self:list(function(j) return j.state == "leased" and j.group == group end)
end

function Model:waiting_in(group)
  return self:list(function(j) return j.state == "waiting" and j.group == group end,
    "-priority", "turn")
end

function Model:fail(j, err, traceback, is_last)
  table.insert(j.history, { at = self.clock.wall, error = err })
  if #j.history > HISTORY then table.remove(j.history, 1) end
  if is_last then
    j.state, j.died, j.at = "dead", self:number(), self.clock.wall
    j.error, j.traceback = err, traceback
  end
end

-- Ends a lease: the job changes, then the first that waits for its place comes back.
function Model:leave(j, change)
  j.token, j.owner = nil, nil
  change()
  local first = j.group and self:waiting_in(j.group)[1]
  if first then self:become_pending(first) end
end

function Model:put_one(p)
  local old = self.jobs[p.key] or {}
  if old.state and not (p.again and (old.state == "done" or old.state == "dead")) then
    return false
  end
  local j = { key = p.key, data = p.data, priority = p.priority or 0, group = p.group,
    attempts = 0, history = {}, put_at = self.clock.wall, result = old.result,
    result_at = old.result_at, ended = old.ended, last_token = old.last_token,
    may_forget = old.may_forget }
  self.jobs[p.key] = j
  if (p.delay or 0) > 0 then
    j.state, j.due = "delayed", self.clock.wall + p.delay
  else
    self:become_pending(j, true)
  end
  return true
end

function Model:put(_, list)
  local n, new = 0, {}
  for i, p in ipairs(list) do
    if self:put_one(p) then n, new[i] = n + 1, true end
  end
  return n, new
end

-- Returns the jobs of which the worker was lost, or nil.
function Model:bring_back(attempts)
  local lost
  for _, j in ipairs(self:list("delayed", "due", "key")) do
    if j.due <= self.clock.wall then self:become_pending(j, true) end
  end
  for _, j in ipairs(self:list("leased", "turn")) do
    if j.lease_end <= self.clock.steady or self.dead_owners[j.owner] then
      j.attempts = j.attempts + 1
      self:leave(j, function()
        self:fail(j, LOST, nil, j.attempts >= attempts)
        if j.state == "leased" then self:become_pending(j) end
      end)
      lost = lost or {}
      table.insert(lost, { key = j.key, attempt = j.attempts, died = j.state == "dead" })
    end
  end
  return lost
end

function Model:pick(owner, list, n, options)
  for _, j in ipairs(self:list("pending", "-priority", "turn")) do
    if #list == n then return end
    if options.limit and j.group and self:leased_in(j.group) >= options.limit then
      j.state = "waiting"
    else
      j.state, j.owner, j.token = "leased", owner, options.token
      j.lease_end, j.taken = self.clock.steady + options.lease, self:number()
      list[#list + 1] = j
    end
  end
end

-- Wakes up to n jobs of groups with free places, which a limit that was raised or a job that was
-- removed may leave.
function Model:repair(n, limit)
  local woken = {}
  for _, j in ipairs(self:list("waiting", "group", "-priority", "turn")) do
    local free = limit and limit - self:leased_in(j.group) - (woken[j.group] or 0) or n
    if n > 0 and free > 0 then
      self:become_pending(j)
      woken[j.group], n = (woken[j.group] or 0) + 1, n - 1
    end
  end
end

function Model:take(owner, n, options)
  local list, info = self:list(function(j) return j.token == options.token end, "taken"), {}
  if #list == 0 then
    info.lost = self:bring_back(options.attempts)
    self:pick(owner, list, n, options)
    self:repair(n - #list, options.limit)
    self:pick(owner, list, n, options)
  end
  local rows = {}
  info.open = false
  for i, j in ipairs(list) do
    rows[i] = { key = j.key, data = j.data, priority = j.priority, attempt = j.attempts + 1,
      put_at = j.put_at, group = j.group, history_n = #j.history }
  end
  for _, j in pairs(self.jobs) do
    if j.state ~= "done" and j.state ~= "dead" then info.open = true end
    local due = j.state == "delayed" and j.due - self.clock.wall
      or j.state == "leased" and j.lease_end - self.clock.steady
    if due then info.due = math.max(0, math.min(due, info.due or due)) end
  end
  return rows, info
end

function Model:enter(_, list, limit)
  local answers = {}
  for i, asked in ipairs(list) do
    local j = self.jobs[asked.key]
    if not j or j.token ~= asked.token then
      answers[i] = "lost"
    elseif j.group or self:leased_in(asked.group) < limit then
      j.group, answers[i] = j.group or asked.group, true
    else
      j.group, j.state, j.token, j.owner, answers[i] = asked.group, "waiting", nil, nil, false
      j.may_forget = true -- an engine may keep this token in the place of the last one
    end
  end
  return answers
end

function Model:end_one(j, e)
  if e.how ~= "back" then j.attempts = j.attempts + 1 end
  if e.how == "back" then
    self:become_pending(j)
  elseif e.how == "retry" then
    self:fail(j, e.error)
    if (e.delay or 0) > 0 then
      j.state, j.due = "delayed", self.clock.wall + e.delay
    else
      self:become_pending(j)
    end
  elseif e.how == "dead" then
    self:fail(j, e.error, e.traceback, true)
  else
    j.state, j.at = "done", self.clock.wall
    if e.how == "done" then
      j.result, j.result_at, j.ended = e.result, self.clock.wall, self:number()
    end
  end
end

function Model:finish(_, ends)
  local answers = {}
  for i, e in ipairs(ends) do
    local j = self.jobs[e.key]
    if j and j.token == e.token then
      j.last_token, j.may_forget = e.token, nil
      self:leave(j, function() self:end_one(j, e) end)
      for _, p in ipairs(e.puts or {}) do self:put_one(p) end
      answers[i] = true
    else
      answers[i] = j ~= nil and j.last_token == e.token and (j.may_forget and Model.EITHER or true)
    end
  end
  return answers
end

function Model:exchange(owner, ends, n, options)
  local answers = self:finish(owner, ends)
  return answers, nil, self:take(owner, n, options)
end

function Model:renew(_, list, lease)
  local answers = {}
  for i, asked in ipairs(list) do
    local j = self.jobs[asked.key]
    answers[i] = j ~= nil and j.token == asked.token
    if answers[i] then j.lease_end = self.clock.steady + lease end
  end
  return answers
end

function Model:stats()
  local stats = { pending = 0, waiting = 0, delayed = 0, leased = 0, done = 0, dead = 0 }
  for _, j in pairs(self.jobs) do
    stats[j.state] = stats[j.state] + 1
    if j.state == "pending" then
      stats.oldest = math.max(stats.oldest or 0, self.clock.wall - j.put_at)
    end
  end
  return stats
end

function Model:results()
  local rows = {}
  for i, j in ipairs(self:list(function(j) return j.ended end, "ended")) do
    rows[i] = { key = j.key, result = j.result, at = j.result_at }
  end
  return rows
end

function Model:dead()
  local rows = {}
  for i, j in ipairs(self:list("dead", "died")) do
    rows[i] = { key = j.key, data = j.data, error = j.error, traceback = j.traceback,
      attempts = j.attempts, history = j.history, at = j.at }
  end
  return rows
end

function Model:retry(_, key)
  local n = 0
  for _, j in ipairs(self:list("dead", "died")) do
    if not key or j.key == key then
      j.attempts, n = 0, n + 1
      self:become_pending(j, true)
    end
  end
  return n
end

function Model:remove(_, key)
  local j = self.jobs[key]
  self.jobs[key] = nil
  if j and j.state == "leased" then self:leave(j, function() end) end
  return j ~= nil
end

function Model:clear() self.jobs = {} end

function Model:forget(_, seconds)
  local old = self:list(function(j)
    return j.state == "done" and j.at <= self.clock.wall - seconds
  end)
  for _, j in ipairs(old) do self.jobs[j.key] = nil end
  return #old
end

function Model:check() return {} end

function Model:close(owner)
  for _, j in ipairs(self:list("leased", "turn")) do
    if j.owner == owner then
      self:finish(owner, { { key = j.key, token = j.token, how = "back" } })
    end
  end
end

return Model
