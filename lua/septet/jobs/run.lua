-- SPDX-License-Identifier: MIT
-- Runs the jobs of a queue. The loops of a run and the tasks of its jobs are shielded, so that a
-- cancelled run still ends its jobs. A task outside of the shield is cancelled.
local core = require "septet.core"
local args = require "septet.internal.args"
local blocks = require "septet.task.blocks"
local group = require "septet.task.group"
local hash = require "septet.hash"
local loops = require "septet.jobs.loops"
local queue = require "septet.jobs.queue"
local sync = require "septet.sync"
local Run = require "septet.jobs.work"

local run = {}

local guard, try, raise, is = loops.guard, core.try, core.raise, core.is

local CALLS = 2  -- loops that call the engine
local FLUSH = 10 -- seconds for the last ends of a run that was cut short

---@class septet.JobsRunOptions
---@field workers integer|nil jobs at work at once; 16
---@field attempts integer|nil after which a job that fails is dead; 5
---@field lease number|nil seconds after which a job of a worker that is gone runs again; 60
---@field backoff number|nil longest delay of the second attempt in seconds, doubled by each; 1
---@field max_backoff number|nil longest delay of an attempt in seconds; 300
---@field grace number|nil seconds that jobs at work have after Ctrl-C or SIGTERM; 10
---@field timeout number|nil seconds that an attempt may take; no limit
---@field forever boolean|nil true: waits for more jobs when none is left; false
---@field limit_per fun(job: septet.Job|septet.JobOptions): string|nil returns the group of a job;
---none
---@field limit_per_key integer|nil jobs of a group at work at once; no limit
---@field keep number|nil seconds for which results are kept; for ever
---@field on_error fun(job: septet.Job, error: any, traceback: string|nil)|nil called for each
---failure; none

local spec = {
  workers = "count", attempts = "count", lease = "seconds", backoff = "seconds",
  max_backoff = "seconds", grace = "seconds", timeout = "seconds", forever = "boolean",
  limit_per = "any", limit_per_key = "count", keep = "seconds", on_error = "any",
}

--- How often a run has ended a job, in each way.
---@class septet.JobsRunCounts
---@field done integer
---@field failed integer attempts that failed and are tried again
---@field dead integer
---@field dropped integer
---@field lost integer attempts whose lease was lost
---@field returned integer attempts that were cut short and do not count

-- Waits until the run is over, or is cancelled from outside. Jobs at work have some time then, if
-- that was a signal.
local function watch(self)
  local ok, err = try(self.ended.await, self.ended)
  if ok or self.over then return end
  self.stopping = true
  self:wake()
  if is(err, "Cancelled") and err.source == "shutdown" and err.reason == "interrupted" then
    blocks.cleanup(self.grace, self.ended.await, self.ended)
  end
  self:cut(err.reason or "the run was cancelled")
end

-- Waits in a group that is `jobs`, in which they are at work. Returns true if none is left.
local function host(jobs, self)
  self.jobs = jobs
  if self.is_cut then return end
  self:wake()
  self.drained:await()
  return self.complete
end

-- Ends the jobs that the run still holds. If the engine fails, they come back by themselves.
local function wind_up(self)
  local seconds = (self.stopping or self.is_cut) and FLUSH or nil
  guard(self, function() blocks.move_on_after(seconds, loops.flush, self) end)
end

-- Spawns a task that traces and septet ps show by its part in the run.
local function spawn(self, part, fn, ...)
  core.spawn(fn, ...).name = ("%s: %s"):format(self.url, part)
end

local function serve(self)
  for i = 1, CALLS do spawn(self, "calls " .. i, guard, self, loops.call) end
  spawn(self, "leases", guard, self, loops.renew)
  if self.keep then spawn(self, "old results", guard, self, loops.forget) end
  core.checkpoint() -- each of them runs, before the end may cancel it
  local complete = group.group(host, self)
  wind_up(self)
  self.complete, self.over = complete, true
  self.ended:set()
end

local function supervise(self)
  spawn(self, "the run", watch, self)
  blocks.shield(serve, self)
end

local function check(options, fn)
  options = args.options(options, spec, "run")
  args.callable(fn, 2, "run")
  for _, name in ipairs { "limit_per", "on_error" } do
    local value = options[name]
    if value ~= nil and not args.is_callable(value) then
      args.usage("bad option '%s' to 'run' (function expected, got %s)", name, type(value))
    end
  end
  if (options.limit_per == nil) ~= (options.limit_per_key == nil) then
    args.usage("'limit_per' and 'limit_per_key' of 'run' belong together")
  end
  if options.lease == 0 then args.usage("bad option 'lease' to 'run' (more than 0 expected)") end
  return options
end

--- Runs the jobs of a queue, as its run() does.
---@async
---@param of septet.Queue
---@param options septet.JobsRunOptions|nil
---@param fn async fun(job: septet.Job): any
---@return septet.JobsRunCounts
function run.run(of, options, fn)
  options = check(options, fn)
  core.checkpoint() -- a cancelled task takes nothing
  local _, is_virtual = core.trace_host()
  local half = ((options.workers or 16) + CALLS - 1) // CALLS
  local self = setmetatable({
    fn = fn, queue = of, url = of.url, bell = queue.bell(of), shared = queue.is_shared(of),
    is_virtual = is_virtual,
    workers = options.workers or 16, attempts = options.attempts or 5,
    lease = options.lease or 60, backoff = options.backoff or 1,
    max_backoff = options.max_backoff or 300, grace = options.grace or 10,
    timeout = options.timeout, forever = options.forever, keep = options.keep,
    limit_per = options.limit_per, limit_per_key = options.limit_per_key,
    on_error = options.on_error,
    name = hash.random(6, "hex") .. ".", made = 0, noted = 0, held = {}, ends = {}, failed = {},
    signal = sync.channel(1), drained = core.future(), ended = core.future(),
    calls = 0, callers = CALLS, waiting = 0, coming = 0,
    poll = loops.FIRST_POLL, ask_at = 0, renewed = core.now(), called_at = 0,
    writes_at = math.huge, more = true, half = half,
    counts = { done = 0, failed = 0, dead = 0, dropped = 0, lost = 0, returned = 0 },
  }, Run)
  self.bell:add(self)
  local ok, err, traceback = try(blocks.timeout, nil, supervise, self)
  self.bell:remove(self)
  if not ok then raise(err, traceback) end
  if self.broken then raise(self.broken[1], self.broken[2]) end
  if not self.complete then core.checkpoint() end
  return self.counts
end

return run
