-- SPDX-License-Identifier: MIT
-- What ran: tasks, waits, requests and spans, made from the events of a trace. The exporters read
-- it. It needs no host, and raises for no sequence of events: records may be lost, repeated or out
-- of order.
--
--   local m = model.new(meta)    meta: { version, pid, script, started }, or nil
--   m:add(event)                 for each event, in the order of the trace
--   m:finish()                   once; returns m, with these fields
--
-- m.meta; m.from, m.till: seconds, the first and the last instant; m.lost: records that were lost;
--   m.records: those that were not
-- m.tasks: in the order of their spawns; m.task[id]: the last task with that id
-- m.requests (attempts), m.runs, m.spans: by start
-- m.marks, m.counters ({ name, points = { { time, value } } }), m.samples, m.hogs, m.stuck,
-- m.deadlocks, m.jobs: the steps of jobs, each of which is also a mark
-- m.lanes: rows of tasks, the peak of live tasks; m.rows: with those of m.apart, the requests and
--   spans, by start, that do not fit into the row of their task
-- m.unix(time): nanoseconds since 1970
--
-- A task: id, name, named (by a script), parent, parent_id, children, defined, at, start, finish,
--   open, outcome, error, code, lane, busy, sched, waited, resumes, max_run { start, duration },
--   waits, runs, readies, requests, cancel { time, by, source }, stuck, hogs, unhandled (nothing
--   awaited its failure), main (it is also a main task), and index in m.tasks
-- A wait: start, finish, kind, what, at, ref, by, cancelled, open, and request, which it awaited
-- A ready: start, finish: from when the task could run until it ran
-- A run: task, start, duration, left
-- A request: the fields of its event (seconds of each phase, nil for those that did not take
--   place), and task, start, finish, host, lane, phases, failed, cancelled, ok, open, awaited (its
--   wait, if it is drawn in that place), head and body: { request =, response = } with texts
-- A span: task, name, start, finish, depth, lane, open, failed, at, and outer, the span around it
-- A request, a mark and a task also have `span`, the innermost span that was open when they were
--   recorded: in their own task, or for a task, in the one that spawned it
-- `open`: the end was not seen. It is then that of the task, or of the trace.
local model = {}

local base = require "septet.trace.model.base"
local requests = require "septet.trace.model.requests"
local rows = require "septet.trace.model.rows"
local spans = require "septet.trace.model.spans"
local tasks = require "septet.trace.model.tasks"

local max = math.max
local ns, seconds = base.ns, base.seconds

local on = {} -- functions (m, event, time) by kind
for _, part in ipairs { tasks.on, requests.on, spans.on } do
  for kind, handler in pairs(part) do on[kind] = handler end
end

function on.clock(m, e, time)
  local unix = math.tointeger(e.unix_ns) or ns(seconds(e.unix))
  m.clocks[#m.clocks + 1] = { time = time, offset = unix - ns(time) }
end

function on.lost(m, e)
  m.lost = m.lost + max(0, math.tointeger(e.count) or 0)
end

-- Makes m.unix. The wall clock may be set back: durations must not become negative by that.
local function set_unix(m)
  local clocks, offset = m.clocks, nil
  for _, clock in ipairs(clocks) do
    offset = offset and max(offset, clock.offset) or clock.offset
    clock.offset = offset
  end
  if not clocks[1] then
    clocks[1] = { time = 0, offset = ns(seconds(m.meta.started, m.from)) - ns(m.from) }
  end
  function m.unix(time)
    local low, high = 1, #clocks -- the last one before the time, or the first
    while low < high do
      local middle = (low + high + 1) // 2
      if clocks[middle].time <= time then low = middle else high = middle - 1 end
    end
    return ns(time) + clocks[low].offset
  end
end

local methods = {}

--- Adds an event. Kinds that this version does not know have no effect, nor does any event once the
--- model is finished.
function methods:add(e)
  local handler = on[e.kind]
  local time = seconds(e.time, self.till)
  if e.kind ~= "lost" then self.records = self.records + 1 end
  if not handler or not self.live then return end
  if not self.from or time < self.from then self.from = time end
  if time > self.till then self.till = time end
  handler(self, e, time)
end

local function join_bodies(m)
  for _, parts in pairs(m.parts) do -- in any order
    for _, body in pairs(parts.body or base.NONE) do
      body.text, body.pieces = table.concat(body.pieces), nil
    end
  end
end

-- Ends what is still going on.
local function close_open(m)
  m.edge = max(m.edge, m.till)
  for _, t in ipairs(m.tasks) do
    local state = m.live[t.id]
    if state and state.task == t then
      local wait = state.wait
      tasks.finish(m, state, m.till, true)
      if wait and wait.kind == "http" then requests.add_open(m, t, wait) end
    end
    m.till = max(m.till, t.finish)
  end
  for _, span in ipairs(m.spans_outside) do span.finish = max(span.start, m.till) end
end

function methods:finish()
  self.from = self.from or 0
  self.till = max(self.till, self.from)
  close_open(self)
  join_bodies(self)
  set_unix(self)
  base.sort_by_start(self.runs)
  base.sort_by_start(self.requests)
  base.sort_by_start(self.spans)
  local apart = {}
  for _, r in ipairs(self.requests) do
    if not r.awaited then apart[#apart + 1] = r end
  end
  for _, span in ipairs(self.spans) do
    if span.apart then
      apart[#apart + 1] = span
      span.depth = 0
    else
      span.lane = span.task.lane
    end
  end
  base.sort_by_start(apart)
  self.lanes = self.free_rows.next
  self.rows = rows.assign(apart, self.lanes)
  self.apart = apart
  for _, internal in ipairs { "free_rows", "live", "edge", "parts", "hosts", "clocks", "counter",
    "spans_outside" } do
    self[internal] = nil
  end
  return self
end

local metatable = { __index = methods }

--- Returns a model without events.
function model.new(meta)
  return setmetatable({
    meta = meta or {}, tasks = {}, task = {}, requests = {}, runs = {}, spans = {}, marks = {},
    counters = {}, samples = {}, hogs = {}, stuck = {}, deadlocks = {}, jobs = {},
    lost = 0,
    records = 0, till = 0,
    -- until it is finished:
    live = {}, edge = 0, free_rows = rows.new(0), parts = {}, hosts = {}, clocks = {},
    counter = {}, spans_outside = {},
  }, metatable)
end

return model
