-- SPDX-License-Identifier: MIT
-- Exports a model as Chrome Trace Events in JSON, which ui.perfetto.dev and chrome://tracing open.
--
-- Both want the slices of a thread to nest, and show nothing or nonsense of those that do not. A
-- thread here is a row of the model, or the scheduler with its turns. Times are whole nanoseconds
-- from the beginning, and each slice is clipped to the one around it and to the one before it. Both
-- compute with doubles: times of long traces are cut to numbers with which that is exact.
local json = require "septet.trace.json_text"

local floor, max, min = math.floor, math.max, math.min
local text, object = json.string, json.object

local SCHEDULER, LANES = 1, 100 -- threads: the scheduler, the row 0
local PIECE = 256               -- events in each call of `write`

local function ns(seconds)
  return floor(seconds * 1e9 + 0.5)
end

-- Returns the step, in nanoseconds, of the times of a trace of that length: 1 for 18 minutes, 1000
-- for 104 days. Only a damaged recording is longer.
local function step_of(length)
  return length < 2^40 and 1 or length < 2^53 and 1000 or 10000000000
end

-- Returns microseconds. Perfetto multiplies by 1000 and cuts: a number which, as a double, is just
-- below its decimal would lose a nanosecond, and a slice stick out of another. Such a number gets
-- a trifle more, less than the picosecond that Chrome tolerates.
local function us(t)
  if t % 1000 == 0 then return ("%d"):format(t // 1000) end
  local number = ("%d.%03d"):format(t // 1000, t % 1000)
  return floor(t / 1000 * 1000) == t and number or number .. "0002"
end

-- --- writing ---

-- Returns an object that writes events, each on a line of its own.
local function new_writer(write, pid)
  local pieces, first = {}, true
  local out = {}

  local function put(line)
    pieces[#pieces + 1] = first and "\n" or ",\n"
    pieces[#pieces + 1] = line
    first = false
    if #pieces >= 2 * PIECE then out.flush() end
  end

  function out.flush()
    write(table.concat(pieces))
    pieces = {}
  end

  function out.meta(name, thread, key, value)
    put(('{"ph":"M","pid":%d%s,"name":"%s","args":{"%s":%s}}'):format(pid,
      thread and (',"tid":%d'):format(thread) or "", name, key, json.value(value)))
  end

  function out.slice(thread, start, finish, category, name, args)
    put(('{"ph":"X","pid":%d,"tid":%d,"ts":%s,"dur":%s,"cat":"%s","name":%s%s}'):format(pid, thread,
      us(start), us(finish - start), category, text(name), args and ',"args":' .. args or ""))
  end

  function out.instant(thread, time, category, name, args)
    put(('{"ph":"i","s":"t","pid":%d,"tid":%d,"ts":%s,"cat":"%s","name":%s%s}'):format(pid, thread,
      us(time), category, text(name), args and ',"args":' .. args or ""))
  end

  function out.counter(time, name, args)
    put(('{"ph":"C","pid":%d,"tid":%d,"ts":%s,"name":%s,"args":%s}'):format(pid, SCHEDULER,
      us(time), text(name), args))
  end

  -- An arrow between two slices. Perfetto reads the id as hexadecimal.
  local arrows = 0
  function out.arrow(name, from_thread, from, to_thread, to)
    arrows = arrows + 1
    local event = '{"ph":"%s",%s"pid":%d,"tid":%d,"ts":%s,"id":"0x%x","cat":"%s","name":"%s"}'
    put(event:format("s", "", pid, from_thread, us(from), arrows, name, name))
    put(event:format("f", '"bp":"e",', pid, to_thread, us(to), arrows, name, name))
  end

  return out
end

-- --- what is drawn ---

local protocols = { [10] = "h1.0", [11] = "h1", [20] = "h2", [30] = "h3" }

local function request_args(r)
  return object { n = 26, "url", r.url, "status", r.status > 0 and r.status or nil,
    "bytes", r.bytes, "sent", r.sent, "proto", protocols[r.protocol], "reused", r.reused,
    "insecure", r.insecure, "error", r.code, "phase", r.phase, "attempt",
    r.resend and r.resend > 0 and r.resend + 1 or nil, "peer", r.peer, "open", r.open, "at", r.at }
end

-- Draws a request and its phases between two instants.
local function draw_request(d, thread, r, from, till)
  local start = min(max(d.at(r.start), from), till)
  local finish = min(max(d.at(r.finish), start), till)
  local host = r.host:gsub(":443$", ""):gsub(":80$", "")
  d.out.slice(thread, start, finish, "http", ("%s %s"):format(r.method, host), request_args(r))
  local at = start
  for _, phase in ipairs(r.phases) do
    local ends = min(max(d.at(phase.start + phase.duration), at), finish)
    if ends > at then d.out.slice(thread, at, ends, "phase", phase.name) end
    at = ends
  end
end

local function draw_wait(d, thread, wait, from, till)
  if wait.request then return draw_request(d, thread, wait.request, from, till) end
  d.out.slice(thread, from, till, "wait", wait.what, object { n = 8, "at", wait.at,
    "by", wait.by > 0 and wait.by or nil, "cancelled", wait.cancelled or nil,
    "open", wait.open or nil })
end

local function draw_span(d, thread, span, from, till)
  d.out.slice(thread, from, till, "span", span.name, object { n = 8, "at", span.at,
    "failed", span.failed or nil, "open", span.open or nil,
    "task", span.task and span.task.id or nil })
end

local SPAN, WAIT = 1, 2 -- and 3 for the time between ready and run

-- Returns the spans, waits and readies of a task. Those around others are before them.
local function items_of(task, spans)
  local items = {}
  for rank, list in ipairs { spans or {}, task.waits, task.readies } do
    for _, item in ipairs(list) do
      items[#items + 1] = { start = item.start, finish = item.finish, rank = rank, item = item,
        index = #items }
    end
  end
  table.sort(items, function(a, b)
    if a.start ~= b.start then return a.start < b.start end
    if a.rank ~= b.rank then return a.rank < b.rank end
    return a.index < b.index
  end)
  return items
end

-- Returns true if an instant lies within the slice of a task.
local function is_within(bounds, time)
  return bounds ~= nil and bounds.from <= time and time < bounds.till
end

-- Draws an arrow from the slice of a task to a slice that begins at `start`. An arrow needs a slice
-- at both of its ends.
local function draw_arrow(d, name, task, time, thread, start, finish)
  local bounds = task and d.bounds[task]
  if finish - start > d.step and is_within(bounds, time) then
    d.out.arrow(name, LANES + task.lane, time, thread, start + d.step)
  end
end

local function draw_ready(d, thread, wait, from, till)
  d.out.slice(thread, from, till, "ready", "ready")
  if wait and wait.by > 0 then
    draw_arrow(d, "wake", d.model.task[wait.by], from, thread, from, till)
  end
end

-- Draws what a task did, in its row.
local function draw_items(d, task, spans)
  local bounds, thread = d.bounds[task], LANES + task.lane
  local at, around, wait = bounds.from, {}, nil -- around: the ends of the spans that are open
  for _, item in ipairs(items_of(task, spans)) do
    local start = min(max(d.at(item.start), at), bounds.till)
    while around[1] and around[#around] <= start do around[#around] = nil end
    local finish = max(start, min(d.at(item.finish), around[#around] or bounds.till))
    if item.rank == SPAN then
      draw_span(d, thread, item.item, start, finish)
      around[#around + 1] = finish
      at = start
    elseif item.rank == WAIT then
      draw_wait(d, thread, item.item, start, finish)
      at = finish
    elseif finish > start then
      draw_ready(d, thread, wait, start, finish)
      at = finish
    end
    wait = item.rank == WAIT and item.item or nil
  end
end

local function task_args(t)
  return object { n = 22, "id", t.id, "parent", t.parent_id and t.parent_id > 0 and t.parent_id
    or nil, "at", t.at, "defined", t.defined, "end", t.open and "open" or t.outcome,
    "error", t.error, "code", t.code, "resumes", t.resumes, "busy_us", floor(t.busy * 1e6 + 0.5),
    "sched_us", floor(t.sched * 1e6 + 0.5), "cancelled_by", t.cancel and t.cancel.source }
end

local function draw_task(d, task, spans)
  local bounds, thread = d.bounds[task], LANES + task.lane
  d.out.slice(thread, bounds.from, bounds.till, "task", task.name, task_args(task))
  draw_arrow(d, "spawn", task.parent, bounds.from, thread, bounds.from, bounds.till)
  draw_items(d, task, spans)
  if task.cancel then
    local time = min(max(d.at(task.cancel.time), bounds.from), bounds.till)
    d.out.instant(thread, time, "cancel", "cancel", object { n = 4, "source", task.cancel.source,
      "by", task.cancel.by > 0 and task.cancel.by or nil })
  end
end

-- Returns the bounds of an item that follows those before it in its row. `free` has by row when its
-- last item ended.
local function bounds_in_row(d, free, item)
  local from = max(d.at(item.start), free[item.lane] or 0)
  local till = max(d.at(item.finish), from)
  free[item.lane] = till
  return from, till
end

-- Sets the bounds of each task, in its row one after the other.
local function set_bounds(d)
  local free = {}
  for _, t in ipairs(d.model.tasks) do
    local from, till = bounds_in_row(d, free, t)
    d.bounds[t] = { from = from, till = till }
  end
end

local function draw_tasks(d)
  local spans = {} -- by task: its spans that nest
  for _, span in ipairs(d.model.spans) do
    if not span.apart then
      spans[span.task] = spans[span.task] or {}
      table.insert(spans[span.task], span)
    end
  end
  set_bounds(d)
  for _, t in ipairs(d.model.tasks) do draw_task(d, t, spans[t]) end
end

-- Draws requests and spans that have rows of their own.
local function draw_apart(d)
  local free = {}
  for _, item in ipairs(d.model.apart) do
    local from, till = bounds_in_row(d, free, item)
    local draw = item.phases and draw_request or draw_span
    draw(d, LANES + item.lane, item, from, till)
  end
end

local function draw_runs(d)
  local free = 0
  for _, run in ipairs(d.model.runs) do
    local from = max(d.at(run.start), free)
    local till = max(d.at(run.start + run.duration), from)
    free = till
    local t = run.task
    d.out.slice(SCHEDULER, from, till, "run", t and ("#%d %s"):format(t.id, t.name) or "?")
  end
end

local function draw_samples(d)
  local before
  for _, s in ipairs(d.model.samples) do
    local time = d.at(s.time)
    d.out.counter(time, "tasks", object { n = 8, "live", s.live or 0, "ready", s.ready,
      "in_flight", s.in_flight, "queued", s.queued })
    if s.memory then d.out.counter(time, "memory", object { n = 2, "bytes", s.memory }) end
    if before and s.idle and before.idle and s.time > before.time then
      local idle = (s.idle - before.idle) / (s.time - before.time)
      d.out.counter(time, "loop", object { n = 2, "idle %",
        floor(max(0, min(idle, 1)) * 100 + 0.5) })
    end
    before = s
  end
end

local function draw_marks(d)
  for _, counter in ipairs(d.model.counters) do
    for _, point in ipairs(counter.points) do
      local value = json.number(point[2])
      if value ~= "null" then
        d.out.counter(d.at(point[1]), counter.name, '{"value":' .. value .. "}")
      end
    end
  end
  for _, mark in ipairs(d.model.marks) do
    d.out.instant(mark.task and LANES + mark.task.lane or SCHEDULER, d.at(mark.time), "mark",
      mark.name, object { n = 4, "value", mark.value, "at", mark.at })
  end
  for _, hog in ipairs(d.model.hogs) do
    d.out.instant(SCHEDULER, d.at(hog.time), "hog", "hog", object { n = 4,
      "task", hog.task and hog.task.id or nil, "ms", floor(hog.duration * 1e3 + 0.5) })
  end
end

local function name_threads(d)
  local meta = d.model.meta
  d.out.meta("process_name", nil, "name", meta.script and meta.script:match "[^/]*$" or "septet")
  d.out.meta("thread_name", SCHEDULER, "name", "scheduler")
  d.out.meta("thread_sort_index", SCHEDULER, "sort_index", -1)
  for lane = 0, d.model.rows - 1 do
    d.out.meta("thread_name", LANES + lane, "name", ("lane %d"):format(lane))
    d.out.meta("thread_sort_index", LANES + lane, "sort_index", lane)
  end
end

--- Writes the model as Chrome Trace Events.
return function(m, write)
  local zero = ns(m.from)
  local step = step_of(ns(m.till) - zero)
  local d = {
    step = step,
    model = m, bounds = {}, out = new_writer(write, math.tointeger(m.meta.pid) or 1),
    at = function(time) return max(0, ns(time) - zero) // step * step end,
  }
  write(('{"displayTimeUnit":"ms","otherData":%s,"traceEvents":['):format(object { n = 6,
    "septet", m.meta.version, "script", m.meta.script, "lost", m.lost }))
  name_threads(d)
  draw_runs(d)
  draw_tasks(d)
  draw_apart(d)
  draw_samples(d)
  draw_marks(d)
  d.out.flush()
  write "\n]}\n"
end
