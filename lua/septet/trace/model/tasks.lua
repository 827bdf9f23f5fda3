-- SPDX-License-Identifier: MIT
-- The part of the model about tasks: their waits, their turns, and when they could run.
local tasks = {}

local base = require "septet.trace.model.base"
local rows = require "septet.trace.model.rows"

local max, min = math.max, math.min
local LATEST, NONE, append, seconds = base.LATEST, base.NONE, base.append, base.seconds

local on = {} -- functions (m, event, time) by kind
tasks.on = on

local function tail(place)
  return place:match "[^/]*$"
end

-- Begins a task. Its row is that of the order of records: cached clocks may give two tasks the same
-- instant although one ended before the other began.
local function begin_task(m, id, time)
  m.edge = max(m.edge, time)
  local t = {
    id = id, name = "?", named = false, children = NONE, start = m.edge, finish = m.edge,
    open = true, lane = rows.take(m.free_rows), busy = 0, sched = 0, waited = 0, resumes = 0,
    waits = NONE, runs = NONE, readies = NONE, requests = NONE, hogs = NONE, stuck = false,
    index = #m.tasks + 1,
  }
  m.tasks[t.index] = t
  m.task[id] = t
  m.live[id] = { task = t, last = t.start, before = t.start, spans = {} }
  return m.live[id]
end

local function close_wait(state, time)
  local wait = state.wait
  wait.finish = max(wait.start, time)
  state.waited = wait
  state.task.waited = state.task.waited + wait.finish - wait.start
  state.wait = nil
end

-- Ends a task, with its wait and spans. `open`: its end was not seen.
function tasks.finish(m, state, time, open)
  local t = state.task
  t.finish = max(t.start, state.last, time)
  t.open = open
  if state.wait then close_wait(state, t.finish) end
  for _, span in ipairs(state.spans) do span.finish = t.finish end
  m.live[t.id] = nil
end

-- Returns the state of a live task, which begins here if its spawn was lost. Returns nil for no
-- task, and for one that has ended.
function tasks.state(m, id, time)
  if not id or id == 0 then return nil end
  local state = m.live[id]
  if state or m.task[id] then return state end
  return begin_task(m, id, time)
end

-- Returns when an edge of a task took place, which never goes back. A task that does something does
-- not wait, even if no record says that its wait is over.
function tasks.edge(state, time)
  state.last = max(state.last, time)
  if state.wait then close_wait(state, state.last) end
  return state.last
end

function on.spawn(m, e, time)
  if not e.task or e.task == 0 then return end
  local before = m.live[e.task]
  if before then tasks.finish(m, before, time, true) end -- its end is lost
  local state = begin_task(m, e.task, time)
  local t = state.task
  t.parent_id, t.defined, t.at = e.parent or 0, e.defined, e.at
  t.parent = m.task[t.parent_id]
  if t.parent == t then t.parent = nil end
  local spawner = m.live[t.parent_id]
  t.span = spawner and spawner.spans[#spawner.spans]
  if t.defined then t.name = tail(t.defined) end
  if t.parent then append(t.parent, "children", t) end
  state.ready = t.start
end

function on.name(m, e, time)
  local state = tasks.state(m, e.task, time)
  if not state or not e.name then return end
  state.task.name, state.task.named = e.name, true
end

function on.wait(m, e, time)
  local state = tasks.state(m, e.task, time)
  if not state then return end
  state.before = state.last
  local start = tasks.edge(state, time)
  local what = e.what or "?"
  state.wait = { start = start, finish = start, kind = what:match "^%S*", what = what, at = e.at,
    ref = e.ref, by = 0, cancelled = false, open = true }
  append(state.task, "waits", state.wait)
end

function on.ready(m, e, time)
  local state = tasks.state(m, e.task, time)
  if not state then return end
  local wait = state.wait
  if wait then
    wait.by, wait.cancelled, wait.open = e.by or 0, e.cancelled == true, false
    state.last = max(state.last, time)
    close_wait(state, state.last)
  end
  state.ready = max(state.last, time)
end

local function add_ready(state, time)
  local start = state.ready
  state.ready = nil
  -- The run of which the wait begins is recorded after the wait.
  local latest = state.wait and state.wait.start or math.huge
  local finish = max(start, min(time, latest))
  append(state.task, "readies", { start = start, finish = finish })
  state.task.sched = state.task.sched + finish - start
end

function on.run(m, e, time)
  local duration = min(seconds(e.duration), LATEST - time)
  local run = { start = time, duration = duration, left = e.left }
  m.runs[#m.runs + 1] = run
  m.till = max(m.till, time + duration)
  local state = tasks.state(m, e.task, time)
  local t = state and state.task or m.task[e.task]
  run.task = t
  if not t then return end
  append(t, "runs", run)
  t.busy = t.busy + duration
  t.resumes = t.resumes + 1
  if not t.max_run or t.max_run.duration < duration then t.max_run = run end
  if not state then return end
  if state.wait and state.wait.start < time then tasks.edge(state, time) end -- its ready is lost
  if state.ready then add_ready(state, time) end
  if e.left == "yield" then
    state.ready = max(state.last, time + duration)
    state.last = state.ready
  end
end

function on.cancel(m, e, time)
  local t = m.task[e.task]
  if t then t.cancel = { time = time, by = e.by or 0, source = e.source or "?" } end
end

on["end"] = function(m, e, time)
  local state = tasks.state(m, e.task, time)
  if not state then return end
  m.edge = max(m.edge, time)
  tasks.finish(m, state, max(tasks.edge(state, time), m.edge), false)
  local t = state.task
  m.edge = max(m.edge, t.finish)
  t.outcome, t.error, t.code = e.outcome, e.error, e.code
  rows.give_back(m.free_rows, t.lane)
end

function on.hog(m, e, time)
  local t = m.task[e.task]
  local hog = { task = t, time = time, duration = seconds(e.duration), at = e.at }
  m.hogs[#m.hogs + 1] = hog
  if t then append(t, "hogs", hog) end
end

function on.stuck(m, e, time)
  local t = m.task[e.task]
  m.stuck[#m.stuck + 1] = { task = t, time = time }
  if t then t.stuck = true end
end

function on.deadlock(m, e)
  m.deadlocks[#m.deadlocks + 1] = { task = m.task[e.task], ref = e.ref, first = e.first,
    live = e.live }
end

function on.unhandled(m, e)
  local t = m.task[e.task]
  if t then t.unhandled, t.main = true, e.main == true end
end

return tasks
