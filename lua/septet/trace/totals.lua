-- SPDX-License-Identifier: MIT
-- Totals of a run: what its requests, tasks and waits add up to, in bounded memory. The summary and
-- the findings read them. totals_of_events.lua makes them from events as they come,
-- totals_of_model.lua from a finished model. They need no host.
--
-- from, till, lost, records; peak: the most live tasks at a time; resumes, busy, sched: seconds
-- idle: seconds that the loop waited for the world; nil if no sample tells
-- requests: of attempts: count (all that ended), ok (a status below 400), http_errors, failures,
--   cancelled, open, queued (of these, if known); retried, redirected: those that repeat or follow
--   another; bytes, sent, insecure, statuses, codes
-- whole: of requests with all their redirects and retries, by the last attempt: count (with those
--   that are open), failures, http_errors, statuses (from 400 on), codes
-- latency: response, service and queue, each a histogram of seconds
-- phases: by name { sum, count }; connections: fresh, reused; protocols: by number
-- hosts, lines, waits: by name; each also has an order of first use: hosts[1..n] and so on
-- tasks: count, ok, error, cancelled, open
-- jobs: rows of job_steps.lua
-- hogs, stuck, cycles, unhandled, mains (that failed): count and the first or worst of them
local histogram = require "septet.stats.histogram"
local job_steps = require "septet.trace.job_steps"
local url_parts = require "septet.trace.url_parts"

local count_in = histogram.add

local totals = {}

local HOG <const> = 0.05         -- seconds; a longer turn is a hog
local EXAMPLES <const> = 10      -- hogs and the like of which all is kept
local NAMES_MAX <const> = 1000   -- hosts, lines or kinds with a row of their own
local OTHERS <const> = "(others)"
local PENDING_MAX <const> = 10000 -- attempts that another may follow
local CYCLE_MAX <const> = 64     -- joins that a cycle is searched through

totals.percentiles = { 50, 90, 99, 99.9 }
totals.protocols = { [10] = "h1.0", [11] = "h1", [20] = "h2", [30] = "h3" } -- by number
totals.phases = { "dns", "tcp", "tls", "send", "wait", "receive" }
totals.hog = HOG

