-- SPDX-License-Identifier: MIT
-- The loops of a run, each in a task of its own: two make the calls to the engine, each of which
-- writes the ends of jobs and takes others, and one renews the leases.
local core = require "septet.core"
local job = require "septet.jobs.job"
local queue = require "septet.jobs.queue"
local seen = require "septet.jobs.seen"

local loops = {}

-- Local for speed: measured by bench/jobs.lua.
local try, raise, is = core.try, core.raise, core.is
local new_job, driver_of, now, min, max = job.new, queue.driver, core.now, math.min, math.max

local FIRST_POLL, LAST_POLL = 0.01, 0.25 -- seconds
local GATHER = 0.003 -- seconds from one call to the next, if that one has little to do
local LEAST = 0.001  -- seconds: a shorter wait may end before its time, by a rounding

loops.FIRST_POLL = FIRST_POLL

-- --- when the engine is called ---

-- Waits for a signal, or for so many seconds.
local function wait(self, seconds)
  self.waiting = self.waiting + 1
  local ok, err, traceback = try(self.signal.recv, self.signal, seconds)
  self.waiting = self.waiting - 1
  if not ok and not is(err, "Timeout") then raise(err, traceback) end
end

-- Returns the seconds to wait before the engine is asked again. Another process may put jobs at any
-- time; a queue in memory has none.
local function pause(self, due)
  local poll = self.poll
  if self.shared then
    self.poll = self.is_virtual and poll * 2 or min(poll * 2, LAST_POLL)
  else
    poll = due and 1 or math.huge -- the wall clock may be set
  end
  return due and min(due, poll) or poll
end

-- Returns the seconds for which a call waits for more to do, or nil. While there are jobs enough, a
-- call that moves few of them is a commit too many.
local function gathers(self)
  local rest = self.more and self.shared and not self.stopping and self.called_at + GATHER - now()
  return rest and rest > 0 and max(rest, LEAST) or nil
end

-- Returns how many ends the next call writes, and how many jobs it takes; or nil, the seconds to
-- wait, and for how many ends.
local function next_call(self)
  local ends, n, half = min(#self.ends, self.half), 0, self.half
  local takes, free = self.jobs and not self.stopping and not self.is_cut, 0
  if takes then
    -- A kill may repeat what is at work and what is not written yet: no more than the workers.
    free = self.workers - #self.held - self.coming
    local asks = free > 0 and (ends > 0 or self.look or now() >= self.ask_at)
    n = min(ends + (asks and free or 0), half)
  end
  if ends == 0 and n == 0 then
    local rest = takes and free > 0 and self.ask_at - now()
    return nil, rest and rest < math.huge and max(rest, LEAST) or nil, 1
  end
  if ends < half and not (self.more and n == half) then
    if self.calls > 0 then return nil, nil, half end
    local rest = gathers(self)
    if rest then return nil, rest, half end
  end
  return ends, n
end

-- Returns true if there is nothing left to be done.
local function is_over(self)
  if self.calls > 0 or #self.held > 0 then return false end
  local ends = self.stopping or self.is_cut
  self.complete = not ends and self.closed and not self.look and not self.forever
  return ends or self.complete
end

-- --- a call ---

-- Renews the leases of all jobs that the run holds.
local function renew(self)
  local list = table.move(self.held, 1, #self.held, 1, {})
  if #list == 0 then return end
  self.renewed, self.renews = now(), true
  local answers = driver_of(self.queue):renew(list, self.lease)
  self.renews = false
  self.signal:try_send(true)
  for i, held in ipairs(list) do
    local works = held.task and not held.how -- the end may have been written meanwhile
    if answers[i] == false and works then self.lose(held) end
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
  if #batch > 0 then self.bell:ring(self) end
end

-- Notes what a call that took n jobs has said of those that are left.
local function note(self, call, n, state)
  if state.lost then seen.lost(self.url, state.lost) end
  self.closed, self.more = not state.open, n == call.n
  if call.number < self.noted then self.look = true end -- it does not know what came since
  self.noted = max(self.noted, call.number)
  if n > 0 then
    self.ask_at, self.poll = 0, FIRST_POLL
  elseif call.n > 0 then
    self.ask_at = now() + pause(self, state.due)
  end
end

-- Calls the engine. Asked again, after a call of which the answer was lost, it does nothing twice.
-- Returns the jobs that were taken.
local function ask(self, call)
  local options = call.n and { lease = self.lease, attempts = self.attempts,
    limit = self.limit_per_key, token = call.token }
  local answers, new, list, state = driver_of(self.queue):exchange(call.ends, call.n or 0, options)
  settle(self, call.ends, answers, new)
  for i, taken in ipairs(list or {}) do
    taken = new_job(taken, self, call.token)
    list[i] = taken
    self:hold(taken)
  end
  if state then note(self, call, #list, state) end
  return list or {}
end

-- Takes the first n of the ends that were handed in.
local function first_ends(self, n)
  local ends = self.ends
  if n == #ends then
    self.ends = {}
    return ends
  end
  self.ends = table.move(ends, n + 1, #ends, 1, {})
  return table.move(ends, 1, n, 1, {})
end

-- Makes a call. One that fails is kept for a last try.
local function call_engine(self, ends, n)
  local more = max(n - ends, 0)
  self.made, self.calls, self.coming = self.made + 1, self.calls + 1, self.coming + more
  local call = { ends = first_ends(self, ends), n = n > 0 and n or nil, number = self.made,
    token = self.name .. self.made }
  self.called_at, self.look = now(), false
  if self.waiting > 0 then self.signal:try_send(true) end -- the other loop may have a call, too
  local ok, list, traceback = try(ask, self, call)
  self.calls, self.coming = self.calls - 1, self.coming - more
  if not ok then
    self.failed[#self.failed + 1] = call
    raise(list, traceback)
  end
  if self.waiting > 0 and #self.ends > 0 then self.signal:try_send(true) end -- start_all may wait
  self:start_all(list)
end

local function call_until_over(self)
  while not self.broken and not is_over(self) do
    -- After a long computation, the leases of the others must not end by this call.
    if #self.held > 0 and now() - self.renewed > self.lease / 2 then renew(self) end
    local ends, n, enough = nil, nil, math.huge
    if not self.renews then ends, n, enough = next_call(self) end
    if ends then
      call_engine(self, ends, n)
    else
      self.writes_at = enough
      wait(self, n)
      self.writes_at = math.huge
    end
  end
end

--- Calls the engine until the run is over. Two of these loops are at it, so that the engine works
--- on one call while the jobs of the other are at work.
function loops.call(self)
  local ok, err, traceback = try(call_until_over, self)
  self.callers = self.callers - 1
  if self.callers == 0 then self.drained:set() else self.signal:try_send(true) end
  if not ok then raise(err, traceback) end
end

-- Makes a call, of which a failure does not keep the others from being made.
local function try_last(self, call)
  local ok, err, traceback = try(ask, self, call)
  if not ok and is(err, "Cancelled") then raise(err, traceback) end
  if not ok then self:fail(err, traceback) end
end

--- Waits until the loops have written the ends of all jobs. What a call that failed has left is
--- written, and what it has taken is given back.
function loops.flush(self)
  self.drained:await()
  for _, call in ipairs(self.failed) do
    if call.n then call.n = 0 end -- only what it has taken
    try_last(self, call)
  end
  self:give_back()
  if #self.ends > 0 then try_last(self, { ends = self.ends }) end
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
