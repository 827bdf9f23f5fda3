-- SPDX-License-Identifier: MIT
-- The jobs that a run holds: those at work, each in a task of its own, and those of which the end
-- is not written yet. The loops of a run are in jobs/loops.lua.
local core = require "septet.core"
local blocks = require "septet.task.blocks"
local job = require "septet.jobs.job"
local clock = require "septet.jobs.clock"
local queue = require "septet.jobs.queue"
local seen = require "septet.jobs.seen"

-- Local for speed: measured by bench/jobs.lua.
local try, timeout = core.try, blocks.timeout
local spawn_shown, encode = core.scope_spawn_shown, core.json_encode
local decode, driver_of = job.decode, queue.driver
local now, wall = core.now, clock.wall

local DEPTH = 128 -- of a result's tables

---@class septet.jobs.Run
local Run = {}
Run.__index = Run

-- --- signals between the tasks ---

--- Has the engine asked again for jobs. Never waits.
function Run:wake()
  self.look = true
  if self.waiting > 0 then self.signal:try_send(true) end
end

--- Ends the run with an error. The first one counts.
function Run:fail(err, traceback)
  if not self.broken then self.broken = { err, traceback } end
  self:cut "the run failed"
end

--- Cancels the jobs at work, which are given back.
function Run:cut(reason)
  if self.is_cut or self.over then return end
  self.is_cut = true
  self:wake()
  if self.jobs then self.jobs:cancel(reason) end
end

-- --- the end of a job ---

--- Removes a job from those that the run holds.
function Run:release(ended)
  local held, at = self.held, ended.at
  local last = held[#held]
  held[at], last.at = last, at
  held[#held] = nil
end

--- Adds a job to those that the run holds.
function Run:hold(taken)
  local at = #self.held + 1
  self.held[at], taken.at = taken, at
end

local COUNT_OF = { done = "done", retry = "failed", dead = "dead", dropped = "dropped",
  back = "returned", lost = "lost" }

--- Counts the end of a job, and drops it.
function Run:settle(ended, how)
  local name = COUNT_OF[how]
  self.counts[name] = self.counts[name] + 1
  seen.ended(self.url, how, ended.key, ended.attempt, ended.ran)
  self:release(ended)
end

--- Gives a job's end to the loops that call the engine.
function Run:hand_in(ended, how)
  ended.how, ended.ran = how, ended.began and now() - ended.began or 0
  if how ~= "done" and how ~= "dropped" then ended.puts = nil end
  local n = #self.ends + 1
  self.ends[n] = ended
  if n >= self.writes_at then
    self.writes_at = math.huge
    self.signal:try_send(true)
  end
end

--- Ends the jobs that did not begin, as a call has failed, as if they had not been taken.
function Run:give_back()
  for _, held in ipairs(self.held) do
    if not held.how then self:hand_in(held, "back") end
  end
end

-- Ends a job with an error, which is tried again or dead.
local function give_up(self, ended, err, traceback, for_good)
  job.failed(ended, err, traceback)
  if for_good or ended.attempt >= self.attempts then
    self:hand_in(ended, "dead")
  else
    local doubled = 2.0 ^ math.min(ended.attempt - 1, 1000)
    local most = math.min(self.max_backoff, self.backoff * doubled)
    ended.delay = math.random() * most
    self:hand_in(ended, "retry")
  end
  if not self.on_error then return end
  local ok, why, where = try(self.on_error, ended, err, ended.traceback)
  if not ok and not core.is(why, "Cancelled") then self:fail(why, where) end
end

-- Returns true for what unwinds a task that has called os.exit().
local function ends_all(err) return core.is(err, "Cancelled") and err.source == "shutdown" end

-- Ends a job after its function returned the text of its result, or failed.
local function end_job(self, ended, ok, result, traceback)
  if ended.lost then
    ended.ran = now() - ended.began
    self:settle(ended, "lost")
    ended.how = "lost"
    self:wake() -- it may have been the last one
  elseif not ok and (self.is_cut or ends_all(result)) then
    self:cut "the process ends"
    self:hand_in(ended, "back")
  elseif ended.said == "dead" then
    ended.error, ended.traceback = ended.reason, nil
    self:hand_in(ended, "dead")
  elseif not ok then
    give_up(self, ended, result, traceback, ended.raw) -- data that is no JSON does not mend
  elseif ended.said then
    self:hand_in(ended, "dropped")
  else
    ended.result = result
    self:hand_in(ended, "done")
  end
end

-- --- at work ---

local function encoded(result)
  if result == nil then return nil end
  return encode(result, DEPTH, 0)
end

local function attempt(self, at_work)
  decode(at_work)
  return encoded(self.fn(at_work))
end

-- The task of a job.
local function work(self, at_work)
  if self.stopping or self.is_cut then
    self:hand_in(at_work, "back")
  else
    end_job(self, at_work, try(timeout, self.timeout, attempt, self, at_work))
  end
  at_work.task = nil
end

local function start(self, taken)
  if self.stopping or self.is_cut then return self:hand_in(taken, "back") end
  taken.began = now()
  seen.taken(self.url, taken.key, taken.attempt, wall() - (taken.put_at or wall()))
  taken.task = spawn_shown(self.jobs, taken.key, self.fn, work, self, taken)
end

--- Cancels a job that another worker may have by now.
function Run.lose(lost)
  lost.lost = true
  if lost.task then lost.task:cancel "lease lost" end
end

--- Renews the lease of a job now. Raises Cancelled if it is lost.
---@async
function Run:keep_alive(at_work)
  if driver_of(self.queue):renew({ at_work }, self.lease)[1] == false then Run.lose(at_work) end
  core.checkpoint()
end

-- --- groups ---

--- Returns the group of a job, by the script's function.
---@param of septet.Job|septet.JobOptions
---@return string|nil
function Run:group_of(of)
  local name = self.limit_per(of)
  if math.type(name) == "integer" then name = tostring(name) end
  if name ~= nil then job.check_group(name, self.url) end
  return name
end

local function name_group(self, taken)
  decode(taken)
  return self:group_of(taken)
end

-- Starts those of some jobs that have a place in their group.
local function enter(self, list)
  local answers = driver_of(self.queue):enter(list, self.limit_per_key)
  for i, asked in ipairs(list) do
    if answers[i] == true then
      start(self, asked)
    else
      asked.how = "waiting"
      self:release(asked)
    end
  end
  core.checkpoint() -- a memory queue does not wait, and all its jobs may be of one group
end

--- Starts jobs that were taken. Those of which the group is not known ask for a place in it first.
function Run:start_all(list)
  local asking = nil
  for _, taken in ipairs(list) do
    local named, name, traceback = true, nil, nil
    if self.limit_per and taken.group == nil then
      named, name, traceback = try(name_group, self, taken)
    end
    if not named then
      end_job(self, taken, false, name, traceback)
    elseif name == nil then
      start(self, taken)
    else
      taken.group = name
      asking = asking or {}
      asking[#asking + 1] = taken
    end
  end
  if asking then enter(self, asking) end
end

return Run