-- Returns the row with a name, new if need be. Beyond NAMES_MAX, all share one.
local function row_of(rows, name, new)
  local row = rows[name]
  if row then return row end
  if #rows >= NAMES_MAX then
    name = OTHERS
    if rows[name] then return rows[name] end
  end
  row = new()
  row.name = name
  rows[name] = row
  rows[#rows + 1] = row
  return row
end

local function new_host()
  return { attempts = 0, ok = 0, http_errors = 0, failures = 0, cancelled = 0, open = 0, bytes = 0,
    fresh = 0, reused = 0, classes = {}, busy = 0, first = math.huge, last = 0,
    response = histogram.new() }
end

local function new_sum()
  return { count = 0, total = 0, longest = 0, open = 0 }
end

local function add_to(row, seconds, open)
  row.count = row.count + 1
  row.total = row.total + seconds
  if seconds > row.longest then row.longest = seconds end
  if open then row.open = row.open + 1 end
end

local function increment(counts, key)
  counts[key] = (counts[key] or 0) + 1
end

-- Keeps an example of something that is counted.
local function note(list, example)
  list.count = list.count + 1
  if #list < EXAMPLES then list[#list + 1] = example end
end

---@class septet.trace.Totals
local methods = {}

-- A task is { id, name, defined }: its name may be nil.

local function is_redirect(status)
  return status == 301 or status == 302 or status == 303 or status == 307 or status == 308
end

-- Counts how a request ended so far: `how` is a code or a status. `by` is 1; -1 takes it back.
local function count_whole(whole, how, by)
  local counts, sum = whole.codes, "failures"
  if type(how) == "number" then
    if how < 400 then return end
    counts, sum = whole.statuses, "http_errors"
  end
  whole[sum] = whole[sum] + by
  local left = (counts[how] or 0) + by
  counts[how] = left > 0 and left or nil
end

-- Returns how the last attempt of a request ended, and forgets it. What was removed is false: with
-- nil in its place, Lua would visit the whole table for each few that are added.
local function take_pending(self, request)
  local list = self.pending[request] and self.pending or self.pending_before
  local how = list[request]
  if how then list[request] = false end
  return how
end

-- Tells retries from the attempts that follow a redirect, and counts whole requests.
local function count_resend(self, e)
  local r, status, how = self.requests, e.status or 0, nil
  if e.code ~= "cancelled" then
    how = e.code or (status >= 400 or is_redirect(status)) and status or nil
  end
  if (e.resend or 0) > 0 then
    local last = e.request and take_pending(self, e.request)
    if last then count_whole(self.whole, last, -1) end
    local kind = type(last) == "number" and is_redirect(last) and "redirected" or "retried"
    r[kind] = r[kind] + 1
  end
  if not how then return end
  count_whole(self.whole, how, 1)
  if not e.request then return end
  if self.pending_count >= PENDING_MAX then
    self.pending_before, self.pending, self.pending_count = self.pending, {}, 0
  end
  self.pending[e.request], self.pending_count = how, self.pending_count + 1
end

local function count_outcome(self, e, host)
  local r, status = self.requests, e.status or 0
  local outcome = "ok"
  if e.code == "cancelled" then
    outcome = "cancelled"
  elseif e.code then
    outcome = "failures"
    increment(r.codes, e.code)
  elseif status >= 400 then
    outcome = "http_errors"
  end
  r[outcome] = r[outcome] + 1
  host[outcome] = host[outcome] + 1
  if not e.code then
    increment(r.statuses, status)
    increment(host.classes, status // 100)
  end
end

local function count_connection(self, e, host)
  if (e.protocol or 0) == 0 and not e.send then return end -- it got none
  local kind = e.reused and "reused" or "fresh"
  self.connections[kind] = self.connections[kind] + 1
  host[kind] = host[kind] + 1
  if (e.protocol or 0) > 0 then increment(self.protocols, e.protocol) end
end

-- Counts an attempt that ended, from the fields of an xfer event.
function methods:request(e, start)
  local r, host = self.requests, row_of(self.hosts, url_parts.host(e.url), new_host)
  local total, queue = e.total or 0, e.queue or 0
  r.count, r.bytes, r.sent = r.count + 1, r.bytes + (e.bytes or 0), r.sent + (e.sent or 0)
  if e.insecure then r.insecure = r.insecure + 1 end
  count_resend(self, e)
  count_outcome(self, e, host)
  count_connection(self, e, host)
  host.attempts, host.bytes = host.attempts + 1, host.bytes + (e.bytes or 0)
  count_in(host.response, total, 1)
  count_in(self.latency.response, total, 1)
  count_in(self.latency.queue, queue, 1)
  if e.phase ~= "queue" then
    local service = math.max(0, total - queue)
    count_in(self.latency.service, service, 1)
    host.busy = host.busy + service
    host.first, host.last = math.min(host.first, start + queue), math.max(host.last, start + total)
  end
  for _, phase in ipairs(totals.phases) do
    local seconds = e[phase]
    if seconds then
      local sum = self.phase_sums[phase]
      sum.sum, sum.count = sum.sum + seconds, sum.count + 1
    end
  end
end

-- Counts a request that has not ended. Its time so far is the least that it takes.
function methods:open_request(seconds, url)
  self.requests.open = self.requests.open + 1
  count_in(self.latency.response, seconds, 1)
  if not url then return end
  local host = row_of(self.hosts, url_parts.host(url), new_host)
  host.attempts, host.open = host.attempts + 1, host.open + 1
  count_in(host.response, seconds, 1)
end

function methods:job(e) job_steps.add(self.jobs, e) end

function methods:waited(kind, seconds, open)
  add_to(row_of(self.waits, kind, new_sum), seconds, open)
end

-- Counts a turn. `at` is the line at which it ended, if known.
function methods:ran(task, start, seconds, at)
  self.resumes, self.busy = self.resumes + 1, self.busy + seconds
  if seconds <= HOG then return end
  local hogs = self.hogs
  hogs.count = hogs.count + 1
  local i = #hogs + 1
  while i > 1 and hogs[i - 1].duration < seconds do i = i - 1 end
  if i > EXAMPLES then return end
  table.insert(hogs, i, { task = task, time = start, duration = seconds,
    at = at or task.defined })
  hogs[EXAMPLES + 1] = nil
end

-- Sets the place where a turn of a task ended, if it is among the longest.
function methods:placed(id, seconds, at)
  for _, hog in ipairs(self.hogs) do
    if hog.task.id == id and hog.duration == seconds then hog.at = at end
  end
end

function methods:ended(task, seconds, outcome, open)
  local t = self.tasks
  t.count = t.count + 1
  local how = open and "open" or outcome or "ok"
  t[how] = (t[how] or 0) + 1
  local row = row_of(self.lines, task.defined or "?", new_sum)
  add_to(row, seconds, open)
  if outcome == "error" then row.failed = (row.failed or 0) + 1 end
end

function methods:ignores_cancel(task)
  note(self.stuck, task)
end

-- Counts a failure that nothing awaited, or of a main task, which nothing can await. A main task
-- may have been cancelled instead.
function methods:failed_unseen(task, kind, is_main, outcome)
  note(is_main and self.mains or self.unhandled,
    { task = task, error = kind, cancelled = outcome == "cancelled" })
end

-- Counts what the host said of a deadlock: a task of its circle, or nil if it has none, and the
-- number of the next one, 0 if the circle is longer than what was recorded.
function methods:deadlocked(task, following, first, live)
  if first then self.deadlock = { live = live } end
  if not self.deadlock or not task then return end
  self.deadlock[#self.deadlock + 1] = task
  self.deadlock.cut = following == 0
end

-- Searches for a cycle of joins that a new one of `task`, which waits for the task `ref`, closes.
-- target_of(id) returns the id of the task that a task joins, and the task.
function methods:joins(task, ref, target_of)
  local cycle, id = { task }, ref
  for _ = 1, CYCLE_MAX do
    if id == task.id then
      note(self.cycles, cycle)
      return
    end
    local target, other = target_of(id)
    if not target then return end
    cycle[#cycle + 1] = other
    id = target
  end
end

function methods:sampled(e)
  self.last_sample = e
  if not e.idle then return end
  self.first_idle = self.first_idle or { e.time, e.idle }
  self.last_idle = { e.time, e.idle }
end

local function finish_idle(self)
  local first, last, whole = self.first_idle, self.last_idle, self.till - self.from
  if not first or last[1] <= first[1] then return end
  -- The samples do not begin and end with the run; the share of the time between them is known.
  -- In a short run it may be far from that of the whole, in which a loop is idle or runs a task.
  local share = (last[2] - first[2]) / (last[1] - first[1])
  self.idle = math.max(0, math.min(share * whole, whole - self.busy))
end

--- Ends them. `till`: seconds, the end of the run; nil for the time of the last event.
---@param till number|nil
---@return septet.trace.Totals self
function methods:finish(till)
  self.from = self.from or 0
  self.till = math.max(self.till, till or 0, self.from)
  local r, queued = self.requests, self.last_sample and self.last_sample.queued or 0
  r.queued = math.min(queued, r.open)
  finish_idle(self)
  self.whole.count = r.count - r.retried - r.redirected + r.open
  self.pending, self.pending_before = nil, nil
  return self
end

--- Returns the keys of counts, the most frequent first.
function totals.by_count(counts)
  local keys = {}
  for key in pairs(counts) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return tostring(a) < tostring(b)
  end)
  return keys
end

local function by_rank(rows, rank)
  local list = table.move(rows, 1, #rows, 1, {})
  table.sort(list, function(a, b)
    local x, y = rank(a), rank(b)
    if x ~= y then return x > y end
    return a.name < b.name
  end)
  return list
end

local function attempts_of(host) return host.attempts end
local function total_of(row) return row.total end

--- Returns the hosts, the one with the most requests first.
function totals.hosts_by_attempts(t) return by_rank(t.hosts, attempts_of) end

--- Returns lines or waits, the one with the longest time first.
function totals.by_total(rows) return by_rank(rows, total_of) end

--- Returns empty totals.
---@return septet.trace.Totals
function totals.new()
  local phase_sums = {}
  for _, phase in ipairs(totals.phases) do phase_sums[phase] = { sum = 0, count = 0 } end
  return setmetatable({
    till = 0, lost = 0, records = 0, peak = 0, resumes = 0, busy = 0, sched = 0,
    requests = { count = 0, ok = 0, http_errors = 0, failures = 0, cancelled = 0, open = 0,
      queued = 0, retried = 0, redirected = 0, bytes = 0, sent = 0, insecure = 0, statuses = {},
      codes = {} },
    latency = { response = histogram.new(), service = histogram.new(), queue = histogram.new() },
    phase_sums = phase_sums, connections = { fresh = 0, reused = 0 }, protocols = {},
    hosts = {}, lines = {}, waits = {}, jobs = {},
    tasks = { count = 0, ok = 0, error = 0, cancelled = 0, open = 0 },
    hogs = { count = 0 }, stuck = { count = 0 }, cycles = { count = 0 }, unhandled = { count = 0 },
    mains = { count = 0 }, pending = {}, pending_before = {}, pending_count = 0,
    whole = { count = 0, failures = 0, http_errors = 0, statuses = {}, codes = {} },
  }, { __index = methods })
end

return totals
