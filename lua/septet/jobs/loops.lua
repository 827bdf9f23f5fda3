-- SPDX-License-Identifier: MIT
-- The loops of a run, each in a task of its own: one takes jobs, one writes their ends, and one
-- renews their leases.
local core = require "septet.core"
local job = require "septet.jobs.job"
local queue = require "septet.jobs.queue"
local seen = require "septet.jobs.seen"

local loops = {}

-- Local for speed: measured by bench/jobs.lua.
local try, raise, is = core.try, core.raise, core.is
local new_job, driver_of, now = job.new, queue.driver, core.now

local FIRST_POLL, LAST_POLL = 0.01, 0.25 -- seconds
local GATHER = 0.003 -- seconds from one call to the next, if that one has little to do

loops.FIRST_POLL = FIRST_POLL

-- Waits for a signal, or for so many seconds.
local function receive(signal, seconds)
  local ok, err, traceback = try(signal.recv, signal, seconds or nil)
  if not ok and not is(err, "Timeout") then raise(err, traceback) end
end

-- Waits until the run is woken, or for so many seconds.
local function wait(self, seconds)
  if self.woken then
    self.woken = false
    return
  end
  self.idle = true
  receive(self.signal, seconds)
  self.idle, self.woken = false, false
end

-- Returns the seconds to wait before the engine is asked again, or nil. Another process may put
-- jobs at any time; a queue in memory has none.
local function pause(self, due)
  local poll = self.poll
  if self.shared then
    self.poll = self.is_virtual and poll * 2 or math.min(poll * 2, LAST_POLL)
  else
    poll = due and 1 -- the wall clock may be set
  end
  return due and math.max(math.min(due, poll), 0.001) or poll
end

-- Returns the seconds for which a call waits for more to do, or nil. While there are jobs enough, a
-- call that moves few of them is a commit too many.
local function gathers(self, before)
  local rest = self.more and self.shared and not self.stopping and before + GATHER - now()
  return rest and rest > 0 and rest or nil
end

-- Renews the leases of all jobs that the run holds.
local function renew(self)
  self.renewed = now()
  local list = table.move(self.held, 1, #self.held, 1, {})
  local answers = #list > 0 and driver_of(self.queue):renew(list, self.lease)
  for i, held in ipairs(list) do
    if answers[i] == false and held.task then self.lose(held) end
  end
end

-- Takes jobs, and holds them. Asked again, after a call that was cut short, takes the same ones.
local function take(self)
  local list, state = driver_of(self.queue):take(self.asked, { lease = self.lease,
    attempts = self.attempts, limit = self.limit_per_key, token = self.token })
  if state.lost then seen.lost(self.url, state.lost) end
  for _, taken in ipairs(list) do self:hold(new_job(taken, self, self.token)) end
  self.asked = nil
  return list, state
end

--- Takes jobs until the run is to end. Returns true if none is left.
function loops.take(self)
  while not self.stopping and not self.is_cut do
    -- A kill may repeat what is at work and what is not written yet: no more than the workers.
    local n = self.workers - #self.held
    local rest = n > 0 and n < self.enough and gathers(self, self.took_at)
    if n <= 0 or rest then
      wait(self, rest)
    else
      -- After a long computation, the leases of the others must not end here.
      if #self.held > 0 and now() - self.renewed > self.lease / 2 then renew(self) end
      self.calls, self.took_at = self.calls + 1, now()
      self.token, self.asked, self.woken = self.name .. self.calls, n, false
      local list, state = take(self)
      if self.stopping or self.is_cut then return end
      self:start_all(list)
      self.more = #list == n
      if #list > 0 then
        self.poll = FIRST_POLL
      elseif not state.open and #self.held == 0 and not self.forever then
        if not self.woken then return true end
      else
        wait(self, pause(self, state.due))
      end
    end
  end
end

-- Counts ends that were written, or refused because the lease was lost. `new`: for each, how many
-- of the jobs that it put were new.
local function settle(self, batch, answers, new)
  for i, ended in ipairs(batch) do
    local puts = answers[i] and ended.puts
    self:settle(ended, answers[i] and ended.how or "lost")
    if puts then
      seen.put(self.url, #puts, new and new[i] or 0, #puts == 1 and puts[1].key or nil)
    end
  end
end

--- Writes the ends of jobs, all that have come meanwhile in one call.
function loops.write(self)
  while true do
    local batch = self.ends
    local rest = #batch > 0 and #batch < self.enough and gathers(self, self.wrote_at)
    if #batch == 0 or rest then
      self.writes_at = rest and self.enough or 1
      receive(self.writer, rest)
      self.writes_at = math.huge
    else
      self.ends, self.writing, self.wrote_at = {}, batch, now()
      settle(self, batch, driver_of(self.queue):finish(batch))
      self.writing = nil
      self.bell:ring()
      if self.flushed and #self.ends == 0 then self.flushed:set() end
    end
  end
end

--- Gives back jobs that were taken and not begun, and writes the ends of all jobs.
function loops.flush(self)
  if self.asked then take(self) end
  for _, held in ipairs(self.held) do
    if not held.how then self:hand_in(held, "back") end
  end
  if self.unwritten then
    table.move(self.ends, 1, #self.ends, #self.unwritten + 1, self.unwritten)
    settle(self, self.unwritten, driver_of(self.queue):finish(self.unwritten))
  elseif #self.ends > 0 or self.writing then
    self.flushed = core.future()
    self.flushed:await()
  end
end

--- Renews the leases of all jobs that the run holds, again and again.
function loops.renew(self)
  while true do
    core.sleep(self.lease / 3)
    renew(self)
  end
end

--- Removes results when they are old enough.
function loops.forget(self)
  while true do
    driver_of(self.queue):forget(self.keep)
    core.sleep(math.min(math.max(self.keep / 4, 1), 60))
  end
end

--- Runs a loop. Its failure ends the run.
function loops.guard(self, loop)
  local ok, err, traceback = try(loop, self)
  if not ok and is(err, "Cancelled") then raise(err, traceback) end
  if not ok then self:fail(err, traceback) end
  return ok and err
end

return loops
